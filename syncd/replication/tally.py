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

    def change(self, some: Iterable[tuple[Facts | None, Facts]]) -> None:
        """Count files as they are now instead of as they were, if they were."""
        # Most files of a batch are alike: what is common is worked out once.
        groups: dict[tuple[int, ...], list[int]] = {}
        samples: dict[tuple[int, ...], Facts] = {}
        for was, now in some:
            for facts, number in ((was, -1), (now, 1)):
                if facts is None:
                    continue
                like = _but_size(facts)
                group = groups.get(like)
                if group is None:
                    group = groups[like] = [0, 0]
                    samples[like] = facts
                group[0] += number
                group[1] += number * facts.size
        for like, (number, size) in groups.items():
            self._add(samples[like], number, size)

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


def _but_size(facts: Facts) -> tuple[int, ...]:
    return (
        facts.kind,
        facts.owners,
        facts.uptodate,
        facts.behind,
        facts.blocked,
        facts.deleted,
        facts.conflict,
    )
