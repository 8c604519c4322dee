"""Keeps one entry's process running for as long as somebody wants it."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from syncd import clock, wire
from syncd.core.health import Backoff, Event, Life
from syncd.errors import Unavailable
from syncd.supervisor.processes import GRACE, Child, Processes, complain
from syncd.supervisor.stats import Stats

LAST_WORDS = 0.01
"""Seconds without a frame after which a dead child has said all it had to say."""
LONGEST_GOODBYE = 1.0
KILL_WAIT = 2.0
"""Seconds a killed process gets to vanish before we say that it does not."""

log = structlog.get_logger()


class Keeper:
    """One entry: its life, and the process that lives it.

    A task of its own starts the process, waits for its end and starts it again
    after the pause that its Backoff asks for. ``changed`` is told each new
    state, ``lost`` each end of a process, after its last frame was heard.
    """

    def __init__(
        self,
        name: str,
        processes: Processes,
        arguments: Sequence[str],
        *,
        changed: Callable[[Life], None],
        lost: Callable[[str], None],
        grace: float = GRACE,
    ) -> None:
        self.life = Life(name=name, since=clock.timestamp())
        self.turn = asyncio.Lock()
        """Held by whoever starts or stops the entry."""
        self.asked = asyncio.Event()
        """Whether the process has said that it is up."""
        self.child: Child | None = None
        self.heard = 0
        """How many frames came from the entry."""
        self.stats: Stats | None = None
        self.figures: wire.Figures | None = None
        self._processes = processes
        self._arguments = arguments
        self._changed = changed
        self._lost = lost
        self._patience = grace + KILL_WAIT
        self._unwanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Have the process started, and kept running."""
        self._unwanted.clear()
        self.step(Event.START)
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.life.name}")
        self._task.add_done_callback(complain)

    async def stop(self) -> None:
        """Return when the process is gone; doing it twice at a time is no error.

        Raise Unavailable if not even a kill ends it.
        """
        if self._task is None:
            return
        self.step(Event.STOP)
        self._unwanted.set()
        done, _ = await asyncio.wait([self._task], timeout=self._patience)
        if not done:
            raise Unavailable(
                f"entry {self.life.name} does not end: the system holds its process"
            )
        await self._task

    async def leave(self) -> None:
        """Stop, and if the process will not end leave it alone; for the very end."""
        with suppress(Unavailable):
            await self.stop()
        if self._task is not None and not self._task.done():
            log.error("entry left alone", entry=self.life.name, pid=self.life.pid)
            self._task.cancel()
            await asyncio.wait([self._task])

    def step(self, event: Event, reason: str = "", pid: int | None = None) -> None:
        """Take the event into account if it makes sense in the present state."""
        if not self.life.can(event):
            return
        before = self.life
        self.life = before.after(event, at=clock.timestamp(), reason=reason, pid=pid)
        if event is Event.ASK:
            self.asked.set()
        if (before.state, before.reason) != (self.life.state, self.life.reason):
            self._changed(self.life)

    async def _keep(self) -> None:
        backoff = Backoff()
        while not self._unwanted.is_set():
            born = clock.monotonic()
            reason = await self._live()
            if self._unwanted.is_set():
                break
            backoff = backoff.died(born=born, at=clock.monotonic())
            log.warning(
                "entry died", entry=self.life.name, reason=reason, pause=backoff.pause
            )
            self.step(Event.DIE, reason)
            await _set_within(self._unwanted, backoff.pause)
            self.step(Event.START)
        self.step(Event.DIE)

    async def _live(self) -> str:
        """Let one process live, and return why it ended."""
        try:
            await self._processes.start(self.life.name, self._arguments, self._born)
        except Unavailable as error:
            return str(error)
        if (child := self.child) is None:
            return "its process could not be watched"
        unwanted = asyncio.create_task(self._unwanted.wait())
        either: list[asyncio.Future[Any]] = [child.gone, unwanted]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        unwanted.cancel()
        if not child.gone.done():
            await self._processes.stop(child)
        code = await child.gone
        await self._last_words()
        self._dead()
        return in_words(code)

    async def _last_words(self) -> None:
        until = clock.monotonic() + LONGEST_GOODBYE
        before = -1
        while self.heard != before and clock.monotonic() < until:
            before = self.heard
            await asyncio.sleep(LAST_WORDS)

    def _born(self, child: Child) -> None:
        self.child = child
        self.stats = Stats(child.pid, child.started)
        self.step(Event.SPAWN, pid=child.pid)

    def _dead(self) -> None:
        self.child = self.stats = self.figures = None
        self.asked.clear()
        self._lost(self.life.name)


def in_words(code: int) -> str:
    """Return what an exit code means."""
    if code >= 0:
        return f"its process ended with code {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but not longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
