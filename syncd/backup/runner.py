"""Starts the jobs that may start, and records what comes of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import structlog
from msgspec.structs import replace

from syncd.backup import outcomes, recording, records, retaining
from syncd.backup.board import Board
from syncd.backup.errands import errand
from syncd.backup.figures import BUCKETS, Figures
from syncd.backup.logs import Logs
from syncd.backup.notify import Notifier
from syncd.backup.plan import Hooks, Plan
from syncd.backup.sounding import Sounding
from syncd.backup.surveys import Surveys
from syncd.core import job as life
from syncd.core import queue
from syncd.core.errand import Advance, Deed, Done
from syncd.core.job import Job, Kind, State
from syncd.core.retention import Decision
from syncd.errors import Conflict, SyncdError, Unavailable
from syncd.store import jobs, vaults
from syncd.store.database import Store
from syncd.supervisor.workers import Workers

READY = 120.0
"""Seconds for which a worker is kept ready after somebody has backed up.

Whoever did that may soon do it again, and a worker that has to be started first makes
a backup in which nothing has changed take half as long again.
"""

log = structlog.get_logger(__name__)

After = Callable[[Job], Awaitable[None]]

Judge = Callable[[], Awaitable[list[Decision]]]
"""Says what the policies of a store make of each of its vaults now."""


class Runner:
    """The jobs that have not ended, and what becomes of them.

    The store knows of a change before anybody else does. What cannot be recorded is
    not done; what has been done is tried to be recorded until it is.
    """

    def __init__(
        self,
        store: Store,
        workers: Workers,
        state: Path,
        plans: Mapping[str, Plan],
        *,
        now: Callable[[], float],
        tell: Callable[[str, dict[str, Any]], None] = lambda *_: None,
        parallel: int = queue.PARALLEL,
    ) -> None:
        self.store = store
        self.workers = workers
        self.plans = plans
        self.now = now
        self.figures = Figures()
        self.notifier = Notifier(plans, now)
        self.logs = Logs(state / "jobs")
        self._parallel = parallel
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._board = Board(tell, self._wake)
        self._surveys = Surveys(
            store, plans, workers, logs=self.logs, figures=self.figures, wake=self._wake
        )
        self.sounding = Sounding(store, plans, self._surveys.work, now)
        self._closing = False
        self.after: list[After] = []
        """Called with each job that has ended, after it was recorded."""
        self.judges: dict[str, Judge] = {}
        """Asked, by store, when what a policy gave up is about to be deleted."""

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.logs.prepare)
        ended, queued = await self.store.run(records.recover, self.now())
        self._board.open(queued)
        await asyncio.to_thread(self.logs.clear, [job.id for job in queued])
        for job in ended:
            log.warning("job interrupted", action="job", job=job.id, kind=str(job.kind))
            self._surveys.mending.note(job)
        for plan in self.plans.values():
            name = plan.name
            self.figures.expect(name, plan.sources)
            known = await self.store.read(vaults.everything, name)
            self.figures.look(name, known)
            is_there = await asyncio.to_thread(plan.path.is_dir)
            # Where vaults are known, they are missed; they may be somewhere else now.
            if known or is_there:
                self._surveys.begin(name)
        self._task = asyncio.create_task(self._run(), name="run jobs")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what runs; the next start says that it was interrupted."""
        self._closing = True
        self._task.cancel()
        await self.sounding.close()
        await self.workers.close()
        await asyncio.wait([self._task])
        self._surveys.stop()
        if rest := [*self._running.values(), *self._surveys.tasks]:
            await asyncio.wait(rest)
        await self.notifier.close()
        self._board.close()

    @property
    def task(self) -> "asyncio.Task[None]":
        """Return what must go on for as long as there are jobs to run."""
        return self._task

    @property
    def known(self) -> list[Job]:
        """Return the jobs that have not ended."""
        return self._board.jobs

    @property
    def buckets(self) -> tuple[float, ...]:
        """Return the seconds by which the figures sort jobs."""
        return BUCKETS

    def stale(self) -> set[tuple[str, str]]:
        """Return the stores and sources whose newest valid vault is too old."""
        return self.notifier.stale()

    async def ask(self, job: Job, names: Iterable[str] | None = None) -> Job:
        """Keep a job, which is then run; the same key gives the same job.

        Raise Conflict, or Unavailable when too many wait.
        """
        most = self.plans[job.store].queue
        job, is_new = await self.store.run(records.ask, job, names, most)
        if is_new:
            self.asked(job)
        return job

    def asked(self, job: Job) -> None:
        """Take in a job that was just kept in the store."""
        self._board.put(job)

    async def job(self, id: str) -> Job:
        """Return a job as it is now; raise NotFound."""
        if (known := self._board.get(id)) is not None:
            return known
        return await self.store.read(jobs.get, id)

    async def ended(self, id: str) -> Job:
        """Return the job once it has ended; raise NotFound, Unavailable at the end."""
        while not (job := await self.job(id)).state.final:
            if self._closing:
                raise Unavailable(
                    "syncd is stopping; the job goes on at the next start"
                )
            await self.change(id)
        return job

    async def change(self, id: str) -> None:
        """Return when there is news of a job; at once if it has ended."""
        await self._board.change(id)

    async def cancel(self, id: str, who: str) -> Job:
        """Have a job end; raise NotFound, or Conflict if it has ended."""
        job = await self.store.run(records.cancel, id, self.now(), who)
        self._board.put(job)
        if job.state.final:
            await self._conclude(job)
        else:
            self.workers.cancel(id, job.error)
        return job

    def used(self, store: str) -> dict[str, Job]:
        """Return the jobs that make or read a vault, or are about to, by the vault."""
        return self._board.used(store)

    def trouble(self, store: str) -> str:
        """Return why nothing can be done with a store's vaults; empty if it can."""
        return self._surveys.troubles.get(store, "")

    def expect(self, store: str, source: str, seconds: float) -> None:
        """Have a worker ready for a backup that is likely within so many seconds."""
        self.workers.prepare(self.plans[store].modules(source), seconds)

    async def survey(self, name: str) -> None:
        """Bring the catalogue in step with the store; raise Unavailable."""
        await self._surveys.look(name)

    async def follow(self, id: str, start: int = 0) -> AsyncIterator[bytes]:
        """Give the job's log as it grows, until the job has ended; raise NotFound."""
        await self.job(id)
        while True:
            news = asyncio.ensure_future(self.change(id))
            final = self._board.get(id) is None
            piece = await asyncio.to_thread(self.logs.read, id, start)
            start += len(piece)
            if piece:
                yield piece
            elif final or self._closing:
                return
            else:
                await news
            news.cancel()

    async def work(self, plan: Plan, deed: Deed, **more: Any) -> Done:
        """Have something done that is no job; return what came of it."""
        return await self._surveys.work(plan, deed, **more)

    # How it goes.

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self.now()
            for job in queue.startable(
                self.known,
                now,
                parallel=self._parallel,
                closed=frozenset(self._surveys.closed),
            ):
                if not await self._start(job):
                    break
            until = queue.wakes(self.known, now)
            # Bounded, as the clock may be put forward.
            rest = 60.0 if until is None else min(60.0, max(0.05, until - now))
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._wake.wait()

    async def _start(self, job: Job) -> bool:
        """Begin an attempt, and tell whether that could be recorded."""
        try:
            started = await self.store.run(records.start, job.id, self.now())
        except Conflict:
            return True  # It was canceled at the same moment.
        except SyncdError as error:
            log.warning("job not started", action="job", job=job.id, reason=str(error))
            asyncio.get_running_loop().call_later(recording.AGAIN, self._wake.set)
            return False
        self._board.put(started)
        task = asyncio.create_task(self._carry_out(started), name=f"job {job.id}")
        self._running[job.id] = task
        return True

    async def _carry_out(self, job: Job) -> None:
        try:
            done = await self._done_somehow(job)
            if self._closing and done.error:
                return
            half = outcomes.is_unsure(job, done) and job.store in self.plans
            if half:
                # Nothing more is done with the store before it was looked into.
                self._surveys.close(job.store)
                self._surveys.mending.note(job)
            recorded = await self._ended(self._board[job.id], done)
            if half or (recorded.reason == outcomes.BUG and job.store in self.plans):
                await self._surveys.settle(job.store)
            elif job.kind is Kind.BACKUP and job.schedule is None and not done.error:
                self.expect(job.store, job.source, READY)
        finally:
            del self._running[job.id]
            self._wake.set()

    async def _done_somehow(self, job: Job) -> Done:
        try:
            return await self._done(job)
        except SyncdError as error:
            return Done(error=str(error), reason="unavailable")
        except Exception as error:
            log.exception("bug", action="job", job=job.id)
            return outcomes.bug(error)

    async def _done(self, job: Job) -> Done:
        plan = self.plans.get(job.store)
        if plan is None:
            words = f"no vault store {job.store} is configured any more"
            return Done(error=words, reason="configuration")
        hooks = plan.hooks.get(job.kind, Hooks())
        if trouble := await self.notifier.before(hooks, job):
            return Done(error=trouble, reason="hook")
        entries = await self.store.read(records.storages, plan.entries)
        job, stays = await self._judged(job)
        if job.asked.get("vaults") == []:
            return Done(result={"deleted": [], "failed": {}, "kept": stays})
        now = self._board[job.id]
        if now.state is State.CANCELING:
            # There was no worker yet that could have been told.
            return Done(error=now.error, reason="canceled")
        done = await self.workers.run(
            errand(plan, job, self.logs, entries, await self._surveys.id(plan)),
            told=lambda advance: self._advanced(job.id, advance),
            seconds=job.timeout,
            grace=plan.grace,
        )
        if not job.asked.get("folder"):
            await self._surveys.learn(plan, done)
        return replace(done, result={**done.result, "kept": stays}) if stays else done

    async def _judged(self, job: Job) -> tuple[Job, dict[str, str]]:
        """Return the job with what its policy still gives up, and why the rest stays.

        Since it was asked for, the vaults that were to stand for these may have been
        found damaged, and others pinned or asked for. What a person named is not
        judged.
        """
        if job.kind is not Kind.EVICT or "why" not in job.asked:
            return job, {}
        return retaining.judged(job, await self.judges[job.store]())

    def _advanced(self, id: str, advance: Advance) -> None:
        job = self._board.get(id)
        if job is not None:
            # Not worth a transaction: what a crash leaves of it is nothing anyway.
            self._board.put(replace(job, progress=advance.progress), "job_progress")

    async def _ended(self, job: Job, done: Done) -> Done:
        """Record what came of an attempt, and return what was recorded."""
        plan = self.plans.get(job.store)
        retries = (plan.retries if plan else {}).get(job.kind, life.RETRIES[job.kind])
        end = await recording.end(
            self.store,
            job,
            done,
            retries=retries,
            at=self.now(),
            closing=lambda: self._closing,
        )
        if end.job is None:
            return end.done
        self._board.put(end.job)
        try:
            await asyncio.to_thread(self.logs.forget, end.forgotten)
        except OSError as error:
            log.warning("logs not deleted", action="job", reason=str(error))
        if end.job.state.final:
            await self._conclude(end.job)
        return end.done

    async def _conclude(self, job: Job) -> None:
        """Do what follows from a job's end."""
        self.figures.count(job)
        if job.kind is Kind.UPLOAD:
            # Its worker deletes it; but it may never have had one.
            await asyncio.to_thread(self._delete, self.logs.archive(job.id))
        for after in (self._look, self._notify, *self.after):
            try:
                await after(job)
            except SyncdError as error:
                log.warning("after a job", action="job", job=job.id, reason=str(error))
            except Exception:
                log.exception("bug", action="job", job=job.id)

    @staticmethod
    def _delete(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("archive not deleted", action="job", reason=str(error))

    async def _look(self, job: Job) -> None:
        catalogue = await self.store.read(vaults.everything, job.store)
        self.figures.look(job.store, catalogue)

    async def _notify(self, job: Job) -> None:
        before = await self.store.read(records.before, job)
        self.notifier.ended(job, before)
