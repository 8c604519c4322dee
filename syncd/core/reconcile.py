"""A report of one entry and what is known of the file: what is known afterwards.

Every function takes a File and gives the File that replaces it; ``core.work``
derives from that what entries are to do. A report may come twice, late, or in
another order than things happened: what an entry says of itself is believed, what it
means is decided by versions, never by the time of arrival.
"""

from msgspec.structs import replace

from syncd.core import damage
from syncd.core.change import Found, Gone
from syncd.core.comparison import aside, compare, judged, learned, outdated, with_copy
from syncd.core.damage import Verdict
from syncd.core.file import (
    ABSENT,
    Alarm,
    Base,
    Copy,
    Doubt,
    File,
    Kind,
    Seen,
    Slot,
    has,
)
from syncd.core.guard import withheld
from syncd.core.version import NEVER, bumped
from syncd.core.world import OnDelete, World

_UNDECIDED = frozenset({Doubt.COMPARING, Doubt.DISPUTED})
_UNSHARED = _UNDECIDED | {Doubt.HELD}
"""What is nothing that others could have, or replace."""
_UNLIKE_NEWEST = frozenset({Doubt.ASIDE, Doubt.DAMAGED})


def blank(path: str) -> File:
    """Return what is known of a path nobody has spoken of."""
    return File(id=0, path=path)


def found(
    file: File, slot: Slot, change: Found, world: World, old: File | None = None
) -> File:
    """Return the file after an entry found something new or changed at its path.

    ``old`` is what is known of the path that the entry says it was moved from,
    before the Gone of that path.
    """
    if old is None and not (file.version or file.copies):
        return _first(file, slot, change, world)
    seen, copy = change.seen, file.copy(slot)
    if (spoiled := _spoiled(file, slot, change, world)) is not None:
        return with_copy(file, slot, spoiled)
    if _is_known(file, copy, seen):
        return _learn(file, slot, change, world)
    if copy.doubt is Doubt.ASIDE:
        return with_copy(file, slot, _still_aside(copy, change))
    moved = old is not None and _is_moved(old, slot, seen)
    if old is not None and moved:
        change = replace(
            change, digest=change.digest or old.digest, mime=change.mime or old.mime
        )
    file = compare(with_copy(file, slot, _candidate(file, slot, change)), world, change)
    if copy.doubt is Doubt.LET_GO:
        file = judged(file, world)
    return _moved_from(old, file, slot, world) if old is not None and moved else file


def _moved_from(old: File, file: File, slot: Slot, world: World) -> File:
    """Return the file with what its having lain elsewhere before tells."""
    if not file.holds_newest(slot):
        return file
    # Where the old path is to stay with the others, they must not rename it.
    propagates = world.members[slot].on_delete is OnDelete.PROPAGATE
    if propagates and has(old.owners, slot):
        file = _hinted(file, slot, old)
    if file.origin == 1 << slot:  # Otherwise others had it here already.
        file = replace(file, moved_from=old.path)
    return file


def _first(file: File, slot: Slot, change: Found, world: World) -> File:
    """Return what is known of a path that nobody has spoken of before.

    The same as comparing would find, in one step: a first copy consists of these.
    """
    seen = change.seen
    version = bumped(NEVER, slot)
    made = replace(
        file,
        kind=seen.kind,
        size=seen.stamp.size if seen.kind is Kind.FILE else len(seen.target or ""),
        mtime_ns=seen.stamp.mtime_ns,
        mode=seen.mode,
        target=seen.target,
        digest=change.digest,
        mime=change.mime,
        version=version,
        origin=1 << slot,
        copies={slot: Copy(version=version, stamp=seen.stamp, mode=seen.mode)},
        changed_at=world.now,
        cause=change.cause,
    )
    return judged(made, world)


def _spoiled(file: File, slot: Slot, change: Found, world: World) -> Copy | None:
    """Return the copy as the system's going down has left it; None: it has not."""
    verdict = damage.verdict(file, slot, change, world)
    if verdict is Verdict.DAMAGED:
        return damage.marked(file, slot, change, world)
    if verdict is Verdict.ROLLED_BACK:
        return aside(file, slot, _candidate(file, slot, change), world)
    return None


def gone(
    file: File, slot: Slot, change: Gone, world: World, *, moved: bool = False
) -> File:
    """Return the file after an entry said that nothing lies at its path any more.

    ``moved`` says that it lies at another path now, which is no deletion to a guard.
    """
    copy = file.copy(slot)
    if not copy.present:
        return file
    held = copy.base.version if copy.base else copy.version
    newest = copy.doubt not in _UNLIKE_NEWEST and held == file.version
    if file.deleted:
        return with_copy(file, slot, Copy(version=file.version))
    policy = world.members[slot].on_delete
    lost = damage.may_be_lost(file, slot, world)
    if not (newest and has(file.owners, slot)) or policy is OnDelete.RESTORE or lost:
        # Local only: an unmanaged copy, one that will be replaced anyway, or one
        # whose name may never have reached the disk.
        left = with_copy(file, slot, ABSENT)
    elif policy is OnDelete.IGNORE:
        left = with_copy(file, slot, Copy(version=held, doubt=Doubt.LET_GO))
        return judged(left_behind(left, slot, world, change.cause), world)
    elif not moved and _is_to_keep(file, slot, world):
        return _kept(file, slot, change, world)
    else:
        return buried(file, slot, change.cause, world)
    return left_behind(left, slot, world, change.cause)


def buried(file: File, slot: Slot, cause: str, world: World) -> File:
    """Return the file after its deletion on the entry was taken for everybody's."""
    return compare(_buried(file, slot, cause, world), world)


