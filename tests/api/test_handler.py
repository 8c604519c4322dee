"""Manners that every address has, and what the server bears."""

import asyncio
import json
import logging
import random
from contextlib import suppress

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.api import cyborg, handler, openapi, optools
from syncd.api.server import Limits, Server, all_routes
from syncd.errors import StorageBusy, StorageFull
from tests.api.fakes import House
from tests.api.raw import ask, parsed, say

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]
FID = "91473751-8e49-5240-b03c-96547fcd86dc"
SHOWN = {**dict.fromkeys(openapi.PARTS, "x"), "fid": FID, "name": "A"}
STREAMS = (
    *("/events", "/content", "/metrics", "/prometheus", "/restore/backup"),
    *("/login", "/logout"),
)
MACHINES = {where.format(**SHOWN) for where, _ in cyborg.routes()}
CONSOLE = {where.format(**SHOWN) for where, _ in optools.routes()}
"""Of the API for whole machines, of which OPTIONS tells more."""

WHERES = [where.format(**SHOWN) for where, _ in all_routes()]


@pytest.fixture
def house() -> House:
    house = House()
    house.files.add("toto", b"x")
    house.entries.running["B"] = False
    return house


@pytest.mark.parametrize("where", WHERES)
async def test_every_address_has_manners(port, where):
    answer = await ask(port, f"OPTIONS {where}")
    allowed = answer.headers["Allow"].split(", ")

    if where in MACHINES:
        assert (answer.status, answer.body[:8]) == (200, b'{"name":')
    else:
        assert (answer.status, answer.body) == (204, b"")
    assert "OPTIONS" in allowed
    refused = 404 if where in CONSOLE else 405
    for method in METHODS:
        found = (
            await ask(port, f"{method} {where}") if "/events" not in where else answer
        )
        assert found.headers["Vary"].split(", ")[0] == "Accept"
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["Server"] == "syncd"
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in found.headers
        if method not in allowed:
            assert found.status == (204 if found is answer else refused)
            if found.status != 404:
                assert found.headers["Allow"] == ", ".join(allowed)
        elif not where.endswith(STREAMS) and found.status not in (201, 204, 500):
            assert found.headers["Content-Type"] == "application/json"
            assert found.headers["Cache-Control"] == "no-store"


async def test_head_is_get_without_a_body(http):
    for where in ("/entries", "/files", "/entries/nobody", "/rules"):
        get, head = await http.get(where), await http.head(where)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize(
    "where",
    [
        "/nowhere",
        "/api/v1.0/",
        "/api/v1.0",
        "/api/v2.0/files",
        "/api/v1x0/files",
        "//",
        "/api/v1.0/files/../rules",
        "/api/v1.0//files",
        "/%2e%2e/",
        "/api/v1.0/entries/A/x",
    ],
)
@pytest.mark.parametrize("method", [*METHODS, "OPTIONS"])
async def test_addresses_that_are_none(port, method, where):
    answer = await ask(port, f"{method} {where}")

    assert answer.status == 404
    if method != "HEAD":
        reason = json.loads(answer.body)["reason"]
        assert reason == f"there is nothing at {where}"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "get"])
async def test_methods_that_nobody_knows(port, method):
    answer = await ask(port, f"{method} /api/v1.0/files")

    assert answer.status == 405
    assert json.loads(answer.body)["status"] == "error"


