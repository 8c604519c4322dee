"""One reading of a content for all who want it at the same time."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from syncd import clock
from syncd.core.file import Stamp
from syncd.errors import StorageBusy, StorageError

if TYPE_CHECKING:
    from syncd.drivers.contract import Driver

WINDOW = 16 << 20
"""Bytes behind the head of a reading that are kept for those who follow it.

So many are also kept, altogether, of readings that have ended.
"""

KEPT = 10.0
"""Seconds that a whole reading is kept for who wants the same a little later."""

_COST = 1 << 10
"""Bytes that keeping a reading takes, whatever its content."""

Key = tuple[str, Stamp]


class Readings:
    """Reads a content once for all, as long as they keep about the same pace.

    Whoever is first reads on, the others take what lies in the window. Who falls
    behind it begins a reading of its own: nobody waits for the slowest. For the loop.
    """

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self._live: dict[Key, list[_Reading]] = {}
        self._whole: OrderedDict[Key, _Reading] = OrderedDict()
        self._kept = 0

    def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Give the content from start on, like Driver.read."""
        if length is not None:
            return self._driver.read(path, stamp, start, length)
        return self._shared((path, stamp), start)

    def tidy(self) -> None:
        """Forget readings that ended a while ago."""
        before = clock.monotonic() - KEPT
        while self._whole and next(iter(self._whole.values())).used < before:
            self._forget_oldest()

    async def _shared(self, key: Key, position: int) -> AsyncIterator[bytes]:
        behind = True
        while behind:
            reading = self._joined(key, position)
            try:
                async for chunk in reading.follow(position):
                    position += len(chunk)
                    yield chunk
                behind = reading.has_lost(position)
            finally:
                await self._left(key, reading)

    def _joined(self, key: Key, position: int) -> "_Reading":
        """Return a reading that still has, or will have, what comes at the position."""
        known: list[_Reading | None] = [*self._live.get(key, ()), self._whole.get(key)]
        for one in known:
            if one is not None and one.covers(position):
                one.followers += 1
                return one
        reading = _Reading(self._driver.read(*key, position), position)
        self._live.setdefault(key, []).append(reading)
        return reading

    async def _left(self, key: Key, reading: "_Reading") -> None:
        reading.followers -= 1
        live = self._live.get(key, [])
        if reading.followers or reading not in live:
            return
        live.remove(reading)
        if not live:
            del self._live[key]
        if reading.is_whole:
            self._keep(key, reading)
        await reading.close()

    def _keep(self, key: Key, reading: "_Reading") -> None:
        self._kept -= self._cost(self._whole.pop(key, None))
        reading.used = clock.monotonic()
        self._whole[key] = reading
        self._kept += self._cost(reading)
        while self._kept > WINDOW:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, reading = self._whole.popitem(last=False)
        self._kept -= self._cost(reading)

    @staticmethod
    def _cost(reading: "_Reading | None") -> int:
        return reading.end + _COST if reading is not None else 0


class _Reading:
    """One pass over a content, with the last of what it gave."""

    def __init__(self, source: AsyncIterator[bytes], start: int) -> None:
        self._source = source
        self._start = self.end = start
        self._chunks: deque[bytes] = deque()
        self._turn = asyncio.Lock()
        self._over = False
        self._failed: StorageError | None = None
        self.followers = 1
        self.used = 0.0

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the content is still here, and was sound to the end."""
        return self._over and self._failed is None and self._start == 0

    def covers(self, position: int) -> bool:
        """Tell whether who is at the position can follow."""
        return self._failed is None and self._start <= position <= self.end

    def has_lost(self, position: int) -> bool:
        """Tell whether what comes at the position was here and is no more."""
        return position < self._start

    async def follow(self, position: int) -> AsyncIterator[bytes]:
        """Give what comes from the position on, until the end or until that is lost.

        Raise the StorageError that the reading ended in.
        """
        while position < self.end or await self._read_on(position):
            if self.has_lost(position):
                return
            chunk = self._at(position)
            position += len(chunk)
            yield chunk

    async def close(self) -> None:
        """Read no more."""
        self._over = True
        if (close := getattr(self._source, "aclose", None)) is not None:
            await close()

    async def _read_on(self, position: int) -> bool:
        """Make the content longer, unless somebody has; tell whether it is."""
        async with self._turn:
            if position == self.end and not self._over:
                await self._pull()
            if self._failed is not None:
                raise self._failed
            return position < self.end

    async def _pull(self) -> None:
        try:
            chunk = await anext(self._source, None)
        except StorageError as error:
            self._over, self._failed = True, error
        except BaseException:
            self._over, self._failed = True, StorageBusy("the reading was called off")
            raise
        else:
            self._take(chunk)

    def _take(self, chunk: bytes | None) -> None:
        if chunk is None:
            self._over = True
            return
        self._chunks.append(chunk)
        self.end += len(chunk)
        while self.end - self._start > WINDOW and len(self._chunks) > 1:
            self._start += len(self._chunks.popleft())

    def _at(self, position: int) -> bytes:
        start = self._start
        for chunk in self._chunks:
            if position < start + len(chunk):
                return chunk[position - start :]
            start += len(chunk)
        return b""
