"""The fields of bodies: what each takes, and in which words it refuses the rest.

Words and leniency are those that clients of the dialect know.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from syncd.api.cyborg.refusals import Invalid
from syncd.errors import SyncdError

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
EMPTY = "This field cannot be blank."
NULL = "This field may not be null."
NO_MAIL = "Enter a valid email address."
LARGEST = 2**63 - 1

_TRUE = frozenset({"t", "y", "yes", "true", "on", "1"})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0"})
_MAIL = re.compile(r"[^@\s,;:<>\"'/\\()\[\]]+@[^@\s,;:<>\"'/\\()\[\]]+\Z")


class Wrong(ValueError):
    """A value that a field does not take, and why."""


class Field(Struct, frozen=True, kw_only=True):
    """One field of a body."""

    label: str
    required: bool = False
    default: Any = None
    """What there is where nothing is said."""
    kind: str = "field"
    """What OPTIONS calls it."""

    def read(self, value: Any) -> Any:
        """Return what a value means; raise Wrong."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return what it takes, as JSON Schema."""
        return {}

    def bounds(self) -> dict[str, Any]:
        """Return what else OPTIONS tells of it."""
        return {}


class Text(Field, frozen=True, kw_only=True):
    """A text; null is an empty one."""

    most: int = 1024
    default: str = ""
    kind: str = "string"

    def read(self, value: Any) -> str:
        """Return the text, without blanks around it."""
        said, value = value, "" if value is None else value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong("Not a valid string.")
        text = str(value).strip()
        if "\0" in text:
            raise Wrong("Null characters are not allowed.")
        if self.required and not text:
            raise Wrong(EMPTY if said is None else BLANK)
        if len(text) > self.most:
            raise Wrong(f"Ensure this field has no more than {self.most} characters.")
        return text

    def schema(self) -> dict[str, Any]:
        """Return its length."""
        least = {"minLength": 1, "pattern": r"\S"} if self.required else {}
        return {"type": "string", "maxLength": self.most, **least}

    def bounds(self) -> dict[str, Any]:
        """Return its length."""
        return {"max_length": self.most}


class Mail(Text, frozen=True, kw_only=True):
    """An address of mail."""

    most: int = 254

    def read(self, value: Any) -> str:
        """Return the address."""
        text = super().read(value)
        if text and not _MAIL.fullmatch(text):
            raise Wrong(NO_MAIL)
        return text


class Checked(Text, frozen=True, kw_only=True):
    """A text that something else has to make sense of."""

    check: Callable[[str], Any]
    """Raises SyncdError with the reason."""

    def read(self, value: Any) -> str:
        """Return the text."""
        text = super().read(value)
        try:
            self.check(text)
        except SyncdError as error:
            raise Wrong(str(error)) from None
        return text


class Whole(Field, frozen=True, kw_only=True):
    """A whole number."""

    least: int = 0
    most: int = LARGEST
    nullable: bool = False
    kind: str = "integer"

    def read(self, value: Any) -> int | None:
        """Return the number."""
        if value is None and self.nullable:
            return None
        if value is None:
            raise Wrong(NULL)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        said = str(value).strip() if isinstance(value, str | int) else ""
        if isinstance(value, bool) or not re.fullmatch(
            r"[+-]?\d{1,19}", said, re.ASCII
        ):
            raise Wrong("A valid integer is required.")
        number = int(said)
        if number < self.least:
            raise Wrong(f"Ensure this value is greater than or equal to {self.least}.")
        if number > self.most:
            raise Wrong(f"Ensure this value is less than or equal to {self.most}.")
        return number

    def schema(self) -> dict[str, Any]:
        """Return its bounds."""
        kinds = ["integer", "null"] if self.nullable else "integer"
        return {"type": kinds, "minimum": self.least, "maximum": self.most}

    def bounds(self) -> dict[str, Any]:
        """Return its bounds."""
        most = {} if self.most == LARGEST else {"max_value": self.most}
        return {"min_value": self.least, **most}


class Flag(Field, frozen=True, kw_only=True):
    """True or false, also in words."""

    default: bool = False
    kind: str = "boolean"

    def read(self, value: Any) -> bool:
        """Return which."""
        if value is None:
            raise Wrong(NULL)
        word = str(value).lower() if isinstance(value, str | int | bool) else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise Wrong("Must be a valid boolean.")

    def schema(self) -> dict[str, Any]:
        """Return its type."""
        return {"type": "boolean"}


class Choice(Field, frozen=True, kw_only=True):
    """One of a few words."""

    choices: Mapping[str, str]
    """By the word: what people are told."""
    kind: str = "choice"

    def read(self, value: Any) -> str:
        """Return the word."""
        word = "" if value is None else value
        if not isinstance(word, str) or word not in self.choices:
            raise Wrong(f'"{str(word)[:100]}" is not a valid choice.')
        return word

    def schema(self) -> dict[str, Any]:
        """Return the words."""
        return {"enum": [*self.choices]}

    def bounds(self) -> dict[str, Any]:
        """Return the words, and what people are told."""
        return {"choices": [[word, label] for word, label in self.choices.items()]}


class Reference(Field, frozen=True, kw_only=True):
    """The number of a record of another model; that there is one is looked up later."""

    to: str
    nullable: bool = False

    def read(self, value: Any) -> int | None:
        """Return the number."""
        if value is None and self.nullable:
            return None
        if value is None:
            raise Wrong(NULL)
        return number(value)

    def schema(self) -> dict[str, Any]:
        """Return its type."""
        return {"type": "integer", "minimum": 1}


class References(Field, frozen=True, kw_only=True):
    """Numbers of records of another model."""

    to: str
    default: Any = None
    """None: those there are stay."""

    def read(self, value: Any) -> list[int]:
        """Return the numbers."""
        if value is None:
            raise Wrong(NULL)
        if not isinstance(value, list):
            kind = type(value).__name__
            raise Wrong(f'Expected a list of items but got type "{kind}".')
        return [number(one) for one in value]

    def schema(self) -> dict[str, Any]:
        """Return its type."""
        return {"type": "array", "items": {"type": "integer", "minimum": 1}}


def number(value: Any) -> int:
    """Return the number of a record; raise Wrong."""
    said = str(value) if isinstance(value, str | int) else ""
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", said, re.ASCII):
        kind = type(value).__name__
        raise Wrong(f"Incorrect type. Expected pk value, received {kind}.")
    return int(said)


def unknown(value: int) -> str:
    """Return how a number is refused that no record has."""
    return f'Invalid pk "{value}" - object does not exist.'


Fields = Mapping[str, Field]


def read(
    fields: Fields, document: Mapping[str, Any], *, whole: bool, fill: bool
) -> dict[str, Any]:
    """Return what a body says; raise Invalid with all that is wrong.

    ``whole``: what is required must be there. ``fill``: what is not said gets its
    default. Names that are none are passed over, as clients rely on.
    """
    found: dict[str, Any] = {}
    wrong: dict[str, Sequence[str]] = {}
    for name, field in fields.items():
        if name in document:
            try:
                found[name] = field.read(document[name])
            except Wrong as error:
                wrong[name] = [str(error)]
        elif whole and field.required:
            wrong[name] = [REQUIRED]
        elif fill and not isinstance(field, References):
            found[name] = field.default
    if wrong:
        raise Invalid(wrong)
    return found


def schema(fields: Fields, *, whole: bool) -> dict[str, Any]:
    """Return what a body may say, as JSON Schema."""
    required = [name for name, one in fields.items() if one.required]
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: one.schema() for name, one in fields.items()},
    }
    return {**found, "required": required} if whole and required else found
