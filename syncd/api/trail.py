"""Writes down who did what: many lines in one transaction, soon after."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Self

import structlog
from msgspec import structs
from sqlalchemy import Connection

from syncd import clock
from syncd.errors import SyncdError
from syncd.store import audit, tokens
from syncd.store.audit import Line
from syncd.store.database import Store

SOON = 0.3
"""Seconds in which lines gather before they are written."""

LATER = 5.0
"""Seconds until what could not be written is tried again."""

MOST = 10_000
"""Lines that wait, at most: while nothing can be written, the oldest are lost."""

WINDOW, TOLD = 600.0, 50
"""So many failed logins of an address are told one by one in so many seconds."""

MOST_ADDRESSES = 1000
DAY = 86_400.0

log = structlog.get_logger(__name__)


class Trail:
    """Lines on their way to the log; without a store they go nowhere."""

    def __init__(self, store: Store | None, days: float) -> None:
        self._store = store
        self._days = days
        self._lines: deque[Line] = deque(maxlen=MOST)
        self._used: dict[int, float] = {}
        self._marked: dict[int, float] = {}
        """When it was last noted that a token was used."""
        self._failed: dict[str, tuple[float, int, Line]] = {}
        """By address: since when it fails to log in, how often, and the last line."""
        self._pruned = 0.0
        self._more = asyncio.Event()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to write."""
        if self._store is not None:
            self._task = asyncio.create_task(self._write_often(), name="audit")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what is left."""
        if self._task is not None:
            self._ending.set()
            self._more.set()
            await self._task
            self._settle(float("inf"))
            await self._try_to_write()

    def add(self, line: Line) -> None:
        """Have a line written."""
        if self._store is not None:
            self._lines.append(line)
            self._more.set()

    def add_failure(self, line: Line) -> None:
        """Have a failed login written; too many of one address become one line."""
        self._settle(line.at)
        since, times, _ = self._failed.pop(line.address, (line.at, 0, line))
        if len(self._failed) >= MOST_ADDRESSES:
            self._conclude(next(iter(self._failed)))
        self._failed[line.address] = (since, times + 1, line)
        if times < TOLD:
            self.add(line)

    def used(self, token: int, now: float) -> None:
        """Have it noted that a token was used, unless that was done just now."""
        if now - self._marked.get(token, 0.0) >= tokens.RARELY:
            self._marked[token] = self._used[token] = now
            self._more.set()

    async def page(self, *, offset: int, limit: int) -> tuple[int, list[Line]]:
        """Return how many lines there are, and some of them, the newest first."""
        if self._store is None:
            return 0, []
        self._settle(clock.timestamp())
        await self._write()
        return await self._store.read(
            lambda db: audit.page(db, offset=offset, limit=limit)
        )

    def _settle(self, now: float) -> None:
        """Tell of failures that were not told one by one, once their time is over."""
        over = [k for k, (since, *_) in self._failed.items() if now - since >= WINDOW]
        for address in over:
            self._conclude(address)

    def _conclude(self, address: str) -> None:
        _, times, last = self._failed.pop(address)
        if times > TOLD:
            words = f"and {times - TOLD} more failed logins from there"
            self.add(structs.replace(last, who="", reason=words))

    async def _write_often(self) -> None:
        while not self._ending.is_set():
            await self._more.wait()
            await self._pause(SOON)
            if not await self._try_to_write():
                await self._pause(LATER)
                self._more.set()

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until it ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def _try_to_write(self) -> bool:
        try:
            await self._write()
        except SyncdError as error:
            log.warning("audit log not written", action="audit", reason=str(error))
            return False
        return True

    async def _write(self) -> None:
        assert self._store is not None
        self._more.clear()
        lines, used = list(self._lines), dict(self._used)
        if not (lines or used):
            return
        now = clock.timestamp()
        before = now - self._days * DAY if now - self._pruned > DAY else None
        self._lines.clear()
        self._used.clear()
        try:
            await self._store.run(_written, lines, used, before)
        except SyncdError:
            self._lines.extendleft(reversed(lines))
            self._used = {**used, **self._used}
            raise
        self._pruned = self._pruned if before is None else now


def _written(
    db: Connection, lines: list[Line], used: dict[int, float], before: float | None
) -> None:
    audit.add(db, lines)
    tokens.used(db, used)
    if before is not None:
        audit.prune(db, before)
