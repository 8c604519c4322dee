"""Reads a file's content from the child that holds it, chunk by chunk."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path

import msgspec

from syncd.core.file import Stamp
from syncd.errors import NotFound, StorageChanged, Unavailable
from syncd.wire import Chunk, End, Given, Stream, decode_given, encode

MOST = 16 << 20
"""Bytes a frame may have."""

PATIENCE = 30.0
"""Seconds without an answer after which the child counts as lost."""

_BUFFERED = 1 << 20
_LENGTH = 4
_GONE = (OSError, EOFError, TimeoutError, msgspec.DecodeError)


async def read(
    socket: Path, path: str, stamp: Stamp, start: int = 0, length: int | None = None
) -> AsyncGenerator[bytes, None]:
    """Give the content from start on, as fast as it is taken.

    Raise NotFound when nothing lies there, StorageChanged when it is not what
    the stamp says (what came before is then worthless), Unavailable when the
    child cannot be reached or cannot read it.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=_BUFFERED)
    except OSError as error:
        raise Unavailable(f"the content cannot be had now: {error.strerror}") from error
    try:
        writer.write(_frame(Stream(path, stamp, start, length)))
        async with aclosing(_chunks(reader)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(socket: Path) -> Line:
    """Return the line to a worker's socket; raise OSError while there is none."""
    return await asyncio.open_unix_connection(socket, limit=_BUFFERED)


async def taken(line: Line) -> AsyncGenerator[bytes, None]:
    """Give the content that comes, as fast as it is taken, and hang up.

    Raise StorageError or Unavailable when it cannot go on; what came before is then
    worthless.
    """
    reader, writer = line
    try:
        async with aclosing(_chunks(reader)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        writer.close()


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    while isinstance(given := await _answer(reader), Chunk):
        yield given.data
    if not isinstance(given, End):
        raise Unavailable("the child gave another answer than was asked for")
    if given.trouble is None:
        return
    kinds = {kind.__name__: kind for kind in (NotFound, StorageChanged)}
    raise kinds.get(given.error, Unavailable)(given.trouble)


async def _answer(reader: asyncio.StreamReader) -> Given:
    try:
        async with asyncio.timeout(PATIENCE):
            length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            if length > MOST:
                raise Unavailable(f"the child sent a frame of {length} bytes")
            return decode_given(await reader.readexactly(length))
    except _GONE as error:
        raise Unavailable("the child that holds the content went away") from error


def _frame(message: Stream) -> bytes:
    body = encode(message)
    return len(body).to_bytes(_LENGTH, "big") + body
