"""Where in the index a place of the listing is, without counting up to it."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from syncd.core.file import Kind
from syncd.replication.batch import Touched
from syncd.store.files import BLOCK, KINDS, Facts


class Ranks:
    """How many listed files every BLOCK rows hold: fed with every change."""

    def __init__(self) -> None:
        self._blocks: list[int] = []

    def fill(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Start from the index: the number of a block, and how many it holds."""
        for block, number in blocks:
            self._add(block, number)

    def change(self, touched: Iterable[Touched]) -> None:
        """Count files as they are now instead of as they were."""
        for one in touched:
            was, now = one.was, one.now
            if was is None or was.deleted != now.deleted or was.kind != now.kind:
                number = _is_listed(now) - (was is not None and _is_listed(was))
                self._add(one.after.id // BLOCK, number)

    def seek(self, offset: int) -> tuple[int, int]:
        """Return the row from which on to list, and how many files to pass over."""
        upto = list(accumulate(self._blocks))
        block = bisect_right(upto, offset)
        before = upto[block - 1] if block else 0
        return block * BLOCK, offset - before

    def _add(self, block: int, number: int) -> None:
        while block >= len(self._blocks):
            self._blocks.append(0)
        self._blocks[block] += number


def _is_listed(facts: Facts) -> bool:
    return not facts.deleted and facts.kind < KINDS[Kind.DIRECTORY]
