"""What happened, for whoever listens: the latest news, numbered, kept for a while."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import islice
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from syncd.errors import Unavailable

KEPT = 10_000
"""News that someone who was away can still catch up on."""

MOST_AT_ONCE = 500
"""News in one piece, so that a long absence is not caught up on in one breath."""

MOST_LISTENERS = 100


class Item(Protocol):
    """A piece of news that is written out only when somebody reads it."""

    def shown(self) -> dict[str, Any]:
        """Return it as it is told."""
        ...


Listener = Callable[[str, Sequence[Item]], None]


class News:
    """The latest news; each listener has a place in them, so none costs memory."""

    def __init__(self, boot: str | None = None, kept: int = KEPT) -> None:
        self._boot = boot or uuid4().hex[:12]
        self._told: deque[tuple[str, dict[str, Any] | Item]] = deque(maxlen=kept)
        self._last = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._heard: list[Listener] = []
        self._listeners = 0
        self._closed = False

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Add a piece of news; to be called on the loop."""
        self._last += 1
        self._told.append((event, data))
        self._wake()

    def tell_all(self, event: str, items: Sequence[Item]) -> None:
        """Add news of one kind, in this order; to be called on the loop."""
        self._last += len(items)
        self._told.extend((event, item) for item in items)
        for hear in self._heard:
            hear(event, items)
        self._wake()

    def hear(self, listener: Listener) -> None:
        """Have a function called, at once, with all that ``tell_all`` is given."""
        self._heard.append(listener)

    @property
    def closed(self) -> bool:
        """Tell whether every stream is to end."""
        return self._closed

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    async def stream(
        self, after: str | None, heartbeat: float
    ) -> AsyncGenerator[bytes, None]:
        """Give news as server-sent events, from the id on, or from now on.

        When not all since the id can be told, a ``reset`` comes first. It ends
        when the news are closed or have run away from a reader that is too slow.
        Raise Unavailable when too many listen.
        """
        if self._listeners >= MOST_LISTENERS:
            raise Unavailable(f"{MOST_LISTENERS} listen to the events already")
        self._listeners += 1
        try:
            place = self._last if after is None else self._place(after)
            yield self._greeting(place)
            place = self._last if place is None else place
            while not self._closed and place >= self._forgotten:
                if place == self._last and not await self._more(heartbeat):
                    yield b": still here\n\n"
                frames = self._since(place)
                place += len(frames)
                if frames:
                    yield b"".join(frames)
        finally:
            self._listeners -= 1

    @property
    def _forgotten(self) -> int:
        return self._last - len(self._told)

    def _since(self, place: int) -> list[bytes]:
        start = place - self._forgotten
        told = islice(self._told, start, start + MOST_AT_ONCE)
        return [
            _frame(self._id(number), event, msgspec.json.encode(_written(data)))
            for number, (event, data) in enumerate(told, place + 1)
        ]

    def _place(self, id_: str) -> int | None:
        """Return the number in an id; None when what followed it is not known."""
        boot, _, number = id_.rpartition("-")
        known = boot == self._boot and number.isascii() and number.isdecimal()
        if not known or len(number) > 20:
            return None
        return int(number) if self._forgotten <= int(number) <= self._last else None

    def _greeting(self, place: int | None) -> bytes:
        retry = b"retry: 2000\n"
        if place is None:
            return retry + _frame(self._id(self._last), "reset", b"{}")
        return retry + f"id: {self._id(place)}\n\n".encode()

    async def _more(self, patience: float) -> bool:
        """Wait for news; tell whether there were any in time."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        try:
            async with asyncio.timeout(patience):
                await woken
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(woken)
        return True

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def _id(self, number: int) -> str:
        return f"{self._boot}-{number}"


def _written(data: dict[str, Any] | Item) -> dict[str, Any]:
    return data if isinstance(data, dict) else data.shown()


def _frame(id_: str, event: str, data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), event.encode(), data)
