"""Contents that wait for a person: who holds which, and what is made of a decision."""

from msgspec import Struct
from msgspec.structs import replace

from syncd.core.comparison import (
    adopted,
    crowned,
    judged,
    same_content,
    set_apart,
    with_copy,
    with_version,
)
from syncd.core.file import Doubt, File, Kind, Slot, has, slots
from syncd.core.version import bumped, merged
from syncd.core.world import World


class Side(Struct, frozen=True):
    """What one entry holds of a file in dispute."""

    slot: Slot
    kind: Kind
    size: int
    mtime_ns: int
    digest: bytes | None


def sides(file: File, world: World) -> list[Side]:
    """Return what there is to choose from, by entry; nothing if nobody disputes it."""
    if not file.disputed & world.slots:
        return []
    return [
        _side(file, slot)
        for slot in world.members
        if has(file.disputed, slot) or file.holds_newest(slot)
    ]


def kept_one(file: File, slot: Slot, world: World) -> File:
    """Return the file after a person chose what one of the sides holds.

    It is a version that follows all the others, so that they are replaced by it.
    """
    others = [s for s in slots(file.disputed & world.slots) if s != slot]
    version = file.version
    for side in (slot, *others):
        version = merged(version, file.copies[side].version)
    version = bumped(version, slot)
    if has(file.disputed, slot):
        file = crowned(file, slot, world, None, version)
    else:
        file = with_version(file, version)
    for side in others:
        if same_content(file, file.copies[side]):
            file = adopted(file, side, following=False)
        else:
            behind = replace(file.copies[side], doubt=Doubt.NONE, base=None)
            file = with_copy(file, side, behind)
    return judged(file, world)


def kept_both(file: File, world: World) -> File:
    """Return the file after a person chose to have all there is.

    One keeps the name, as if nobody had been asked; the others get new ones.
    """
    for side in slots(file.disputed & world.slots):
        if same_content(file, file.copies[side]):
            file = judged(adopted(file, side, following=False), world)
        else:
            file = set_apart(file, side, world, None)
    return file


def _side(file: File, slot: Slot) -> Side:
    copy = file.copies[slot]
    assert copy.stamp is not None
    if copy.doubt is not Doubt.DISPUTED:
        return Side(slot, file.kind, file.size, copy.stamp.mtime_ns, file.digest)
    assert copy.kind is not None
    size = copy.stamp.size if copy.kind is Kind.FILE else len(copy.target or "")
    return Side(slot, copy.kind, size, copy.stamp.mtime_ns, copy.digest)
