"""A large file, which flows into a pack of its own."""

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from msgspec.structs import replace

from syncd.core.vault import Item
from syncd.vaults import listing
from syncd.vaults.coding import CHUNK, Coder, Readable
from syncd.vaults.durable import begin_flush, write_all
from syncd.vaults.earlier import TAR
from syncd.vaults.listing import Line
from syncd.vaults.reading import skip
from syncd.vaults.tar import END, header, padding

_FLUSH = 32 << 20
"""Bytes after which the disk is told to begin."""


def write_large(
    path: Path, item: Item, first: bytes, rest: BinaryIO, coder: Coder
) -> tuple[Item, int, Line]:
    """Write a pack of one file to the path, under no name yet.

    ``first`` was read already. Return the item as it was read, the bytes that it
    takes, and its line, which names the pack. Raise OSError or StorageError.
    """
    flow = _Tar(item, first, rest)
    sink = _write(path, flow, coder)
    if flow.size != item.size:
        # It grew or shrank meanwhile; and a tar tells the size first.
        item = replace(item, size=flow.size)
        other = path.with_name(f"{path.name}-again")
        path.rename(other)
        with (
            other.open("rb") as file,
            coder.decode_stream(file, f"{TAR}{coder.suffix}") as tar,
        ):
            skip(tar, flow.offset)
            flow = _Tar(item, b"", _Part(tar, item.size))
            sink = _write(path, flow, coder)
        other.unlink()
    item = replace(item, sha256=flow.digest.digest())
    name = f"{sink.digest.hexdigest()}{TAR}{coder.suffix}"
    line = listing.line(item, crc32=flow.crc32, pack=name, offset=flow.offset)
    return item, sink.size, line


class _Tar:
    """A tar of one file, read piece by piece; afterwards it knows the content."""

    def __init__(self, item: Item, first: bytes, rest: Readable) -> None:
        before = header(item)
        self.offset = len(before)
        self.size = 0
        self.crc32 = 0
        self.digest = hashlib.sha256()
        self._ready = io.BytesIO(before + self._noted(first))
        self._rest: Readable | None = rest

    def read(self, size: int = -1, /) -> bytes:
        """Return some bytes; nothing at the end."""
        if not (chunk := self._ready.read(size)):
            self._ready = io.BytesIO(self._more())
            chunk = self._ready.read(size)
        return chunk

    def _more(self) -> bytes:
        if self._rest is None:
            return b""
        if chunk := self._rest.read(CHUNK):
            return self._noted(chunk)
        self._rest = None
        return padding(self.size) + END

    def _noted(self, chunk: bytes) -> bytes:
        self.digest.update(chunk)
        self.crc32 = crc32(chunk, self.crc32)
        self.size += len(chunk)
        return chunk


class _Part:
    """So many bytes of what can be read."""

    def __init__(self, source: Readable, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._source.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk


class _Sink:
    """A file that is written to, with digest and size of what was."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unflushed = 0
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes, /) -> int:
        write_all(self._descriptor, content)
        self.digest.update(content)
        self.size += len(content)
        self._unflushed += len(content)
        if self._unflushed > _FLUSH:
            begin_flush(self._descriptor)
            self._unflushed = 0
        return len(content)

    def flush(self) -> None:
        begin_flush(self._descriptor)


def _write(path: Path, flow: _Tar, coder: Coder) -> _Sink:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        sink = _Sink(descriptor)
        coder.encode_stream(flow, sink)
        sink.flush()
    finally:
        os.close(descriptor)
    return sink
