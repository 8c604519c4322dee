"""One piece of work that somebody asked for, and its life from asking to its end."""

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from syncd.errors import Conflict


class Kind(StrEnum):
    """What a job does."""

    BACKUP = "backup"
    RESTORE = "restore"
    EVICT = "evict"
    """Delete vaults that a policy, or a person, gives up."""
    VERIFY = "verify"
    """Read a vault again and compare it with its digests."""
    DRILL = "drill"
    """Restore a vault into scratch space and compare what came out."""
    UPLOAD = "upload"
    """Make a vault of an archive that somebody sent."""
    CATALOGUE = "catalogue"
    """Write down what an archive of Borg's holds; as all below, for Borg only."""
    PRUNE = "prune"
    """Delete the archives that no rule keeps."""
    CHECK = "check"
    """Look whether a repository is sound."""
    PREPARE = "prepare"
    """Look whether a client, or a repository, is ready; make it so where that goes."""

    @property
    def makes(self) -> bool:
        """Tell whether it makes the vault that it names."""
        return self in (Kind.BACKUP, Kind.UPLOAD)

    @property
    def only_borg(self) -> bool:
        """Tell whether there is no such job for vaults."""
        return self in (Kind.CATALOGUE, Kind.PRUNE, Kind.CHECK, Kind.PREPARE)


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    """Told to end, and not gone yet."""
    SUCCESSFUL = "successful"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def final(self) -> bool:
        """Tell whether nothing can follow."""
        return self in (State.SUCCESSFUL, State.FAILED, State.CANCELED)


class Event(StrEnum):
    """What can happen to a job."""

    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    """It failed in a way that may pass, and is put back into the queue."""
    CANCEL = "cancel"
    """Somebody wants it to end."""
    STOPPED = "stopped"
    """Its worker is gone after it was told to end."""
    INTERRUPT = "interrupt"
    """The daemon went down under it."""


_TABLE = {
    (State.QUEUED, Event.START): State.RUNNING,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.QUEUED, Event.CANCEL): State.CANCELED,
    (State.RUNNING, Event.SUCCEED): State.SUCCESSFUL,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.RETRY): State.QUEUED,
    (State.RUNNING, Event.CANCEL): State.CANCELING,
    (State.RUNNING, Event.INTERRUPT): State.FAILED,
    # It was done before it heard that it should end: what it made stays.
    (State.CANCELING, Event.SUCCEED): State.SUCCESSFUL,
    (State.CANCELING, Event.FAIL): State.CANCELED,
    (State.CANCELING, Event.STOPPED): State.CANCELED,
    (State.CANCELING, Event.INTERRUPT): State.CANCELED,
}


def after(state: State, event: Event) -> State:
    """Return the state that follows; raise Conflict for what cannot happen."""
    try:
        return _TABLE[state, event]
    except KeyError:
        raise Conflict(f"a job that is {state} cannot {event}") from None


def can(state: State, event: Event) -> bool:
    """Tell whether the event makes sense in this state."""
    return (state, event) in _TABLE


class Progress(Struct, frozen=True):
    """How far a running job is; None where nobody can tell."""

    bytes: int = 0
    items: int = 0
    total_bytes: int | None = None
    total_items: int | None = None
    phase: str = ""
    """What it does just now, for people: ``reading``, ``verifying``."""


class Job(Struct, frozen=True, kw_only=True):
    """One job as the store keeps it."""

    id: str
    kind: Kind
    state: State = State.QUEUED
    asked: dict[str, Any]
    """What was asked for, in the words of its kind (core.backup)."""
    source: str
    """Name of the source that it reads or writes."""
    store: str
    """Name of the vault store that it writes or reads."""
    vault: str | None = None
    """The vault it makes or reads; reserved when the backup is asked for."""
    priority: int = 0
    """Higher starts earlier."""
    who: str
    """Who asked: an account's address, ``schedule NAME``, or ``syncd``."""
    created: float
    """Seconds since 1970, as all times here."""
    started: float | None = None
    ended: float | None = None
    not_before: float = 0.0
    attempts: int = 0
    timeout: float | None = None
    """Seconds that it may run."""
    error: str = ""
    """Why it failed, for people."""
    reason: str = ""
    """The same as one word, for programs: ``interrupted``, ``timeout``, ``full``."""
    progress: Progress = Progress()
    result: dict[str, Any] = {}
    """What came of it: figures, what stayed torn, what would be done (dry run)."""
    key: str | None = None
    """Idempotency key: asking twice with one key is asking once."""
    schedule: str | None = None


LONGEST_PAUSE = 3600.0
"""Seconds between two attempts, at most."""


class Retries(Struct, frozen=True):
    """How often a failed job of a kind is tried again, and after how long."""

    most: int = 0
    pause: float = 60.0
    """Seconds before the second attempt; twice as long before each further one."""


RETRIES = {
    # What a backup or restore may have begun is for a person to judge; it is tried
    # again only where the worker says that nothing had begun.
    Kind.BACKUP: Retries(2),
    Kind.RESTORE: Retries(2, 15.0),
    Kind.EVICT: Retries(3, 30.0),
    Kind.VERIFY: Retries(1, 300.0),
    Kind.DRILL: Retries(1, 300.0),
    Kind.UPLOAD: Retries(),
    Kind.CATALOGUE: Retries(3, 30.0),
    Kind.PRUNE: Retries(3, 60.0),
    Kind.CHECK: Retries(1, 300.0),
    Kind.PREPARE: Retries(1, 30.0),
}
"""The policy for each kind, where the configuration has no other."""


def started(job: Job, at: float) -> Job:
    """Return the job as it begins an attempt; raise Conflict if it cannot."""
    return replace(
        job,
        state=after(job.state, Event.START),
        started=at,
        attempts=job.attempts + 1,
        progress=Progress(),
        error="",
        reason="",
    )


def ended(
    job: Job,
    event: Event,
    at: float,
    *,
    error: str = "",
    reason: str = "",
    result: dict[str, Any] | None = None,
) -> Job:
    """Return the job as the event ends it; raise Conflict if it cannot."""
    return replace(
        job,
        state=after(job.state, event),
        ended=at,
        error=error,
        reason=reason,
        result=job.result if result is None else result,
    )


def canceled(job: Job, at: float, who: str) -> Job:
    """Return the job as somebody wants it to end; raise Conflict if it has."""
    if job.state.final or job.state is State.CANCELING:
        how = "has ended" if job.state.final else "was told to end"
        raise Conflict(f"job {job.id} {how} already: it is {job.state}")
    state = after(job.state, Event.CANCEL)
    return replace(
        job,
        state=state,
        ended=at if state.final else None,
        error=f"canceled by {who}",
        reason="canceled",
    )


def again(job: Job, at: float, retries: Retries, error: str) -> Job | None:
    """Return the failed job as it waits for its next attempt; None: there is none."""
    if not can(job.state, Event.RETRY) or job.attempts > retries.most:
        return None
    pause = min(LONGEST_PAUSE, retries.pause * 2.0 ** min(job.attempts - 1, 16))
    return replace(
        job,
        state=after(job.state, Event.RETRY),
        not_before=at + pause,
        error=error,
        reason="retry",
    )