def dropped(file: File, slot: Slot, world: World) -> File:
    """Return the file when nothing is known any more of what the entry holds."""
    if slot not in file.copies:
        return file
    copies = {s: copy for s, copy in file.copies.items() if s != slot}
    return judged(left_behind(replace(file, copies=copies), slot, world), world)


def left_behind(file: File, slot: Slot, world: World, cause: str = "") -> File:
    """Return the file after what the entry had is gone from there, and only there.

    Where that was the last of the newest version, nobody could ever be given it:
    what else is left becomes the newest, and where nothing is, the file is gone.
    """
    if file.deleted or file.holders or file.disputed & world.slots:
        return compare(file, world)
    if not any(copy.present for copy in file.copies.values()):
        return _buried(file, slot, cause, world)
    copies = {s: _revived(file, s, copy) for s, copy in file.copies.items()}
    return compare(replace(file, copies=copies), world)


def _is_to_keep(file: File, slot: Slot, world: World) -> bool:
    """Tell whether a deletion is kept from others that would lose something by it."""
    if not has(world.keeping.deletions, slot):
        return False
    others = file.owners & world.slots & ~(1 << slot)
    return any(copy.present and has(others, s) for s, copy in file.copies.items())


def _kept(file: File, slot: Slot, change: Gone, world: World) -> File:
    """Return the file with its deletion known, but kept from the others."""
    copy = file.copies[slot]
    assert copy.stamp is not None
    base = copy.base or Base(file.version, copy.stamp.size, file.digest)
    left = Copy(version=file.version, base=base)
    held = withheld(left, Alarm.DELETIONS, world.now, change.cause)
    # What was compared with the newest version wins when nobody has that any more.
    return compare(with_copy(file, slot, held), world)


def _revived(file: File, slot: Slot, copy: Copy) -> Copy:
    """Return a copy that was behind, or held, as one that may be the newest."""
    settled = copy.doubt in (Doubt.NONE, Doubt.HELD)
    if not copy.present or not settled or not has(file.owners, slot):
        return copy
    version = bumped(copy.version, slot, above=file.version)
    return replace(copy, version=version, doubt=Doubt.COMPARING, base=None, held=None)


def _is_known(file: File, copy: Copy, seen: Seen) -> bool:
    """Tell whether the report repeats what the copy is known to be."""
    kind = copy.kind or file.kind
    return copy.stamp == seen.stamp and kind is seen.kind and copy.mode == seen.mode


def _learn(file: File, slot: Slot, change: Found, world: World) -> File:
    """Take digest and MIME from a report that tells nothing else new."""
    copy = file.copy(slot)
    undecided = copy.doubt in _UNDECIDED
    if undecided and change.digest and not copy.digest:
        return compare(
            with_copy(file, slot, replace(copy, digest=change.digest)), world, change
        )
    if file.holds_newest(slot):
        file = learned(file, change.digest, change.mime, world)
    return file


def _candidate(file: File, slot: Slot, change: Found) -> Copy:
    """Return what was found as a copy whose meaning is not yet decided."""
    seen, copy = change.seen, file.copy(slot)
    base = copy.base
    if base is None and copy.stamp is not None and copy.doubt not in _UNSHARED:
        known = file.digest if file.holds_newest(slot) else copy.digest
        base = Base(version=copy.version, size=copy.stamp.size, digest=known)
    held = base.version if base else copy.version
    return Copy(
        version=bumped(held, slot, above=file.version),
        stamp=seen.stamp,
        mode=seen.mode,
        digest=change.digest,
        kind=seen.kind,
        target=seen.target,
        doubt=Doubt.COMPARING,
        base=base,
    )


def _still_aside(copy: Copy, change: Found) -> Copy:
    """Return a loser that was changed before it was renamed; it still has to go."""
    seen = change.seen
    return replace(
        copy,
        stamp=seen.stamp,
        mode=seen.mode,
        digest=change.digest,
        kind=seen.kind,
        target=seen.target,
    )


def _is_moved(old: File, slot: Slot, seen: Seen) -> bool:
    """Tell whether what was found has the newest content of the path it had before."""
    same = old.kind is seen.kind is Kind.FILE and old.size == seen.stamp.size
    return same and not old.deleted and old.holds_newest(slot)


def _hinted(file: File, slot: Slot, old: File) -> File:
    """Let entries that hold the content at the old path rename it, too.

    Only those from where it is to go, now that it is gone from the entry: nobody
    hears of what a rename took away. A move that they have not even begun is
    passed on.
    """
    for other, copy in old.copies.items():
        if other == slot or file.copy(other).present:
            continue
        hint = copy.hint
        if copy.stamp is not None and has(old.uptodate, other):
            hint = (old.path, copy.stamp)
        if hint is not None:
            file = with_copy(file, other, replace(file.copy(other), hint=hint))
    return file


def _absent(copy: Copy) -> Copy:
    """Return an absent copy of what is deleted everywhere: nothing is held any more."""
    if copy.doubt is Doubt.HELD:
        return Copy(version=copy.version)
    return replace(copy, hint=None)


def _buried(file: File, slot: Slot, cause: str, world: World) -> File:
    """Return the tombstone that follows the newest version."""
    version = bumped(file.version, slot)
    copies = {
        s: outdated(file, s, c) if c.present else _absent(c)
        for s, c in file.copies.items()
    }
    copies[slot] = Copy(version=version)
    return replace(
        file,
        version=version,
        deleted=True,
        meta=0,
        origin=1 << slot,
        owners=file.owners & world.slots,
        copies=copies,
        mime_wanted=False,
        judge_at=None,
        changed_at=world.now,
        cause=cause,
        moved_from=None,
        conflict_of=None,  # Whatever is made under that name later is no loser.
    )
