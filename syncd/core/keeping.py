"""What is kept of contents that syncd took away: for how long, and which to bring back.

Every entry keeps by itself what was replaced or deleted *there*. So one change is
kept once for every entry that it came to, perhaps days later where an entry was
away; what tells that they belong together is the change's cause.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from syncd.core.file import Kind, Stamp

DAY = 86_400
_NANOSECONDS = 1_000_000_000


class Loss(StrEnum):
    """Why a content was taken from its path."""

    REPLACED = "replaced"
    """A newer version came."""
    DELETED = "deleted"
    """It was deleted elsewhere."""
    UNMATCHED = "unmatched"
    """No rule wants it on this entry any more."""
    UNDONE = "undone"
    """An older content was brought back in its place."""


_COMES = frozenset({Loss.REPLACED, Loss.DELETED})
"""Where the cause is a change that comes to every entry; others are for one alone."""


class Promise(Struct, frozen=True, array_like=True):
    """How long what was taken away is kept: both must hold."""

    days: float
    versions: int
    """How many of one path, the newest first."""


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """One content that an entry keeps."""

    path: str
    place: str
    """Where the driver keeps it; means nothing to anybody else."""
    at_ns: int
    """When it was taken away; no two of one path share it."""
    kind: Kind
    size: int
    mtime_ns: int
    loss: Loss
    cause: str = ""
    """Id of the change that it had to give way to."""
    digest: bytes | None = None
    sound: bool = True
    """Whether it is as its name says: a crash, or a person, may have changed it."""


class Return(Struct, frozen=True, array_like=True):
    """One kept content to be brought back, if what lies at its path is still that."""

    path: str
    place: str
    there: Stamp | None
    """What it replaces, and what is then kept itself; None: nothing."""
    digest: bytes | None = None
    """Of what it replaces, where known."""
    cause: str = ""


class Wish(Struct, frozen=True, array_like=True):
    """One kept content that a person wants back."""

    path: str
    place: str
    digest: bytes | None = None
    """Of what the index knows to lie there."""
    gone: bool = False
    """Only if nothing lies there."""


class Version(Struct, frozen=True):
    """A content that one of several entries keeps."""

    entry: str
    kept: Kept


def superfluous(taken: Iterable[int], promise: Promise, now_ns: int) -> list[int]:
    """Return those of one path's moments of taking away that are no longer promised.

    What seems to come from the future was taken under a wrong clock: nobody knows
    when, so it is kept, and counts for no version.
    """
    oldest = now_ns - int(promise.days * DAY * _NANOSECONDS)
    newest_first = sorted((at for at in taken if at <= now_ns), reverse=True)
    return [
        at
        for rank, at in enumerate(newest_first)
        if rank >= promise.versions or at < oldest
    ]


def wanted(versions: Sequence[Version], since_ns: int | None = None) -> list[Version]:
    """Return the contents that undoing would bring back to one path, best first.

    With ``since_ns`` that is what lay there at that moment, else what the last
    change took away; empty if there was no such change. All of them gave way to
    one change; the first is what lay there right before it.
    """
    changes = _changes(versions)
    if since_ns is None:
        chosen = max(changes, key=_first, default=[])
    else:
        later = [change for change in changes if _first(change) > since_ns]
        chosen = min(later, key=_first, default=[])
    return sorted(chosen, key=lambda one: (not one.kept.sound, one.kept.at_ns))


def _changes(versions: Sequence[Version]) -> list[list[Version]]:
    """Put together what gave way to the same change, on whichever entry."""
    together: dict[object, list[Version]] = {}
    for one in versions:
        came = one.kept.cause and one.kept.loss in _COMES
        change = one.kept.cause if came else (one.entry, one.kept.at_ns)
        together.setdefault(change, []).append(one)
    return list(together.values())


def _first(change: Sequence[Version]) -> int:
    """Return when the change came to the first entry."""
    return min(one.kept.at_ns for one in change)
