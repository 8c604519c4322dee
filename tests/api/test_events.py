import asyncio
from typing import Any

import pytest

from syncd.api.events import MOST_AT_ONCE, MOST_LISTENERS, News
from syncd.errors import Unavailable


async def read(news: News, after: str | None, pieces: int) -> list[bytes]:
    stream = news.stream(after, heartbeat=0.01)
    try:
        return [await anext(stream) for _ in range(pieces)]
    finally:
        await stream.aclose()


async def test_only_the_latest_are_kept():
    news = News("b", kept=3)
    for number in range(5):
        news.tell("change", {"n": number})

    greeting, frames = await read(news, "b-2", 2)
    assert greeting == b"retry: 2000\nid: b-2\n\n"
    assert frames.count(b"event: change") == 3
    [reset] = await read(news, "b-1", 1)
    assert b"event: reset" in reset
    assert b"id: b-5" in reset


async def test_boots_differ():
    first, second = News(), News()
    first.tell("x", {})
    second.tell("x", {})

    assert await read(first, None, 1) != await read(second, None, 1)


async def test_much_comes_in_pieces():
    news = News("b")
    for number in range(MOST_AT_ONCE + 1):
        news.tell("change", {"n": number})

    _, first, second = await read(news, "b-0", 3)

    assert first.count(b"data: ") == MOST_AT_ONCE
    assert second.count(b"data: ") == 1


async def test_who_is_too_slow_is_left_behind():
    news = News("b", kept=3)
    stream = news.stream(None, heartbeat=1)
    await anext(stream)
    for _ in range(4):
        news.tell("change", {})

    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_the_end_wakes_everybody():
    news = News("b")
    stream = news.stream(None, heartbeat=60)
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)

    news.close()

    async with asyncio.timeout(30):
        assert await waiting is None


async def test_only_so_many_listen():
    news = News("b")
    streams = [news.stream(None, heartbeat=60) for _ in range(MOST_LISTENERS)]
    for stream in streams:
        await anext(stream)

    with pytest.raises(Unavailable):
        await anext(news.stream(None, heartbeat=60))

    await streams.pop().aclose()
    assert await read(news, None, 1)
    for stream in streams:
        await stream.aclose()


class Line:
    """A piece of news that counts how often it is written out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.written = 0

    def shown(self) -> dict[str, Any]:
        self.written += 1
        return {"text": self.text}


async def test_many_pieces_are_heard_at_once_and_written_when_they_are_read():
    news, heard = News("b"), []
    news.hear(lambda event, items: heard.append((event, list(items))))
    lines = [Line("one"), Line("two")]

    news.tell_all("change", lines)

    assert heard == [("change", lines)]
    assert [line.written for line in lines] == [0, 0]
    stream = news.stream("b-0", heartbeat=60)
    await anext(stream)
    frames = await anext(stream)
    assert frames.count(b"event: change") == 2
    assert b'id: b-2\nevent: change\ndata: {"text":"two"}' in frames
    await stream.aclose()