@pytest.mark.parametrize("where", ["/api/v1.0/files/", "/api/v1.0/entries/A/status/"])
async def test_a_slash_at_the_end_is_no_fault(port, where):
    assert (await ask(port, f"GET {where}")).status == 200


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json", "*/*", "garbage;;"]
)
async def test_json_is_answered_whatever_is_accepted(port, accept):
    answer = await ask(port, "GET /api/v1.0/entries", Accept=accept)

    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "where",
    ["/api/v1.0/files", "/metrics", "/health/live", "/nowhere", "/openapi.json"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
async def test_a_foreign_host_gets_nothing_anywhere(port, method, where):
    answer = await ask(port, f"{method} {where}", host=f"evil.example:{port}")

    assert answer.status == 403
    assert f"127.0.0.1:{port}" in json.loads(answer.body)["reason"]


@pytest.mark.parametrize(
    "foreign", [{"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}]
)
async def test_a_foreign_page_changes_nothing(port, house, foreign):
    read = await ask(port, "GET /api/v1.0/rules", **foreign)
    write = await ask(port, "PUT /api/v1.0/entries/A/stop", **foreign)
    ours = await ask(
        port, "PUT /api/v1.0/entries/A/stop", Origin=f"http://localhost:{port}"
    )

    assert [read.status, write.status, ours.status] == [200, 403, 200]


async def test_old_clients_name_no_host(port):
    answer = parsed(await say(port, b"GET /api/v1.0/entries HTTP/1.0\r\n\r\n"))

    assert answer.status == 200


async def test_a_crowd_of_300_passes(http):
    asked = [http.get("/entries/A/status") for _ in range(300)]

    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}


def limits(house: House, **given) -> Server:
    return Server(house.rooms, [("127.0.0.1", 0)], limits=Limits(**given))


async def test_a_flood_does_not_pass(house):
    async with limits(house, rate=0.1, burst=3) as server:
        port = server.addresses[0][1]
        statuses = [(await ask(port, "GET /api/v1.0/rules")).status for _ in range(3)]
        refused = await ask(port, "GET /nowhere")
        alive = await ask(port, "GET /health/live")

    assert statuses == [200] * 3
    assert refused.status == 429
    assert refused.headers["Retry-After"] in ("9", "10")
    assert json.loads(refused.body)["reason"] == "too many requests; wait a moment"
    assert alive.status == 200


async def put_rules(port: int, body: bytes, **headers: str):
    return await ask(port, "PUT /api/v1.0/rules", body, **headers)


@pytest.mark.parametrize("way", ["length", "chunks"])
@pytest.mark.parametrize(("size", "status"), [(1000, 400), (1001, 413), (900_000, 413)])
async def test_a_body_has_a_limit(house, way, size, status):
    body, headers = b" " * size, {}
    if way == "chunks":
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        headers = {"Transfer-Encoding": "chunked"}
    async with limits(house, body=1000) as server:
        answer = await put_rules(server.addresses[0][1], body, **headers)

    assert answer.status == status
    assert json.loads(answer.body)["status"] == "error"


@pytest.mark.parametrize(("size", "first"), [(1000, 100), (1001, 413)])
async def test_who_asks_first_is_told_before_sending(house, size, first):
    async with limits(house, body=1000) as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(
            b"PUT /api/v1.0/rules HTTP/1.1\r\nHost: localhost\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size
        )
        async with asyncio.timeout(30):
            assert f"HTTP/1.1 {first} ".encode() in await reader.readuntil(b"\r\n")
        writer.close()


@pytest.mark.parametrize("way", ["length", "chunks"])
async def test_a_huge_body_is_not_read_to_its_end(house, way, monkeypatch):
    monkeypatch.setattr(handler, "DRAINED", 50_000)
    async with limits(house, body=1000) as server:
        port = server.addresses[0][1]
        if way == "length":
            answer = await put_rules(port, b"", Content_Length=str(10**15))
        else:
            chunk = b"%x\r\n%b\r\n" % (10**15, b" " * 60_000)
            answer = await put_rules(port, chunk, Transfer_Encoding="chunked")

    assert answer.status == 413
    assert json.loads(answer.body)["reason"] == "the body is larger than 1000 bytes"


async def test_an_answer_is_not_lost_to_an_unread_body(port):
    answer = await ask(
        port, "PUT /nowhere", b" " * 5_000_000, Origin="http://evil.example"
    )

    assert answer.status == 403


async def test_the_connection_is_kept_after_a_refusal(http):
    for _ in range(3):
        assert (await http.put("/rules", content=b"[")).status_code == 400
    assert len(http._transport._pool.connections) == 1


async def test_only_so_many_connections(house):
    async with limits(house, connections=2) as server:
        port = server.addresses[0][1]
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await say(port, b"GET /health/live HTTP/1.0\r\n\r\n") == b""
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(30):
            while not await say(port, b"GET /health/live HTTP/1.0\r\n\r\n"):
                await asyncio.sleep(0.01)


async def test_who_says_nothing_is_hung_up_on(house):
    async with limits(house, idle=0.1, receiving=0.1) as server:
        port = server.addresses[0][1]
        for begun in (
            b"",
            b"GET /",
            b"PUT /api/v1.0/rules HTTP/1.0\r\nContent-Length: 9\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            async with asyncio.timeout(30):
                assert await reader.read() == b""
            writer.close()


async def test_a_bug_tells_the_caller_nothing(http, house, caplog):
    async def broken(fid):
        raise KeyError("secret")

    house.files.file = broken
    with caplog.at_level(logging.ERROR):
        answer = await http.get(f"/files/{SHOWN['fid']}/metadata")

    assert answer.status_code == 500
    assert answer.json() == {"status": "error", "reason": "internal error"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageBusy("busy"), 503),
        (StorageFull("full \ud800"), 507),
        (OSError("secret"), 500),
    ],
)
async def test_errors_of_rooms(http, house, error, status):
    async def broken(fid):
        raise error

    house.files.file = broken
    answer = await http.get(f"/files/{SHOWN['fid']}/metadata")

    assert answer.status_code == status
    assert "secret" not in answer.json()["reason"]


START = st.sampled_from(
    [
        b"GET /api/v1.0/files HTTP/1.1",
        b"PUT /api/v1.0/rules HTTP/1.1",
        b"PUT /api/v1.0/entries/A/stop HTTP/1.0",
        b"GET /api/v1.0/files/91473751-8e49-5240-b03c-96547fcd86dc/content HTTP/1.1",
        b"POST /api/v1.0/rules/plan HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET http://127.0.0.1/api/v1.0/files HTTP/1.1",
        b"PRI * HTTP/2.0",
    ]
) | st.builds(
    lambda method, where: method + b" /" + where + b" HTTP/1.1",
    st.sampled_from([b"GET", b"PUT", b"POST", b"HEAD"]),
    st.sampled_from([b"api/v1.0/files?", b"api/v1.0/entries/", b""]).flatmap(
        lambda begin: st.binary(max_size=30).map(lambda end: begin + end)
    ),
)
HEADER = st.tuples(
    st.sampled_from(
        [
            b"Host",
            b"Content-Length",
            b"Transfer-Encoding",
            b"Content-Type",
            b"Range",
            b"Expect",
            b"Origin",
            b"If-None-Match",
            b"If-Range",
            b"Connection",
            b"X",
            b"Cookie",
            b"Last-Event-ID",
            b"Content-Encoding",
            b"Accept",
            b"Sec-Fetch-Site",
            b"Upgrade",
        ]
    ),
    st.sampled_from(
        [
            b"127.0.0.1",
            b"localhost",
            b"3",
            b"0",
            b"-1",
            b"chunked",
            b"application/json",
            b"bytes=0-1",
            b"bytes=-",
            b"100-continue",
            b"*",
            b'"x"',
            b"close",
            b"null",
            b"9" * 30,
        ]
    )
    | st.binary(max_size=20),
)
REQUEST = st.builds(
    lambda start, headers, body: (
        start
        + b"\r\n"
        + b"".join(k + b": " + v + b"\r\n" for k, v in headers)
        + b"\r\n"
        + body
    ),
    START,
    st.lists(HEADER, max_size=6),
    st.binary(max_size=60)
    | st.just(b'{"rules": []}')
    | st.just(b"3\r\nabc\r\n0\r\n\r\n"),
)


async def push(port: int, data: bytes) -> None:
    """Send the bytes, wait for a moment for what comes, and leave."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError, TimeoutError):
        writer.write(data)
        async with asyncio.timeout(0.03):
            await reader.read()
    writer.close()


def test_whatever_is_sent_the_server_survives():
    house = House()
    house.files.add("toto", b"x")
    given_limits = Limits(rate=1e9, burst=1e9, grace=1)
    server = Server(house.rooms, [("127.0.0.1", 0)], limits=given_limits)

    @settings(max_examples=200, deadline=None)
    @given(REQUEST | st.binary(max_size=200))
    @example(b"GET /api/v1.0/files?" + b"&" * 3000 + b" HTTP/1.0\r\n\r\n")
    @example(b"GET /api/v1.0/files?" + b"a=1&" * 3000 + b" HTTP/1.0\r\n\r\n")
    @example(b"GET /api/v1.0/entries/%ed%a0%80 HTTP/1.0\r\n\r\n")
    @example(b"GET /api/v1.0/files?path=%ed%a0%80 HTTP/1.0\r\n\r\n")
    def is_borne(data: bytes) -> None:
        port = server.addresses[0][1]
        runner.run(push(port, data))
        alive = runner.run(say(port, b"GET /health/live HTTP/1.0\r\n\r\n"))
        assert alive.startswith(b"HTTP/1.1 200")
        told = runner.run(say(port, b"GET /metrics HTTP/1.0\r\n\r\n"))
        assert b'status="500"' not in told
        assert b'status="200"' in told

    with asyncio.Runner() as runner:
        runner.run(server.__aenter__())
        is_borne()
        runner.run(server.__aexit__())


async def test_two_requests_in_one_breath(port):
    line = f"GET /api/v1.0/entries/A/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    both = f"{line}\r\n{line}Connection: close\r\n\r\n"

    answer = await say(port, both.encode())

    assert answer.count(b"HTTP/1.1 200") == 2


async def test_clients_that_leave_do_no_harm(port, house):
    house.files.add("big", random.Random(1).randbytes(1 << 20))
    for start in (
        "GET /api/v1.0/events",
        "GET /metrics",
        "PUT /api/v1.0/entries/A/stop",
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{start} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        writer.transport.abort()
    url = f"http://127.0.0.1:{port}/health/live"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 200
