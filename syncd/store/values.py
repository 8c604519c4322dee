"""What filters compare with: texts of a query, read as what a column holds."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from syncd.errors import BadRequest

LARGEST = 2**63 - 1
"""The largest whole number that is kept."""

LONGEST_PATTERN = 1000
"""Characters of a regular expression."""

TEXTUAL = re.compile(r"i?(contains|startswith|endswith|regex)|iexact")

Reader = Callable[[str], Any]


def read(kind: str, lookup: str, value: str, name: str, *, related: bool) -> Any:
    """Return what a value means for a lookup in a column of that kind.

    ``related``: the column holds the number of another record, or none. Raise
    BadRequest.
    """
    if lookup == "isnull":
        return flag(value)
    if lookup in ("regex", "iregex"):
        return pattern(value)
    if TEXTUAL.fullmatch(lookup):
        return value
    reader: Reader = (lambda one: number_of(one, name)) if related else READERS[kind]
    if lookup != "in":
        return reader(value)
    if not value:
        raise BadRequest("cannot provide empty value for __in")
    return [reader(one) for one in value.split(",")]


def number_of(value: str, name: str) -> int | None:
    """Return the number of a record, None for none of them; raise BadRequest."""
    if value.lower() in ("none", "null"):
        return None
    try:
        return whole(value)
    except BadRequest:
        raise BadRequest(f"Invalid {name[:100]} id: {value[:100]}") from None


def flag(value: str) -> bool:
    """Return what is true or false; raise BadRequest."""
    match value.lower():
        case "true" | "1" | "t":
            return True
        case "false" | "0" | "f":
            return False
    raise BadRequest(f'Unable to convert "{value[:100]}" to boolean')


def whole(value: str) -> int:
    """Return a whole number; raise BadRequest."""
    if re.fullmatch(r"\s*[+-]?\d{1,19}\s*", value, re.ASCII):
        found = int(value)
        if abs(found) <= LARGEST:
            return found
    raise _odd(value, "value must be an integer.")


def number(value: str) -> float:
    """Return a number; raise BadRequest."""
    if re.fullmatch(r"[+-]?(\d{1,19}(\.\d{0,19})?|\.\d{1,19})", value, re.ASCII):
        return float(value)
    raise _odd(value, "value must be a float.")


def moment(value: str) -> float:
    """Return a moment in seconds since 1970; a day is its beginning, in UTC.

    Raise BadRequest.
    """
    text = value.strip()
    # A plus in an address may have become a blank.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if len(text) > 16 else text
    if not re.match(r"\d{4}-\d\d-\d\d($|[T ]\d\d:\d\d)", text, re.ASCII):
        raise _odd(value, _MOMENT)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise _odd(value, _MOMENT) from None


def pattern(value: str) -> str:
    """Return a regular expression that can be used; raise BadRequest."""
    # Loaded by those who ask so; its time grows with the text only, whatever it says.
    import re2  # noqa: PLC0415

    if len(value) > LONGEST_PATTERN:
        raise BadRequest(f"the pattern has more than {LONGEST_PATTERN} characters")
    try:
        re2.compile(value, _quietly())
    except re2.error as error:
        raise BadRequest(_words(error)) from None
    return value


def matches(value: str, text: Any) -> int | None:
    """Return 1 where a regular expression is found in a text, 0 where not."""
    import re2  # noqa: PLC0415

    return None if text is None else int(bool(re2.search(value, str(text))))


def folded(text: Any) -> str | None:
    """Return a text as it compares in any case."""
    return None if text is None else str(text).casefold()


def _quietly() -> Any:
    import re2  # noqa: PLC0415

    options = re2.Options()
    options.log_errors = False
    return options


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else "it makes no sense"
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _odd(value: str, words: str) -> BadRequest:
    shown = f"\N{LEFT DOUBLE QUOTATION MARK}{value[:100]}"
    text = [f"{shown}\N{RIGHT DOUBLE QUOTATION MARK} {words}"]
    return BadRequest(json.dumps(text, ensure_ascii=False))


_MOMENT = (
    "value has an invalid format. It must be in"
    " YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."
)

READERS: dict[str, Reader] = {
    "integer": whole,
    "string": str,
    "boolean": flag,
    "datetime": moment,
    "float": number,
}
