"""Mail and web hooks: on failure, on recovery, when backups are too old."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP
from msgspec.structs import replace
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from syncd.backup import web
from syncd.backup.notify import Notifier
from syncd.backup.plan import Hooks, Mail, Notify, WebHook
from syncd.core.job import Job, Kind, State
from syncd.errors import Unavailable
from tests.backup.bench import NOW, Bench

SECRET = "hush"


class Taker:
    """Takes POSTs; ``codes`` are what it answers first."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.bodies: list[bytes] = []
        self.signed: list[str] = []
        self.url = ""

    @property
    def said(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]


class _Handler(RequestHandler):
    def initialize(self, taker: Taker) -> None:
        self.taker = taker

    def post(self) -> None:
        self.taker.bodies.append(self.request.body)
        self.taker.signed.append(self.request.headers.get(web.SIGNATURE, ""))
        self.set_status(self.taker.codes.pop(0) if self.taker.codes else 204)


@pytest.fixture
async def taker() -> AsyncIterator[Taker]:
    taker = Taker()
    server = HTTPServer(Application([("/hook", _Handler, {"taker": taker})]))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    taker.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hook"
    yield taker
    server.stop()
    await server.close_all_connections()


class Box(Message):
    """Keeps the mail that comes."""

    def __init__(self) -> None:
        super().__init__()
        self.mail: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.mail.append(message)


@pytest.fixture
async def box() -> AsyncIterator[tuple[Box, int]]:
    box = Box()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box), "127.0.0.1", 0)
    yield box, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(web, "PAUSES", (0.0, 0.0))


def a_job(state: State = State.FAILED, **more) -> Job:
    given = {"id": "1", "kind": Kind.BACKUP, "asked": {}, "source": "s", "who": "me"}
    return Job(**{**given, "store": "full", "created": NOW, "state": state, **more})


def a_notifier(store, tmp_path, **plan) -> Notifier:
    bench = Bench(store, tmp_path, **plan)
    return Notifier({"full": bench.plan}, lambda: bench.now)


async def settled(notifier: Notifier) -> None:
    async with asyncio.timeout(30):
        while notifier._tasks:
            await asyncio.wait(notifier._tasks)


async def test_a_post_is_signed_with_its_time(taker):
    await web.post(WebHook(taker.url, SECRET), {"a": 1}, lambda: NOW)

    assert taker.said == [{"a": 1}]
    assert taker.signed == [web.signature(SECRET, taker.bodies[0], int(NOW))]
    assert taker.signed[0].startswith(f"t={int(NOW)},v1=")
    assert web.signature("other", taker.bodies[0], int(NOW)) != taker.signed[0]


def test_a_signature_is_what_anybody_can_compute():
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac hush
    assert web.signature(SECRET, b"{}", 1_700_000_000) == (
        "t=1700000000,v1="
        "763081ea12e3b1f903f958994c023cde07f1224b02a538ad6f959112a2f780ba"
    )


async def test_a_post_is_tried_three_times(taker):
    taker.codes = [500, 302]
    await web.post(WebHook(taker.url), {}, lambda: NOW)
    assert len(taker.bodies) == 3
    assert taker.signed == ["", "", ""]

    taker.codes = [500, 500, 500]
    with pytest.raises(Unavailable, match="500"):
        await web.post(WebHook(taker.url), {}, lambda: NOW)
    with pytest.raises(Unavailable, match="web hook"):
        await web.post(WebHook("http://127.0.0.1:1/"), {}, lambda: NOW)


async def test_failure_and_recovery_are_told_and_nothing_else(store, tmp_path, taker):
    notify = Notify(web=[WebHook(taker.url)])
    notifier = a_notifier(store, tmp_path, notify=notify)
    good = a_job(State.SUCCESSFUL)
    for job, before in (
        (good, None),
        (a_job(error="no room"), good),
        (good, a_job()),
        (good, good),
        (a_job(State.CANCELED), good),
    ):
        notifier.ended(job, before)
        await settled(notifier)

    assert [one["event"] for one in taker.said] == ["failed", "recovered"]
    assert taker.said[0]["text"] == "the backup of s failed: no room"
    assert taker.said[0]["job"]["id"] == "1"


async def test_mail_says_what_happened(store, tmp_path, box):
    kept, port = box
    mail = Mail(host="127.0.0.1", port=port, sender="a@localhost", to=["b@localhost"])
    notifier = a_notifier(store, tmp_path, notify=Notify(mail=mail))
    notifier.ended(a_job(error="no room\nleft", vault="v"), None)
    await settled(notifier)

    [message] = kept.mail
    assert (
        message["Subject"] == "syncd: the backup of s, vault v failed: no room\\nleft"
    )
    assert (message["From"], message["To"]) == ("a@localhost", "b@localhost")
    assert '"reason"' in message.get_payload()


async def test_who_takes_no_mail_stops_nothing(store, tmp_path):
    mail = Mail(host="127.0.0.1", port=1, sender="a@localhost", to=["b@localhost"])
    notifier = a_notifier(store, tmp_path, notify=Notify(mail=mail))
    notifier.ended(a_job(), None)

    await settled(notifier)


async def test_what_is_too_old_is_told_once_and_when_it_is_not(store, tmp_path, taker):
    notify = Notify(web=[WebHook(taker.url)], stale=100.0)
    notifier = a_notifier(store, tmp_path, notify=notify)
    plan = notifier._plans["full"]
    for newest, since in ((NOW - 99, 0), (NOW - 101, 0), (NOW - 102, 0), (NOW, 0)):
        notifier.aged(plan, "s", newest, since)
        await settled(notifier)
    notifier.aged(plan, "t", 0.0, NOW - 99)
    notifier.aged(plan, "t", 0.0, NOW - 101)
    await settled(notifier)

    assert [(one["event"], one["source"]) for one in taker.said] == [
        ("stale", "s"), ("fresh", "s"), ("stale", "t"),
    ]  # fmt: skip
    assert "does not exist" in taker.said[-1]["text"]


async def test_hooks_hear_of_jobs_of_their_kind(store, tmp_path, taker):
    hook = WebHook(taker.url)
    hooks = {Kind.BACKUP: Hooks(before_web=[hook], after_web=[hook])}
    notifier = a_notifier(store, tmp_path, hooks=hooks)

    assert await notifier.before(hooks[Kind.BACKUP], a_job(State.RUNNING)) == ""
    notifier.ended(a_job(State.SUCCESSFUL), None)
    notifier.ended(a_job(State.SUCCESSFUL, kind=Kind.RESTORE), None)
    await settled(notifier)
    assert [one["event"] for one in taker.said] == ["started", "ended"]

    taker.codes = [500, 500, 500]
    assert "500" in await notifier.before(hooks[Kind.BACKUP], a_job())


async def test_a_store_that_is_not_configured_any_more_is_no_trouble(store, tmp_path):
    notifier = a_notifier(store, tmp_path)

    notifier.ended(replace(a_job(), store="gone"), None)
