"""A report of one entry and what is known of the file: what is known afterwards.

Every function takes a File and gives the File that replaces it; ``core.work``
derives from that what entries are to do. A report may come twice, late, or in
another order than things happened: what an entry says of itself is believed, what it
means is decided by versions, never by the time of arrival.
"""

from msgspec.structs import replace

from syncd.core import conflict
from syncd.core.change import Found, Gone
from syncd.core.file import (
    ABSENT,
    Base,
    Copy,
    Doubt,
    File,
    Kind,
    Mask,
    Seen,
    Slot,
    Trouble,
    has,
    slots,
)
from syncd.core.version import Relation, Version, bumped, merged, relation
from syncd.core.world import OnDelete, World


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
    seen, copy = change.seen, file.copy(slot)
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
    if old is not None and moved and file.holds_newest(slot):
        file = _hinted(file, slot, old)
    return file


def gone(file: File, slot: Slot, change: Gone, world: World) -> File:
    """Return the file after an entry said that nothing lies at its path any more."""
    copy = file.copy(slot)
    if not copy.present:
        return file
    held = copy.base.version if copy.base else copy.version
    newest = copy.doubt is not Doubt.ASIDE and held == file.version
    if file.deleted:
        return with_copy(file, slot, Copy(version=file.version))
    policy = world.members[slot].on_delete
    if not (newest and has(file.owners, slot)) or policy is OnDelete.RESTORE:
        # Local only: an unmanaged copy, or one that will be replaced anyway.
        left = with_copy(file, slot, ABSENT)
    elif policy is OnDelete.IGNORE:
        left = with_copy(file, slot, Copy(version=held, doubt=Doubt.LET_GO))
    else:
        return compare(_buried(file, slot, change.cause, world), world)
    return left_behind(left, slot, world, change.cause)


def dropped(file: File, slot: Slot, world: World) -> File:
    """Return the file when nothing is known any more of what the entry holds."""
    if slot not in file.copies:
        return file
    copies = {s: copy for s, copy in file.copies.items() if s != slot}
    return left_behind(replace(file, copies=copies), slot, world)


def left_behind(file: File, slot: Slot, world: World, cause: str = "") -> File:
    """Return the file after what the entry had is gone from there, and only there.

    Where that was the last of the newest version, nobody could ever be given it:
    what else is left becomes the newest, and where nothing is, the file is gone.
    """
    if file.deleted or file.holders:
        return compare(file, world)
    if not any(copy.present for copy in file.copies.values()):
        return _buried(file, slot, cause, world)
    copies = {s: _revived(file, s, copy) for s, copy in file.copies.items()}
    return compare(replace(file, copies=copies), world)


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


def compare(file: File, world: World, change: Found | None = None) -> File:
    """Return the file with every comparison decided that can be decided.

    ``change`` tells the MIME type and cause of what was found last, if it wins.
    """
    while True:
        before = file
        for slot, copy in before.copies.items():
            if copy.doubt is Doubt.COMPARING:
                file = _compare_one(file, slot, world, change)
        if file is before:
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


def _revived(file: File, slot: Slot, copy: Copy) -> Copy:
    """Return a copy that was behind as one that may be the newest."""
    if not copy.present or copy.doubt is not Doubt.NONE or not has(file.owners, slot):
        return copy
    version = bumped(copy.version, slot, above=file.version)
    return replace(copy, version=version, doubt=Doubt.COMPARING)


def _is_known(file: File, copy: Copy, seen: Seen) -> bool:
    """Tell whether the report repeats what the copy is known to be."""
    kind = copy.kind or file.kind
    return copy.stamp == seen.stamp and kind is seen.kind and copy.mode == seen.mode


def _learn(file: File, slot: Slot, change: Found, world: World) -> File:
    """Take digest and MIME from a report that tells nothing else new."""
    copy = file.copy(slot)
    if copy.doubt is Doubt.COMPARING and change.digest and not copy.digest:
        return compare(
            with_copy(file, slot, replace(copy, digest=change.digest)), world, change
        )
    if file.holds_newest(slot):
        file = learned(file, change.digest, change.mime, world)
    return file


