import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from syncd import wire
from syncd.core.file import Stamp
from syncd.errors import NotFound, StorageChanged, Unavailable
from syncd.supervisor.content import read

STAMP = Stamp(size=6, mtime_ns=1, ctime_ns=2, inode=3)


@pytest.fixture
def socket() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sc-", dir="/tmp"))
    yield folder / "s"
    shutil.rmtree(folder)


@asynccontextmanager
async def serving(
    socket: Path, *answers: wire.Given | bytes
) -> AsyncIterator[list[wire.Asked]]:
    """A child that gives these answers, whatever it is asked."""
    asked: list[wire.Asked] = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        length = int.from_bytes(await reader.readexactly(4), "big")
        asked.append(wire.decode_asked(await reader.readexactly(length)))
        for one in answers:
            body = one if isinstance(one, bytes) else wire.encode(one)
            writer.write(len(body).to_bytes(4, "big") + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(answer, socket)
    async with server:
        yield asked


async def all_of(socket: Path, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([c async for c in read(socket, "d/a", STAMP, start, length)])


async def test_a_content_is_given_in_chunks(socket):
    answers = (wire.Chunk(b"one"), wire.Chunk(b"two"), wire.End())
    async with serving(socket, *answers) as asked:
        assert await all_of(socket) == b"onetwo"

    assert asked == [wire.Stream("d/a", STAMP)]


async def test_a_part_can_be_asked_for(socket):
    async with serving(socket, wire.Chunk(b"net"), wire.End()) as asked:
        await all_of(socket, start=1, length=3)

    assert asked == [wire.Stream("d/a", STAMP, 1, 3)]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (wire.End("it changed", "StorageChanged"), StorageChanged),
        (wire.End("it is gone", "NotFound"), NotFound),
        (wire.End("the disk is bad", "StorageError"), Unavailable),
        (wire.End("no idea"), Unavailable),
    ],
)
async def test_an_end_with_trouble_is_an_error(socket, end, error):
    async with serving(socket, wire.Chunk(b"one"), end):
        with pytest.raises(error, match=end.trouble):
            await all_of(socket)


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (wire.Chunk(b"one"),),
        (wire.Fetched([None]),),
        (b"\xc1 not msgpack",),
    ],
)
async def test_a_child_that_does_not_answer_to_the_end_is_unavailable(socket, answers):
    async with serving(socket, *answers):
        with pytest.raises(Unavailable):
            await all_of(socket)


async def test_a_child_that_does_not_serve_is_unavailable(socket):
    with pytest.raises(Unavailable):
        await all_of(socket)


async def test_no_more_is_read_than_is_taken(socket):
    sent = 0
    endless = wire.encode(wire.Chunk(bytes(1 << 20)))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while sent < 200:
                writer.write(len(endless).to_bytes(4, "big") + endless)
                await writer.drain()
                sent += 1
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, socket)
    async with server:
        content = read(socket, "d/a", STAMP)
        await anext(content)
        await asyncio.sleep(0.2)
        assert sent < 20
        await content.aclose()
