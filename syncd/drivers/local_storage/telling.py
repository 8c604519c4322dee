"""Brings what threads hear to the loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from syncd.drivers.contract import Event, What

Tell = Callable[[Sequence[Event]], None]


class Teller:
    """Brings events to the loop it was made on, as many at a time as there are."""

    def __init__(self, tell: Tell) -> None:
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._events: deque[Event] = deque()
        self._woken = False
        self._shut = False

    def say(self, path: str, what: What) -> None:
        """Tell of an event soon; for any thread."""
        self._events.append(Event(path, what))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._out)

    def shut(self) -> None:
        """Tell nothing more."""
        self._shut = True

    def _out(self) -> None:
        self._woken = False  # first: who says more from now on wakes us again
        events = [self._events.popleft() for _ in range(len(self._events))]
        if events and not self._shut:
            self._tell(events)
