"""What people are told of what happened: changes, transfers, conflicts.

A first copy makes one for every file, so they are small and written out only
when somebody reads them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
from msgspec import Struct

from syncd.core import dispute
from syncd.core import path as paths
from syncd.core.change import Done, Failed, Order, Put, SetAside
from syncd.core.file import Doubt, File, Mask, slots
from syncd.core.outcome import Issued
from syncd.core.world import World
from syncd.replication.batch import Ended, News, Touched

_CONTENT = ("kind", "size", "mtime_ns", "digest", "target", "origin", "cause")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Changed(Struct, frozen=True, gc=False):
    """A file has a new version."""

    path: str
    action: str
    """"created", "modified", "deleted", "moved", or "adopted": found equal."""
    entries: list[str]
    """Where that was."""
    size: int
    cause: str
    moved_from: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        facts = {
            **_named(self.path),
            "action": self.action,
            "entries": self.entries,
            "size": self.size,
            "cause": self.cause,
        }
        if self.moved_from is not None:
            facts["from"] = paths.readable(self.moved_from)
        return facts


class Transferred(Struct, frozen=True, gc=False):
    """An entry was given a file."""

    path: str
    entry: str
    copied: int
    """Bytes of content."""
    cause: str

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        about = {"entry": self.entry, "cause": self.cause}
        return {**_named(self.path), **about, "state": "done", "bytes": self.copied}


class Refused(Struct, frozen=True, gc=False):
    """An entry could not do what it was ordered to."""

    path: str
    entry: str
    reason: str
    cause: str

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        about = {"entry": self.entry, "cause": self.cause}
        return {**_named(self.path), **about, "state": "failed", "reason": self.reason}


class SetApart(Struct, frozen=True, gc=False):
    """What lost a conflict was kept under another name."""

    path: str
    entry: str
    kept_as: str
    cause: str

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        about = {"entry": self.entry, "cause": self.cause}
        return {**_named(self.path), **about, "kept_as": self.kept_as}


class Spoiled(Struct, frozen=True, gc=False):
    """A copy did not survive a power cut."""

    path: str
    entry: str
    remedy: str

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        return {**_named(self.path), "entry": self.entry, "remedy": self.remedy}


class Disputed(Struct, frozen=True, gc=False):
    """What a file is to hold waits for a person, or does no more."""

    path: str
    entries: list[str]
    """Who holds what there is to choose from; empty when it is settled."""
    cause: str

    def shown(self) -> dict[str, Any]:
        """Return it as people are told."""
        state = "disputed" if self.entries else "settled"
        about = {"state": state, "entries": self.entries, "cause": self.cause}
        return {**_named(self.path), **about}


Headline = Changed | Transferred | Refused | SetApart | Spoiled | Disputed
Say = Callable[[str, Sequence[Headline]], None]
"""Takes "change", "transfer", "conflict" or "damage", and all that a batch brought."""

FETCHED = "it is fetched anew"


def tell(
    touched: Sequence[Touched], news: Sequence[News], world: World, say: Say
) -> None:
    """Say what a transaction changed, to whoever listens and to the log."""
    changes = list(_changes(touched, world))
    if changes:
        say("change", changes)
    if log.isEnabledFor(logging.DEBUG):
        for one in changes:
            facts = one.shown()
            change = facts.pop("action")
            log.debug("file changed", **facts, action="change", change=change)
    if world.doubted and (spoiled := list(_spoiled(touched, world))):
        say("damage", spoiled)
        for copy in spoiled:
            log.warning("damaged copy", **copy.shown(), action="damage")
    _say_disputes(touched, world, say)
    for end in news:
        if isinstance(end, Ended):
            _say_results(end, world, say)


def tell_orders(entry: str, orders: Sequence[Order]) -> None:
    """Say to the log, if anybody wants to know, what an entry is told to do."""
    if log.isEnabledFor(logging.DEBUG):
        for one in orders:
            _tell_order("ordered", entry, one)


def _tell_order(event: str, entry: str, order: Order, **more: Any) -> None:
    about = {"entry": entry, "order": type(order).__name__, "cause": order.cause}
    log.debug(event, **_named(order.path), **about, **more, action="order")


def _changes(touched: Sequence[Touched], world: World) -> Iterator[Changed]:
    names: dict[Mask, list[str]] = {}
    for one in touched:
        before, file = one.before, one.after
        if before is not None and before.version == file.version:
            continue
        action, where = _what(before, file)
        if not action:
            continue
        if (entries := names.get(where)) is None:
            made_by = slots(where & world.slots)
            entries = names[where] = [world.members[s].name for s in made_by]
        old = file.moved_from if action == "moved" else None
        yield Changed(file.path, action, entries, file.size, file.cause, old)


def _spoiled(touched: Sequence[Touched], world: World) -> Iterator[Spoiled]:
    for one in touched:
        for slot, copy in one.after.copies.items():
            before = one.before.copy(slot) if one.before else None
            if copy.doubt is not Doubt.DAMAGED or before == copy:
                continue
            if slot in world.members:
                remedy = copy.trouble.reason if copy.trouble else FETCHED
                yield Spoiled(one.after.path, world.members[slot].name, remedy)


def _what(before: File | None, file: File) -> tuple[str, Mask]:
    """Return what became of a file, and on which entries; empty for nothing."""
    if file.deleted:
        return "deleted", file.origin
    if before is None or before.deleted:
        return "moved" if file.moved_from else "created", file.origin
    joined = file.origin & ~before.origin
    if joined and before.origin and not before.origin & ~file.origin:
        return "adopted", joined  # They have what was known: no content is new.
    if all(getattr(before, fact) == getattr(file, fact) for fact in _CONTENT):
        return "", 0  # It won a conflict, and is what it was.
    return "moved" if file.moved_from else "modified", file.origin


def _say_disputes(touched: Sequence[Touched], world: World, say: Say) -> None:
    disputes = []
    for one in touched:
        if not one.now.conflict and (one.was is None or not one.was.conflict):
            continue  # Nearly always.
        before, file = one.before, one.after
        if file.disputed != (before.disputed if before else 0):
            sides = dispute.sides(file, world)
            names = [world.members[side.slot].name for side in sides]
            disputes.append(Disputed(file.path, names, file.cause))
            log.warning("conflict", **disputes[-1].shown(), action="conflict")
    if disputes:
        say("conflict", disputes)


def _say_results(end: Ended, world: World, say: Say) -> None:
    entry = world.members[end.slot].name
    transfers: list[Headline] = []
    conflicts: list[Headline] = []
    debug = log.isEnabledFor(logging.DEBUG)
    for issued, result in end.results:
        order = issued.order
        if debug and isinstance(result, Done):
            _tell_order("order done", entry, order, bytes=result.copied)
        if isinstance(result, Failed):
            transfers.append(_refused(issued, result, entry))
        elif isinstance(order, Put):
            path, cause = order.path, order.cause
            transfers.append(Transferred(path, entry, result.copied, cause))
        elif isinstance(order, SetAside) and result.seen is not None:
            conflicts.append(_set_apart(order, result, entry))
    if transfers:
        say("transfer", transfers)
    if conflicts:
        say("conflict", conflicts)


def _refused(issued: Issued, result: Failed, entry: str) -> Refused:
    order = issued.order
    log.warning(
        "order failed",
        **_named(order.path),
        entry=entry,
        cause=order.cause,
        action="order",
        why=result.why,
        reason=result.reason,
    )
    return Refused(order.path, entry, result.reason, order.cause)


def _set_apart(order: SetAside, result: Done, entry: str) -> SetApart:
    assert result.seen is not None
    kept = paths.readable(result.seen.path)
    said = SetApart(order.path, entry, kept, order.cause)
    log.warning("conflict", **said.shown(), action="conflict")
    return said


def _named(path: str) -> dict[str, str]:
    return {"fid": paths.fid(path), "filename": paths.readable(path)}
