"""Whether so much changes on an entry at once that a person should be asked first.

A disk that dies, a wrong command, malware, an old backup copied back: all look like
a person's changes, only too many of them. What could not be too many yet is let go at
once. More than that is *kept* from the other entries for a moment; when it is quiet
again it is let go, or, when it was too much, *held* until a person decides. What a
person ordered of syncd is not judged.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from syncd.core.file import Alarm, Copy, Doubt, File, Held, Kind, Mask, Slot, has, mask

WINDOW = 60.0
"""Seconds over which changes count as made at once."""
SOON, LATER = 0.3, 2.0
"""Seconds of quiet after which bulk is over: of little, and of what may become much."""
LITTLE = 1 / 20
"""The part of a limit that is little."""
LONGEST = 10.0
"""Seconds after which what is too much is held, though there is no quiet."""
FEW = 2
"""An entry that held fewer files than this may be emptied."""


class Limit(Struct, frozen=True):
    """More than this many files, and more than this share of all, are too many."""

    files: int = 0
    """0: nothing is ever too much."""
    share: float = 0.0

    def reach(self, total: int) -> float:
        """Return how many of so many files are not yet too many."""
        return max(self.files, self.share * total) if self.files else inf


class Limits(Struct, frozen=True):
    """How much may change on an entry at once."""

    deletions: Limit = Limit(50, 0.25)
    overwrites: Limit = Limit(100, 0.9)
    rollbacks: Limit = Limit(50)

    def of(self, alarm: Alarm) -> Limit:
        """Return the limit of one alarm."""
        limit: Limit = getattr(self, alarm)
        return limit


class Keeping(Struct, frozen=True):
    """The entries of which a change is kept from the others, by what it is."""

    deletions: Mask = 0
    overwrites: Mask = 0
    rollbacks: Mask = 0
    since: Mapping[Slot, float] = {}
    """Of entries whose overwrites are held: when that began. What others learn
    of later may be changed again freely."""
    ordered: bool = False
    """What is told was ordered by a person: it is known to be no mere touch, too."""

    def alarm(self, file: File, slot: Slot) -> Alarm | None:
        """Return for what the entry's changed copy is to be kept; None: for nothing."""
        digest = file.copies[slot].digest
        if has(self.rollbacks, slot) and digest in [known for _, known in file.older]:
            return Alarm.ROLLBACKS
        if not has(self.overwrites, slot):
            return None
        return Alarm.OVERWRITES if file.changed_at <= self._since(slot) else None

    def needs_digest(self, file: File, slot: Slot) -> bool:
        """Tell whether only its digest tells if a copy is an older content."""
        copy = file.copies[slot]
        if not has(self.rollbacks, slot) or copy.digest or copy.kind is not Kind.FILE:
            return False
        assert copy.stamp is not None
        return copy.stamp.size in [size for size, _ in file.older]

    def without(self, slot: Slot) -> "Keeping":
        """Return the same with nothing kept of the entry."""
        others = ~(1 << slot)
        return replace(
            self,
            deletions=self.deletions & others,
            overwrites=self.overwrites & others,
            rollbacks=self.rollbacks & others,
        )

    def _since(self, slot: Slot) -> float:
        return self.since.get(slot, inf)


FREELY = Keeping()
"""Nothing is kept."""

ORDERED = Keeping(ordered=True)
"""Nothing is kept, and what is told is known to be meant."""


class Room(Struct, frozen=True):
    """How many changes of an entry, at once, need not be kept."""

    deletions: float = inf
    overwrites: float = inf
    rollbacks: float = inf
    since: float | None = None
    """When its overwrites began to be held."""


AT_WILL = Room()


def keeping(
    rooms: Mapping[Slot, Room],
    deletions: Mapping[Slot, int],
    overwrites: Mapping[Slot, int],
) -> Keeping:
    """Return what is to be kept when so many files of each entry change at once."""

    def full(alarm: str, coming: Mapping[Slot, int]) -> Mask:
        return mask(
            slot
            for slot, room in rooms.items()
            if (free := getattr(room, alarm)) <= 0 or coming.get(slot, 0) > free
        )

    return Keeping(
        deletions=full("deletions", deletions),
        overwrites=full("overwrites", overwrites),
        rollbacks=full("rollbacks", overwrites),
        since={s: room.since for s, room in rooms.items() if room.since is not None},
    )


_TOGETHER = [Alarm.OVERWRITES, Alarm.ROLLBACKS]


