"""How much there is of everything, kept up to date without counting again."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from syncd.core.file import Kind, Slot, slots
from syncd.store.files import KINDS, Facts


@dataclass(slots=True)
class Count:
    """What one entry has and lacks: numbers of files and links, and their bytes."""

    files: int = 0
    bytes: int = 0
    owned: int = 0
    pending: int = 0
    """Includes folders, deletions, and changes of mode or time."""
    blocked: int = 0
    conflicts: int = 0
    """Files kept from conflicts that nobody has dealt with."""


class Tally:
    """Counts by entry, and of all: fed with every change, asked at any time."""

    def __init__(self) -> None:
        self._counts: defaultdict[Slot, Count] = defaultdict(Count)
        self.files = 0
        self.conflicts = 0

    def of(self, slot: Slot) -> Count:
        """Return the counts of an entry."""
        return self._counts[slot]

    def fill(self, groups: Iterable[tuple[Facts, int, int]]) -> None:
        """Start from the index: facts, how many files share them, their bytes."""
        for facts, number, size in groups:
            self._add(facts, number, size)

    def change(self, was: Facts | None, now: Facts) -> None:
        """Count a file as it is now instead of as it was."""
        if was is not None:
            self._add(was, -1, -was.size)
        self._add(now, 1, now.size)

    def _add(self, facts: Facts, number: int, size: int) -> None:
        for slot in slots(facts.behind):
            self.of(slot).pending += number
        for slot in slots(facts.blocked):
            self.of(slot).blocked += number
        if facts.deleted or facts.kind >= KINDS[Kind.DIRECTORY]:
            return
        self.files += number
        self.conflicts += number * facts.conflict
        for slot in slots(facts.owners):
            self.of(slot).owned += number
            self.of(slot).conflicts += number * facts.conflict
        for slot in slots(facts.uptodate):
            self.of(slot).files += number
            self.of(slot).bytes += size
