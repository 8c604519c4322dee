"""A local folder as a storage: the loop's side; each batch is one visit to a thread."""

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from syncd import clock
from syncd.core.change import Amend, Delete, SetAside
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.ignoring import Ignored
from syncd.core.keeping import Kept, Promise, Return
from syncd.core.room import Room
from syncd.drivers.contract import (
    Can,
    Facts,
    Glance,
    Returned,
    Watched,
    Writing,
    Written,
)
from syncd.drivers.local_storage import kept
from syncd.drivers.local_storage.changing import amend, delete, prune
from syncd.drivers.local_storage.failures import attempt
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.making import Durable, Maker
from syncd.drivers.local_storage.moving import set_aside
from syncd.drivers.local_storage.reading import (
    STEP,
    changed,
    facts,
    is_open_for_writing,
    is_unchanged,
    open_file,
    opened,
)
from syncd.drivers.local_storage.returning import bring_back
from syncd.drivers.local_storage.root import MARKER, Root
from syncd.drivers.local_storage.stopping import Work
from syncd.drivers.local_storage.telling import Tell
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import Bin, Trash
from syncd.drivers.local_storage.visits import Visits
from syncd.drivers.local_storage.walking import Found, Known, Walker, is_empty
from syncd.drivers.local_storage.writing import MOST, Writer
from syncd.errors import StorageError

if TYPE_CHECKING:
    from syncd.drivers.local_storage.watching import Watcher

T = TypeVar("T")
F = TypeVar("F", Found, Glance)

_WALK_ENTRIES = 1000
_WALK_SECONDS = 0.02
_POLLED = 50


