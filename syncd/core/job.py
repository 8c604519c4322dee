"""One piece of work that somebody asked for, and its life from asking to its end."""

from enum import StrEnum
from typing import Any

from msgspec import Struct

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