def learned(file: File, digest: bytes | None, mime: str | None, world: World) -> File:
    """Return the file with what reading its newest content told."""
    if digest is not None and file.digest is None:
        file = compare(replace(file, digest=digest), world)
    if mime is not None and file.mime != mime:
        file = judged(replace(file, mime=mime), world)
    return file


def _candidate(file: File, slot: Slot, change: Found) -> Copy:
    """Return what was found as a copy whose meaning is not yet decided."""
    seen, copy = change.seen, file.copy(slot)
    base = copy.base
    if base is None and copy.stamp is not None:
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

    A move that they have not even begun is passed on.
    """
    for other, copy in old.copies.items():
        if other == slot or file.copy(other).present:
            continue
        hint = copy.hint
        if copy.stamp is not None and old.holds_newest(other):
            hint = (old.path, copy.stamp)
        if hint is not None:
            file = with_copy(file, other, replace(file.copy(other), hint=hint))
    return file


def _compare_one(file: File, slot: Slot, world: World, change: Found | None) -> File:
    copy = file.copies[slot]
    if not file.version:
        return crowned(file, slot, world, change)
    touched = _is_touched(file, slot, copy)
    if touched is None:
        return file
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
        return judged(_adopted(file, slot, following), world)
    if following or file.deleted or not _others(file, slot):
        return crowned(file, slot, world, change)
    return _conflicting(file, slot, world, change)


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


def _adopted(file: File, slot: Slot, following: bool) -> File:
    """The copy has the newest content: no transfer, no conflict; times may differ."""
    copy = file.copies[slot]
    assert copy.stamp is not None
    if following:
        version = file.version
    else:
        version = merged(file.version, copy.version)
        file = replace(file, origin=file.origin | 1 << slot)
    file = _with_version(file, version)
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


def _with_version(file: File, version: Version) -> File:
    """Give the newest version, and every copy of it, another number."""
    if version == file.version:
        return file
    copies = {
        slot: replace(copy, version=version) if file.holds_newest(slot) else copy
        for slot, copy in file.copies.items()
    }
    return replace(file, version=version, copies=copies)


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
    mine = change is not None and change.seen.stamp == copy.stamp
    copies = {s: _outdated(file, s, c) for s, c in file.copies.items()}
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
    )
    return judged(file, world)


def _outdated(file: File, slot: Slot, copy: Copy) -> Copy:
    """Return a copy as it stands when the version it may hold is no longer newest."""
    if not copy.present:
        # A copy that was let go is wanted again when something new is made.
        return replace(copy, doubt=Doubt.NONE, hint=None, trouble=_still_blocked(copy))
    if file.holds_newest(slot):
        return replace(
            copy,
            digest=file.digest,
            kind=file.kind,
            target=file.target,
            trouble=_still_blocked(copy),
        )
    return copy


def _still_blocked(copy: Copy) -> Trouble | None:
    return copy.trouble if copy.trouble and copy.trouble.blocked else None


def _conflicting(file: File, slot: Slot, world: World, change: Found | None) -> File:
    """Two contents, neither made from the other: one wins, the other goes aside."""
    rivals = _others(file, slot) & world.slots
    version = merged(file.version, file.copies[slot].version)
    if rivals and not conflict.candidate_wins(file, slot, world):
        copy = file.copies[slot]
        file = _with_version(file, bumped(version, _first(file.origin, slot)))
        return with_copy(file, slot, _aside(file, slot, copy, world))
    keeper = _keeper(file, slot, world)
    kept = _outdated(file, keeper, file.copies[keeper])
    loser = _aside(file, keeper, kept, world)
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


def _aside(file: File, slot: Slot, copy: Copy, world: World) -> Copy:
    member = world.members.get(slot)
    label = member.name if member else str(slot)
    name = conflict.name(file.path, label, world.now)
    return replace(copy, doubt=Doubt.ASIDE, aside=name, base=None, trouble=None)


def _buried(file: File, slot: Slot, cause: str, world: World) -> File:
    """Return the tombstone that follows the newest version."""
    version = bumped(file.version, slot)
    copies = {
        s: _outdated(file, s, c) if c.present else replace(c, hint=None)
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
    )