class Verdict(Enum):
    """What becomes of changes that were kept for a moment."""

    HOLD = auto()
    """Until a person decides."""
    LET_GO = auto()


class Guard:
    """What changed on one entry of late; asked how much more may, and what is held.

    It is fed with what records say, so that it is the same after a restart.
    """

    def __init__(self, limits: Limits, held: Mapping[Alarm, float] = {}) -> None:
        """Begin; ``held`` tells since when a person is waited for, and for what."""
        self._limits = limits
        self.held = dict(held)
        self.kept: Counter[Alarm] = Counter()
        """Changes kept from the others, held or not; folders too."""
        self.files: Counter[Alarm] = Counter()
        """The same without folders."""
        self._passed: dict[Alarm, OrderedDict[int, float]] = {
            alarm: OrderedDict() for alarm in Alarm
        }
        self._first: dict[Alarm, float] = {}
        self._last: dict[Alarm, float] = {}
        self._most, self._most_at = 0, -inf
        """How many files the entry held at most of late, and when that was last so."""

    def note_kept(self, alarm: Alarm, number: int, files: int, now: float) -> None:
        """Note that this many more changes, of so many files, are kept, or fewer."""
        self.kept[alarm] += number
        self.files[alarm] += files
        if not self.kept[alarm]:
            self._first.pop(alarm, None)
        elif number > 0:
            self._first.setdefault(alarm, now)
            self._last[alarm] = now

    def note_passed(self, alarm: Alarm, row: int, now: float) -> None:
        """Note that a change of that file was passed on to the others."""
        for rows in self._passed.values():
            rows.pop(row, None)
        if self._limits.of(alarm).files or alarm in _TOGETHER:
            self._passed[alarm][row] = now

    def note_all_told(self) -> None:
        """Note that all there is to tell for now was told: nothing need be awaited."""
        self._last = dict.fromkeys(self._last, -inf)

    def room(self, now: float, files: int, *, scanning: bool) -> Room:
        """Return how much more may change at once without being kept.

        That is what could not be too much, whatever follows. ``files`` says how many
        the entry holds; ``scanning`` that it has not yet told all that changed while
        it was away.
        """
        self._forget(now)
        self._remember(now, files)
        return Room(
            deletions=self._room_to_delete(files, scanning),
            overwrites=self._room_to_overwrite(Alarm.OVERWRITES, files, scanning),
            rollbacks=self._room_to_overwrite(Alarm.ROLLBACKS, files, scanning),
            since=self.held.get(Alarm.OVERWRITES),
        )

    def verdict(self, alarm: Alarm, now: float, files: int) -> Verdict | None:
        """Return what becomes of what is kept; None while that is not yet clear."""
        if alarm in self.held or not self.kept[alarm]:
            return None
        self._forget(now)
        self._remember(now, files)
        waited = now - min(now, self._first[alarm])
        if now >= self._quiet_at(alarm, now, files):
            return Verdict.HOLD if self._is_too_much(alarm, files) else Verdict.LET_GO
        if waited >= LONGEST and self._is_too_much(alarm, files):
            return Verdict.HOLD
        return Verdict.LET_GO if waited >= WINDOW else None

    def due(self, now: float, files: int) -> float:
        """Return when to ask for a verdict next; infinity: not before more changes."""
        waiting = [a for a in Alarm if self.kept[a] and a not in self.held]
        return min((self._quiet_at(a, now, files) for a in waiting), default=inf)

    def hold(self, alarm: Alarm, now: float) -> list[Alarm]:
        """Hold what is kept until a person decides; return what is held with that."""
        fresh = self.fresh(alarm)
        self.held.update(dict.fromkeys(fresh, now))
        return fresh

    def fresh(self, alarm: Alarm) -> list[Alarm]:
        """Return what would be held with that and is not held yet.

        What rolls back is part of what overwrites.
        """
        alarms = _TOGETHER if alarm is Alarm.OVERWRITES else [alarm]
        return [each for each in alarms if each not in self.held]

    def passed(self, alarm: Alarm, now: float) -> tuple[int, float]:
        """Return how many files' changes were passed on of late, and since when."""
        self._forget(now)
        rows = self._passed[alarm]
        return len(rows), min(rows.values(), default=now)

    def over(self) -> list[Alarm]:
        """Return of what is held what came to nothing: no change of it is left."""
        empty = [alarm for alarm in self.held if not self.kept[alarm]]
        if Alarm.OVERWRITES in self.held and any(self.kept[a] for a in _TOGETHER):
            return [alarm for alarm in empty if alarm not in _TOGETHER]
        return empty

    def settle(self, alarms: Iterable[Alarm]) -> None:
        """A person has decided: what comes from now on is judged anew."""
        for alarm in alarms:
            self.held.pop(alarm, None)
            self._passed[alarm].clear()
        self._most = 0

    def _room_to_delete(self, files: int, scanning: bool) -> float:
        if self._is_open(Alarm.DELETIONS):
            return 0
        limit = self._limits.deletions
        if not limit.files:
            return inf
        free = limit.files - self._changed(Alarm.DELETIONS)
        # What would leave nothing at once is too much, however little it is.
        return 0 if scanning else min(free, files - 1 if files >= FEW else inf)

    def _room_to_overwrite(self, alarm: Alarm, files: int, scanning: bool) -> float:
        """Return how many files may be overwritten with whatever, or rolled back.

        It takes reading to tell a rollback: below the limit nobody has to read.
        """
        if self._is_open(alarm):
            return 0
        limit, total = self._limits.of(alarm), self._total(files)
        if total <= limit.reach(total):
            return inf
        return 0 if scanning else limit.files - self._changed(Alarm.OVERWRITES)

    def _is_open(self, alarm: Alarm) -> bool:
        return bool(self.kept[alarm]) or alarm in self.held

    def _total(self, files: int) -> int:
        """Return how many files the entry held before all this.

        What is overwritten, and has to be read first, is counted nowhere meanwhile.
        """
        return max(self._known(files), self._most)

    def _known(self, files: int) -> int:
        return files + self.files.total() + len(self._passed[Alarm.DELETIONS])

    def _remember(self, now: float, files: int) -> None:
        if not 0 <= now - self._most_at < WINDOW:
            self._most = 0
        if (known := self._known(files)) >= self._most:
            self._most, self._most_at = known, now

    def _changed(self, alarm: Alarm) -> int:
        changed = self.files[alarm] + len(self._passed[alarm])
        if alarm is Alarm.OVERWRITES:
            changed += self._changed(Alarm.ROLLBACKS)
        return changed

    def _is_too_much(self, alarm: Alarm, files: int) -> bool:
        limit = self._limits.of(alarm)
        if self._changed(alarm) > limit.reach(self._total(files)):
            return True
        emptied = not files and self.files.total() == self.files[alarm] >= FEW
        return alarm is Alarm.DELETIONS and bool(limit.files) and emptied

    def _quiet_at(self, alarm: Alarm, now: float, files: int) -> float:
        # A clock that was set back must not make anybody wait for hours.
        last = self._last[alarm] = min(self._last[alarm], now)
        little = LITTLE * self._limits.of(alarm).reach(self._total(files))
        is_little = self._changed(alarm) <= little
        return last + (SOON if is_little else LATER)

    def _forget(self, now: float) -> None:
        for rows in self._passed.values():
            # Ordered: to find the first of a dict takes as long as it had others.
            while rows and not now - WINDOW < next(iter(rows.values())) <= now:
                rows.popitem(last=False)


