"""Contents of a finished vault, each compared with its digest while it is read."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from syncd.core.path import readable as shown
from syncd.core.vault import Item
from syncd.errors import StorageError
from syncd.vaults.coding import AGE, CHUNK, ZSTD, Coder, Readable
from syncd.vaults.durable import telling
from syncd.vaults.grouping import LARGE
from syncd.vaults.listing import Located
from syncd.vaults.tar import encoded

PACKS = "packs"
DATA = "data"
DIGITS = 64
"""A pack is called by the SHA-256 of its file, in so many digits, and a suffix."""


class Contents:
    """Opens the contents of one vault; not for several threads at once."""

    def __init__(
        self,
        folder: Path,
        coder: Coder,
        digests: Mapping[bytes, str],
        note: Callable[[str, StorageError], None],
    ) -> None:
        """Read from the vault's folder; ``note`` is told where what is wrong."""
        self._folder = folder
        self._coder = coder
        self._digests = digests
        self._note = note
        self._last: tuple[str, bytes] = ("", b"")

    @contextmanager
    def content(self, item: Located) -> Iterator[BinaryIO]:
        """Lend what can be read of a file; StorageError where it is not as it was."""
        with ExitStack() as opened:
            with self._noting(item):
                content = self._content(item, opened)
            yield content

    def _content(self, item: Located, opened: ExitStack) -> BinaryIO:
        if item.pack is None:
            file = opened.enter_context(
                _reading(self._folder / DATA / item.path, item.path)
            )
            return self._checked(file, item)
        if item.size <= LARGE:
            return io.BytesIO(self._small(item, item.pack))
        return self._checked(opened.enter_context(self._large(item, item.pack)), item)

    def _checked(self, source: Readable, item: Located) -> BinaryIO:
        """Return a content that raises StorageError before its last byte if wrong."""
        return io.BufferedReader(_Checked(source, item, self._noting), CHUNK)

    @contextmanager
    def _noting(self, item: Located) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            path = shown(item.path)
            inside = f"{DATA}/{path}" if item.pack is None else f"{PACKS}/{item.pack}"
            self._note(inside if item.pack is None else f"{inside}: {path}", error)
            raise

    def _small(self, item: Located, pack: str) -> bytes:
        content = (
            self._unpacked(pack)[item.offset : item.offset + item.size]
            if pack.endswith((ZSTD, AGE))
            else self._part(pack, item.offset, item.size)
        )
        if hashlib.sha256(content).digest() != item.sha256:
            raise _damaged(item)
        return content

    def _part(self, pack: str, offset: int, size: int) -> bytes:
        path = self._path(pack)
        with telling(f"{PACKS}/{pack}"):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(descriptor, size, offset)
            finally:
                os.close(descriptor)

    def _unpacked(self, pack: str) -> bytes:
        """Return the tar of a pack of small things; the last one is kept at hand."""
        if self._last[0] != pack:
            path = self._path(pack)
            with telling(f"{PACKS}/{pack}"):
                content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != pack[:DIGITS]:
                raise StorageError(f"{PACKS}/{pack} is damaged: its digest differs")
            self._last = (pack, self._coder.decode(content, pack))
        return self._last[1]

    @contextmanager
    def _large(self, item: Located, pack: str) -> Iterator[Readable]:
        with ExitStack() as opened:
            file = opened.enter_context(_reading(self._path(pack), f"{PACKS}/{pack}"))
            tar = opened.enter_context(self._coder.decode_stream(file, pack))
            skip(tar, item.offset)
            yield tar

    def _path(self, pack: str) -> Path:
        digest = self._digests.get(f"{PACKS}/{pack}".encode())
        if digest != pack[:DIGITS]:
            raise StorageError(f"the manifest does not have {PACKS}/{pack} as it is")
        return self._folder / PACKS / pack


def skip(source: Readable, size: int) -> None:
    """Read so many bytes and forget them; fewer if there are no more."""
    while size and (chunk := source.read(min(size, CHUNK))):
        size -= len(chunk)


class _Checked(io.RawIOBase):
    def __init__(
        self,
        source: Readable,
        item: Located,
        noting: Callable[[Located], AbstractContextManager[None]],
    ) -> None:
        super().__init__()
        self._noting = noting
        self._source = source
        self._item = item
        self._left = item.size
        self._digest = hashlib.sha256()
        self._compared = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        with self._noting(self._item):
            return self._read(buffer)

    def _read(self, buffer: bytearray | memoryview) -> int:
        with telling(shown(self._item.path)):
            chunk = self._source.read(min(len(buffer), self._left))
        if self._left and not chunk:
            raise StorageError(f"{shown(self._item.path)} is cut short in the vault")
        self._digest.update(chunk)
        self._left -= len(chunk)
        if not self._left and not self._compared:
            if self._digest.digest() != self._item.sha256:
                raise _damaged(self._item)
            self._compared = True
        buffer[: len(chunk)] = chunk
        return len(chunk)


class Digesting:
    """Passes on what is read, and knows its digest and size."""

    def __init__(
        self, source: Readable, read: Callable[[int], None] | None = None
    ) -> None:
        self._source = source
        self._read = read
        self._digest = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most so many bytes."""
        chunk = self._source.read(size)
        self._digest.update(chunk)
        self.size += len(chunk)
        if self._read:
            self._read(len(chunk))
        return chunk

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was read so far."""
        return self._digest.hexdigest()


def _damaged(item: Item) -> StorageError:
    return StorageError(
        f"{shown(item.path)} is damaged in the vault: its digest differs"
    )


@contextmanager
def _reading(path: Path, place: str) -> Iterator[BinaryIO]:
    name = encoded(str(path))
    with telling(place):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield file
