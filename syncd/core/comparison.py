"""Which of the copies of a file has its newest version: comparing and conflicts.

Two entries may each have made a version without knowing of the other's. Equal
contents are then one version; of different ones one wins, by the same measure
wherever and whenever it is asked, and the other is set aside under a name of its own.
"""

from msgspec.structs import replace

from syncd.core import conflict
from syncd.core.change import Found
from syncd.core.file import Copy, Doubt, File, Kind, Mask, Slot, Trouble, slots
from syncd.core.guard import withheld
from syncd.core.version import Relation, Version, bumped, merged, relation
from syncd.core.world import World

REMEMBERED = 3
"""Older contents remembered of a file, so that a rollback is recognised."""


def compare(file: File, world: World, change: Found | None = None) -> File:
    """Return the file with every comparison decided that can be decided.

    ``change`` tells the MIME type and cause of what was found last, if it wins.
    What waits for a person is looked at again: a side may have been changed.
    """
    while True:
        before = file
        for slot, copy in before.copies.items():
            if copy.doubt is Doubt.COMPARING or _is_disputed(copy, slot, world):
                file = _compare_one(file, slot, world, change)
        if file is before:
            return file


def judged(file: File, world: World) -> File:
    """Return the file with the owners that the rules in force give it."""
    if file.deleted:
        owners = file.owners & world.slots
        return file if owners == file.owners else replace(file, owners=owners)
    verdict = world.judge(file, file.origin & world.slots)
    if (
        verdict.owners == file.owners
        and verdict.needs_mime == file.mime_wanted
        and verdict.judge_at == file.judge_at
    ):
        return file
    return replace(
        file,
        owners=verdict.owners,
        mime_wanted=verdict.needs_mime,
        judge_at=verdict.judge_at,
    )


def learned(file: File, digest: bytes | None, mime: str | None, world: World) -> File:
    """Return the file with what reading its newest content told."""
    if digest is not None and file.digest is None:
        file = compare(replace(file, digest=digest), world)
    if mime is not None and file.mime != mime:
        file = judged(replace(file, mime=mime), world)
    return file


def with_copy(file: File, slot: Slot, copy: Copy) -> File:
    """Return the file with that copy on that entry."""
    return replace(file, copies={**file.copies, slot: copy})


def same_content(file: File, copy: Copy) -> bool | None:
    """Tell whether a copy has the newest content; None: digests are needed."""
    if copy.kind is not file.kind:
        return False
    if file.kind is Kind.DIRECTORY:
        return True
    if file.kind is Kind.LINK:
        return copy.target == file.target
    assert copy.stamp is not None
    if copy.stamp.size != file.size:
        return False
    if copy.digest is None or file.digest is None:
        return None
    return copy.digest == file.digest


def crowned(
    file: File,
    slot: Slot,
    world: World,
    change: Found | None,
    version: Version | None = None,
) -> File:
    """Return the file with the entry's copy as its newest version."""
    copy = file.copies[slot]
    assert copy.stamp is not None
    assert copy.kind is not None
    if version is None:
        version = copy.version
        if relation(version, file.version) is not Relation.NEWER:
            version = bumped(merged(version, file.version), slot)
    mine = _is_of(change, copy)
    copies = {s: outdated(file, s, c) for s, c in file.copies.items()}
    copies[slot] = Copy(version=version, stamp=copy.stamp, mode=copy.mode)
    file = replace(
        file,
        kind=copy.kind,
        size=copy.stamp.size if copy.kind is Kind.FILE else len(copy.target or ""),
        mtime_ns=copy.stamp.mtime_ns,
        mode=copy.mode,
        target=copy.target,
        digest=copy.digest,
        mime=change.mime if change is not None and mine else None,
        version=version,
        deleted=False,
        meta=0,
        origin=1 << slot,
        copies=copies,
        changed_at=world.now,
        cause=change.cause if change is not None and mine else file.cause,
        moved_from=None,
        older=_older(file, copy.digest),
    )
    return judged(file, world)


