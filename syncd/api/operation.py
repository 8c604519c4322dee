"""One thing an address can do: what it takes and answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from syncd.core import path as paths
from syncd.core.permission import Action
from syncd.errors import BadRequest

Method = TypeVar("Method", bound=Callable[..., Any])

LARGEST = 2**63 - 1


class Usual(Enum):
    """Stands for what a handler usually needs; see Handler.needed."""

    USUAL = auto()


USUAL = Usual.USUAL


class Parameter(Protocol):
    """A parameter of the query."""

    @property
    def name(self) -> str:
        """Return how it is written in the query."""
        ...

    @property
    def about(self) -> str:
        """Return what it is for."""
        ...

    @property
    def default(self) -> Any:
        """Return its value when it is not given."""
        ...

    def read(self, raw: bytes) -> Any:
        """Return its value; raise BadRequest."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return what it may be, as JSON Schema."""
        ...


class Number(Struct, frozen=True):
    """A whole number."""

    name: str
    about: str
    default: int
    least: int
    most: int = LARGEST

    def read(self, raw: bytes) -> int:
        """Return the number; raise BadRequest if it is none, or out of bounds."""
        if re.fullmatch(rb"\d{1,19}", raw) and self.least <= int(raw) <= self.most:
            return int(raw)
        raise BadRequest(
            f"{self.name} must be a whole number from {self.least} to {self.most},"
            f" not {shown(raw)}"
        )

    def schema(self) -> dict[str, Any]:
        """Return the bounds and the default."""
        return {
            "type": "integer",
            "minimum": self.least,
            "maximum": self.most,
            "default": self.default,
        }


class Word(Struct, frozen=True):
    """A text, perhaps one of a few."""

    name: str
    about: str
    choices: Sequence[str] = ()
    default: None = None

    def read(self, raw: bytes) -> str:
        """Return the text; raise BadRequest if it is not UTF-8 or not one of those."""
        text = shown(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise BadRequest(f"{self.name} is not UTF-8: {text}") from None
        if self.choices and text not in self.choices:
            known = ", ".join(self.choices)
            raise BadRequest(f"{self.name} must be one of {known}, not {shown(raw)}")
        return text

    def schema(self) -> dict[str, Any]:
        """Return the choices."""
        choices = {"enum": [str(one) for one in self.choices]} if self.choices else {}
        return {"type": "string", **choices}


class EntryWord(Word, frozen=True):
    """The name of an entry; which there are, the room below knows."""

    def schema(self) -> dict[str, Any]:
        """Return where the names are listed."""
        return {"$ref": "#/components/schemas/EntryName"}


_PART = r"(?!\.{1,2}(/|$))[^/\x00]+"


class PathWord(Struct, frozen=True):
    """A path inside an entry; may hold percent-encoded bytes that are not UTF-8."""

    name: str
    about: str
    default: None = None

    def read(self, raw: bytes) -> str | None:
        """Return the path (None: the root); raise BadRequest for an impossible one."""
        text = paths.from_bytes(raw)
        return paths.checked(text) if text.strip("/") else None

    def schema(self) -> dict[str, Any]:
        """Return a pattern that leaves out what ``read`` refuses."""
        return {"type": "string", "pattern": rf"^/*({_PART}(/{_PART})*)?/*$"}


OFFSET = Number("offset", "How many to leave out at the beginning.", 0, least=0)
LIMIT = Number("limit", "How many to answer at most.", 20, least=1, most=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method of an address takes and answers."""

    call: Callable[..., Any]
    query: Sequence[Parameter] = ()
    body: dict[str, Any] | None = None
    """What the body must be, as JSON Schema; None where there is nothing to say."""
    optional: bool = False
    """Whether there need not be a body."""
    errors: Sequence[HTTPStatus] = ()
    """What it may refuse beyond what every address does."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """Media types it answers that are not JSON, with their schemas."""
    status: Sequence[HTTPStatus] = (HTTPStatus.OK,)
    action: Action | Usual | None = USUAL
    """What somebody must be allowed to do; None: it is open to everybody."""

    @property
    def about(self) -> str:
        """Return what it does, in words."""
        return getdoc(self.call) or ""

    @property
    def answer(self) -> Any:
        """Return the type of the document it answers; None where it sends by itself."""
        return self.call.__annotations__["return"]

    def parameters(self, given: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
        """Return the query's values; raise BadRequest for unknown and repeated ones."""
        known = {parameter.name: parameter for parameter in self.query}
        for name, values in given.items():
            if name not in known:
                raise BadRequest(_unknown(name, list(known)))
            if len(values) > 1:
                raise BadRequest(f"{name} is given {len(values)} times; give it once")
        return {
            name: one.read(given[name][0]) if name in given else one.default
            for name, one in known.items()
        }


def on(method: str, **settings: Any) -> Callable[[Method], Method]:
    """Make a function of a handler answer that HTTP method; see Operation."""

    def mark(call: Method) -> Method:
        marks = getattr(call, "operations", {})
        marks[method] = Operation(call=call, **settings)
        call.operations = marks  # type: ignore[attr-defined]
        return call

    return mark


def shown(raw: bytes) -> str:
    """Return a few words about what was sent, whatever it is."""
    text = ascii(raw[:40].decode(errors="backslashreplace"))
    return text if len(raw) <= 40 else f"{text}..."


def _unknown(name: str, known: list[str]) -> str:
    remedy = f"known are {', '.join(known)}" if known else "there are none here"
    return f"unknown parameter {shown(name.encode(errors='replace'))}: {remedy}"
