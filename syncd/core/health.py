"""An entry's life, and when an entry that keeps dying is tried again."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from syncd.errors import Conflict

GOOD_LIFE = 30.0
"""Seconds after which earlier deaths are forgiven."""

LONGEST_PAUSE = 60.0
"""Seconds between two tries, at most."""


class State(StrEnum):
    """Where an entry stands."""

    STOPPED = "stopped"
    """A person stopped it, and its process is gone."""
    STARTING = "starting"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Its process runs, but its storage is missing or not trusted."""
    FAILING = "failing"
    """Its process died and waits to be started again."""
    STOPPING = "stopping"


class Event(StrEnum):
    """What can happen to an entry."""

    START = "start"
    SPAWN = "spawn"
    """Its process is there; it has not said anything yet."""
    ASK = "ask"
    """Its process is up and said so."""
    SUSPEND = "suspend"
    TRUST = "trust"
    DIE = "die"
    """Its process is gone, or could not be started."""
    STOP = "stop"


NEXT: dict[tuple[State, Event], State] = {
    (State.STOPPED, Event.START): State.STARTING,
    (State.FAILING, Event.START): State.STARTING,
    (State.STARTING, Event.SPAWN): State.STARTING,
    (State.STARTING, Event.ASK): State.ACTIVE,
    (State.STARTING, Event.DIE): State.FAILING,
    (State.STARTING, Event.STOP): State.STOPPING,
    (State.ACTIVE, Event.SUSPEND): State.SUSPENDED,
    (State.ACTIVE, Event.DIE): State.FAILING,
    (State.ACTIVE, Event.STOP): State.STOPPING,
    (State.SUSPENDED, Event.SUSPEND): State.SUSPENDED,
    (State.SUSPENDED, Event.TRUST): State.ACTIVE,
    (State.SUSPENDED, Event.DIE): State.FAILING,
    (State.SUSPENDED, Event.STOP): State.STOPPING,
    (State.FAILING, Event.STOP): State.STOPPING,
    (State.STOPPING, Event.SPAWN): State.STOPPING,
    (State.STOPPING, Event.DIE): State.STOPPED,
}

_WITHOUT_PROCESS = frozenset({State.STOPPED, State.FAILING})


class Life(Struct, frozen=True, kw_only=True):
    """How an entry fares; an event gives a new Life."""

    name: str
    state: State = State.STOPPED
    since: float
    """When it came into this state; seconds since 1970."""
    reason: str = ""
    """Why it is suspended or failing."""
    pid: int | None = None
    restarts: int = 0
    """How often it died and was started again since a person last started it."""

    def can(self, event: Event) -> bool:
        """Tell whether the event makes sense in the present state."""
        return (self.state, event) in NEXT

    def after(
        self, event: Event, *, at: float, reason: str = "", pid: int | None = None
    ) -> "Life":
        """Return this life as it stands after the event.

        ``reason`` goes with SUSPEND and DIE, ``pid`` with SPAWN. Raise Conflict
        if the event makes no sense in the present state.
        """
        state = NEXT.get((self.state, event))
        if state is None:
            raise Conflict(f"cannot {event} entry {self.name}: it is {self.state}")
        return msgspec.structs.replace(
            self,
            state=state,
            since=self.since if state is self.state else at,
            reason=reason,
            pid=None if state in _WITHOUT_PROCESS else pid or self.pid,
            restarts=self._restarts(event),
        )

    def _restarts(self, event: Event) -> int:
        if event is not Event.START:
            return self.restarts
        return self.restarts + 1 if self.state is State.FAILING else 0


class Backoff(Struct, frozen=True):
    """How often a process died young, and so how long to wait before the next try."""

    deaths: int = 0

    def died(self, *, born: float, at: float) -> "Backoff":
        """Return the back-off after a life from born to at, both in seconds."""
        return Backoff(1 if at - born >= GOOD_LIFE else self.deaths + 1)

    @property
    def pause(self) -> float:
        """Return the seconds to wait: none after the first death, then 1, 2, 4, ..."""
        if self.deaths < 2:
            return 0.0
        # The bound on the exponent keeps the power small after many deaths.
        return min(LONGEST_PAUSE, 2.0 ** min(self.deaths - 2, 10))
