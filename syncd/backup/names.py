"""Names of vaults: ``[prefix_]YYYYMMDDTHHMMSS``, and the second to try next."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from syncd.errors import BadRequest

FORM = "%Y%m%dT%H%M%S"

AHEAD = 3600
"""Seconds that a name may run ahead of the clock."""

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,99}_)?\d{8}T\d{6}", re.ASCII)


def names(prefix: str, at: float, zone: tzinfo) -> Iterator[str]:
    """Give the names for a vault that is asked for then, best first.

    An hour that the clock shows twice gives no name twice: each is looked at once.
    Raise BadRequest for a prefix that cannot be part of a folder's name.
    """
    if prefix and not _PREFIX.fullmatch(prefix):
        raise BadRequest(
            f"the prefix {prefix[:40]!r} may hold only letters, digits, '-', '_' and"
            " '.', at most 100 of them, and must begin with a letter or digit"
        )
    return _names(f"{prefix}_" if prefix else "", at, zone)


def at(moment: float, zone: tzinfo) -> str:
    """Return how that moment is written in a name."""
    return datetime.fromtimestamp(moment, zone).strftime(FORM)


def checked(name: str) -> str:
    """Return the name if it is one that a vault can have; raise BadRequest."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name[:40]!r} is no name of a vault; write [PREFIX_]YYYYMMDDTHHMMSS"
        )
    return name


def _names(prefix: str, at: float, zone: tzinfo) -> Iterator[str]:
    second = datetime.fromtimestamp(int(at), zone).replace(tzinfo=None)
    for number in range(AHEAD):
        yield prefix + (second + timedelta(seconds=number)).strftime(FORM)
