"""How work in a thread learns that nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from syncd import clock

T = TypeVar("T")
_TELL_EVERY = 0.1


class Stopped(Exception):
    """The work was called off; it has put everything back."""


class Work:
    """The tie between a thread at work and the loop that waits for it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._loop = loop
        self._progress = progress
        self._stopped = threading.Event()
        self._awaited: Future[Any] | None = None
        self._told = clock.monotonic()

    def stop(self) -> None:
        """Call the work off; for the loop."""
        self._stopped.set()
        if self._awaited is not None:
            self._awaited.cancel()

    def go_on(self) -> None:
        """Raise Stopped once the work was called off; for the thread."""
        if self._stopped.is_set():
            raise Stopped

    def tell(self, order: int, done: int) -> None:
        """Say how far an order is, not too often; raise Stopped like go_on."""
        self.go_on()
        now = clock.monotonic()
        if now - self._told >= _TELL_EVERY:
            self._told = now
            self._loop.call_soon_threadsafe(self._progress, order, done)

    def on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Let the loop run the coroutine, and return what it returns."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._awaited = future
        try:
            # Stopped before it was told whom to cancel?
            if self._stopped.is_set():
                future.cancel()
            return future.result()
        except CancelledError:
            raise Stopped from None
        finally:
            self._awaited = None
