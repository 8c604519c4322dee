"""The orders under way to one entry: a window over the work that the index shows."""

import heapq
from collections.abc import Iterable, Sequence
from itertools import count

from syncd.core import work
from syncd.core.change import Order, Outcome
from syncd.core.file import File, Mask, Slot
from syncd.core.outcome import Issued, issued
from syncd.core.world import World

WINDOW = 4000
"""Orders under way at most; more work waits in the index, where it is safe."""


class Lane:
    """What one entry was ordered to do and has not yet answered.

    Work itself is not kept here: what does not fit the window, or cannot be done
    now, is found again in the index (``cursor``), or when its time comes.
    """

    def __init__(self, slot: Slot, name: str, numbers: "count[int]") -> None:
        self.slot = slot
        self.name = name
        self.ready = False
        """Whether the entry has walked its storage, so that it may be given orders."""
        self.cursor: tuple[bool, int] | None = None
        """Where to go on looking for work in the index; None: it has been seen."""
        self._missed: int | None = None
        self.refused = False
        """Whether the line took no more; nothing is looked for until that is reset."""
        self.copied: dict[int, int] = {}
        """Bytes so far of long transfers, by order id."""
        self._numbers = numbers
        self._under_way: dict[int, Issued] = {}
        self._files: set[int] = set()
        self._later: list[tuple[float, int]] = []
        self._retry_at: dict[int, float] = {}
        """When a file in ``_later`` is tried again; other times there are void."""

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def under_way(self) -> list[Issued]:
        """Return the orders not yet answered."""
        return list(self._under_way.values())

    def transfers(self) -> list[tuple[Order, int]]:
        """Return the long transfers under way, and how many bytes each has so far."""
        return [
            (self._under_way[number].order, copied)
            for number, copied in self.copied.items()
            if number in self._under_way
        ]

    def reset(self) -> None:
        """Forget what was under way: the child that was to do it is gone."""
        self.ready = False
        self.refused = False
        self._under_way.clear()
        self._files.clear()
        self.copied.clear()
        self._later.clear()
        self._retry_at.clear()

    def look_again(self, row: int = 0) -> None:
        """Look through all work that the index shows, from that row on."""
        self.cursor = (False, max(0, row - 1))
        self._missed = None

    @property
    def wants_more(self) -> bool:
        """Tell whether a page of work from the index is wanted now."""
        if self.refused or not self.ready or len(self) >= WINDOW // 2:
            return False
        if self.cursor is None and self._missed is not None:
            self.look_again(self._missed)
        return self.cursor is not None

    def turn(self, page: Sequence[File], limit: int) -> None:
        """Go on after a page of at most ``limit`` files that was asked for."""
        assert self.cursor is not None
        deleted, _ = self.cursor
        if len(page) == limit:
            self.cursor = (deleted, page[-1].id)
        else:
            self.cursor = None if deleted else (True, 0)

    def orders(self, files: Iterable[File], world: World, up: Mask) -> list[Order]:
        """Return the orders that these files need now and that fit the window."""
        result = []
        for file in files:
            if len(self._under_way) >= WINDOW:
                self._miss(file.id)
            elif (order := self._order(file, world, up)) is not None:
                result.append(order)
        return result

    def answers(self, results: Iterable[Outcome]) -> list[tuple[Issued, Outcome]]:
        """Return what the results answer; those of forgotten orders are left out."""
        known = ((self._under_way.get(result.id), result) for result in results)
        return [(order, result) for order, result in known if order is not None]

    def close(self, results: Iterable[tuple[Issued, Outcome]]) -> None:
        """Let go of orders whose results are safe in the index."""
        for order, result in results:
            self.copied.pop(result.id, None)
            if self._under_way.pop(result.id, None) is not None:
                self._files.discard(order.file)

    def withdraw(self, orders: Iterable[Order]) -> None:
        """Let go of orders that the line did not take; they are found again."""
        for order in orders:
            issued = self._under_way.pop(order.id, None)
            if issued is not None:
                self._files.discard(issued.file)
                self._miss(issued.file)
        self.refused = True

    def due(self, now: float) -> list[int]:
        """Return, and forget, the rows whose next attempt is due."""
        rows = []
        while self._later and self._later[0][0] <= now:
            at, row = heapq.heappop(self._later)
            if self._retry_at.get(row) == at:
                del self._retry_at[row]
                rows.append(row)
        return rows

    def _order(self, file: File, world: World, up: Mask) -> Order | None:
        if file.id in self._files:
            return None  # Its answer will bring the file here again.
        trouble = file.copy(self.slot).trouble
        if trouble is not None and trouble.waits(world.now):
            self._postpone(file.id, trouble.retry_at)
            return None
        order = work.order(file, self.slot, next(self._numbers), world, up)
        if order is not None:
            self._under_way[order.id] = issued(order, file)
            self._files.add(file.id)
        return order

    def _miss(self, row: int) -> None:
        """Remember to look for work from that row on, once there is room."""
        if self._missed is None or row < self._missed:
            self._missed = row

    def _postpone(self, row: int, until: float) -> None:
        if self._retry_at.get(row) != until:
            self._retry_at[row] = until
            heapq.heappush(self._later, (until, row))
