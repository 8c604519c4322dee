"""Bringing a content into a temporary file: complete, verified, holes kept."""

import errno
import os
from collections.abc import AsyncIterator, Iterator

from blake3 import blake3

from syncd.core.change import Put
from syncd.core.path import readable
from syncd.drivers.contract import Writing
from syncd.drivers.local_storage.failures import UNSUPPORTED
from syncd.drivers.local_storage.folder import stamp_of
from syncd.drivers.local_storage.stopping import Work
from syncd.errors import StorageChanged, StorageError

_SMALL = 1 << 20
_STEP = 8 << 20
_ZEROS = memoryview(bytes(_SMALL))
_BLOCK = 512
_CANNOT_COPY = UNSUPPORTED | {errno.EXDEV, errno.EBADF, errno.EPERM, errno.EIO}
"""The kernel cannot copy, or one of both disks fails: reading tells which."""


class _Broke(Exception):
    """The source cannot be read on from there; what was read before is sound."""

    def __init__(self, done: int, error: OSError) -> None:
        super().__init__(done, error)
        self.done = done
        self.error = error


def fill(temp: int, item: Writing, work: Work) -> bytes:
    """Write the content into the open temporary file and return its digest.

    Raise StorageChanged if it is not the content the order means, or changes
    while it is read.
    """
    put, content = item.put, item.content
    if content is None:
        digest = blake3(b"").digest()
    elif isinstance(content, int):
        digest = _from_descriptor(temp, item, content, work)
    else:
        digest = _from_chunks(temp, put, content(), work, hasher=blake3(), size=0)
    if put.digest is not None and digest != put.digest:
        raise _source(put, "has another content than was ordered")
    return digest


def _from_descriptor(temp: int, item: Writing, source: int, work: Work) -> bytes:
    put, before = item.put, item.stamp or stamp_of(os.fstat(source))
    if before.size != put.size:
        raise _source(put, f"has {before.size} bytes, not {put.size}")
    if put.size > _SMALL:
        digest = _copy(temp, item, source, work)
    else:
        data = _read(source, put)
        _write(temp, data)
        digest = blake3(data).digest()
    # The one look is enough: whatever was read, it was this that was asked for.
    if stamp_of(os.fstat(source)) != before:
        raise _source(put, "changed while it was read")
    return digest


def _from_chunks(
    temp: int,
    put: Put,
    chunks: AsyncIterator[bytes],
    work: Work,
    *,
    hasher: blake3,
    size: int,
) -> bytes:
    """Write chunks behind the first ``size`` bytes, which the hasher knows."""
    try:
        while (chunk := _next(chunks, put, work)) is not None:
            size += len(chunk)
            if size > put.size:
                break
            hasher.update(chunk)
            _write(temp, chunk)
            work.tell(put.id, size)
    finally:
        _close(chunks, work)
    if size != put.size:
        more = "more" if size > put.size else f"{size} bytes"
        raise _source(put, f"gave {more} instead of {put.size}")
    return hasher.digest()


def _copy(temp: int, item: Writing, source: int, work: Work) -> bytes:
    """Copy in the kernel; the digest is that of what has arrived."""
    put, hasher = item.put, blake3(max_threads=blake3.AUTO)
    try:
        return _copy_all(temp, put, source, hasher, work)
    except _Broke as broke:
        if item.rest is None or not broke.done:
            raise _source(put, f"cannot be read: {broke.error.strerror}") from None
        os.lseek(temp, broke.done, os.SEEK_SET)
        rest, size = item.rest(broke.done), broke.done
        return _from_chunks(temp, put, rest, work, hasher=hasher, size=size)


def _copy_all(temp: int, put: Put, source: int, hasher: blake3, work: Work) -> bytes:
    buffer = memoryview(bytearray(min(_STEP, put.size)))
    done = 0
    for start, end in _filled(source, put.size):
        _hash_hole(hasher, start - done, work)
        done = start
        while done < end:
            count = _copy_range(source, temp, min(_STEP, end - done), done)
            if not count:
                raise _source(put, "became shorter while it was read")
            _hash(hasher, temp, buffer[:count], done)
            done += count
            work.tell(put.id, done)
    _hash_hole(hasher, put.size - done, work)
    os.truncate(temp, put.size)
    return hasher.digest()


def _filled(source: int, size: int) -> Iterator[tuple[int, int]]:
    """Give the ranges of a file that are no holes."""
    if os.fstat(source).st_blocks * _BLOCK >= size:
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
            end = min(os.lseek(source, start, os.SEEK_HOLE), size)
        except OSError:  # a hole up to the end, or it became shorter
            return
        yield start, end


def _copy_range(source: int, temp: int, count: int, start: int) -> int:
    try:
        return os.copy_file_range(source, temp, count, start, start)
    except OSError as error:
        if error.errno not in _CANNOT_COPY:
            raise
    try:
        data = os.pread(source, min(count, _SMALL), start)
    except OSError as error:
        raise _Broke(start, error) from error
    os.lseek(temp, start, os.SEEK_SET)
    _write(temp, data)
    return len(data)


def _hash(hasher: blake3, temp: int, buffer: memoryview, start: int) -> None:
    while buffer:
        count = os.preadv(temp, [buffer], start)
        if not count:
            raise OSError(errno.EIO, "what was written cannot be read back")
        hasher.update(buffer[:count])
        buffer, start = buffer[count:], start + count


def _hash_hole(hasher: blake3, size: int, work: Work) -> None:
    while size > 0:
        work.go_on()
        hasher.update(_ZEROS[:size])
        size -= len(_ZEROS)


def _read(source: int, put: Put) -> bytes:
    size = put.size
    try:
        data = os.pread(source, size, 0)
        while len(data) < size and (more := os.pread(source, size, len(data))):
            data += more
    except OSError as error:
        raise _source(put, f"cannot be read: {error.strerror}") from error
    return data


def _write(temp: int, data: bytes) -> None:
    count = os.write(temp, data)
    while count < len(data):
        count += os.write(temp, memoryview(data)[count:])


def _next(chunks: AsyncIterator[bytes], put: Put, work: Work) -> bytes | None:
    try:
        return work.on_loop(_anext(chunks))
    except StorageError as error:
        raise type(error)(f"source of {readable(put.path)}: {error}") from error
    except OSError as error:
        raise _source(put, f"cannot be read: {error}") from error


async def _anext(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


def _close(chunks: AsyncIterator[bytes], work: Work) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        work.on_loop(close())


def _source(put: Put, what: str) -> StorageChanged:
    return StorageChanged(f"source of {readable(put.path)} {what}")
