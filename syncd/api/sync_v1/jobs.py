"""Jobs: what was asked for, how it goes, what it says, and its end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from tornado.iostream import StreamClosedError

from syncd.api.backups import Backups
from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, Number, Word, on
from syncd.core.job import Job, Kind, Progress, State
from syncd.core.permission import Action
from syncd.errors import NotFound, Unavailable

HEARTBEAT = 15.0
"""Seconds after which a silent stream says that it is still there."""

LOOK = 1.0
"""Seconds between two looks whether the server is about to end."""

PATIENCE = 30.0
"""Seconds a reader may take to accept what was sent; then it is dropped."""

STORES = ("full", "incremental", "optools")
STORE = Word("store", "Only of this store; full, if not said.", STORES)
REFUSED = [HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE]


class JobBrief(Struct, frozen=True, kw_only=True):
    """A job as lists show it; times are seconds since 1970."""

    id: str
    kind: Kind
    state: State
    source: str
    store: str
    vault: str | None
    """The vault it makes or reads."""
    priority: int
    who: str
    schedule: str | None
    """The schedule that asked for it."""
    created: float
    started: float | None
    ended: float | None
    attempts: int
    timeout: float | None
    error: str
    """Why it failed."""
    reason: str
    """The same as one word."""
    progress: Progress
    seconds_left: float | None
    """How long it may still take, as far as its progress tells."""


class JobView(JobBrief, frozen=True, kw_only=True):
    """A job with all there is to it."""

    asked: dict[str, Any]
    """What was asked for."""
    result: dict[str, Any]
    """What came of it."""


class JobList(Struct, frozen=True):
    """Some of the jobs, newest first."""

    total: int
    jobs: list[JobBrief]


Shown = TypeVar("Shown", bound=JobBrief)


def view(job: Job, now: float, kind: type[Shown]) -> Shown:
    """Return a job as it is shown."""
    shown = {
        name: getattr(job, name)
        for name in kind.__struct_fields__
        if hasattr(job, name)
    }
    return kind(**shown, seconds_left=seconds_left(job, now))


def seconds_left(job: Job, now: float) -> float | None:
    """Return how long a running job may still take; None: nobody can tell."""
    told = job.progress
    if job.state is not State.RUNNING or job.started is None:
        return None
    took = now - job.started
    for done, total in (
        (told.bytes, told.total_bytes),
        (told.items, told.total_items),
    ):
        if total and 0 < done <= total and took > 0:
            return round(took * (total - done) / done, 1)
    return None


class Copying(Handler):
    """What handlers of jobs and vaults do alike."""

    reads = Action.BACKUP_READ
    changes = Action.BACKUP_RUN

    def engine(self, store: str | None = None) -> Backups:
        """Return the engine of a store; raise NotFound if there is none."""
        rooms = self.desk.rooms
        known = {"incremental": rooms.incremental, "optools": rooms.console}
        found = known.get(store or "", rooms.backups)
        if found is None and store == "incremental":
            raise NotFound("no incremental store is configured")
        if found is None:
            raise Unavailable("backups are not possible yet; ask again in a moment")
        return found

    async def found(self, id: str) -> tuple[Backups, Job]:
        """Return a job and its engine; raise NotFound."""
        rooms = self.desk.rooms
        for engine in (rooms.backups, rooms.incremental, rooms.console):
            if engine is not None:
                with suppress(NotFound):
                    return engine, await engine.job(id)
        raise NotFound(f"job {id} not found")

    def shown(self, job: Job) -> JobView:
        """Return a job as it is shown."""
        return view(job, self.desk.rooms.now(), JobView)

    def accepted(self, job: Job) -> JobView:
        """Return a job that was just asked for, as the answer."""
        self.set_status(HTTPStatus.ACCEPTED)
        self.set_header("Location", f"/api/v1.0/jobs/{job.id}")
        return self.shown(job)

    @property
    def key(self) -> str | None:
        """Return what makes asking twice asking once, where it is given."""
        return self.request.headers.get("Idempotency-Key")


class Jobs(Copying):
    """All jobs."""

    @on(
        "GET",
        query=(
            OFFSET,
            LIMIT,
            Word("kind", "Only jobs that do this.", tuple(Kind)),
            Word("state", "Only jobs in this state.", tuple(State)),
            Word("vault", "Only jobs that make or read this vault."),
            STORE,
        ),
        errors=REFUSED,
    )
    async def list(self) -> JobList:
        """List jobs, newest first, without what was asked for and what came of it."""
        given = dict(self.given)
        kind, state = given.pop("kind"), given.pop("state")
        total, some = await self.engine(given.pop("store")).jobs(
            **given,
            kind=Kind(kind) if kind else None,
            state=State(state) if state else None,
        )
        now = self.desk.rooms.now()
        return JobList(total, [view(job, now, JobBrief) for job in some])


class OneJob(Copying):
    """One job."""

    @on("GET", errors=[HTTPStatus.NOT_FOUND])
    async def show(self, job: str) -> JobView:
        """Tell how a job is; a backup's is found by its vault, too."""
        _, found = await self.found(job)
        return self.shown(found)


