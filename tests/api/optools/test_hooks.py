"""Whoever is told: where they say, a few times, and nowhere inside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets

from syncd.api.optools import hooks
from syncd.api.optools.requests import Refused


@asynccontextmanager
async def listening(
    *statuses: int,
) -> AsyncIterator[tuple[str, list[HTTPServerRequest]]]:
    """Answer with these statuses, one after the other."""
    told: list[HTTPServerRequest] = []
    left = list(statuses)

    def answer(request: HTTPServerRequest) -> None:
        told.append(request)
        status = left.pop(0)
        more = b"Location: /elsewhere\r\n" if status == 302 else b""
        line = b"HTTP/1.1 %d Some\r\n%sContent-Length: 0\r\n\r\n" % (status, more)
        connection = request.connection
        assert connection is not None
        connection.stream.write(line)  # type: ignore[attr-defined]
        connection.finish()

    server = HTTPServer(answer)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}", told
    finally:
        server.stop()
        await server.close_all_connections()


async def test_it_is_told_where_it_says():
    async with listening(200) as (url, told):
        assert await hooks.post(f"{url}/a?b=c", "id", {"x": 1}, private=True) == ""

    (request,) = told
    assert (request.method, request.uri, request.body) == ("POST", "/a?b=c", b'{"x":1}')


async def test_what_may_pass_is_tried_again():
    async with listening(503, 500, 200) as (url, told):
        assert await hooks.post(url, "id", {}, private=True) == ""
    assert [request.uri for request in told] == ["/api/v1/webhooks/txs/id"] * 3

    async with listening(503, 503, 503) as (url, told):
        assert "503" in await hooks.post(url, "id", {}, private=True)


@pytest.mark.parametrize("status", [302, 404])
async def test_what_says_no_is_left_alone_and_nothing_is_followed(status):
    async with listening(status) as (url, told):
        assert str(status) in await hooks.post(url, "id", {}, private=True)
    assert len(told) == 1


async def test_places_inside_are_not_asked(monkeypatch):
    monkeypatch.setattr(hooks, "ATTEMPTS", 1)
    async with listening() as (url, told):
        port = url.rpartition(":")[2]
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ):
            where = f"http://{host}:{port}/"
            trouble = await hooks.post(where, "id", {}, private=False)
            assert "no public address" in trouble, host
    assert told == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.16.5.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert hooks.is_public(address) is public


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("h.example.com", ("https://h.example.com/api/v1/webhooks/txs/id", "", "")),
        ("http://u:p%40@h:81/", ("http://h:81/api/v1/webhooks/txs/id", "u", "p@")),
        ("http://[::1]:81/a?b#c", ("http://[::1]:81/a?b", "", "")),
    ],
)
def test_where_it_goes(url, found):
    hooks.check(url)
    assert hooks.target(url, "id") == found


@pytest.mark.parametrize(
    "url", [":", "ftp://h", "http://", "http://h:x/", "a\nb", "x" * 3000, "file:///etc"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Refused, match="webhook"):
        hooks.check(url)


async def test_silence_is_told():
    assert asyncio.get_running_loop()
    async with listening() as (url, _):
        pass
    assert await hooks.post(url, "id", {}, private=True)
