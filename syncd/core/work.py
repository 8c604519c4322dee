"""What an entry should do about a file, derived from what is known of it.

Work is never queued: it is read off the difference between who should hold the
newest version and who does. So it survives any crash, needs no order, and a
month offline costs no more than a minute.
"""

from enum import Enum, auto

from syncd.core.change import (
    Amend,
    Delete,
    Inspect,
    Order,
    Put,
    SetAside,
    Source,
)
from syncd.core.file import (
    Copy,
    Doubt,
    File,
    Kind,
    Mask,
    Slot,
    Stamp,
    has,
    mask,
    slots,
)
from syncd.core.keeping import Loss
from syncd.core.world import OnUnmatch, World

_WORKED_WITH = frozenset({Doubt.NONE, Doubt.DAMAGED})
"""A damaged copy is one that lacks the newest version, like others that do."""


class Task(Enum):
    """What is to be done on one entry about one file."""

    PUT = auto()
    DELETE = auto()
    AMEND = auto()
    SET_ASIDE = auto()
    INSPECT = auto()


def task(file: File, slot: Slot, world: World) -> Task | None:
    """Return what is left to do on the entry; None when all is as it should be."""
    copy = file.copy(slot)
    if copy.doubt is Doubt.ASIDE:
        return Task.SET_ASIDE
    if needs_digest(file, slot) or needs_mime(file, slot):
        return Task.INSPECT
    if copy.doubt not in _WORKED_WITH or file.disputed & world.slots:
        return None
    if file.deleted or not has(file.owners, slot):
        return Task.DELETE if _is_to_go(file, slot, copy, world) else None
    if not file.holds_newest(slot):
        return Task.PUT
    return Task.AMEND if copy.meta != file.meta else None


def behind(file: File, world: World) -> Mask:
    """Return the configured entries that have something left to do."""
    if _is_plain(file) and not world.pruning:
        return file.owners & world.slots & ~file.holders
    concerned = (file.owners | mask(file.copies)) & world.slots
    return mask([s for s in slots(concerned) if task(file, s, world) is not None])


def _is_plain(file: File) -> bool:
    """Tell whether Puts are all that can be left to do: the commonest case by far."""
    if file.deleted or file.mime_wanted:
        return False
    for copy in file.copies.values():
        if copy.doubt is not Doubt.NONE:
            return False
        if copy.meta != file.meta and copy.stamp is not None:
            return False
    return True


def order(file: File, slot: Slot, number: int, world: World, up: Mask) -> Order | None:
    """Return the order for the entry's task, None if it cannot be done now.

    ``number`` is the id of the order; ``up`` says which entries can be asked for
    content. A task waits while its last failure is too recent.
    """
    copy = file.copy(slot)
    if copy.trouble is not None and copy.trouble.waits(world.now):
        return None
    todo = task(file, slot, world)
    if todo is Task.PUT:
        return _put(file, slot, number, world, up)
    if todo is None or copy.stamp is None:
        return None
    return _simple(todo, file, slot, number, up)


def needs_digest(file: File, slot: Slot) -> bool:
    """Tell whether a comparison waits for the digest of the entry's copy."""
    copy = file.copy(slot)
    if copy.doubt is Doubt.COMPARING:
        return copy.digest is None
    if copy.doubt is Doubt.DISPUTED:
        return copy.digest is None and _may_be_same(file, copy)
    if file.digest is not None or file.kind is not Kind.FILE:
        return False
    return file.holds_newest(slot) and any(
        other.doubt in (Doubt.COMPARING, Doubt.DISPUTED) and _may_be_same(file, other)
        for other in file.copies.values()
    )


def needs_mime(file: File, slot: Slot) -> bool:
    """Tell whether a rule waits for the MIME type, which the entry can tell."""
    return file.mime_wanted and not file.deleted and file.holds_newest(slot)


def _may_be_same(file: File, copy: Copy) -> bool:
    """Tell whether only digests can tell the copy's content from the newest."""
    if copy.stamp is None or copy.stamp.size != file.size:
        return False
    return file.kind is copy.kind is Kind.FILE


def _is_to_go(file: File, slot: Slot, copy: Copy, world: World) -> bool:
    if not copy.present:
        return False
    if file.deleted:
        return has(file.owners, slot)
    member = world.members.get(slot)
    if member is None or member.on_unmatch is OnUnmatch.KEEP:
        return False
    # Only what is safe elsewhere may go, and only what is not someone's edit.
    return file.holds_newest(slot) and bool(file.uptodate)


def _put(file: File, slot: Slot, number: int, world: World, up: Mask) -> Put | None:
    copy = file.copy(slot)
    if _content_is_being_saved(file, copy):
        return None
    sources = _sources(file, slot, world, up)
    if file.kind is Kind.FILE and not sources and copy.hint is None:
        return None
    return Put(
        id=number,
        path=file.path,
        kind=file.kind,
        size=file.size,
        mtime_ns=file.mtime_ns,
        mode=file.mode,
        target=file.target,
        digest=file.digest,
        sources=sources,
        replaces=copy.stamp,
        hint=copy.hint,
        cause=file.cause,
        was=copy.digest,
    )


def _content_is_being_saved(file: File, copy: Copy) -> bool:
    """Tell whether the copy holds what lost a conflict and is not yet kept aside."""
    return copy.present and any(
        other.doubt is Doubt.ASIDE and other.version == copy.version
        for other in file.copies.values()
    )


def _sources(file: File, slot: Slot, world: World, up: Mask) -> list[Source]:
    if file.kind is not Kind.FILE:
        return []
    result = []
    for other in slots(file.holders & up & world.slots & ~(1 << slot)):
        stamp, member = file.copies[other].stamp, world.members[other]
        assert stamp is not None
        result.append(Source(entry=member.name, path=file.path, stamp=stamp))
    return result


def _simple(todo: Task, file: File, slot: Slot, number: int, up: Mask) -> Order | None:
    copy = file.copies[slot]
    assert copy.stamp is not None
    if todo is Task.DELETE:
        return _delete(file, copy, copy.stamp, number)
    if todo is Task.AMEND:
        return Amend(
            number, file.path, copy.stamp, file.mode, file.mtime_ns, file.cause
        )
    if todo is Task.SET_ASIDE:
        assert copy.aside is not None
        return SetAside(number, file.path, copy.stamp, copy.aside, file.cause)
    undecided = copy.doubt in (Doubt.COMPARING, Doubt.DISPUTED)
    if not undecided and _first_holder(file, up) != slot:
        return None
    return Inspect(
        number,
        file.path,
        copy.stamp,
        digest=needs_digest(file, slot),
        mime=needs_mime(file, slot),
        cause=file.cause,
    )


def _delete(file: File, copy: Copy, stamp: Stamp, number: int) -> Delete:
    kind = copy.kind or file.kind
    if file.deleted:
        return Delete(number, file.path, kind, stamp, file.cause, copy.digest)
    why = Loss.UNMATCHED
    return Delete(number, file.path, kind, stamp, file.cause, file.digest, why)


def _first_holder(file: File, up: Mask) -> Slot | None:
    """Return the one entry that is asked to read the newest version."""
    return next(slots(file.holders & up), None)
