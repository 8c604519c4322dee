import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from syncd.api.sync_v1 import events


class Stream:
    """Reads a stream of events over a real connection."""

    def __init__(self, response):
        self.lines = response.aiter_lines()
        self.headers = response.headers

    async def next(self):
        """Return the next event: fields by name, comments under ''."""
        found: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self.lines:
                if not line and found:
                    return found
                name, _, value = line.partition(": ")
                found[name] = value
        return None


@asynccontextmanager
async def listening(http, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.stream("GET", "/events", headers=names) as response:
        assert response.status_code == 200
        yield Stream(response)


async def test_news_come_as_they_happen(http, house):
    house.news.tell("change", {"filename": "before"})
    async with listening(http) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-store"
        assert await stream.next() == {"retry": "2000", "id": "boot-1"}

        house.news.tell("change", {"filename": "ä\nb"})
        house.news.tell("transfer", {"entry": "B"})

        first, second = await stream.next(), await stream.next()
    assert (first["id"], first["event"]) == ("boot-2", "change")
    assert json.loads(first["data"]) == {"filename": "ä\nb"}
    assert (second["id"], second["event"]) == ("boot-3", "transfer")


@pytest.mark.parametrize("how", ["header", "query"])
async def test_going_on_where_one_was(http, house, how):
    for number in range(5):
        house.news.tell("change", {"n": number})
    query = "?last_event_id=boot-2" if how == "query" else ""
    headers = {"Last-Event-ID": "boot-2"} if how == "header" else {}

    async with http.stream("GET", f"/events{query}", headers=headers) as response:
        stream = Stream(response)
        assert (await stream.next())["id"] == "boot-2"
        assert [(await stream.next())["data"] for _ in range(3)] == [
            '{"n":2}',
            '{"n":3}',
            '{"n":4}',
        ]


@pytest.mark.parametrize(
    "last", ["other-1", "boot-9", "boot--1", "x", "boot-", "boot-1x"]
)
async def test_an_unknown_place_is_reset(http, house, last):
    house.news.tell("change", {})
    async with listening(http, Last_Event_ID=last) as stream:
        reset = await stream.next()
        house.news.tell("change", {"n": 1})
        after = await stream.next()

    assert (reset["event"], reset["id"], reset["data"]) == ("reset", "boot-1", "{}")
    assert after["id"] == "boot-2"


async def test_silence_is_filled(http, house, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    async with listening(http) as stream:
        await stream.next()
        assert await stream.next() == {"": "still here"}


async def test_head_does_not_stay(http):
    answer = await http.head("/events")

    assert answer.headers["Content-Type"] == "text/event-stream"


async def test_wrong_parameters(http):
    assert (await http.get("/events?last_event_id=%ff")).status_code == 400
    assert (await http.get("/events?after=1")).status_code == 400


async def test_a_listener_that_does_not_read_is_dropped(house, port, monkeypatch):
    monkeypatch.setattr(events, "PATIENCE", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/v1.0/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\n\n")

    async with asyncio.timeout(30):
        while house.news._listeners:
            house.news.tell("change", {"x": "y" * 100_000})
            await asyncio.sleep(0.001)
    writer.close()


async def test_the_end_of_the_server_ends_the_stream(http, house, server):
    async with listening(http) as stream:
        await stream.next()
        async with asyncio.timeout(30):
            await server.__aexit__()
            assert await stream.next() is None
