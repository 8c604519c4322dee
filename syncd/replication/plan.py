"""What other rules would do: which copies would be made, which let go; a count only."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from syncd.core.file import File, Kind, Mask, Slot, mask, slots
from syncd.core.path import readable
from syncd.core.rules import Rules, Subject

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

    def __init__(self, rules: Rules, names: Mapping[Slot, str], now: float) -> None:
        """Begin; the names are those of the configured entries, in their order."""
        self._rules = rules
        self._names = names
        self._now = now
        self._known = mask(set(names))
        self._copy = {slot: _Sum() for slot in names}
        self._stop = {slot: _Sum() for slot in names}
        self._unsure = dict.fromkeys(names, 0)
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
        for slot, name in self._names.items():
            copy, stop = self._copy[slot].some(), self._stop[slot].some()
            entries[name] = Share(copy, stop, self._unsure[slot])
        copy, stop = (one.some() for one in self._total)
        return Plan(entries, Total(self._files, copy, stop, self._undecided))

    def _count(self, file: File) -> None:
        verdict = self._rules.judge(_subject(file, self._known), self._now)
        unsure = verdict.undecided & self._known
        changing = (verdict.owners ^ file.owners) & self._known & ~unsure
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


def plan(
    files: Iterable[File], rules: Rules, names: Mapping[Slot, str], now: float
) -> Plan:
    """Return what the rules would do to the files."""
    planner = Planner(rules, names, now)
    planner.add(files)
    return planner.result()


def _subject(file: File, known: Mask) -> Subject:
    return Subject(
        path=file.path,
        kind=file.kind,
        size=file.size,
        mtime_ns=file.mtime_ns,
        mime=file.mime,
        origin=file.origin & known,
    )


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
