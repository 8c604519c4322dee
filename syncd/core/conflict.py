"""Two contents at one path, neither made from the other: which keeps the name."""

from datetime import UTC, datetime

from syncd.core import path as paths
from syncd.core.file import Copy, File, Kind, Slot, has, mask, slots
from syncd.core.world import World

SKEW = 3600.0
"""Seconds by which a time may lie ahead before it stops being an argument."""

_LONGEST = 255
"""Bytes of a name that every common file system takes."""

_LONGEST_EXTENSION = 64
"""Bytes after the last dot; more of them are no extension but part of the name."""


def is_for_people(file: File, slot: Slot, world: World) -> bool:
    """Tell whether a person is to decide between the entry's copy and the newest.

    That is so where either side wishes it. While something about the file waits
    already, all of it does, as long as anyone who has something at the path wishes it:
    the newest version may come from elsewhere by now. A folder and what is none are not
    for people: what lies in the folder cannot wait for them.
    """
    copy = file.copies[slot]
    if (copy.kind is Kind.DIRECTORY) != (file.kind is Kind.DIRECTORY):
        return False
    asked = file.origin | 1 << slot
    if file.disputed & world.slots:
        asked |= mask(s for s, other in file.copies.items() if other.present)
    return any(one.manual for s, one in world.members.items() if has(asked, s))


def candidate_wins(file: File, slot: Slot, world: World) -> bool | None:
    """Tell whether the entry's copy wins over the newest version.

    A folder wins over what is none; then what the entries prefer, the later
    time, and the content itself decide. So the answer does not depend on which
    of the two was told first. None: digests are needed to decide.
    """
    copy = file.copies[slot]
    assert copy.stamp is not None
    if (copy.kind is Kind.DIRECTORY) != (file.kind is Kind.DIRECTORY):
        return copy.kind is Kind.DIRECTORY
    preferred = _preferred(file, slot, world)
    if preferred is not None:
        return preferred
    theirs = _believable(copy.stamp.mtime_ns, world.now)
    ours = _believable(file.mtime_ns, world.now)
    return theirs > ours if theirs != ours else _by_content(file, copy)


def _by_content(file: File, copy: Copy) -> bool | None:
    assert copy.stamp is not None
    if copy.kind is not file.kind:
        return copy.kind is Kind.FILE
    if copy.kind is Kind.LINK:
        return (copy.target or "") > (file.target or "")
    if copy.stamp.size != file.size:
        return copy.stamp.size > file.size
    if copy.digest is None or file.digest is None:
        return None
    return copy.digest > file.digest


def name(path: str, entry: str, now: float) -> str:
    """Return where the loser goes: STEM.sync-conflict-YYYYMMDD-HHMMSS-ENTRY.EXT.

    The extension stays, so that rules and programs treat it alike; the stem is
    cut where the name would exceed 255 bytes.
    """
    folder, _, last = path.rpartition("/")
    stem, dot, extension = last.rpartition(".")
    if not stem or len(paths.to_bytes(extension)) > _LONGEST_EXTENSION:
        stem, dot, extension = last, "", ""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    tail = f".sync-conflict-{moment}-{entry}{dot}{extension}"
    while stem and len(paths.to_bytes(stem + tail)) > _LONGEST:
        stem = stem[:-1]
    return f"{folder}/{stem}{tail}" if folder else f"{stem}{tail}"


def _believable(mtime_ns: int, now: float) -> int:
    return mtime_ns if mtime_ns <= (now + SKEW) * 1e9 else 0


def _preferred(file: File, slot: Slot, world: World) -> bool | None:
    """Return what the entries' own wishes say, None if they have none.

    They are asked by slot, so that it does not matter who was told first.
    """
    size = _size(file.copies[slot])
    for asked in slots(file.origin | 1 << slot):
        member = world.members.get(asked)
        if member is None:
            continue
        if member.larger and size != file.size:
            return size > file.size
        if member.prefer:
            return _by_name(file, slot, world, member.prefer)
    return None


def _by_name(
    file: File, slot: Slot, world: World, prefer: tuple[str, ...]
) -> bool | None:
    def rank(of: Slot) -> int:
        member = world.members.get(of)
        if member is None or member.name not in prefer:
            return len(prefer)
        return prefer.index(member.name)

    theirs, ours = rank(slot), min(map(rank, slots(file.origin)), default=len(prefer))
    return None if theirs == ours else theirs < ours


def _size(copy: Copy) -> int:
    """Return the size as a File has it."""
    assert copy.stamp is not None
    return copy.stamp.size if copy.kind is Kind.FILE else len(copy.target or "")
