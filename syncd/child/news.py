"""Changes and answers on their way to the index: numbered, until they are noted."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from syncd import clock
from syncd.child.picture import Picture
from syncd.core.change import Change, Found, Outcome
from syncd.wire import Changes, Outcomes

BATCH = 500
"""Changes that fill a batch."""

UNDERWAY = 16
"""Batches that may be unacknowledged before a walk has to wait."""


def new_cause() -> str:
    """Return a short id for what is found at once, to follow it through the logs."""
    return os.urandom(4).hex()


Send = Callable[[Changes | Outcomes], None]


class News:
    """Says changes and answers in one order, and counts what is not noted yet.

    Nothing is said twice: what was said to a parent that is gone, or forgets what
    it has not noted, is found again by the next walk.
    """

    def __init__(
        self, picture: Picture, send: Callable[[Changes | Outcomes], None]
    ) -> None:
        self._picture = picture
        self._send = send
        self._number = 0
        self._filling: list[Change] = []
        self._sent: set[int] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._more = self._ordered = False
        self.ahead: Callable[[Sequence[Change]], int] = lambda _: 0
        """Says how many more paths, beside those of the changes, seem to be gone."""

    def start(self, noted: int) -> None:
        """Number batches from there on; forget every other."""
        self._number = noted
        self._filling = []
        self._sent.clear()
        self._room.set()

    async def room(self) -> None:
        """Wait until the parent has caught up a little."""
        await self._room.wait()

    def add(self, *together: Change) -> None:
        """Put the changes, all in one batch, with what ``flush`` will send."""
        number = self._number + 1
        for change in together:
            if isinstance(change, Found):
                self._picture.say(number, change.seen.path, change.seen)
            else:
                self._picture.say(number, change.path, None)
        self._filling.extend(together)
        if len(self._filling) >= BATCH:
            self.flush()

    @contextmanager
    def marked(self, *, more: bool, ordered: bool) -> Iterator[None]:
        """Send what is added meanwhile in batches that say so; see wire.Changes."""
        self._more, self._ordered = more, ordered
        try:
            yield
            self.flush()
        finally:
            self._more = self._ordered = False

    def flush(self) -> None:
        """Send what was added."""
        if not self._filling:
            return
        self._number += 1
        batch = Changes(
            number=self._number,
            changes=self._filling,
            at=clock.timestamp(),
            ahead=self.ahead(self._filling),
            more=self._more,
            ordered=self._ordered,
        )
        self._filling = []
        self._sent.add(batch.number)
        self._send(batch)
        if len(self._sent) >= UNDERWAY:
            self._room.clear()

    def noted(self, number: int) -> None:
        """Forget every batch up to that number: it is safe in the index."""
        self._sent = {sent for sent in self._sent if sent > number}
        if len(self._sent) < UNDERWAY:
            self._room.set()
        self._picture.noted(min(number, self._number))

    def answer(self, outcomes: Sequence[Outcome], paths: Iterable[str]) -> None:
        """Send what came of orders, after all that was said before.

        The paths are those where something was done.
        """
        self.flush()
        done = list(paths)
        if done:
            self._number += 1
            self._picture.answered(self._number, done)
        self._send(Outcomes(list(outcomes), self._number if done else 0))