def outdated(file: File, slot: Slot, copy: Copy) -> Copy:
    """Return a copy as it stands when the version it may hold is no longer newest."""
    if not copy.present:
        # A copy that was let go is wanted again when something new is made, and
        # so is one whose deletion was held.
        return Copy(version=copy.version, trouble=_still_blocked(copy))
    if file.holds_newest(slot):
        return replace(
            copy,
            digest=file.digest,
            kind=file.kind,
            target=file.target,
            trouble=_still_blocked(copy),
        )
    return copy


def aside(file: File, slot: Slot, copy: Copy, world: World) -> Copy:
    """Return the copy as one that lost and is to be kept under a name of its own."""
    member = world.members.get(slot)
    label = member.name if member else str(slot)
    name = conflict.name(file.path, label, world.now)
    return replace(copy, doubt=Doubt.ASIDE, aside=name, base=None, trouble=None)


def _is_disputed(copy: Copy, slot: Slot, world: World) -> bool:
    """Tell whether it waits for a person, on an entry that is configured."""
    return copy.doubt is Doubt.DISPUTED and slot in world.members


def _compare_one(file: File, slot: Slot, world: World, change: Found | None) -> File:
    copy = file.copies[slot]
    if not file.version:
        return crowned(file, slot, world, change)
    touched = _is_touched(file, slot, copy)
    if touched is None:
        if not (world.keeping.ordered and _is_of(change, copy)):
            return file
        touched = False
    if touched and copy.base is not None and copy.base.version != file.version:
        # A stale copy was only touched: it is still what it was.
        settled = replace(copy, version=copy.base.version, doubt=Doubt.NONE, base=None)
        return with_copy(file, slot, settled)
    return _decided(file, slot, world, change)


def _decided(file: File, slot: Slot, world: World, change: Found | None) -> File:
    copy = file.copies[slot]
    following = relation(copy.version, file.version) is Relation.NEWER
    same = False if file.deleted else same_content(file, copy)
    if same is None and not following and _others(file, slot) & world.slots:
        return file
    # Unknown now means: nobody who could be asked has the newest version.
    if same:
        return judged(adopted(file, slot, following), world)
    if following and not file.deleted and _others(file, slot) & world.slots:
        return _following(file, slot, world, change)
    if following or file.deleted or not _others(file, slot):
        return crowned(file, slot, world, change)
    if _others(file, slot) & world.slots and conflict.is_for_people(file, slot, world):
        return _disputed(file, slot)
    return set_apart(file, slot, world, change)


def _following(file: File, slot: Slot, world: World, change: Found | None) -> File:
    """The copy is to replace what others hold: a guard may keep it from them."""
    if world.keeping.needs_digest(file, slot):
        return file
    alarm = world.keeping.alarm(file, slot)
    if alarm is None:
        return crowned(file, slot, world, change)
    copy = file.copies[slot]
    cause = change.cause if change is not None and _is_of(change, copy) else ""
    return with_copy(file, slot, withheld(copy, alarm, world.now, cause))


def _is_of(change: Found | None, copy: Copy) -> bool:
    """Tell whether it is that change which told of the copy."""
    return change is not None and change.seen.stamp == copy.stamp


def _is_touched(file: File, slot: Slot, copy: Copy) -> bool | None:
    """Tell whether the copy has the content it had before; None: a digest is needed."""
    base = copy.base
    if base is None or base.digest is None or copy.kind is not Kind.FILE:
        return False
    assert copy.stamp is not None
    if copy.stamp.size != base.size:
        return False
    if copy.digest is not None:
        return copy.digest == base.digest
    # Where nobody else has the content, knowing would spare nobody anything.
    return None if _others(file, slot) else False


def _others(file: File, slot: Slot) -> Mask:
    """Return who else holds the newest version."""
    return file.holders & ~(1 << slot)


