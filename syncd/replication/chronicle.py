"""What entries said and were told lately: enough to tell one file's last change.

Nothing is made for a file while it goes by: the batches are kept as they came, and
looked through when somebody asks. What was forgotten is told by the index alone.
"""

from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from syncd.core.change import Change, Found, Order, Outcome, SetAside
from syncd.core.file import Slot
from syncd.core.outcome import Issued
from syncd.replication.batch import News, Reported

MOST = 5000
"""Changes, orders and answers that are remembered."""


class Kind(StrEnum):
    """What a step in the life of a file was."""

    NOTICED = "noticed"
    ORDERED = "ordered"
    ANSWERED = "answered"


class Step(Struct, frozen=True):
    """One step, on one entry."""

    at: float
    """Seconds since 1970."""
    kind: Kind
    slot: Slot
    about: Change | Order
    """What was noticed, or the order that was given or answered."""
    result: Outcome | None = None


_Item = Change | Order | tuple[Issued, Outcome]


class _Batch(Struct, frozen=True):
    at: float
    kind: Kind
    slot: Slot
    items: Sequence[_Item]


class Chronicle:
    """Remembers the last batches, in the order in which they went by."""

    def __init__(self) -> None:
        self._batches: deque[_Batch] = deque()
        self._size = 0

    def __len__(self) -> int:
        """Return how many changes, orders and answers are remembered."""
        return self._size

    def heard(self, news: Sequence[News], now: float) -> None:
        """Remember what entries said."""
        for one in news:
            if isinstance(one, Reported):
                self._add(_Batch(one.at or now, Kind.NOTICED, one.slot, one.changes))
            else:
                self._add(_Batch(now, Kind.ANSWERED, one.slot, one.results))

    def ordered(self, slot: Slot, orders: Sequence[Order], now: float) -> None:
        """Remember what an entry was told to do."""
        self._add(_Batch(now, Kind.ORDERED, slot, orders))

    def steps(self, path: str, cause: str) -> list[Step]:
        """Return what is remembered of a change of the path, in order."""
        found = (
            step
            for batch in self._batches
            for item in batch.items
            if _is_about(step := _step(batch, item), path) and step.about.cause == cause
        )
        return sorted(found, key=lambda step: step.at)

    def _add(self, batch: _Batch) -> None:
        self._batches.append(batch)
        self._size += len(batch.items)
        while self._size > MOST and len(self._batches) > 1:
            self._size -= len(self._batches.popleft().items)


def _step(batch: _Batch, item: _Item) -> Step:
    if isinstance(item, tuple):
        issued, result = item
        return Step(batch.at, batch.kind, batch.slot, issued.order, result)
    return Step(batch.at, batch.kind, batch.slot, item)


def _is_about(step: Step, path: str) -> bool:
    about = step.about
    if isinstance(about, Found):
        return about.seen.path == path
    return about.path == path or (isinstance(about, SetAside) and about.to == path)
