"""What other rules would do: which copies would be made, which let go; a count only."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from syncd.core.file import File, Kind, slots
from syncd.core.path import readable
from syncd.core.world import World

MOST_EXAMPLES = 5


class Some(Struct, frozen=True):
    """Some files: how many, how large together, and the first few paths."""

    files: int = 0
    bytes: int = 0
    examples: tuple[str, ...] = ()


class Share(Struct, frozen=True):
    """What would change on one entry."""

    copy: Some = Some()
    """What it does not hold and would get."""
    stop: Some = Some()
    """What it owns and would no more: copies stay, and are not kept up to date."""
    undecided: int = 0
    """How many files it gets or not by their MIME type, which is not known yet."""


class Total(Struct, frozen=True):
    """What would change altogether; a copy to two entries counts twice."""

    files: int = 0
    """How many were judged."""
    copy: Some = Some()
    stop: Some = Some()
    undecided: int = 0
    """How many files are undecided for any entry."""


class Plan(Struct, frozen=True):
    """What a rule set would do to the files as they are. As JSON:

    .. code-block:: json

       {"entries": {"A": {"copy": {"files": 0, "bytes": 0, "examples": []},
                          "stop": {"files": 1, "bytes": 12, "examples": ["a.txt"]},
                          "undecided": 0}},
        "total": {"files": 1, "copy": {...}, "stop": {...}, "undecided": 0}}

    Entries stand in the order of the configuration; all of them are there.
    Folders and deleted files are not counted.
    """

    entries: dict[str, Share]
    total: Total

    def document(self) -> dict[str, object]:
        """Return the plan as plain values, ready for JSON."""
        document: dict[str, object] = msgspec.to_builtins(self)
        return document


class Planner:
    """Judges files by other rules, batch by batch, and counts what would change."""

    def __init__(self, world: World) -> None:
        """Begin; the world has the other rules, and the entries as they are."""
        self._world = world
        self._copy = {slot: _Sum() for slot in world.members}
        self._stop = {slot: _Sum() for slot in world.members}
        self._unsure = dict.fromkeys(world.members, 0)
        self._total = _Sum(), _Sum()
        self._files = self._undecided = 0

    def add(self, files: Iterable[File]) -> None:
        """Count some more files."""
        for file in files:
            if not file.deleted and file.kind is not Kind.DIRECTORY:
                self._count(file)

    def result(self) -> Plan:
        """Return the plan for all files added so far."""
        entries = {}
        for slot, member in self._world.members.items():
            copy, stop = self._copy[slot].some(), self._stop[slot].some()
            entries[member.name] = Share(copy, stop, self._unsure[slot])
        copy, stop = (one.some() for one in self._total)
        return Plan(entries, Total(self._files, copy, stop, self._undecided))

    def _count(self, file: File) -> None:
        known = self._world.slots
        verdict = self._world.judge(file, file.origin & known)
        unsure = verdict.undecided & known
        changing = (verdict.owners ^ file.owners) & known & ~unsure
        self._files += 1
        self._undecided += bool(unsure)
        for slot in slots(unsure):
            self._unsure[slot] += 1
        for slot in slots(changing & file.owners):
            self._stop[slot].add(file)
            self._total[1].add(file)
        for slot in slots(changing & verdict.owners & ~file.holders):
            self._copy[slot].add(file)
            self._total[0].add(file)


def plan(files: Iterable[File], world: World) -> Plan:
    """Return what the world's rules would do to the files."""
    planner = Planner(world)
    planner.add(files)
    return planner.result()


class _Sum:
    """Counts files, and keeps the first few paths."""

    def __init__(self) -> None:
        self._files = self._bytes = 0
        self._examples: list[str] = []

    def add(self, file: File) -> None:
        self._files += 1
        self._bytes += file.size
        if len(self._examples) < MOST_EXAMPLES and file.path not in self._examples:
            self._examples.append(file.path)

    def some(self) -> Some:
        examples = tuple(readable(path) for path in self._examples)
        return Some(self._files, self._bytes, examples)
