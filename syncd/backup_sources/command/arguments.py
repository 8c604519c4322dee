"""The words that what is asked for becomes in a command; checked, each name of it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.backup_sources.command.template import NAME, OWN
from syncd.errors import BadRequest

Variables = list[str | dict[str, Any]]
"""Names, or objects of a name and its default."""

LONGEST_WORD = 128 * 1024 - 1
"""Bytes that Linux takes for one word of a command."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}", re.ASCII)
_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII)
_CONTROL = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]")
_LONGEST_PART = 255
_PARTS = ("collections", "tables")


def checked(databases: Sequence[Any]) -> list[str]:
    """Return the names of the databases that are asked for.

    Each is a name, or an object of one name and what of it: ``{"db":
    {"collections": ["c", {"d": QUERY}]}}`` or ``{"db": {"tables": ["t"]}}``.
    Raise BadRequest for the first that is not.
    """
    if not isinstance(databases, list | tuple):
        raise BadRequest("databases must be a list of names")
    return [_database(one) for one in databases]


def check_name(name: object) -> str:
    """Return the name of a database; raise BadRequest for what cannot be one."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise BadRequest(
        f"not the name of a database: {_shown(name)}; letters, digits, '-', '_' and,"
        " after the first, '.' may be in it, up to 255"
    )


def of_databases(key: str, databases: Sequence[Any] | None) -> list[str]:
    """Return the words that name databases; none for all of them."""
    if databases is None:
        return []
    return [*key.split(), _word("databases", _json(list(databases)))]


def of_map(key: str, names: Mapping[str, str]) -> list[str]:
    """Return the words that say which database is to be called otherwise."""
    if not names:
        return []
    for old, new in names.items():
        check_name(old)
        check_name(new)
    return [*key.split(), _word("names", _json(dict(names)))]


def of_variable(name: str, value: Any) -> list[str]:
    """Return the words of a variable: an option and its value, or none if unset.

    Raise BadRequest for a value that a command would take for another option.
    """
    if value is None or value == "":
        return []
    text = _json(value) if isinstance(value, dict | list) else str(value)
    if text.startswith("-") and not _NUMBER.fullmatch(text):
        raise BadRequest(
            f"variable {name}: begins with '-', so that the command would take it for"
            " an option; leave that out"
        )
    return [f"-{name}", _word(f"variable {name}", text)]


def declared(variables: Variables) -> dict[str, Any]:
    """Return the declared variables with their defaults, None for those without.

    Raise ValueError for what declares none, or one twice.
    """
    found: dict[str, Any] = {}
    for one in variables:
        if isinstance(one, dict) and len(one) != 1:
            raise ValueError("has an object of several variables; write one for each")
        ((name, default),) = (
            one.items() if isinstance(one, dict) else {one: None}.items()
        )
        if not NAME.fullmatch(name) or name in OWN:
            raise ValueError(
                f"has {name!r}, which cannot be a variable's name; use letters, digits,"
                f" '-' and '_', and none of {', '.join(OWN)}"
            )
        if name in found:
            raise ValueError(f"has {name} twice; leave one out")
        try:
            of_variable(name, default)
        except BadRequest as error:
            raise ValueError(str(error)) from None
        found[name] = default
    return found


def variables(
    declared: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the words of each declared variable, of what is given or its default.

    Raise BadRequest for one that is not declared.
    """
    if strangers := sorted(given.keys() - declared.keys()):
        known = ", ".join(sorted(declared)) or "none"
        raise BadRequest(
            f"no such variable: {_listed(strangers)}; declared are: {known}"
        )
    return {
        name: of_variable(name, given.get(name, default))
        for name, default in declared.items()
    }


def _database(one: Any) -> str:
    if isinstance(one, str):
        return check_name(one)
    if not isinstance(one, dict) or len(one) != 1:
        raise BadRequest(
            f"not a database: {_shown(one)}; write its name, or an object of its name"
            ' and what of it: {"NAME": {"tables": ["ONE"]}}'
        )
    ((name, what),) = one.items()
    name = check_name(name)
    if not isinstance(what, dict) or len(what) != 1 or not what.keys() <= {*_PARTS}:
        raise BadRequest(f"database {name}: say either collections or tables of it")
    ((part, those),) = what.items()
    if not isinstance(those, list) or not all(_is_part(each, part) for each in those):
        raise BadRequest(f"database {name}: {part} must be a list of names")
    return name


def _is_part(one: Any, part: str) -> bool:
    if isinstance(one, dict) and part == "collections" and len(one) == 1:
        ((one, query),) = one.items()
        if not isinstance(query, dict):
            return False
    return (
        isinstance(one, str)
        and 0 < len(one) <= _LONGEST_PART
        and not _CONTROL.search(one)
    )


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _word(what: str, text: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadRequest(f"{what}: cannot be written as Unicode") from None
    if "\0" in text:
        raise BadRequest(f"{what}: holds a NUL character; no command takes one")
    if size > LONGEST_WORD:
        raise BadRequest(
            f"{what}: {size} bytes are more than a command takes ({LONGEST_WORD});"
            " ask for less at once"
        )
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_shown(name) for name in names)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
