"""Restores that were cut off: their sources take back what was half done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog

from syncd.backup import records
from syncd.backup.plan import Plan
from syncd.core.errand import Deed, Done
from syncd.core.job import Job, Kind
from syncd.errors import SyncdError
from syncd.store.database import Store

log = structlog.get_logger(__name__)


class Work(Protocol):
    """Has something done that is no job."""

    async def __call__(self, plan: Plan, deed: Deed, **more: Any) -> Done:
        """Return what came of it."""
        ...


class Mending:
    """Remembers which restores were cut off until their sources have been told."""

    def __init__(self, store: Store, keep: Callable[[str, str], Path]) -> None:
        self._store = store
        self._keep = keep
        self._cut: list[Job] = []

    def note(self, job: Job) -> None:
        """Remember a job that was cut off, if it may have left anything half done."""
        if job.kind is Kind.RESTORE:
            self._cut.append(job)

    async def settle(self, plan: Plan, work: Work) -> None:
        """Have what was cut off be taken back; what came of it is told with the job.

        What cannot be reached now is settled by the next job of the source.
        """
        mine = [job for job in self._cut if job.store == plan.name]
        self._cut = [job for job in self._cut if job.store != plan.name]
        for job in mine:
            if job.source in plan.sources:
                await self._settle(plan, job, work)

    async def _settle(self, plan: Plan, job: Job, work: Work) -> None:
        try:
            entries = await self._store.read(records.storages, plan.entries)
            done = await work(
                plan,
                Deed.MEND,
                id=f"mend-{job.id}",
                source=plan.sources[job.source],
                source_name=job.source,
                entries=entries,
                keep=str(self._keep(plan.name, job.source)),
            )
        except SyncdError as error:
            done = Done(error=str(error))
        words = done.error or str(done.result.get("said", ""))
        if not words:
            return
        said = f"not taken back yet: {words}" if done.error else words
        log.warning("restore was cut off", action="mend", job=job.id, reason=said)
        await self._store.run(records.say_more, job.id, said)
