"""What syncd knows of a path: the newest version, and the copy on every entry."""

from collections.abc import Iterable, Iterator
from enum import IntEnum, StrEnum

from msgspec import Struct

from syncd.core.version import NEVER, Version

Slot = int
"""The small number an entry has in the index, 0 to MAX_SLOTS - 1."""

Mask = int
"""A set of slots: bit n stands for slot n."""

MAX_SLOTS = 62
"""How many entries fit: a mask is kept in a signed 64-bit column."""

DIGEST_SIZE = 32
"""Bytes of a content's BLAKE3 digest."""


class Kind(StrEnum):
    """What lies at a path; anything else is left alone."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Stamp(Struct, frozen=True, array_like=True, gc=False):
    """Cheap evidence of a content: as long as the stamp is equal, so is the content.

    Local: size, mtime, ctime and inode. Other storages leave out what they do
    not have and put an ETag or the like in ``tag``. For a folder only the inode
    counts (its times change with what lies in it).
    """

    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    tag: str = ""


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """A path as a storage has it now."""

    path: str
    kind: Kind
    stamp: Stamp
    mode: int = 0o644
    target: str | None = None
    """Where a link points, as text made by core.path.from_bytes."""


class Doubt(IntEnum):
    """What is not yet settled about a copy."""

    NONE = 0
    COMPARING = 1
    """It may or may not have the content of the newest version: digests decide."""
    ASIDE = 2
    """It lost a conflict and is to be renamed out of the way."""
    LET_GO = 3
    """It was deleted where deletions are to be ignored: not to be brought back.

    The entry is no owner of that version any more; the next one it gets again.
    """
    HELD = 4
    """What was done to it is kept from the others, for a moment or until approved."""
    DAMAGED = 5
    """Its content is not what was written there, and not what anybody else wrote."""
    DISPUTED = 6
    """Neither it nor the newest version was made from the other: a person decides."""


class Alarm(StrEnum):
    """What is held when too much of it comes from an entry at once."""

    DELETIONS = "deletions"
    OVERWRITES = "overwrites"
    ROLLBACKS = "rollbacks"
    """Contents that the path had before, put back: of an old backup, say."""


class Held(Struct, frozen=True, array_like=True, gc=False):
    """Why and since when a copy's change is kept from the others."""

    alarm: Alarm
    since: float
    """Seconds since 1970."""
    cause: str = ""
    """Id of the change."""


LONGEST_PAUSE = 600.0
"""Seconds that a failed order waits, at most, before it is tried again."""


class Trouble(Struct, frozen=True, array_like=True, gc=False):
    """Why the last order for a copy failed, and when it is tried again."""

    reason: str
    attempts: int
    retry_at: float
    """Seconds since 1970."""
    blocked: bool = False
    """The storage itself refused; otherwise something changed under the order."""

    def waits(self, now: float) -> bool:
        """Tell whether it is too early to try again.

        What would have to wait longer than anything does was noted before the clock
        was set back, and does not wait.
        """
        return now < self.retry_at <= now + LONGEST_PAUSE


class Base(Struct, frozen=True, array_like=True, gc=False):
    """What a copy held before something was found there that is still compared."""

    version: Version
    size: int
    digest: bytes | None


class Copy(Struct, frozen=True, array_like=True, gc=False):
    """One file on one entry. ``stamp`` is None while nothing lies there."""

    version: Version = NEVER
    stamp: Stamp | None = None
    mode: int = 0
    meta: int = 0
    """Which of the file's metadata (mode, mtime) it has."""
    digest: bytes | None = None
    """Of what it holds; known where it differs, or may differ, from the newest."""
    doubt: Doubt = Doubt.NONE
    aside: str | None = None
    """Where a copy that lost a conflict is to go."""
    hint: tuple[str, Stamp] | None = None
    """The same content lies on this entry at another path: it was moved elsewhere."""
    trouble: Trouble | None = None
    kind: Kind | None = None
    """What it is; known where it differs, or may differ, from the newest."""
    target: str | None = None
    base: Base | None = None
    """What it held before, while COMPARING or HELD."""
    held: Held | None = None
    """Set while HELD."""

    @property
    def present(self) -> bool:
        """Tell whether something lies there."""
        return self.stamp is not None


ABSENT = Copy()


class File(Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """What is known of one path.

    A tombstone (``deleted``) is a version like any other.
    """

    id: int
    """Row of the index; 0 before it has one."""
    path: str
    kind: Kind = Kind.FILE
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0o644
    target: str | None = None
    digest: bytes | None = None
    mime: str | None = None
    version: Version = NEVER
    deleted: bool = False
    meta: int = 0
    """Counts changes of mode and mtime that left the content as it was."""
    origin: Mask = 0
    """The entries where the newest version was made."""
    owners: Mask = 0
    """The entries that should hold it."""
    copies: dict[Slot, Copy] = {}
    conflict_of: str | None = None
    """The path whose conflict this file was kept from."""
    mime_wanted: bool = False
    """A rule cannot decide before the MIME type is known."""
    judge_at: float | None = None
    """When a rule about age may change the owners; seconds since 1970."""
    changed_at: float = 0.0
    """When the newest version became known; seconds since 1970."""
    cause: str = ""
    """Id of the change that the newest version came from."""
    moved_from: str | None = None
    """The path where the newest version lay before: it was made by a move."""
    older: tuple[tuple[int, bytes], ...] = ()
    """Size and digest of the contents before the newest, latest first."""

    def copy(self, slot: Slot) -> Copy:
        """Return the copy on an entry; ABSENT where nothing is known."""
        return self.copies.get(slot, ABSENT)

    def holds_newest(self, slot: Slot) -> bool:
        """Tell whether the entry has the newest version; a tombstone's is nothing."""
        copy = self.copy(slot)
        if self.deleted:
            return not copy.present
        return (
            copy.present and copy.doubt is Doubt.NONE and copy.version == self.version
        )

    @property
    def holders(self) -> Mask:
        """Return every entry whose copy is of the newest version, owner or not."""
        if self.deleted:
            return mask(s for s, copy in self.copies.items() if copy.stamp is None)
        result, version = 0, self.version
        for slot, copy in self.copies.items():
            if copy.stamp is None or copy.doubt is not Doubt.NONE:
                continue
            if copy.version == version:
                result |= 1 << slot
        return result

    @property
    def let_go(self) -> Mask:
        """Return the entries that deleted this version for themselves only."""
        result = 0
        for slot, copy in self.copies.items():
            if copy.doubt is Doubt.LET_GO:
                result |= 1 << slot
        return result

    @property
    def disputed(self) -> Mask:
        """Return the entries whose contents wait for a person beside the newest one.

        As long as there are any, nothing of the file is copied or deleted.
        """
        result = 0
        for slot, copy in self.copies.items():
            if copy.doubt is Doubt.DISPUTED:
                result |= 1 << slot
        return result

    @property
    def uptodate(self) -> Mask:
        """Return the owners that hold the newest version."""
        return self.owners & self.holders


def mask(slots: Iterable[Slot]) -> Mask:
    """Return the set of slots as a mask."""
    result = 0
    for slot in slots:
        result |= 1 << slot
    return result


def slots(of: Mask) -> Iterator[Slot]:
    """Give the slots of a mask, lowest first."""
    while of:
        low = of & -of
        yield low.bit_length() - 1
        of ^= low


def has(of: Mask, slot: Slot) -> bool:
    """Tell whether the mask has the slot."""
    return bool(of >> slot & 1)
