"""Workers seen from above: each does one job in a process of its own, and ends.

One may be kept ready, which has loaded what jobs need, and waits for its only job.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from syncd import clock, wire
from syncd.core.errand import Advance, Cancel, Done, Work
from syncd.errors import Unavailable
from syncd.supervisor.keeper import LAST_WORDS, LONGEST_GOODBYE, in_words
from syncd.supervisor.links import Links
from syncd.supervisor.processes import Child, Processes

GRACE = 20.0
"""Seconds that a worker told to end gets for that, before it is told by a signal."""

LAST_GRACE = 2.0
"""Seconds between that signal, to its whole process group, and one it cannot refuse."""

MODULE = "syncd.child.worker"

log = structlog.get_logger()

Told = Callable[[Advance], None]


class Workers:
    """Starts a worker for each piece of work, and tells what came of it."""

    def __init__(
        self, processes: Processes, links: Links, link: Path, *, module: str = MODULE
    ) -> None:
        self._processes = processes
        self._links = links
        self._arguments = ["-m", module]
        self._where = ["--link", str(link), "--parent", str(os.getpid())]
        self._numbers = count(1)
        self._workers: dict[str, _Worker] = {}
        self._spare: _Worker | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closing = False

    async def run(
        self,
        work: Work,
        *,
        told: Told = lambda _: None,
        seconds: float | None = None,
        grace: float = GRACE,
    ) -> Done:
        """Have the work done and return what came of it; nothing is left running.

        A worker that dies unasked, or needs longer than so many ``seconds``, has
        failed. When this is cancelled, the worker is gone, too.
        """
        if self._closing:
            return _not_started("syncd is stopping")
        worker = self._taken() or self._admitted()
        worker.told = told
        self._give(worker, work)
        try:
            if worker.is_spare:
                await worker.begun.wait()
            else:
                await self._start(worker)
            if worker.child is None:
                return _not_started("no process could be started")
            return await self._accompany(worker, seconds, grace)
        except Unavailable as error:
            return _not_started(str(error))
        finally:
            await asyncio.shield(self._clear_up(worker))

    @property
    def ready(self) -> bool:
        """Return whether a worker waits for work."""
        spare = self._spare
        if spare is None or spare.child is None:
            return False
        return spare.listens and not spare.child.ended

    def prepare(self, modules: Iterable[str], seconds: float) -> None:
        """Keep a worker ready for so long, which has loaded these.

        It knows nothing yet, and takes whatever work comes next. There is one at
        most, and none is made while others work.
        """
        if self._closing or self._workers:
            return
        self._spare = self._admitted()
        self._spare.is_spare = True
        keep = self._keep(self._spare, [f"--load={one}" for one in modules], seconds)
        self._keeping = asyncio.create_task(keep, name="keep a worker ready")

    async def _keep(
        self, worker: "_Worker", more: Sequence[str], seconds: float
    ) -> None:
        try:
            await self._start(worker, more)
            worker.begun.set()
            assert worker.child is not None
            taken = asyncio.ensure_future(worker.taken.wait())
            either: list[asyncio.Future[Any]] = [worker.child.gone, taken]
            await asyncio.wait(
                either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            taken.cancel()
        except Unavailable as error:
            log.warning("no worker ready", action="worker", reason=str(error))
        finally:
            worker.begun.set()
            if self._spare is worker:
                self._spare = None
                await asyncio.shield(self._clear_up(worker))
            elif worker.name not in self._workers:
                # Who took it gave up while it was being started.
                await asyncio.shield(self._clear_up(worker))

    def _taken(self) -> "_Worker | None":
        """Return the worker that is ready, or soon will be, if there is one."""
        worker = self._spare
        if worker is None or (worker.child is not None and worker.child.ended):
            return None
        self._spare = None
        worker.taken.set()
        return worker

    def _admitted(self) -> "_Worker":
        # No entry's name has a colon.
        worker = _Worker(f"worker:{next(self._numbers)}")
        self._workers[worker.name] = worker
        self._links.admit(worker.name)
        return worker

    async def _start(self, worker: "_Worker", more: Sequence[str] = ()) -> None:
        arguments = [*self._arguments, worker.name, *self._where, *more]
        await self._processes.start(worker.name, arguments, worker.born)

    def _give(self, worker: "_Worker", work: Work) -> None:
        worker.work = work
        if worker.listens:
            self._links.send(worker.name, work)

    def cancel(self, id: str, why: str) -> bool:
        """Have the worker of that job end; tell whether there is one."""
        found = [
            one for one in self._workers.values() if one.work and one.work.id == id
        ]
        for worker in found:
            worker.cancel(why)
        return bool(found)

    def heard(self, name: str, pid: int | None, message: wire.Up) -> None:
        """Take in what a worker says."""
        worker = self._workers.get(name)
        if (
            worker is None
            or worker.child is None
            or pid not in (worker.child.pid, None)
        ):
            log.warning("stranger not heard", entry=name, pid=pid)
            return
        worker.heard += 1
        match message:
            case wire.Ask():
                worker.listens = True
                if worker.work is not None:
                    self._links.send(name, worker.work)
                if worker.why:
                    self._links.send(name, Cancel(worker.why))
            case Advance():
                worker.told(message)
            case Done():
                worker.done = message
            case wire.Told():
                log.warning(message.event, action="worker", **_plain(message.fields))

    async def close(self) -> None:
        """End every worker; what they had begun is for the next start to judge."""
        self._closing = True
        if self._spare is not None:
            self._spare.taken.set()
        ending = [
            self._processes.stop(worker.child)
            for worker in self._workers.values()
            if worker.child is not None
        ]
        await asyncio.gather(*ending)
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    async def _accompany(
        self, worker: "_Worker", seconds: float | None, grace: float
    ) -> Done:
        child = worker.child
        assert child is not None
        until = None if seconds is None else clock.monotonic() + seconds
        late = False
        while not child.gone.done():
            left = (
                None if until is None or late else max(0.0, until - clock.monotonic())
            )
            ending = asyncio.ensure_future(worker.ending.wait())
            either: list[asyncio.Future[Any]] = [child.gone, ending]
            try:
                await asyncio.wait(
                    either, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                ending.cancel()
            if child.gone.done():
                break
            if not worker.ending.is_set():
                late = True
                worker.cancel(f"it took longer than {seconds:g} s")
            self._say_cancel(worker)
            await asyncio.wait([child.gone], timeout=grace)
            await self._end(child)
        code = await child.gone
        await self._last_words(worker)
        return _what_came(worker, code, late=late)

    def _say_cancel(self, worker: "_Worker") -> None:
        if worker.listens:
            self._links.send(worker.name, Cancel(worker.why))

    async def _end(self, child: Child) -> None:
        if not child.gone.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGTERM)
            await self._processes.stop(child, grace=LAST_GRACE)

    async def _last_words(self, worker: "_Worker") -> None:
        until = clock.monotonic() + LONGEST_GOODBYE
        before = -1
        while (
            worker.done is None and worker.heard != before and clock.monotonic() < until
        ):
            before = worker.heard
            await asyncio.sleep(LAST_WORDS)

    async def _clear_up(self, worker: "_Worker") -> None:
        if worker.child is not None:
            await self._end(worker.child)
            await self._processes.end_orphans()
        self._links.dismiss(worker.name)
        self._workers.pop(worker.name, None)


class _Worker:
    """One worker, while it is there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.work: Work | None = None
        self.told: Told = lambda _: None
        self.is_spare = False
        self.begun = asyncio.Event()
        """Set when a spare one has been started, or cannot be."""
        self.taken = asyncio.Event()
        """Set when a spare one is to do something, or to end."""
        self.child: Child | None = None
        self.listens = False
        self.heard = 0
        self.done: Done | None = None
        self.why = ""
        self.ending = asyncio.Event()

    def born(self, child: Child) -> None:
        """Take in that there is a process."""
        self.child = child

    def cancel(self, why: str) -> None:
        """Want it to end; the first reason counts."""
        self.why = self.why or why
        self.ending.set()


def _what_came(worker: _Worker, code: int, *, late: bool) -> Done:
    done = worker.done
    if done is None:
        words = worker.why if late else in_words(code)
        return Done(error=words, reason="timeout" if late else "died")
    if late and done.error:
        return replace(done, error=worker.why, reason="timeout", retry=False)
    return done


def _not_started(why: str) -> Done:
    return Done(error=why, reason="unavailable", retry=True)


def _plain(fields: dict[str, object]) -> dict[str, object]:
    kept = ("error", "traceback", "reason", "job")
    return {name: fields[name] for name in kept if name in fields}
