"""The jobs that have not ended, and who waits for news of them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog

from syncd.core.job import Job, Kind

Tell = Callable[[str, dict[str, Any]], None]
"""Takes the name of an event and what is said of it."""

SAID = ("id", "kind", "state", "source", "store", "vault", "error", "reason")
"""What an event says of a job, beside how far it is."""

log = structlog.get_logger(__name__)


class Board:
    """What everybody may know of the jobs that have not ended."""

    def __init__(self, tell: Tell, wake: asyncio.Event) -> None:
        """Tell of what changes, and set ``wake`` each time."""
        self._tell = tell
        self._wake = wake
        self._jobs: dict[str, Job] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def open(self, jobs: Iterable[Job]) -> None:
        """Take in what was queued before, of which nobody needs to be told."""
        self._jobs = {job.id: job for job in jobs}

    def close(self) -> None:
        """Let everybody go who waits."""
        for event in self._changed.values():
            event.set()

    @property
    def jobs(self) -> list[Job]:
        """Return the jobs, in order of their coming."""
        return list(self._jobs.values())

    def get(self, id: str) -> Job | None:
        """Return a job as it is now; None: it has ended, or never was."""
        return self._jobs.get(id)

    def __getitem__(self, id: str) -> Job:
        """Return a job that has not ended."""
        return self._jobs[id]

    def put(self, job: Job, event: str = "job") -> None:
        """Take in how a job is now, and tell who waits for that."""
        if job.state.final:
            self._jobs.pop(job.id, None)
        else:
            self._jobs[job.id] = job
        self._say(job, event)
        if (changed := self._changed.pop(job.id, None)) is not None:
            changed.set()
        self._wake.set()

    async def change(self, id: str) -> None:
        """Return when there is news of a job; at once if it has ended."""
        if id in self._jobs:
            await self._changed.setdefault(id, asyncio.Event()).wait()

    def used(self, store: str) -> dict[str, Job]:
        """Return the jobs that make or read a vault, or are about to, by the vault."""
        return {
            job.vault: job
            for job in self._jobs.values()
            if job.store == store and job.vault and job.kind is not Kind.EVICT
        }

    def _say(self, job: Job, event: str) -> None:
        if event == "job":
            log.info(
                "job",
                action="job",
                job=job.id,
                kind=str(job.kind),
                state=str(job.state),
                vault=job.vault,
                reason=job.error or None,
            )
        said = msgspec.to_builtins(job)
        self._tell(event, {key: said[key] for key in (*SAID, "progress")})
