"""A small real HTTP server that answers as the daemon would."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from syncd.cli import main


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    target: str
    body: bytes
    authorization: str | None = None


class Canned:
    """Answers by method and path; remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[Asked] = []
        self.url = ""

    def say(self, request: str, document: Any, status: int = 200) -> str:
        """Answer ``METHOD /path`` so from now on; return the answer's text."""
        text = json.dumps(document, indent=3)
        self.answers[request] = (status, text)
        return text

    def refuse(self, request: str, status: int, reason: str, **more: Any) -> None:
        """Refuse ``METHOD /path`` from now on."""
        self.say(request, {"status": "error", "reason": reason, **more}, status)


class _Handler(RequestHandler):
    def initialize(self, canned: Canned) -> None:
        self.canned = canned

    def prepare(self) -> None:
        request: HTTPServerRequest = self.request
        method, target = request.method or "", request.uri or ""
        proof = request.headers.get("Authorization")
        self.canned.asked.append(Asked(method, target, request.body, proof))
        path = target.partition("?")[0].removeprefix("/api/v1.0")
        status, text = self.canned.answers[f"{method} {path}"]
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(text)


@pytest.fixture
def daemon() -> Iterator[Canned]:
    """A server with canned answers, in a thread of its own."""
    canned = Canned()
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = HTTPServer(Application([(r".*", _Handler, {"canned": canned})]))
        [listening] = bind_sockets(0, "127.0.0.1")
        server.add_sockets([listening])
        canned.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        started.set()
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(5)
    yield canned
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


class Ended(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def run(daemon: Canned, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command against the canned daemon."""
    monkeypatch.setenv("SYNCD_URL", daemon.url)
    return command


def command(*words: str, given: str | None = None) -> Ended:
    """Run a command as a shell would, errors turned into exit codes and all."""
    runner = CliRunner()
    with runner.isolation(input=given) as (out, err, _):
        code = main.main(words)
        return Ended(code, out.getvalue().decode(), err.getvalue().decode())
