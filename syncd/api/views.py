"""Records as the API shows them: slots become names, bytes become text."""

import base64

from syncd.api.rooms import (
    ConflictState,
    ConflictView,
    FileState,
    FileView,
    HeldChanges,
    HeldFile,
    SideView,
)
from syncd.core import dispute, guard
from syncd.core import path as paths
from syncd.core.dispute import Side
from syncd.core.file import File, Mask, Slot
from syncd.core.world import World
from syncd.replication.guards import Waiting
from syncd.wire import Figures


def file(known: File, world: World) -> FileView:
    """Return a file as it stands in listings."""
    return FileView(
        fid=paths.fid(known.path),
        filename=paths.readable(known.path),
        filename_base64=_base64(known.path),
        size=known.size,
        owners=_names(known.owners, world),
        uptodate=_names(known.uptodate, world),
        mimetype=known.mime,
        kind=known.kind,
        mtime=known.mtime_ns / 1e9,
        digest=known.digest.hex() if known.digest else None,
        state=_state(known, world),
        conflict_of=known.conflict_of and paths.readable(known.conflict_of),
    )


def watching(figures: Figures) -> dict[str, float]:
    """Return how much of an entry tells of its changes, as /stats has it."""
    told: dict[str, float] = {
        "watched": figures.watched,
        "unwatched": figures.unwatched,
        "overflows": figures.overflows,
    }
    if figures.watched_ratio is not None:
        told["watched_ratio"] = figures.watched_ratio
        told["oldest_unscanned_seconds"] = figures.unscanned or 0.0
    return told


def conflict(known: File, world: World) -> ConflictView:
    """Return what was kept from a conflict, or waits for a person."""
    of = known.conflict_of
    sides = [_side(side, world) for side in dispute.sides(known, world)]
    return ConflictView(
        fid=paths.fid(known.path),
        filename=paths.readable(known.path),
        filename_base64=_base64(known.path),
        state=ConflictState.DISPUTED if sides else ConflictState.KEPT,
        conflict_of=None if of is None else paths.readable(of),
        conflict_of_fid=None if of is None else paths.fid(of),
        sides=sides,
        size=known.size,
        mtime=known.mtime_ns / 1e9,
        owners=_names(known.owners, world),
        uptodate=_names(known.uptodate, world),
    )


def waiting(one: Waiting) -> HeldChanges:
    """Return what of one kind is held."""
    return HeldChanges(
        changes=one.alarm,
        files=one.files,
        since=one.since,
        passed=one.passed,
        passed_since=one.passed_since,
    )


def held(known: File, slot: Slot) -> HeldFile:
    """Return a file of which what the entry did is held."""
    why = guard.kept(known)[slot]
    return HeldFile(
        fid=paths.fid(known.path),
        filename=paths.readable(known.path),
        filename_base64=_base64(known.path),
        change=why.alarm,
        since=why.since,
        size=known.size,
    )


def _state(known: File, world: World) -> FileState:
    if known.disputed & world.slots:
        return FileState.CONFLICT
    if any(c.trouble and c.trouble.blocked for c in known.copies.values()):
        return FileState.BLOCKED
    if any(copy.held for copy in known.copies.values()):
        return FileState.HELD
    if known.uptodate != known.owners & world.slots:
        return FileState.PENDING
    if known.conflict_of is not None:
        return FileState.CONFLICT
    return FileState.UPTODATE


def _side(side: Side, world: World) -> SideView:
    return SideView(
        entry=world.members[side.slot].name,
        kind=side.kind,
        size=side.size,
        mtime=side.mtime_ns / 1e9,
        digest=side.digest.hex() if side.digest else None,
    )


def _names(of: Mask, world: World) -> list[str]:
    return [one.name for slot, one in world.members.items() if of >> slot & 1]


def _base64(path: str) -> str | None:
    if paths.is_plain(path):
        return None
    return base64.b64encode(paths.to_bytes(path)).decode()
