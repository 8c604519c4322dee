"""Entries without a disk: what a child would report and do, on dicts, step by step.

The model drives the real transaction and the real lanes; only the children and
the time are made up. Every content is written once in the whole life of a
model, so that a lost one is noticed.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import create_engine

from syncd.core import path as paths
from syncd.core.change import (
    Amend,
    Change,
    Delete,
    Done,
    Failed,
    Found,
    Gone,
    Inspect,
    Order,
    Outcome,
    Put,
    SetAside,
    Why,
)
from syncd.core.file import File, Kind, Seen, Stamp, mask
from syncd.core.guard import Keeping
from syncd.core.holding import let_go, undone
from syncd.core.rules import Rules, parse
from syncd.core.world import Member, World
from syncd.replication import batch
from syncd.replication.lane import Lane
from syncd.store import entries, files
from syncd.store.schema import metadata

NAMES = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Thing:
    """What lies at a path of a model entry."""

    content: bytes
    mtime_ns: int
    inode: int
    changed: int

    def seen(self, path: str) -> Seen:
        stamp = Stamp(len(self.content), self.mtime_ns, self.changed, self.inode)
        return Seen(path, Kind.FILE, stamp)


@dataclass
class Entry:
    """One storage with its child: what lies there, and what the child has told."""

    slot: int
    clock: Any
    disk: dict[str, Thing] = field(default_factory=dict)
    told: dict[str, Seen] = field(default_factory=dict)
    known: dict[str, bytes] = field(default_factory=dict)
    """The content that was told last of each path."""
    online: bool = True
    eager: bool = False
    """Whether digests are told unasked."""

    def write(self, path: str, content: bytes, mtime_ns: int | None = None) -> None:
        now = next(self.clock)
        self.disk[path] = Thing(content, mtime_ns or now, next(self.clock), now)

    def move(self, old: str, new: str) -> None:
        thing = self.disk.pop(old)
        self.disk[new] = Thing(
            thing.content, thing.mtime_ns, thing.inode, next(self.clock)
        )

    def report(self, only: str | None = None) -> list[Change]:
        """Compare the disk with what was told, as a walk does."""
        changes: list[Change] = []
        moved: set[str] = set()
        for path in sorted(self.disk):
            seen = self.disk[path].seen(path)
            if only not in (None, path) or self.told.get(path) == seen:
                continue
            old = self._moved_from(seen) if path not in self.told else None
            digest = _digest(self.disk[path].content) if self.eager else None
            changes.append(Found(seen, digest=digest, old=old))
            self.told[path] = seen
            self.known[path] = self.disk[path].content
            if old is not None and old not in moved:
                moved.add(old)
                changes.append(Gone(old))
                del self.told[old]
        for path in sorted(self.told.keys() - self.disk.keys()):
            if only in (None, path):
                changes.append(Gone(path))
                del self.told[path]
        return changes

    def _moved_from(self, new: Seen) -> str | None:
        for path, seen in self.told.items():
            same = (seen.stamp.inode, seen.stamp.size, seen.stamp.mtime_ns) == (
                new.stamp.inode,
                new.stamp.size,
                new.stamp.mtime_ns,
            )
            if same and path not in self.disk:
                return path
        return None

    def stamp(self, path: str) -> Stamp | None:
        thing = self.disk.get(path)
        return thing.seen(path).stamp if thing else None


class Model:
    """A referee's transactions and lanes over entries made up in memory."""

    def __init__(
        self,
        rules: list[Any],
        names: tuple[str, ...] = NAMES[:2],
        *,
        manual: bool = False,
    ) -> None:
        self.engine = create_engine("sqlite://")
        metadata.create_all(self.engine)
        with self.engine.begin() as db:
            entries.configure(db, names, [f"marker {name}" for name in names])
        self.ticks = count(1_000)
        self.members = {
            slot: Member(name, manual=manual) for slot, name in enumerate(names)
        }
        self.entries = [Entry(slot, self.ticks) for slot in self.members]
        self.ids = count(1)
        self.numbers = count(1)
        self.batches = count(1)
        self.slots = {name: slot for slot, name in enumerate(names)}
        self.rules = self.compiled(rules)
        self.lanes = {s: Lane(s, m.name, self.numbers) for s, m in self.members.items()}
        self.queues: dict[int, list[Order]] = {slot: [] for slot in self.members}
        self.copied = 0
        self.seconds = 1_000_000.0
        self.kept = 0
        """The entries of which all that may be a mishap is kept from the others."""
        for lane in self.lanes.values():
            lane.ready = True

    def compiled(self, rules: list[Any]) -> Rules:
        return Rules(parse({"rules": rules}, self.slots), self.slots)

    @property
    def world(self) -> World:
        return World(
            members=self.members,
            rules=self.rules,
            now=self.seconds,
            keeping=Keeping(self.kept, self.kept, self.kept),
        )

    @property
    def up(self) -> int:
        return mask([entry.slot for entry in self.entries if entry.online])

    def file(self, path: str) -> File | None:
        with self.engine.begin() as db:
            known = files.load(db, [path]).get(path)
        return known[0] if known else None

    def files(self) -> list[File]:
        with self.engine.begin() as db:
            return [file for file, _ in files.after(db, 0, 10_000)]

    def take(self, news: list[batch.News]) -> None:
        with self.engine.begin() as db:
            touched = batch.take(db, news, self.world, self.ids)
        for one in news:
            if isinstance(one, batch.Ended):
                self.lanes[one.slot].close(one.results)
        self.offer([one.after for one in touched])

    def judge(self, rules: list[Any]) -> None:
        self.rules = self.compiled(rules)
        with self.engine.begin() as db:
            touched = batch.judge(db, files.after(db, 0, 10_000), self.world)
        self.offer([one.after for one in touched])

    def decide(self, path: str, keep: int | None) -> None:
        """Let a person end a dispute."""
        with self.engine.begin() as db:
            one = batch.decide(db, path, keep, self.world, "a person")
        self.offer([one.after])

    def deal(self, slot: int, *, meant: bool) -> None:
        """Let go, or undo, all that is kept of an entry; nothing more is kept."""
        self.kept &= ~(1 << slot)
        world, deal = self.world, let_go if meant else undone
        row: int | None = 0
        while row is not None:
            with self.engine.begin() as db:
                row, touched = batch.deal(
                    db, slot, row, lambda file: deal(file, slot, world), world
                )
            self.offer([one.after for one in touched])

    def held(self, slot: int) -> list[File]:
        """Return the files of which something is kept of an entry."""
        return [file for file in self.files() if file.copy(slot).held is not None]

    def offer(self, some: list[File]) -> None:
        for slot, lane in self.lanes.items():
            if self.entries[slot].online:
                self.queues[slot] += lane.orders(some, self.world, self.up)

    def report(self, slot: int, only: str | None = None) -> None:
        """Let an entry tell what changed."""
        changes = self.entries[slot].report(only)
        if changes:
            self.take([batch.Reported(slot, next(self.batches), changes)])

    def leave(self, slot: int) -> None:
        """Take an entry offline; its orders under way are forgotten."""
        self.entries[slot].online = False
        self.queues[slot].clear()
        self.lanes[slot].reset()

    def join(self, slot: int) -> None:
        """Bring an entry back: it walks first, then it gets its orders."""
        entry = self.entries[slot]
        entry.online = True
        self.report(slot)
        self.lanes[slot].ready = True
        self.offer(self.files())

    def carry_out(self, slot: int, place: int = 0) -> None:
        """Let an entry carry out one of its orders."""
        entry = self.entries[slot]
        order = self.queues[slot].pop(place)
        result = self._do(entry, order)
        results = self.lanes[slot].answers([result])
        news: list[batch.News] = [batch.Ended(slot, 0, results)]
        if isinstance(result, Failed) and result.why is Why.CHANGED:
            entry.told.pop(order.path, None)
            changes = entry.report(order.path) or [Gone(order.path)]
            news.insert(0, batch.Reported(slot, next(self.batches), changes))
        self.take(news)

    def settle(self) -> None:
        """Let everything that is to happen happen."""
        for _ in range(2_000):
            for entry in self.entries:
                if not entry.online:
                    self.join(entry.slot)
                self.report(entry.slot)
            busy = [slot for slot, queue in self.queues.items() if queue]
            if not busy:
                self.seconds += 1_000
                self.offer(self.files())
                if not any(self.queues.values()):
                    return
            for slot in busy:
                while self.queues[slot]:
                    self.carry_out(slot)
        raise AssertionError("the model never comes to rest")

    def _do(self, entry: Entry, order: Order) -> Outcome:
        if isinstance(order, Put):
            return self._put(entry, order)
        here = entry.stamp(order.path)
        if isinstance(order, Delete) and here in (None, order.stamp):
            entry.disk.pop(order.path, None)
            entry.told.pop(order.path, None)
            return Done(order.id, None)
        if here is None or here != order.stamp:
            return Failed(order.id, Why.CHANGED, "changed")
        thing = entry.disk[order.path]
        if isinstance(order, Inspect):
            seen = thing.seen(order.path)
            return Done(order.id, seen, digest=_digest(thing.content))
        if isinstance(order, SetAside):
            return self._set_aside(entry, order)
        assert isinstance(order, Amend)
        return self._land(entry, order.path, order.id, thing.content, order.mtime_ns)

    def _set_aside(self, entry: Entry, order: SetAside) -> Outcome:
        to = order.to
        while to in entry.disk:
            to += "-2"
        entry.move(order.path, to)
        entry.told.pop(order.path, None)
        entry.told[to] = entry.disk[to].seen(to)
        return Done(order.id, entry.told[to])

    def _put(self, entry: Entry, order: Put) -> Outcome:
        if entry.stamp(order.path) != order.replaces:
            return Failed(order.id, Why.CHANGED, "changed")
        if order.hint is not None and entry.stamp(order.hint[0]) == order.hint[1]:
            entry.disk.pop(order.path, None)
            entry.move(order.hint[0], order.path)
            entry.told.pop(order.hint[0], None)
            entry.told[order.path] = entry.disk[order.path].seen(order.path)
            return Done(order.id, entry.told[order.path])
        for source in order.sources:
            other = self.entries[self.slots[source.entry]]
            if other.online and other.stamp(source.path) == source.stamp:
                content = other.disk[source.path].content
                self.copied += 1
                return self._land(entry, order.path, order.id, content, order.mtime_ns)
        return Failed(order.id, Why.SOURCE, "no source")

    def _land(
        self, entry: Entry, path: str, number: int, content: bytes, mtime_ns: int
    ) -> Done:
        entry.write(path, content, mtime_ns)
        entry.known[path] = content
        entry.told[path] = entry.disk[path].seen(path)
        return Done(number, entry.told[path], digest=_digest(content))


def trees(model: Model) -> list[dict[str, bytes]]:
    """Return what lies on every entry."""
    return [
        {path: thing.content for path, thing in entry.disk.items()}
        for entry in model.entries
    ]


def is_conflict(path: str) -> bool:
    """Tell whether a path is that of a conflict's loser."""
    return ".sync-conflict-" in paths.name(path)


def _digest(content: bytes) -> bytes:
    return content.ljust(32, b"\0")[:32]
