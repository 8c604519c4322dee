"""Contents of an entry's files, each whole as it was at one moment, where it can be."""

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol, TypeVar, cast

from msgspec import Struct

from syncd.backup_sources.entries.tally import Tally
from syncd.core.file import Seen
from syncd.core.path import readable
from syncd.drivers.contract import Can, Driver, Opening
from syncd.errors import StorageChanged, StorageError, StorageUntrusted

T = TypeVar("T")

SMALL = 1 << 20
"""Bytes of a file that is read before it is given away."""

CHUNK = 1 << 20
_THREADS = 2


class Stopped(Exception):
    """The reading was called off."""


class Reading(Struct, frozen=True):
    """One file to be read; ``last``: take it however it is."""

    seen: Seen
    last: bool = False


class Content(Struct, frozen=True):
    """What was read; to be used up before anything else is done with it."""

    file: BinaryIO
    size: int
    mtime_ns: int


class Use(Protocol):
    """What is done with each content, in a thread."""

    def __call__(self, number: int, content: Content) -> None:
        """Read the file to its end; ``number`` is that of its Reading."""
        ...


class Contents:
    """Reads the files of one open driver."""

    def __init__(self, driver: Driver, tally: Tally) -> None:
        self._driver = driver
        self._tally = tally
        self._opening = (
            cast("Opening", driver) if Can.DESCRIPTORS in driver.can else None
        )
        self._threads = ThreadPoolExecutor(_THREADS, "read")
        self._stopped = False

    async def close(self) -> None:
        """Wait for the end of what was called off."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def read(
        self, wanted: Sequence[Reading], use: Use
    ) -> list[StorageError | None]:
        """Have each content used; return what was wrong with it, None for nothing.

        StorageChanged is for one that changed: it was used if it is large, or the
        last time. What ``use`` raises is raised.
        """
        if self._opening is not None:
            return await self._in_thread(lambda: self._read_open(wanted, use))
        return [
            await self._read_along(number, one, use)
            for number, one in enumerate(wanted)
        ]

    def _read_open(
        self, wanted: Sequence[Reading], use: Use
    ) -> list[StorageError | None]:
        opening = cast("Opening", self._opening)
        paths = [
            (one.seen.path, None if one.last else one.seen.stamp) for one in wanted
        ]
        given = opening.open_files(paths)
        answers: list[StorageError | None] = []
        try:
            for number, one in enumerate(wanted):
                answers.append(self._use(number, one, given[number], use))
        finally:
            for descriptor in given:
                if isinstance(descriptor, int):
                    os.close(descriptor)
        return answers

    def _use(
        self, number: int, one: Reading, given: int | StorageError, use: Use
    ) -> StorageError | None:
        self._go_on()
        if isinstance(given, StorageError):
            return given
        source = _Source(given, self._read_some)
        size, mtime_ns = one.seen.stamp.size, one.seen.stamp.mtime_ns
        if one.last:
            status = os.fstat(given)
            size, mtime_ns = status.st_size, status.st_mtime_ns
        if size > SMALL:
            use(number, Content(source.file(), size, mtime_ns))
            return source.trouble(one) or self._changed(given, one)
        try:
            data = _read(given, size)
        except OSError as error:
            return StorageError(f"{readable(one.seen.path)}: {error.strerror}")
        changed = self._changed(given, one)
        if changed is None or one.last:
            use(number, Content(io.BytesIO(data), len(data), mtime_ns))
        return changed

    def _changed(self, descriptor: int, one: Reading) -> StorageError | None:
        opening = cast("Opening", self._opening)
        if opening.is_unchanged(descriptor, one.seen.stamp):
            return None
        return StorageChanged(f"{readable(one.seen.path)} changed while it was read")

    async def _read_along(
        self, number: int, one: Reading, use: Use
    ) -> StorageError | None:
        """Read where there are no descriptors: into a file of our own, first."""
        seen = one.seen
        self._go_on()
        with TemporaryFile() as kept:
            chunks = self._driver.read(seen.path, seen.stamp)
            try:
                async with aclosing(
                    cast("AsyncGenerator[bytes, None]", chunks)
                ) as all_:
                    async for chunk in all_:
                        await self._in_thread(partial(kept.write, chunk))
            except StorageUntrusted:
                raise
            except StorageError as error:
                return error
            size = kept.tell()
            kept.seek(0)
            content = Content(cast("BinaryIO", kept), size, seen.stamp.mtime_ns)
            await self._in_thread(lambda: use(number, content))
        return None

    def _read_some(self, count: int) -> None:
        self._go_on()
        self._tally.done(count)

    def _go_on(self) -> None:
        if self._stopped:
            raise Stopped

    async def _in_thread(self, do: Callable[[], T]) -> T:
        """Do it in a thread; who is cancelled waits until it has stopped."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, do)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._stopped = True
            await asyncio.wait([future])
            future.exception()
            raise


class _Source(io.RawIOBase):
    """A large file that is read by somebody else, who is not told of its troubles."""

    def __init__(self, descriptor: int, count: Callable[[int], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._count = count
        self._error: OSError | None = None

    def file(self) -> BinaryIO:
        """Return it as it is to be read."""
        return cast("BinaryIO", io.BufferedReader(self, CHUNK))

    def trouble(self, one: Reading) -> StorageError | None:
        """Return what kept it from being read to its end."""
        if self._error is None:
            return None
        return StorageError(f"{readable(one.seen.path)}: {self._error.strerror}")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        try:
            count = os.readv(self._descriptor, [buffer])
        except OSError as error:
            self._error = error
            return 0
        self._count(count)
        return count


def _read(descriptor: int, size: int) -> bytes:
    """Return what a small file holds; a little more than its size if it has grown."""
    data = os.read(descriptor, size + 1)
    while 0 < len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data