class Cancel(Copying):
    """Ending a job."""

    @on("POST", errors=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT])
    async def cancel(self, job: str) -> JobView:
        """Have a job end: at once if it waits, else as soon as it can be ended."""
        engine, found = await self.found(job)
        return self.shown(await engine.cancel(found.id, who=self.who.name))


class JobLog(Copying):
    """What a job says."""

    @on(
        "GET",
        query=(
            Number("start", "Leave out so many bytes at the beginning.", 0, least=0),
        ),
        errors=[HTTPStatus.NOT_FOUND],
        content={
            "text/plain": {"type": "string"},
            "text/event-stream": {"type": "string"},
        },
    )
    async def read(self, job: str) -> None:
        """Give the output of a job, or follow it.

        Plain text is what there is by now; ``Syncd-Next`` tells where to go on. Who
        accepts ``text/event-stream`` gets ``log``, ``progress`` and at last ``end``
        events as they come; ``Last-Event-ID`` goes on after what was heard.
        """
        engine, found = await self.found(job)
        start = int(self.given["start"])
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            last = self.request.headers.get("Last-Event-ID", "")
            start = int(last) if last.isascii() and last.isdecimal() else start
            await self._follow(engine, found.id, start)
            return
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        told: list[bytes] = []
        while True:
            piece, start = await engine.log(found.id, start=start)
            if not piece or sum(map(len, told)) > MOST:
                break
            told.append(piece)
        self.set_header("Syncd-Next", str(start))
        self.finish(b"".join(told))

    async def _follow(self, engine: Backups, id: str, start: int) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        if self.request.method == "HEAD":
            return
        async with aclosing(self._frames(engine, id, start)) as frames:
            async for frame in frames:
                if not await self._sent(frame):
                    return

    async def _frames(
        self, engine: Backups, id: str, start: int
    ) -> AsyncGenerator[bytes, None]:
        progress: Progress | None = None
        silent = 0.0
        while not self.desk.rooms.news.closed:
            news = asyncio.ensure_future(engine.changed(id))
            job = await engine.job(id)
            piece, start = await engine.log(id, start=start)
            if piece:
                text = {"text": piece.decode(errors="replace"), "next": start}
                yield _frame("log", text, start)
            if job.progress != progress:
                progress = job.progress
                yield _frame("progress", self.shown(job), start)
            if job.state.final and not piece:
                news.cancel()
                yield _frame("end", self.shown(job), start)
                return
            if piece or await _within(news, LOOK):
                silent = 0.0
            elif (silent := silent + LOOK) >= HEARTBEAT:
                silent = 0.0
                yield b": still here\n\n"
            news.cancel()

    async def _sent(self, frames: bytes) -> bool:
        """Send it, and tell whether the reader took it in time."""
        try:
            self.write(frames)
            async with asyncio.timeout(PATIENCE):
                await self.flush()
        except (StreamClosedError, TimeoutError):
            self.hang_up()
            return False
        return True


MOST = 8 << 20
"""Bytes of a log in one answer, roughly."""


async def _within(news: "asyncio.Future[None]", seconds: float) -> bool:
    done, _ = await asyncio.wait([news], timeout=seconds)
    return bool(done)


def _frame(event: str, data: Any, start: int) -> bytes:
    said = msgspec.json.encode(data)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (start, event.encode(), said)


ROUTES: list[Route] = [
    ("/jobs", Jobs),
    ("/jobs/{job}", OneJob),
    ("/jobs/{job}/log", JobLog),
    ("/jobs/{job}/cancel", Cancel),
]
