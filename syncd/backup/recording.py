"""Records what came of an attempt, for as long as it takes."""

import asyncio
from collections.abc import Callable

import structlog
from msgspec import Struct

from syncd.backup import outcomes, records
from syncd.core.errand import Done
from syncd.core.job import Job, Retries
from syncd.errors import Unavailable
from syncd.store.database import Store

AGAIN = 5.0
"""Seconds until what could not be recorded is tried again."""

log = structlog.get_logger(__name__)


class End(Struct, frozen=True):
    """What was recorded of an attempt."""

    done: Done
    job: Job | None
    """As it is now; None: nothing could be recorded before the end of the daemon."""
    forgotten: list[str] = []
    """Ids of jobs that are no longer known."""


async def end(
    store: Store,
    job: Job,
    done: Done,
    *,
    retries: Retries,
    at: float,
    closing: Callable[[], bool],
) -> End:
    """Record that an attempt ended at that time; a bug in that ends the job as one."""
    while True:
        try:
            ended, forgotten = await store.run(
                records.end, job, done, outcomes.outcome(done, at, retries)
            )
            return End(done, ended, forgotten)
        except Unavailable as error:
            words = {"job": job.id, "reason": str(error)}
            log.warning("job not recorded", action="job", **words)
            await asyncio.sleep(AGAIN)
        except Exception as error:
            log.exception("bug", action="job", job=job.id)
            if closing():
                return End(done, None)
            if done.reason == outcomes.BUG:
                await asyncio.sleep(AGAIN)
            done = outcomes.bug(error)
