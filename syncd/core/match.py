"""What a rule may ask of a file, as people write it."""

import math
import re
from collections import Counter
from fractions import Fraction
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from syncd.core import glob

MOST_BYTES = 2**63 - 1
MOST_SECONDS = 10**11
"""Some 3000 years: no file is older."""

_SIZE = re.compile(
    r"\s*([0-9]{1,25}(?:\.[0-9]{1,25})?)\s*(?:([kmgtp])(i?))?[bo]?\s*",
    re.IGNORECASE | re.ASCII,
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_STEP = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([smhdw])\s*")
_DURATION = re.compile(rf"\s*(?:{_STEP.pattern}){{1,10}}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MIME = re.compile(r"[\w.+*!#$&^-]{1,127}/[\w.+*!#$&^-]{1,127}", re.ASCII)


def shown(value: Any) -> str:
    """Return a few words that tell a person what a wrong value is, whatever it is."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return ascii(value if len(value) <= 40 else f"{value[:40]}...")
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return f"the number {value}"
    names = {list: "a list", dict: "an object", int: "a huge number"}
    return names.get(type(value), f"a {type(value).__name__}")


def named(name: str) -> str:
    """Return a name as it is if it is short and plain, else quoted."""
    return name if name.isprintable() and 0 < len(name) <= 40 else shown(name)


def size(value: Any) -> int:
    """Return bytes for a number, or text like ``1MiB``, ``2 GB`` or ``1.5k``."""
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        number, unit, binary = found.groups()
        power = " kmgtp".index((unit or " ").lower())
        value = int(Fraction(number) * (1024 if binary else 1000) ** power)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(
            f"must be bytes, or text like 1MiB or 2 GB, not {shown(value)}"
        )
    if value > MOST_BYTES:
        raise ValueError("is more than any file has")
    return value


def duration(value: Any) -> float:
    """Return seconds for a number, or text like ``30d``, ``12h`` or ``1h30m``."""
    if isinstance(value, str) and _DURATION.fullmatch(value):
        steps = _STEP.findall(value)
        value = float(sum(Fraction(number) * _SECONDS[unit] for number, unit in steps))
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ValueError(
            f"must be seconds, or text like 30d, 12h or 1h30m, not {shown(value)}"
        )
    if not value <= MOST_SECONDS:
        raise ValueError("is more than any file has")
    return float(value)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise ValueError("must be valid Unicode")
        return value
    hint = "" if isinstance(value, list | dict) else "; in YAML, put it in quotes"
    raise ValueError(f"must be text, not {shown(value)}{hint}")


def _list(value: Any) -> Any:
    if isinstance(value, list):
        return value
    raise ValueError(f"must be a list, not {shown(value)}")


def _one_or_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else _list(value)


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("says nothing: leave it out, or give it a value")
    return value


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if values:
        return values
    raise ValueError("is empty, so that the rule would never match: leave it out")


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        raise ValueError(f"has {', '.join(map(named, twice))} more than once")
    return values


def _mime(value: str) -> str:
    if _MIME.fullmatch(value):
        return value.lower()
    raise ValueError(f"must be like image/png or image/*, not {shown(value)}")


def _entry(value: str, info: ValidationInfo) -> str:
    entries = info.context
    if entries is None or value in entries:
        return value
    known = ", ".join(list(entries)[:20]) or "none"
    raise ValueError(f"no entry is called {named(value)}; entries are {known}")


_TEXTS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}

Given = BeforeValidator(_given)
Text = Annotated[str, Strict(), BeforeValidator(_text)]
Path = Annotated[
    Text,
    AfterValidator(glob.check),
    WithJsonSchema({"type": "string", "pattern": "^/", "maxLength": glob.LONGEST}),
]
Mimes = Annotated[
    tuple[Annotated[Text, AfterValidator(_mime)], ...],
    BeforeValidator(_one_or_list),
    AfterValidator(_some),
    AfterValidator(_distinct),
    WithJsonSchema({"anyOf": [{"type": "string"}, {**_TEXTS, "minItems": 1}]}),
]
Entries = Annotated[
    tuple[Annotated[Text, AfterValidator(_entry)], ...],
    BeforeValidator(_list),
    AfterValidator(_distinct),
    WithJsonSchema(_TEXTS),
]
Origins = Annotated[
    Entries, AfterValidator(_some), WithJsonSchema({**_TEXTS, "minItems": 1})
]
Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema({"type": ["integer", "string"], "examples": [4096, "1MiB"]}),
]
Age = Annotated[
    float,
    BeforeValidator(duration),
    WithJsonSchema({"type": ["number", "string"], "examples": [3600, "30d"]}),
]


class Value(BaseModel):
    """A frozen value that refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Span(Value):
    @model_validator(mode="after")
    def _is_a_span(self) -> "_Span":
        if not self.model_fields_set:
            raise ValueError("must have min, max or both")
        if self.min > self.max:  # type: ignore[attr-defined]
            raise ValueError("has a min above its max: the rule would never match")
        return self


class Sizes(_Span):
    """How many bytes a file may have, both ends included."""

    min: Size = 0
    max: Size = MOST_BYTES


class Ages(_Span):
    """How many seconds ago a file may have been modified, both ends included."""

    min: Age = -math.inf
    max: Age = math.inf


class Match(Value):
    """Every criterion that is given must hold; without any, everything matches."""

    path: Annotated[Path | None, Given] = None
    mime: Annotated[Mimes | None, Given] = None
    size: Annotated[Sizes | None, Given] = None
    age: Annotated[Ages | None, Given] = None
    not_: Annotated["Match | None", Given] = Field(None, alias="not")
    from_: Annotated[Origins | None, Given] = Field(None, alias="from")

    @model_validator(mode="after")
    def _can_hold(self) -> "Match":
        if self.not_ is not None and not self.not_.model_fields_set:
            raise ValueError("has a not that excludes everything: leave it out")
        return self
