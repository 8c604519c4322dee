"""What a power cut does to contents, told from what people do to them.

A system that goes down loses what was not yet on a disk: a file may come back
short, full of zeros, as it was before, or not at all. None of that is an edit.
What was written by a person shows by its times: an edit sets both anew, and the
time of the last change of status (ctime) is nobody's to set.
"""

from enum import Enum, auto

from syncd.core.change import Found
from syncd.core.file import Copy, Doubt, File, Kind, Mask, Seen, Slot, Trouble
from syncd.core.version import NEVER
from syncd.core.world import World

LOST = (
    "the content was damaged when the system went down, and no other entry has it: "
    "replace the file by a good copy, or touch it to take it as it is"
)


class Verdict(Enum):
    """What is to be thought of a content that was found."""

    SOUND = auto()
    """It is what was written, or somebody's edit."""
    DAMAGED = auto()
    """It is neither, and of no use."""
    ROLLED_BACK = auto()
    """It is an earlier content that has come back; of use, perhaps, but no edit."""


def verdict(file: File, slot: Slot, change: Found, world: World) -> Verdict:
    """Return what is to be thought of what the entry found at the path."""
    seen, copy = change.seen, file.copy(slot)
    ours = copy.stamp
    if ours is None or seen.kind is not Kind.FILE or _kind(file, copy) is not seen.kind:
        return Verdict.SOUND
    if copy.doubt is Doubt.DAMAGED:
        return _still(file, slot, copy, change, world)
    if copy.doubt is not Doubt.NONE or not is_doubted(file, slot, world):
        return Verdict.SOUND
    if _is_what_was_written(file, slot, copy, change):
        return Verdict.SOUND
    if _looks_written_by_us(copy, seen):
        return Verdict.DAMAGED
    earlier = seen.stamp.ctime_ns < ours.ctime_ns and others(file, slot, world)
    return Verdict.ROLLED_BACK if earlier else Verdict.SOUND


def is_doubted(file: File, slot: Slot, world: World) -> bool:
    """Tell whether the system may have gone down before the copy was on the disk."""
    since, copy = world.doubted.get(slot), file.copy(slot)
    if since is None or copy.stamp is None:
        return False
    if _kind(file, copy) is Kind.DIRECTORY:
        return file.changed_at * 1e9 >= since
    return copy.stamp.ctime_ns >= since


def may_be_lost(file: File, slot: Slot, world: World) -> bool:
    """Tell whether a copy that is gone is one that may never have reached the disk.

    So that others, who have it, can give it back.
    """
    return is_doubted(file, slot, world) and bool(others(file, slot, world))


def marked(file: File, slot: Slot, change: Found, world: World) -> Copy:
    """Return the copy as one of a damaged content: nobody is ever given that."""
    seen, copy = change.seen, file.copy(slot)
    # Where it can be replaced it counts for nothing, and so does touching it.
    version, trouble = NEVER, copy.trouble
    known = copy.digest if copy.doubt is Doubt.DAMAGED else None
    if not others(file, slot, world):
        version = copy.version
        trouble = Trouble(LOST, attempts=1, retry_at=0.0, blocked=True)
    return Copy(
        version=version,
        stamp=seen.stamp,
        mode=seen.mode,
        digest=change.digest or known,
        doubt=Doubt.DAMAGED,
        trouble=trouble,
        kind=seen.kind,
    )


def others(file: File, slot: Slot, world: World) -> Mask:
    """Return the other configured entries that hold the newest version."""
    return file.holders & world.slots & ~(1 << slot)


def _kind(file: File, copy: Copy) -> Kind:
    return copy.kind or file.kind


def _still(file: File, slot: Slot, copy: Copy, change: Found, world: World) -> Verdict:
    """Tell whether a damaged content is the same still, however it was dressed."""
    assert copy.stamp is not None
    ours, now = copy.stamp, change.seen.stamp
    if (now.size, now.mtime_ns) == (ours.size, ours.mtime_ns):
        return Verdict.DAMAGED
    same = change.digest is not None and change.digest == copy.digest
    return Verdict.DAMAGED if same and others(file, slot, world) else Verdict.SOUND


def _is_what_was_written(file: File, slot: Slot, copy: Copy, change: Found) -> bool:
    """Tell whether the content is the known one, as far as anybody can tell."""
    assert copy.stamp is not None
    known = file.digest if file.holds_newest(slot) else copy.digest
    if known is None or change.digest is None:
        # Who cannot be asked for a digest can still be seen to have become shorter.
        return change.seen.stamp.size >= copy.stamp.size
    return change.digest == known


def _looks_written_by_us(copy: Copy, seen: Seen) -> bool:
    """Tell whether nobody else wrote it, though the content is not what we know."""
    assert copy.stamp is not None
    ours, now = copy.stamp, seen.stamp
    if now.inode != ours.inode or now.size > ours.size or now.mtime_ns > ours.mtime_ns:
        return False
    return now.ctime_ns <= ours.ctime_ns or now.mtime_ns == ours.mtime_ns
