"""How far a source of entries is, counted by any of its threads."""

from collections.abc import Callable
from threading import Lock

from syncd import clock
from syncd.core.job import Progress

EVERY = 0.1
"""Seconds between two times that it is told, at least."""


class Tally:
    """Counts what is done, and tells of it now and then, and at its end."""

    def __init__(self, tell: Callable[[Progress], None], phase: str) -> None:
        self._tell = tell
        self._lock = Lock()
        self._phase = phase
        self._bytes = self._items = 0
        self._total_bytes = self._total_items = 0
        self._told = 0.0

    def expect(self, bytes: int, items: int) -> None:
        """Count what is still to be done."""
        with self._lock:
            self._total_bytes += bytes
            self._total_items += items
        self.tell()

    def done(self, bytes: int, items: int = 0) -> None:
        """Count what was done."""
        with self._lock:
            self._bytes += bytes
            self._items += items
        if clock.monotonic() - self._told >= EVERY:
            self.tell()

    def enter(self, phase: str) -> None:
        """Say what is done from now on."""
        self._phase = phase
        self.tell()

    def tell(self) -> None:
        """Tell how far it is now."""
        self._told = clock.monotonic()
        self._tell(
            Progress(
                bytes=self._bytes,
                items=self._items,
                total_bytes=self._total_bytes,
                total_items=self._total_items,
                phase=self._phase,
            )
        )
