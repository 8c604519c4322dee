"""Asks for what is due by the clock, once each time, across restarts."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import structlog
from msgspec import Struct

from syncd.backup import records
from syncd.backup.plan import Misfire, Plan, Timed
from syncd.backup.runner import Runner
from syncd.backup.service import Service
from syncd.core.job import Kind
from syncd.errors import SyncdError

LATE = 60.0
"""Seconds after its time, jitter not counted, from which on a run counts as missed."""

LONGEST_SLEEP = 30.0
"""Seconds between two looks at the clock, which may be put forward or back."""

AHEAD = 5.0
"""Seconds before a backup is due from which on a worker is kept ready for it."""

DAY = 86_400.0
"""Seconds that the clock may be put back; what it shows again is no new time."""

MOST_MISSED = 10_000
"""Missed runs that are counted; after that it goes on from now."""

log = structlog.get_logger(__name__)


class Due(Struct, frozen=True):
    """What is to be done about a schedule now."""

    until: float
    """Up to when its runs are dealt with then; seconds since 1970."""
    run: bool
    missed: int
    """How many runs are not made up for."""


class Scheduler:
    """Looks at the clock while it is entered."""

    def __init__(
        self,
        runner: Runner,
        services: Mapping[str, Service],
        now: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._services = services
        self._now = now
        self._since = now()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="schedules")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    @property
    def task(self) -> "asyncio.Task[None]":
        """Return what must go on for as long as there are schedules."""
        return self._task

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(max(0.05, min(LONGEST_SLEEP, await self.rest())))

    async def look(self) -> None:
        """Ask for everything that is due, and see which backups are too old."""
        for plan in self._runner.plans.values():
            for timed in plan.timed:
                try:
                    await self._look_at(plan, timed)
                except SyncdError as error:
                    facts = {"schedule": timed.name, "reason": str(error)}
                    log.warning("schedule not run", action="schedule", **facts)
            for source in plan.sources:
                known = self._runner.figures.sources[plan.name, source]
                self._runner.notifier.aged(
                    plan, source, known.last_success, self._since
                )

    async def _look_at(self, plan: Plan, timed: Timed) -> None:
        store = self._runner.store
        last = await store.read(records.ran, plan.name, timed.name)
        now = self._now()
        if last is None or last > now + DAY:
            # New; or the clock was far ahead when it ran last.
            await store.run(records.run_due, plan.name, timed.name, now, [])
            return
        due = judge(timed, last, now)
        if due is None:
            return
        wanted = []
        if due.run and self._still_running(plan, timed):
            words = "the run before has not ended"
            log.warning(
                "run skipped", action="schedule", schedule=timed.name, why=words
            )
        elif due.run:
            wanted = await self._services[plan.name].wanted(timed)
        if due.missed:
            facts: dict[str, Any] = {"schedule": timed.name, "missed": due.missed}
            log.warning("runs missed", action="schedule", **facts)
        for job in await store.run(
            records.run_due, plan.name, timed.name, due.until, wanted
        ):
            self._runner.asked(job)

    def _still_running(self, plan: Plan, timed: Timed) -> bool:
        return any(
            job.schedule == timed.name and job.store == plan.name
            for job in self._runner.known
        )

    async def rest(self) -> float:
        """Return the seconds until something is to be done, as far as is known."""
        now, rest = self._now(), LONGEST_SLEEP
        for plan in self._runner.plans.values():
            for timed in plan.timed:
                last = await self._runner.store.read(records.ran, plan.name, timed.name)
                due = first(timed, last) if last is not None else None
                if due is None:
                    continue
                left = due + put_off(timed, due) - now
                if timed.kind is Kind.BACKUP:
                    left = self._with_a_worker(plan, timed, left)
                rest = min(rest, left)
        return rest

    def _with_a_worker(self, plan: Plan, timed: Timed, left: float) -> float:
        """Have a worker ready for a backup that is due soon; else return until then.

        To start one takes as long as to look through 50,000 files.
        """
        if left > AHEAD:
            return left - AHEAD
        if left > 0 and not self._runner.workers.ready:
            self._runner.expect(plan.name, timed.source, left + LATE)
        return left


def judge(timed: Timed, last: float, now: float) -> Due | None:
    """Return what to do about a schedule that is dealt with up to ``last``.

    None: nothing is due. Runs that were missed become one, or none.
    """
    newest, ripe = last, 0
    due = first(timed, last)
    while due is not None and due <= now:
        at, due = due, first(timed, due)
        if at + put_off(timed, at) <= now:
            newest, ripe = at, ripe + 1
        if ripe >= MOST_MISSED:
            newest = now
            break
    if not ripe:
        return None
    late = now - newest - put_off(timed, newest) > LATE
    if late and timed.misfire is Misfire.SKIP:
        return Due(newest, False, ripe)
    return Due(newest, True, ripe - 1)


def first(timed: Timed, after: float) -> float | None:
    """Return the first time of the schedule after that one; None: there is none."""
    moment = datetime.fromtimestamp(after, UTC).astimezone(timed.zone)
    found = timed.schedule.next(moment)
    return None if found is None else found.timestamp()


def put_off(timed: Timed, due: float) -> float:
    """Return by how many seconds a run is put off: always the same for one run."""
    if not timed.jitter:
        return 0.0
    digest = hashlib.sha256(f"{timed.name} {due}".encode()).digest()
    return timed.jitter * int.from_bytes(digest[:6]) / 2**48
