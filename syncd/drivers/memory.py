"""A storage that is only a dict: the reference for drivers, and the fake in tests."""

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec
from blake3 import blake3

from syncd.core.change import Amend, Delete, Put, SetAside
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.keeping import Kept, Promise, Return
from syncd.core.path import parent, readable
from syncd.core.room import Room
from syncd.drivers.contract import (
    Can,
    Content,
    Event,
    Facts,
    Glance,
    Returned,
    Watched,
    Writing,
    Written,
)
from syncd.drivers.mime import mime as mime_of
from syncd.drivers.things import Thing, Things
from syncd.errors import StorageChanged, StorageError, StorageUntrusted

__all__ = ["Memory", "Thing"]

_CHUNK = 1 << 20


class Memory(Things):
    """See contract.Driver, Watching, Keeping and Glancing.

    Play a person through ``set`` and ``remove``, a broken storage through
    ``faults`` and ``present``, and a busy writer through ``written_to``. What tells
    of no change may be named in ``deaf``, to be looked into once.
    """

    can: ClassVar[Can] = (
        Can.WATCH
        | Can.KEEP_TIMES
        | Can.KEEP_MODES
        | Can.LINKS
        | Can.DIRECTORIES
        | Can.ANY_NAME
        | Can.KEEP_LOST
        | Can.GLANCE
    )

    def __init__(
        self, ignore: Sequence[str] = (), faults: dict[str, StorageError] | None = None
    ) -> None:
        super().__init__(ignore, faults)
        self.present = True
        self.limits = Room()
        self.written_to: set[str] = set()
        self.deaf: list[str] = []
        self.carried: str | None = None
        self._insisted: str | None = None

    @classmethod
    def create(cls, options: Mapping[str, Any], ignore: Sequence[str]) -> Self:
        """Return the driver, not yet open."""
        del options
        return cls(ignore)

    async def open(self) -> None:
        """Make sure that the storage is present."""
        self._insisted = None
        self._check()

    async def close(self) -> None:
        """Tell nothing more."""
        self._tell = None

    async def marker(self) -> str | None:
        """Return the id the storage carries."""
        return self.carried

    async def mark(self, marker: str) -> None:
        """Carry the id, and insist on it from now on."""
        self.carried = self._insisted = marker

    async def room(self) -> Room:
        """Return what it takes; ``limits`` may be set to less than plenty."""
        self._check()
        return self.limits

    async def is_empty(self) -> bool:
        """Tell whether there is nothing."""
        self._check()
        return not self.things

    async def walk(
        self, below: str = "", *, deep: bool = True
    ) -> AsyncGenerator[tuple[str, list[Seen]], None]:
        """Give each folder below the path with what lies in it."""
        self._check()
        lying: dict[str, list[Seen]] = {}
        for path in sorted(self.things):
            if not self._is_ignored(path):
                lying.setdefault(parent(path), []).append(self._seen(path))
        todo = [below] if not below or self._is_folder(below) else []
        while todo:
            folder = todo.pop()
            found = lying.get(folder, [])
            yield folder, found
            if deep:
                todo += [s.path for s in reversed(found) if s.kind is Kind.DIRECTORY]
        self._check()

    async def glance(
        self,
        below: str = "",
        *,
        known: Callable[[str], bytes | None],
        deep: bool = True,
    ) -> AsyncGenerator[Glance, None]:
        """Walk, but do not tell what lies in folders whose fingerprint is known."""
        async for folder, found in self.walk(below, deep=deep):
            wanted = known(folder)
            if wanted is None:
                yield Glance(folder, found, None)
                continue
            taken = blake3(msgspec.msgpack.encode(found)).digest()
            yield Glance(folder, None if taken == wanted else found, taken)

    def unreadable(self) -> dict[str, str]:
        """Return nothing: every folder can be read."""
        return {}

    def left_alone(self) -> int:
        """Return 0: there are no sockets here."""
        return 0

    async def look(self, paths: Sequence[str]) -> list[Seen | StorageError | None]:
        """Return what lies at each path now."""
        self._check()
        return [
            self.faults.get(path)
            or (
                self._seen(path)
                if path in self.things and not self._is_ignored(path)
                else None
            )
            for path in paths
        ]

    async def inspect(
        self, path: str, stamp: Stamp, *, digest: bool, mime: bool
    ) -> Facts:
        """Read the content and tell about it."""
        content = self._file(path, stamp).content
        return Facts(
            digest=blake3(content).digest() if digest else None,
            mime=mime_of(content) if mime else None,
        )

    async def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the content from start on."""
        content = self._file(path, stamp).content
        end = len(content) if length is None else min(start + length, len(content))
        for begin in range(start, end, _CHUNK):
            yield content[begin : min(begin + _CHUNK, end)]
        self._file(path, stamp)

    async def write(
        self, items: Sequence[Writing], progress: Callable[[int, int], None]
    ) -> list[Written | StorageError]:
        """Carry out Puts."""
        self._check()
        return [await self._write(item, progress) for item in items]

    def made_parents(self) -> list[Seen]:
        """Return, and forget, the folders made on the way to others."""
        made, self._made = self._made, []
        return made

    async def amend(self, orders: Sequence[Amend]) -> list[Seen | StorageError]:
        """Change mode and mtime."""
        self._check()
        return [self._attempt(self._amend, order) for order in orders]

    async def delete(self, orders: Sequence[Delete]) -> list[StorageError | None]:
        """Remove files, links and empty folders."""
        self._check()
        return [self._attempt(self._delete, order) for order in orders]

    async def prune(self, folders: Sequence[str]) -> list[str]:
        """Remove those of the folders that are empty."""
        self._check()
        removed = []
        for path in sorted(folders, key=lambda p: p.count("/"), reverse=True):
            if self._is_folder(path) and self._is_bare(path):
                self.remove(path)
                removed.append(path)
        return removed

    async def set_aside(self, orders: Sequence[SetAside]) -> list[Seen | StorageError]:
        """Rename conflict losers out of the way."""
        self._check()
        return [self._attempt(self._set_aside, order) for order in orders]

    def keep(self, promise: Promise) -> None:
        """Keep what is lost from now on."""
        self._promise = promise

    async def kept(self, path: str) -> list[Kept]:
        """Return what is kept of the path."""
        self._check()
        return [kept for kept, _ in self._kept.values() if kept.path == path]

    async def kept_below(self, folder: str) -> AsyncGenerator[list[Kept], None]:
        """Give what is kept of everything below the folder."""
        self._check()
        start = f"{folder}/" if folder else ""
        every = [kept for kept, _ in self._kept.values()]
        yield sorted(
            (kept for kept in every if kept.path.startswith(start)),
            key=lambda kept: kept.path,
        )

    async def bring_back(
        self, orders: Sequence[Return]
    ) -> list[Returned | StorageError]:
        """Put back what is kept, and keep what it replaces."""
        self._check()
        return [self._attempt(self._bring_back, order) for order in orders]

    async def forget_kept(self, *, everywhere: bool) -> AsyncGenerator[int, None]:
        """Destroy what was promised no longer."""
        del everywhere
        self._check()
        yield self._forget_kept()

    async def watch(self, tell: Callable[[Sequence[Event]], None]) -> None:
        """Start telling of every change."""
        self._tell = tell

    async def poll(self) -> list[str]:
        """Return, and forget, the folders that are ``deaf``."""
        folders, self.deaf = self.deaf, []
        return folders

    def walked(self, since: float) -> None:
        """Note nothing: it tells of every change."""

    def watched(self) -> Watched:
        """Return how many folders are watched: all."""
        folders = [t for t in self.things.values() if t.kind is Kind.DIRECTORY]
        return Watched(1 + len(folders))

    def is_written_to(self, path: str) -> bool:
        """Tell whether somebody plays a writer of the file."""
        return path in self.written_to

    def _check(self) -> None:
        if not self.present:
            raise StorageUntrusted("the storage is not there")
        if self._insisted is not None and self.carried != self._insisted:
            raise StorageUntrusted("the storage does not carry the marker it had")

    def _file(self, path: str, stamp: Stamp) -> Thing:
        self._check()
        thing = self._expect(path, stamp)
        if thing is None or thing.kind is not Kind.FILE:
            raise StorageChanged(f"{readable(path)} is not what it was")
        return thing

    async def _write(
        self, item: Writing, progress: Callable[[int, int], None]
    ) -> Written | StorageError:
        try:
            put = item.put
            self._prepare(put)
            if put.kind is Kind.FILE and item.content is None and put.hint:
                return self._move(put, put.hint)
            if put.kind is not Kind.FILE:
                return Written(self._place(put, b""), None, 0)
            content = await _gathered(put, item.content, progress)
            digest = blake3(content).digest()
            if put.digest not in (None, digest) or len(content) != put.size:
                return StorageChanged(f"source of {put.path} has another content")
            return Written(self._place(put, content), digest, put.size)
        except StorageError as error:
            return error

    def _attempt(self, do: Callable[[Any], Any], order: Any) -> Any:
        try:
            return do(order)
        except StorageError as error:
            return error


async def _gathered(
    put: Put, content: Content | None, progress: Callable[[int, int], None]
) -> bytes:
    if content is None:
        if put.size:
            raise StorageError(f"no content was given for {readable(put.path)}")
        return b""
    if isinstance(content, int):
        return os.pread(content, put.size + 1, 0)
    data = bytearray()
    try:
        async for chunk in content():
            data += chunk
            progress(put.id, len(data))
    except StorageError as error:
        raise type(error)(f"source of {readable(put.path)}: {error}") from error
    return bytes(data)
