"""Records as answers show them: their keys, addresses, moments, and what is beside."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from syncd.api.cyborg.handler import PREFIX
from syncd.store.cyborg.finding import Beside, kind
from syncd.store.sealing import MARK


def moment(seconds: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC; a fraction only where there is one."""
    if seconds is None:
        return None
    at = datetime.fromtimestamp(round(seconds, 6), UTC)
    return at.isoformat().replace("+00:00", "Z")


def address(name: str, id_: int, *more: str) -> str:
    """Return where a record is, or something of it."""
    return "/".join([PREFIX, name, str(id_), *more, ""])


def person(found: Any) -> dict[str, Any]:
    """Return what is told of a user beside other records."""
    return picked(found, "id", "email", "first_name", "last_name")


def picked(found: Any, *names: str) -> dict[str, Any]:
    """Return some fields of a record."""
    return {name: getattr(found, name) for name in names}


def concealed(sealed: str) -> str:
    """Return what stands for a secret: whether there is one is no secret."""
    return MARK if sealed else ""


def common(
    name: str,
    found: Any,
    beside: Beside,
    related: Mapping[str, str],
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the keys that almost all records begin with."""
    people = {
        key: one
        for key in ("created_by", "modified_by")
        if (one := beside.get("users", getattr(found, key))) is not None
    }
    return {
        "id": found.id,
        "type": kind(name),
        "url": address(name, found.id),
        "related": {
            **{key: address("users", one.id) for key, one in people.items()},
            **related,
        },
        "summary_fields": {
            **summary,
            **{key: person(one) for key, one in people.items()},
        },
        "created": moment(found.created),
        "modified": moment(found.modified),
        "created_by": found.created_by,
        "modified_by": found.modified_by,
    }
