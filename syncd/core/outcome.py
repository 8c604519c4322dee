"""What came of an order, and what is known of the file: what is known afterwards."""

from msgspec import Struct
from msgspec.structs import replace

from syncd.core.change import (
    Amend,
    Delete,
    Done,
    Failed,
    Found,
    Inspect,
    Order,
    Put,
    SetAside,
    Why,
)
from syncd.core.comparison import compare, judged, learned, with_copy
from syncd.core.file import (
    ABSENT,
    LONGEST_PAUSE,
    Copy,
    Doubt,
    File,
    Slot,
    Trouble,
)
from syncd.core.reconcile import found, left_behind
from syncd.core.version import Version
from syncd.core.world import World

FIRST_PAUSE = 1.0
"""Seconds before a failed order is tried again: doubled, up to LONGEST_PAUSE."""


class Issued(Struct, frozen=True):
    """An order on its way, with what it is to bring about."""

    order: Order
    file: int
    """Row of the file in the index."""
    version: Version
    meta: int


def issued(order: Order, file: File) -> Issued:
    """Return the order with the version of the file that it was derived from."""
    return Issued(order, file.id, file.version, file.meta)


def done(file: File, slot: Slot, what: Issued, result: Done, world: World) -> File:
    """Return the file after the entry carried the order out.

    The copy now has what the order was made from, even when the file has moved
    on since. For what a SetAside kept, see ``kept_aside``.
    """
    order = what.order
    if isinstance(order, Inspect):
        return _inspected(file, slot, order, result, world)
    if isinstance(order, Delete):
        # What was deleted was the version the order knew, or it would have failed.
        version = file.version if file.deleted else {}
        return with_copy(file, slot, Copy(version=version))
    if isinstance(order, SetAside):
        return left_behind(with_copy(file, slot, ABSENT), slot, world, order.cause)
    if result.seen is None:
        return file
    if isinstance(order, Amend):
        copy = file.copy(slot)
        amended = replace(
            copy,
            stamp=result.seen.stamp,
            mode=result.seen.mode,
            meta=what.meta,
            trouble=None,
        )
        return with_copy(file, slot, amended)
    return _put(file, slot, what, result, world)


def kept_aside(slot: Slot, was: File, now: File, result: Done, world: World) -> File:
    """Return the file under whose name the loser of a conflict was kept.

    ``was`` is the file in conflict before ``done``; ``now`` is what is known of
    the new path.
    """
    assert result.seen is not None
    change = Found(
        seen=result.seen, digest=was.copy(slot).digest, mime=None, cause=was.cause
    )
    return found(replace(now, conflict_of=was.path), slot, change, world)


def failed(file: File, slot: Slot, what: Issued, result: Failed, world: World) -> File:
    """Return the file with the trouble noted, and when to try again."""
    copy = file.copy(slot)
    if result.why is not Why.BLOCKED and what.version != file.version:
        # The order was out of date; that says nothing about the next one.
        return with_copy(file, slot, replace(copy, hint=None))
    attempts = copy.trouble.attempts + 1 if copy.trouble else 1
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 20))
    if result.why is not Why.BLOCKED and attempts == 1:
        pause = 0.1  # A report of what changed is under way.
    trouble = Trouble(
        reason=result.reason,
        attempts=attempts,
        retry_at=world.now + pause,
        blocked=result.why is Why.BLOCKED,
    )
    return with_copy(file, slot, replace(copy, trouble=trouble, hint=None))


def relieved(file: File, slot: Slot) -> File:
    """Return the file when what was in the way of the entry's copy may be gone."""
    copy = file.copy(slot)
    if copy.trouble is None:
        return file
    trouble = replace(copy.trouble, retry_at=0.0)
    return with_copy(file, slot, replace(copy, trouble=trouble))


def _put(file: File, slot: Slot, what: Issued, result: Done, world: World) -> File:
    seen, order = result.seen, what.order
    assert seen is not None
    assert isinstance(order, Put)
    newest = what.version == file.version
    copy = Copy(version=what.version, stamp=seen.stamp, mode=seen.mode, meta=what.meta)
    if not newest:
        copy = replace(copy, digest=result.digest, kind=order.kind, target=order.target)
    let_go = file.copy(slot).doubt is Doubt.LET_GO
    file = with_copy(file, slot, copy)
    if let_go:  # It was deleted while this was under way, and now is there again.
        file = judged(file, world)
    return learned(file, result.digest, None, world) if newest else file


def _inspected(
    file: File, slot: Slot, order: Inspect, result: Done, world: World
) -> File:
    copy = file.copy(slot)
    if copy.stamp != order.stamp:
        return file
    if copy.doubt in (Doubt.COMPARING, Doubt.DISPUTED):
        copy = replace(copy, digest=result.digest or copy.digest, trouble=None)
        return compare(with_copy(file, slot, copy), world)
    if copy.trouble is not None:
        file = with_copy(file, slot, replace(copy, trouble=None))
    if not file.holds_newest(slot):
        return file
    return learned(file, result.digest, result.mime, world)
