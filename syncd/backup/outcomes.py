"""What becomes of a job, by what its worker said or why there was none."""

from collections.abc import Callable

from syncd.core import job as life
from syncd.core.errand import Done
from syncd.core.job import Event, Job, Retries, State

BUG = "bug"

LEFT = frozenset({"died", "timeout", BUG})
"""Why a worker ended that may have left half a vault."""

TAKEN = "conflict"
"""Why no vault could be begun: somebody else has used its name in the store."""


def bug(error: Exception) -> Done:
    """Return what to say of an error that nobody expected."""
    return Done(error=f"this is a bug: {error!r}", reason=BUG)


def is_unsure(job: Job, done: Done) -> bool:
    """Tell whether the store may hold something else now than the catalogue says."""
    return done.reason in LEFT or (job.kind.makes and done.reason == TAKEN)


def outcome(done: Done, at: float, retries: Retries) -> Callable[[Job], Job]:
    """Return what says how a job, as it is kept, ends or goes on."""

    def of(job: Job) -> Job:
        if not done.error:
            return life.ended(job, Event.SUCCEED, at, result=done.result)
        again = life.again(job, at, retries, done.error) if done.retry else None
        canceled = job.state is State.CANCELING
        return again or life.ended(
            job,
            Event.FAIL,
            at,
            error=job.error if canceled else done.error,
            reason="canceled" if canceled else done.reason,
            result=done.result,
        )

    return of