def passed(before: File, after: File) -> tuple[Slot, Alarm] | None:
    """Return whose change made the newest version, and what it is to a guard.

    None if it did nothing to what other entries hold.
    """
    if before.version == after.version or before.deleted or not after.origin:
        return None
    slot = after.origin.bit_length() - 1
    if before.kind is Kind.DIRECTORY or after.origin != 1 << slot:
        return None
    if not any(copy.present for s, copy in before.copies.items() if s != slot):
        return None
    if after.deleted:
        return slot, Alarm.DELETIONS
    if not before.copy(slot).present:
        return None
    return slot, Alarm.ROLLBACKS if _is_again(before, after) else Alarm.OVERWRITES


def _is_again(before: File, after: File) -> bool:
    """Tell whether it seems to hold again what it did before; a digest is sure."""
    if not before.older:
        return False
    if after.digest is None:
        return after.size in [size for size, _ in before.older]
    return after.digest in [digest for _, digest in before.older]


def kept(file: File) -> dict[Slot, Held]:
    """Return what of a file is kept from the others, by the entry that changed it."""
    return {slot: copy.held for slot, copy in file.copies.items() if copy.held}


def withheld(copy: Copy, alarm: Alarm, now: float, cause: str) -> Copy:
    """Return a changed or vanished copy as one that is kept from the others.

    Its ``base`` says what it was.
    """
    return replace(copy, doubt=Doubt.HELD, held=Held(alarm, now, cause))