class LocalStorage:
    """A folder on this machine; see contract.Driver and those that add to it."""

    can: ClassVar[Can] = (
        Can.WATCH
        | Can.DESCRIPTORS
        | Can.KEEP_TIMES
        | Can.KEEP_MODES
        | Can.LINKS
        | Can.DIRECTORIES
        | Can.ANY_NAME
        | Can.KEEP_LOST
        | Can.SHARE
        | Can.GLANCE
    )

    def __init__(self, root: Path, ignore: Sequence[str] = ()) -> None:
        self._root = Root(root)
        self._visits = Visits(self._root)
        self._ignored = Ignored(ignore)
        self._temps = Temps()
        self._maker = Maker()
        self._trash = Trash()
        self._walker = Walker(self._ignored, self._temps, self._trash.met)
        self._watcher: Watcher | None = None

    @classmethod
    def create(cls, options: Mapping[str, Any], ignore: Sequence[str]) -> Self:
        """Return the driver, not yet open."""
        return cls(Path(options["root"]).absolute(), ignore)

    async def open(self) -> None:
        """Open the root; what a crash left behind is cleared when a walk meets it."""
        await self._visits.in_thread(self._root.open)

    async def close(self) -> None:
        """Call off what is under way, and let go of everything."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await asyncio.to_thread(watcher.stop)
        await self._visits.close()
        self._root.close()

    def share(self) -> None:
        """Leave what has a temporary name alone: it may be another's."""
        self._temps.shared = True

    async def marker(self) -> str | None:
        """Return the id in the marker file; None if there is no such file."""
        return await self._visits.in_thread(self._root.marker)

    async def mark(self, marker: str) -> None:
        """Write the marker file, unless it is there; from now on insist on it."""
        marking = partial(self._root.mark, marker, self._temps)
        answer = await self._visits.in_thread(partial(attempt, marking, MARKER))
        if isinstance(answer, StorageError):
            raise answer

    async def room(self) -> Room:
        """Return what its file system would take now."""
        return await self._visits.one("", lambda _: self._root.room())

    async def is_empty(self) -> bool:
        """Tell whether nothing but what is syncd's own lies in the root."""
        return await self._visits.one("", lambda _: is_empty(self._root.handle))

    async def walk(
        self, below: str = "", *, deep: bool = True
    ) -> AsyncGenerator[Found, None]:
        """Give each folder below the path with what lies in it."""
        async for folder in self._taken(
            self._walker.walk(self._root.handle, below, deep=deep)
        ):
            yield folder

    async def glance(
        self, below: str = "", *, known: Known, deep: bool = True
    ) -> AsyncGenerator[Glance, None]:
        """Walk, but do not tell what lies in folders whose fingerprint is known."""
        async for folder in self._taken(
            self._walker.glance(self._root.handle, below, known, deep=deep)
        ):
            yield folder

    async def _taken(
        self, folders: Generator[F, None, None]
    ) -> AsyncGenerator[F, None]:
        await self._visits.in_thread(self._root.check)
        try:
            while some := await self._visits.in_thread(partial(_some, folders)):
                for found in some:
                    yield found
        finally:
            folders.close()
        # What was taken away under our feet would look like an empty tree.
        await self._visits.in_thread(self._root.check)

    def unreadable(self) -> dict[str, str]:
        """Return, and forget, the folders walk could not read."""
        return self._walker.unreadable()

    def left_alone(self) -> int:
        """Return how many sockets, FIFOs and devices the last walks came by."""
        return self._walker.left_alone

    async def look(self, paths: Sequence[str]) -> list[Seen | StorageError | None]:
        """Return what lies at each path now."""

        def look(folders: Folders) -> list[Seen | StorageError | None]:
            found = [
                attempt(partial(self._walker.look, folders, path), path)
                for path in paths
            ]
            self._root.check()
            return found

        return await self._visits.trusting(look)

    async def inspect(
        self, path: str, stamp: Stamp, *, digest: bool, mime: bool
    ) -> Facts:
        """Read the content and tell about it."""

        def inspect(work: Work, folders: Folders) -> Facts:
            with opened(folders, path, stamp) as descriptor:
                return facts(
                    descriptor, path, stamp, digest=digest, mime=mime, go_on=work.go_on
                )

        with self._visits.work() as work:
            return await self._visits.one(path, partial(inspect, work), work)

    async def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the content from start on."""
        end = stamp.size if length is None else min(start + length, stamp.size)
        descriptor = await self._visits.one(path, lambda f: open_file(f, path, stamp))
        try:
            while start < end:
                chunk = await self._visits.one(
                    path, partial(_chunk, descriptor, start, end)
                )
                if not chunk:
                    break
                yield chunk
                start += len(chunk)
            if not is_unchanged(descriptor, stamp):
                raise changed(path)
        finally:
            os.close(descriptor)

    async def write(
        self, items: Sequence[Writing], progress: Callable[[int, int], None]
    ) -> list[Written | StorageError]:
        """Carry out Puts."""

        def write(work: Work, folders: Folders) -> list[Written | StorageError]:
            answers: list[Written | StorageError] = []
            with self._trash.bin(self._root.handle) as bin_:
                for start in range(0, len(items), MOST):
                    some = items[start : start + MOST]
                    answers += Writer(
                        folders,
                        ignored=self._ignored,
                        temps=self._temps,
                        maker=self._maker,
                        durable=Durable(folders, len(some), self._visits.flusher),
                        work=work,
                        bin_=bin_,
                    ).write(some)
            return self._trash.blamed(answers)

        with self._visits.work(progress) as work:
            try:
                return await self._visits.trusting(partial(write, work), work)
            except BaseException:
                # Some names may have been given, and nobody is answered for them.
                if self._watcher is not None:
                    self._watcher.say(item.put.path for item in items)
                raise

    def made_parents(self) -> list[Seen]:
        """Return, and forget, the folders made on the way to others."""
        return self._maker.made_parents()

    async def amend(self, orders: Sequence[Amend]) -> list[Seen | StorageError]:
        """Change mode and mtime."""
        return await self._visits.each(orders, amend)

    async def delete(self, orders: Sequence[Delete]) -> list[StorageError | None]:
        """Remove files, links and empty folders."""

        def remove(
            bin_: Bin | None, folders: Folders, order: Delete, durable: Durable
        ) -> None:
            if not self._ignored.has(order.path, folder=order.kind is Kind.DIRECTORY):
                delete(folders, order, self._temps, durable, bin_)

        with self._trash.bin(self._root.handle) as bin_:
            return await self._visits.each(orders, partial(remove, bin_))

    async def prune(self, folders: Sequence[str]) -> list[str]:
        """Remove those of the folders that are empty."""

        def remove(below: Folders) -> list[str]:
            durable = Durable(below, len(folders), self._visits.flusher)
            removed = prune(below, folders, durable)
            durable.names()
            return removed

        return await self._visits.one("", remove)

    async def set_aside(self, orders: Sequence[SetAside]) -> list[Seen | StorageError]:
        """Rename conflict losers out of the way."""

        def rename(folders: Folders, order: SetAside, durable: Durable) -> Seen:
            return set_aside(folders, order, self._maker, durable)

        return await self._visits.each(orders, rename)

    def keep(self, promise: Promise) -> None:
        """Keep what is lost from now on."""
        self._trash.promise = promise

    async def kept(self, path: str) -> list[Kept]:
        """Return what is kept of the path."""
        return await self._visits.one(path, lambda folders: kept.kept(folders, path))

    async def kept_below(self, folder: str) -> AsyncGenerator[list[Kept], None]:
        """Give what is kept of everything below the folder, some at a time."""
        bases = self._trash.bases()
        async for some in self._in_steps(
            lambda folders: kept.kept_below(folders, folder, bases)
        ):
            yield some

    async def bring_back(
        self, orders: Sequence[Return]
    ) -> list[Returned | StorageError]:
        """Rename what is kept back to its path, and keep what it replaces there."""

        def bring(
            bin_: Bin | None, folders: Folders, order: Return, durable: Durable
        ) -> Returned:
            return bring_back(folders, order, bin_, durable)

        with self._trash.bin(self._root.handle) as bin_:
            return await self._visits.each(orders, partial(bring, bin_))

    async def forget_kept(self, *, everywhere: bool) -> AsyncGenerator[int, None]:
        """Destroy what was promised no longer, in small steps."""
        promise, bases = self._trash.promise, self._trash.bases()
        crowded = self._trash.crowded()
        if promise is None:
            return
        now = clock.nanoseconds()

        def forget(folders: Folders) -> Iterator[int]:
            if everywhere:
                return kept.forget(folders, bases, promise, now)
            return kept.forget_of_crowded(folders, bases, crowded, promise, now)

        async for gone in self._in_steps(forget):
            yield gone

    async def _in_steps(
        self, do: Callable[[Folders], Iterator[T]]
    ) -> AsyncGenerator[T, None]:
        """Do something long in many short visits to a thread."""
        await self._visits.in_thread(self._root.check)
        with Folders(self._root.handle) as folders:
            steps = do(folders)
            while some := await self._visits.one("", lambda _: _for_a_while(steps)):
                for one in some:
                    yield one

    async def watch(self, tell: Tell) -> None:
        """Start telling, on this loop, of every change from now on, until closed."""
        await self._visits.in_thread(self._root.check)
        # Of all that is loaded a third, which backups do without.
        from syncd.drivers.local_storage.watching import Watcher  # noqa: PLC0415

        self._watcher = Watcher(
            self._root.handle, self._ignored, self._temps.ours, tell
        )
        self._trash.unheard = self._watcher.unheard
        self._maker.born = self._watcher.born
        self._maker.arriving = self._watcher.arriving
        await self._visits.in_thread(self._watcher.start)

    async def poll(self) -> list[str]:
        """Return folders to walk now, one by one: nothing tells of changes there."""
        watcher = self._watcher
        if watcher is None or not watcher.polls:
            return []
        return await self._visits.in_thread(partial(watcher.poll, _POLLED))

    def walked(self, since: float) -> None:
        """Take in that all was walked since then."""
        if self._watcher is not None:
            self._watcher.walked(since)

    def watched(self) -> Watched:
        """Return how much of it tells of its changes."""
        return self._watcher.watched() if self._watcher is not None else Watched(0)

    def is_written_to(self, path: str) -> bool:
        """Tell whether some process has the file open for writing, as far as known."""
        with Folders(self._root.handle) as folders, suppress(OSError):
            return is_open_for_writing(*folders.at(path))
        return False

    def open_files(
        self, wanted: Sequence[tuple[str, Stamp | None]]
    ) -> list[int | StorageError]:
        """Return a descriptor for each path that has its stamp, or needs none."""
        self._root.check()
        with Folders(self._root.handle) as folders:
            return [
                attempt(partial(open_file, folders, path, stamp), path)
                for path, stamp in wanted
            ]

    def is_unchanged(self, descriptor: int, stamp: Stamp) -> bool:
        """Tell whether the open file still has the stamp."""
        return is_unchanged(descriptor, stamp)


def _chunk(descriptor: int, start: int, end: int, _: Folders) -> bytes:
    return os.pread(descriptor, min(STEP, end - start), start)


def _for_a_while(steps: Iterator[T]) -> list[T]:
    """Take as many steps as are worth a visit."""
    taken: list[T] = []
    until = clock.monotonic() + _WALK_SECONDS
    for one in steps:
        taken.append(one)
        if clock.monotonic() >= until:
            break
    return taken


def _some(folders: Iterator[F]) -> list[F]:
    """Take as much of a walk as is worth a visit to the loop."""
    found: list[F] = []
    entries, until = 0, clock.monotonic() + _WALK_SECONDS
    for one in folders:
        found.append(one)
        entries += 1 + len(one[1] or ())
        if entries >= _WALK_ENTRIES or clock.monotonic() >= until:
            break
    return found
