"""What a storage can do: the one contract every driver fulfils."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Flag, auto
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from msgspec import Struct

from syncd.core.change import Amend, Delete, Put, SetAside
from syncd.core.file import Seen, Stamp
from syncd.core.keeping import Kept, Promise, Return
from syncd.core.room import Room
from syncd.errors import StorageError


class Can(Flag):
    """What a driver may lack and still be a driver."""

    NOTHING_MORE = 0
    WATCH = auto()
    """It tells of changes by itself (Watching); others are only walked."""
    DESCRIPTORS = auto()
    """Its files can be opened as file descriptors (Opening), so the kernel copies."""
    KEEP_TIMES = auto()
    KEEP_MODES = auto()
    LINKS = auto()
    DIRECTORIES = auto()
    """It has empty folders."""
    ANY_NAME = auto()
    """It takes names that are not UTF-8."""
    KEEP_LOST = auto()
    """It can keep what is replaced or deleted there (Keeping)."""
    SHARE = auto()
    """It clears away what a crash left behind, but not while others work (Sharing)."""
    GLANCE = auto()
    """It can tell at a glance that nothing has changed in a folder (Glancing)."""


class Facts(Struct, frozen=True):
    """What reading a content told: only what was asked for."""

    digest: bytes | None = None
    mime: str | None = None


class Written(Struct, frozen=True):
    """What a Put left: the path as it is now, and the digest of what was written."""

    seen: Seen
    digest: bytes | None
    copied: int
    """Bytes that came from a source; 0 for a rename, a folder or a link."""


Content = int | Callable[[], AsyncIterator[bytes]]
"""A content to write: an open descriptor (left open by the driver), or chunks."""


Rest = Callable[[int], AsyncIterator[bytes]]
"""Gives what follows the first so many bytes of a content, from other sources."""


class Writing(Struct, frozen=True):
    """One Put with the content to write; None for folders, links and usable hints.

    Where a descriptor fails in the middle, ``rest`` goes on; nothing is written twice.
    """

    put: Put
    content: Content | None
    stamp: Stamp | None = None
    """What a descriptor must have when it was read; None: what it has now."""
    rest: Rest | None = None


class Driver(Protocol):
    """One open storage.

    Paths are core.path texts. Work comes in batches: a method that takes a
    sequence answers with a list of the same length, where an item that could
    not be done is a StorageError and has changed nothing; only trouble with the
    storage as a whole is raised (StorageUntrusted: root or marker gone). Items
    of one call are carried out in order, except that a driver may make all
    content durable at once. What a method answers survives a power cut.

    Where an order says what lies at a path (``replaces``, ``stamp``), the
    driver looks right before it acts, answers StorageChanged if it is something
    else, and never destroys what it did not expect. What is already as ordered
    (a folder that exists, a deleted path that is gone) is no error.

    Methods may be cancelled and run at the same time for different paths. A
    cancelled, failed or killed write leaves the old content in place; what it
    leaves else, a later ``open`` clears away.
    """

    can: ClassVar[Can]

    @classmethod
    def create(cls, options: Mapping[str, Any], ignore: Sequence[str]) -> Self:
        """Return the driver, not yet open.

        The options are every field of its options model, checked; ignore holds
        patterns in the grammar of .gitignore.
        """
        ...

    async def open(self) -> None:
        """Make sure that the storage is there and clear what a crash left behind.

        Raise StorageUntrusted when it is not there.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; closing twice is no error."""
        ...

    async def marker(self) -> str | None:
        """Return the id the storage carries, None if it has none."""
        ...

    async def mark(self, marker: str) -> None:
        """Make the storage carry the id; from now on every method insists on it."""
        ...

    async def room(self) -> Room:
        """Return what the storage would take now; with nothing known, plenty."""
        ...

    async def is_empty(self) -> bool:
        """Tell whether nothing but what is syncd's own lies in the storage."""
        ...

    def walk(
        self, below: str = "", *, deep: bool = True
    ) -> AsyncIterator[tuple[str, list[Seen]]]:
        """Give each folder below the path (itself first) with what lies in it.

        A folder is given before the folders in it; its list is sorted by path.
        Not ``deep`` gives the folder alone.
        What is ignored, reserved or neither file, folder nor link is left out.
        A folder that vanishes meanwhile is left out; one that cannot be read is
        given as an error by ``unreadable``, never as empty.
        """
        ...

    def unreadable(self) -> dict[str, str]:
        """Return, and forget, the folders walk could not read, each with its reason."""
        ...

    def left_alone(self) -> int:
        """Return how many sockets, FIFOs and devices the last walks came by."""
        ...

    async def look(self, paths: Sequence[str]) -> list[Seen | StorageError | None]:
        """Return what lies at each path now; None for nothing, or nothing we keep."""
        ...

    async def inspect(
        self, path: str, stamp: Stamp, *, digest: bool, mime: bool
    ) -> Facts:
        """Read the content and tell about it; StorageChanged unless it has the stamp
        before and after."""
        ...

    def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Give the content from start on, in chunks of at most 1 MiB.

        Raise StorageChanged unless it has the stamp before and after.
        """
        ...

    async def write(
        self, items: Sequence[Writing], progress: Callable[[int, int], None]
    ) -> list[Written | StorageError]:
        """Carry out Puts; progress is told (order id, bytes so far) during long ones.

        A content is verified against ``put.digest`` and ``put.size``; words about
        a source that changed begin with "source". A file with a hint and no content is
        renamed; words about a hint that is of no use begin with "hint": ask again
        with the content. Missing parent folders are made: see made_parents.
        """
        ...

    def made_parents(self) -> list[Seen]:
        """Return, and forget, the folders that write and set_aside made on their way.

        They are nobody's wish: when they become empty again, prune them.
        """
        ...

    async def amend(self, orders: Sequence[Amend]) -> list[Seen | StorageError]:
        """Change mode and mtime."""
        ...

    async def delete(self, orders: Sequence[Delete]) -> list[StorageError | None]:
        """Remove files, links and empty folders.

        A folder that is not empty stays, and is no error: from then on it is
        treated like a parent made by write.
        """
        ...

    async def prune(self, folders: Sequence[str]) -> list[str]:
        """Remove those of the folders that are empty, deepest first; return them."""
        ...

    async def set_aside(self, orders: Sequence[SetAside]) -> list[Seen | StorageError]:
        """Rename conflict losers out of the way, never over anything."""
        ...


class Watched(Struct, frozen=True):
    """How much of a storage tells of its changes."""

    folders: int
    """Folders that do."""
    polled: int = 0
    """Folders that do not, or not of all: they are walked one by one, in turn."""
    oldest: float | None = None
    """Seconds since the one of those was walked that waits longest; None: no such."""
    overflows: int = 0
    """How often so much happened at once that some of it was not told."""


class Glance(NamedTuple):
    """A folder as a walk came by it."""

    folder: str
    found: list[Seen] | None
    """What lies in it, sorted by path; None where all is as it is known to be."""
    fingerprint: bytes | None
    """The same for as long as nothing changes directly in it; None: not wanted."""


class Glancing(Driver, Protocol):
    """A storage that can tell at a glance that nothing has changed in a folder."""

    def glance(
        self,
        below: str = "",
        *,
        known: Callable[[str], bytes | None],
        deep: bool = True,
    ) -> AsyncIterator[Glance]:
        """Walk, but do not tell what lies in folders whose fingerprint is known.

        ``known`` is asked, in any thread, for the fingerprint of each folder: what
        an earlier glance gave; empty, if there is none but one is wanted; None, if
        none is wanted. Fingerprints are good as long as the same things are ignored.
        """
        ...


class Watching(Driver, Protocol):
    """A storage that tells of changes by itself."""

    async def watch(self, tell: "Callable[[Sequence[Event]], None]") -> None:
        """Start telling, on this loop, of every change from now on, until closed.

        What a call of the driver did and answered need not be told; what one did
        that was called off must be.
        """
        ...

    async def poll(self) -> list[str]:
        """Return folders to walk now, not deep, as nothing tells of what changes there.

        Those are the ones walked longest ago, and so many as are worth one visit. Each
        was tried again to be watched; folders found in them that were unknown are
        told as trees that changed.
        """
        ...

    def walked(self, since: float) -> None:
        """Take in that all was walked by a walk that began then (clock.monotonic)."""
        ...

    def watched(self) -> Watched:
        """Return how well the storage is watched."""
        ...

    def is_written_to(self, path: str) -> bool:
        """Tell whether some process has the file open for writing, as far as known."""
        ...


class What(Flag):
    """What happened to a path, as raw as it comes."""

    TOUCHED = auto()
    """Something happened; more may follow at once."""
    CLOSED = auto()
    """A file was closed after writing, or came complete (renamed, linked)."""
    GONE = auto()
    """It was deleted or renamed away."""
    TREE = auto()
    """A folder came, went or moved: everything below it may have changed."""
    LOST = auto()
    """Events were lost: anything below the path may have changed."""


class Event(Struct, frozen=True):
    """One raw event."""

    path: str
    what: What


class Opening(Driver, Protocol):
    """A storage whose files can be opened as descriptors."""

    def open_files(
        self, wanted: Sequence[tuple[str, Stamp | None]]
    ) -> list[int | StorageError]:
        """Return a descriptor open for reading for each path that has its stamp.

        No stamp: the file that is there, as it is. Blocks; is called from a worker
        thread. The caller closes them.
        """
        ...

    def is_unchanged(self, descriptor: int, stamp: Stamp) -> bool:
        """Tell whether the open file still has the stamp."""
        ...


class Sharing(Driver, Protocol):
    """A storage that others may be at work in, each with a driver of its own."""

    def share(self) -> None:
        """Clear nothing away: what seems left behind may be another's; before open."""
        ...


