"""What becomes of a change that was kept from the others: it is let go, or undone."""

from msgspec.structs import replace

from syncd.core.change import Found
from syncd.core.comparison import compare, with_copy, with_version
from syncd.core.file import ABSENT, Copy, Doubt, File, Seen, Slot, has, slots
from syncd.core.reconcile import buried, left_behind
from syncd.core.version import NEVER, bumped
from syncd.core.world import World


def let_go(file: File, slot: Slot, world: World) -> File:
    """Return the file after the entry's change was found to be meant.

    What others did meanwhile is judged as if both had been told only now: a
    deletion gives way to an edit, and of two edits both contents are kept.
    """
    copy = file.copies[slot]
    assert copy.held is not None
    cause = copy.held.cause
    world = replace(world, keeping=world.keeping.without(slot))
    if not copy.present:
        return _deleted(file, slot, cause, world)
    version = copy.version
    if copy.base is not None:
        version = bumped(copy.base.version, slot, above=file.version)
    copy = replace(copy, version=version, doubt=Doubt.COMPARING, held=None)
    return compare(with_copy(file, slot, copy), world, _found(file, copy, cause))


def undone(file: File, slot: Slot, world: World) -> File:
    """Return the file after the entry's change was found to be a mishap.

    The entry is given again what the others hold; where nobody else holds
    anything any more, there is nothing to undo it with.
    """
    copy = file.copies[slot]
    others = file.holders & ~(1 << slot)
    if others and not file.deleted:
        # What is done on this entry next was not done to what it is given now:
        # by this number it is no successor of that.
        file = with_version(file, bumped(file.version, next(slots(others))))
    left = ABSENT
    if copy.present:
        left = replace(copy, version=NEVER, doubt=Doubt.NONE, base=None, held=None)
    return left_behind(with_copy(file, slot, left), slot, world)


def _deleted(file: File, slot: Slot, cause: str, world: World) -> File:
    copy = file.copies[slot]
    known = copy.base is not None and copy.base.version == file.version
    if known and has(file.owners, slot):
        return buried(file, slot, cause, world)
    return left_behind(with_copy(file, slot, ABSENT), slot, world, cause)


def _found(file: File, copy: Copy, cause: str) -> Found:
    """Return what the entry said of the copy, as far as that is kept."""
    assert copy.stamp is not None
    assert copy.kind is not None
    seen = Seen(file.path, copy.kind, copy.stamp, copy.mode, copy.target)
    return Found(seen, copy.digest, cause=cause)