def adopted(file: File, slot: Slot, following: bool) -> File:
    """Return the file with the entry's copy, of the same content, as up to date.

    There is no transfer and no conflict; only times and mode may differ.
    """
    copy = file.copies[slot]
    assert copy.stamp is not None
    if following:
        version = file.version
    else:
        version = merged(file.version, copy.version)
        file = replace(file, origin=file.origin | 1 << slot)
    file = with_version(file, version)
    theirs = (copy.stamp.mtime_ns, copy.mode)
    ours = (file.mtime_ns, file.mode)
    if file.kind is Kind.DIRECTORY:
        theirs, ours = (0, copy.mode), (0, file.mode)
    meta = file.meta
    if theirs != ours:
        # A touch is news; of two histories the later time is taken everywhere.
        if following or theirs > ours:
            meta += 1
            file = replace(
                file, meta=meta, mtime_ns=copy.stamp.mtime_ns, mode=copy.mode
            )
        else:
            meta = -1
    kept = Copy(version=version, stamp=copy.stamp, mode=copy.mode, meta=meta)
    return with_copy(file, slot, kept)


def with_version(file: File, version: Version) -> File:
    """Return the file with another number for its newest version and copies of it.

    What is held, and was made from the newest, is so still.
    """
    if version == file.version:
        return file
    copies = {
        slot: replace(copy, version=version)
        if file.holds_newest(slot)
        else _with_base(copy, file.version, version)
        for slot, copy in file.copies.items()
    }
    return replace(file, version=version, copies=copies)


def _with_base(copy: Copy, before: Version, version: Version) -> Copy:
    """Let a held copy be based on the version that has another number now."""
    if copy.doubt is not Doubt.HELD or copy.base is None:
        return copy
    if copy.base.version != before:
        return copy
    return replace(copy, base=replace(copy.base, version=version))


def _older(file: File, digest: bytes | None) -> tuple[tuple[int, bytes], ...]:
    """Return the contents before the newest when another takes its place."""
    known = file.older
    if file.version and file.kind is Kind.FILE and file.digest is not None:
        known = ((file.size, file.digest), *known)
    fresh = {old: (size, old) for size, old in known if old != digest}
    return tuple(fresh.values())[:REMEMBERED]


def _still_blocked(copy: Copy) -> Trouble | None:
    return copy.trouble if copy.trouble and copy.trouble.blocked else None


def _disputed(file: File, slot: Slot) -> File:
    copy = file.copies[slot]
    if copy.doubt is Doubt.DISPUTED:
        return file
    return with_copy(file, slot, replace(copy, doubt=Doubt.DISPUTED))


def set_apart(file: File, slot: Slot, world: World, change: Found | None) -> File:
    """Return the file after a conflict: one content wins, the other goes aside.

    The contents are that of the entry and the newest, neither made from the other.
    """
    rivals = _others(file, slot) & world.slots
    version = merged(file.version, file.copies[slot].version)
    if rivals and not conflict.candidate_wins(file, slot, world):
        copy = file.copies[slot]
        file = with_version(file, bumped(version, _first(file.origin, slot)))
        return with_copy(file, slot, aside(file, slot, copy, world))
    keeper = _keeper(file, slot, world)
    kept = outdated(file, keeper, file.copies[keeper])
    loser = aside(file, keeper, kept, world)
    file = crowned(file, slot, world, change, bumped(version, slot))
    return with_copy(file, keeper, loser)


def _keeper(file: File, but: Slot, world: World) -> Slot:
    """Return the entry that keeps the losing newest version: where it was made.

    One that is not configured any more does so only if nobody else can.
    """
    holders = _others(file, but)
    holders = holders & world.slots or holders
    return next(slots(holders & file.origin or holders))


def _first(origin: Mask, otherwise: Slot) -> Slot:
    return next(slots(origin), otherwise)