class Returned(Struct, frozen=True):
    """What bringing something back left: the path, and the folders made for it."""

    seen: Seen
    made: list[Seen]


class Keeping(Driver, Protocol):
    """A storage that can keep, within itself, what is taken from its paths.

    From ``keep`` on, whatever ``write`` replaces and ``delete`` removes, folders
    excepted, is kept instead of destroyed. It changes its name at once: at no
    moment is a content at neither place, and one that was not expected is given
    back just the same. Nothing that is kept is ever walked, looked at or watched.
    All that is known of it can be told from the storage alone.
    """

    def keep(self, promise: Promise) -> None:
        """Keep what is lost from now on, for as long as promised; before ``open``."""
        ...

    async def kept(self, path: str) -> list[Kept]:
        """Return what is kept of the path, in no particular order."""
        ...

    def kept_below(self, folder: str) -> AsyncIterator[list[Kept]]:
        """Give what is kept of everything below the folder, some at a time.

        What is kept of one path comes together.
        """
        ...

    async def bring_back(
        self, orders: Sequence[Return]
    ) -> list[Returned | StorageError]:
        """Rename what is kept back to its path, and keep what it replaces there.

        StorageChanged if something else lies there, or nothing is kept there any
        more; parent folders are made where missing.
        """
        ...

    def forget_kept(self, *, everywhere: bool) -> AsyncIterator[int]:
        """Destroy what was promised no longer, in small steps; give how many each.

        Not ``everywhere`` means: only of what was replaced again and again since.
        """
        ...
