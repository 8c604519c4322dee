"""A storage in memory, and a child made up that tends it as the real one does."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from syncd import wire
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
from syncd.core.file import Kind, Seen, Stamp


@dataclass(frozen=True)
class Thing:
    """What lies at a path."""

    content: bytes
    mtime_ns: int
    inode: int
    ctime_ns: int

    def seen(self, path: str) -> Seen:
        stamp = Stamp(len(self.content), self.mtime_ns, self.ctime_ns, self.inode)
        return Seen(path, Kind.FILE, stamp)


@dataclass
class Storage:
    """What outlives a child: what lies there, its marker, the ledger."""

    name: str
    ticks: Any
    disk: dict[str, Thing] = field(default_factory=dict)
    trash: list[bytes] = field(default_factory=list)
    """The contents that a child replaced or deleted."""
    marker: str | None = None
    ledger: dict[str, Seen] = field(default_factory=dict)
    index: str | None = None
    """Of which index the ledger is."""
    noted: int = 0
    copied: int = 0
    """How many contents came from other storages."""
    eager: bool = False
    """Whether digests are told unasked."""

    def write(self, path: str, content: bytes, mtime_ns: int | None = None) -> None:
        now = next(self.ticks)
        self.disk[path] = Thing(content, mtime_ns or now, next(self.ticks), now)

    def move(self, old: str, new: str) -> None:
        thing = self.disk.pop(old)
        self.disk[new] = Thing(
            thing.content, thing.mtime_ns, thing.inode, next(self.ticks)
        )

    def stamp(self, path: str) -> Stamp | None:
        thing = self.disk.get(path)
        return thing.seen(path).stamp if thing else None


class Child:
    """The process of one entry; what only it knows ends with it."""

    def __init__(
        self, storage: Storage, contents: Callable[[str], Storage | None]
    ) -> None:
        self.storage = storage
        self.up: deque[wire.Up] = deque()
        self.down: deque[wire.Down] = deque()
        self.deaf = False
        """Whether the line to it takes no more."""
        self.working = False
        self._walked = False
        self._contents = contents
        self._number = storage.noted
        self._noted = storage.noted
        self._fresh: dict[str, tuple[Seen | None, int]] = {}
        """What is known since the ledger, and in which batch it is told."""
        self._orders: dict[str, Order] = {}
        self._missing: list[str] = []
        self._last_is_asked = False

    # What it says and hears -------------------------------------------------------

    def greet(self) -> None:
        self.up.append(
            wire.Hello(
                entry=self.storage.name,
                pid=1,
                marker=self.storage.marker,
                empty=not self.storage.disk,
                ledger=self.storage.index,
                noted=self.storage.noted,
            )
        )

    def hear(self, message: wire.Down) -> None:
        match message:
            case wire.Welcome():
                self._welcomed(message)
            case wire.Adopt():
                self._rest("it is another storage")
                self.storage.marker = message.marker
                self.greet()
            case wire.Noted():
                self._noted = max(self._noted, min(message.number, self._number))
            case wire.Orders() if self.working:
                self._take(message.orders)
            case wire.Orders():
                self._answer(
                    [Failed(o.id, Why.BLOCKED, "rest") for o in message.orders]
                )
            case wire.Look() if self.working:
                self._missing += message.paths
                self._last_is_asked |= message.last

    def notice(self, path: str) -> None:
        """Look at a path that something happened to."""
        if self.working:
            self._say([path])

    def walk(self) -> None:
        """Look at everything, and say of what was asked for whether it is missing."""
        if not self.working:
            return
        self._say(sorted(self.storage.disk.keys() | self._known_paths()))
        if not self._walked:
            self.commit()
            self._walked = True
        self.up.append(wire.Walked(True, 0.1, len(self.storage.disk)))
        self.look()

    def look(self) -> None:
        """Say of what was asked for whether it is missing."""
        missing = [p for p in self._missing if self.get(p) is None]
        self._missing = []
        absent = [p for p in missing if p not in self.storage.disk]
        self._say(absent, insist=True)
        if self._last_is_asked:
            self._last_is_asked = False
            self.up.append(wire.Looked())

    def commit(self) -> None:
        """Write into the ledger what the parent has noted."""
        for path, (seen, batch) in list(self._fresh.items()):
            if batch <= self._noted:
                del self._fresh[path]
                if seen is None:
                    self.storage.ledger.pop(path, None)
                else:
                    self.storage.ledger[path] = seen
        self.storage.noted = self._noted

    def get(self, path: str) -> Seen | None:
        """Return what it knows of a path."""
        if path in self._fresh:
            return self._fresh[path][0]
        return self.storage.ledger.get(path)

    # What it does -----------------------------------------------------------------

    @property
    def orders(self) -> int:
        """Return how many orders wait."""
        return len(self._orders)

    def carry_out(self, place: int = 0, *, silently: bool = False) -> bool:
        """Carry out one order that waits; tell whether there was one.

        ``silently`` is for a child that is killed before it could say or note it.
        """
        if not self._orders:
            return False
        path = list(self._orders)[place % len(self._orders)]
        order = self._orders.pop(path)
        result = self._do(order)
        if silently:
            return True
        if isinstance(result, Put):
            self._take([result])
        elif isinstance(result, Done):
            self._answer([result], _paths(order, result))
        else:
            if result.why is Why.CHANGED:
                self._say([path], insist=True)
            self._answer([result])
        return True

    def _welcomed(self, welcome: wire.Welcome) -> None:
        if welcome.suspended is not None:
            self._rest(welcome.suspended)
            return
        same = self.storage.index == welcome.index and not welcome.forget
        if self.working and same:
            return
        if self.storage.marker not in (None, welcome.marker):
            return
        self._rest("it begins anew")
        self.storage.marker = welcome.marker
        if same:
            self.commit()
        else:
            self.storage.ledger, self.storage.noted = {}, 0
            self.storage.index = welcome.index
        self._fresh.clear()
        self._number = self._noted = self.storage.noted
        self._missing = []
        self.working, self._walked = True, False

    def _rest(self, reason: str) -> None:
        orders, self._orders = list(self._orders.values()), {}
        self.working = False
        if orders:
            self._answer([Failed(o.id, Why.BLOCKED, reason) for o in orders])

    def _take(self, orders: Iterable[Order]) -> None:
        for order in orders:
            old = self._orders.pop(order.path, None)
            self._orders[order.path] = order
            if old is not None and old.id != order.id:
                self._answer([Failed(old.id, Why.CHANGED, "superseded")])

    def _known_paths(self) -> set[str]:
        known = self.storage.ledger.keys() | self._fresh.keys()
        return {path for path in known if self.get(path) is not None}

    def _say(self, paths: Iterable[str], *, insist: bool = False) -> None:
        changes: list[Change] = []
        paths = list(paths)
        for path in paths:
            changes += self._found(path, insist=insist)
        for path in paths:
            known = self.get(path) is not None
            if path not in self.storage.disk and (known or insist):
                changes.append(Gone(path))
                self._fresh[path] = (None, self._number + 1)
        if changes:
            self._number += 1
            self.up.append(wire.Changes(self._number, changes))

    def _found(self, path: str, *, insist: bool) -> list[Change]:
        thing, known = self.storage.disk.get(path), self.get(path)
        if thing is None:
            return []
        seen, number = thing.seen(path), self._number + 1
        if seen == known and not insist:
            return []
        old = self._old_place(seen) if known is None else None
        self._fresh[path] = (seen, number)
        found = Found(seen, self._digest_of(thing, known), None, old)
        if old is None:
            return [found]
        self._fresh[old] = (None, number)
        return [found, Gone(old)]

    def _old_place(self, new: Seen) -> str | None:
        for path in sorted(self._known_paths()):
            old = self.get(path)
            assert old is not None
            ours, theirs = old.stamp, new.stamp
            same = (ours.inode, ours.size, ours.mtime_ns) == (
                theirs.inode,
                theirs.size,
                theirs.mtime_ns,
            )
            if same and path != new.path and path not in self.storage.disk:
                return path
        return None

    def _digest_of(self, thing: Thing, known: Seen | None) -> bytes | None:
        kept_size = known is not None and known.stamp.size == len(thing.content)
        return digest(thing.content) if self.storage.eager or kept_size else None

    def _answer(self, outcomes: Sequence[Outcome], paths: Any = ()) -> None:
        number = 0
        if paths:
            self._number += 1
            number = self._number
            for path in paths:
                thing = self.storage.disk.get(path)
                self._fresh[path] = (thing.seen(path) if thing else None, number)
        self.up.append(wire.Outcomes(list(outcomes), number))

    def _do(self, order: Order) -> Outcome | Put:
        if isinstance(order, Put):
            return self._put(order)
        here, disk = self.storage.stamp(order.path), self.storage.disk
        if isinstance(order, Delete) and here in (None, order.stamp):
            if here is not None:
                self.storage.trash.append(disk.pop(order.path).content)
            return Done(order.id, None)
        if here is None or here != order.stamp:
            return Failed(order.id, Why.CHANGED, "changed")
        thing = disk[order.path]
        if isinstance(order, Inspect):
            return Done(order.id, thing.seen(order.path), digest(thing.content))
        if isinstance(order, SetAside):
            to, number = order.to, 2
            while to in disk:
                to, number = f"{order.to}-{number}", number + 1
            self.storage.move(order.path, to)
            return Done(order.id, disk[to].seen(to))
        assert isinstance(order, Amend)
        ctime = next(self.storage.ticks)
        disk[order.path] = Thing(thing.content, order.mtime_ns, thing.inode, ctime)
        return Done(order.id, disk[order.path].seen(order.path))

    def _put(self, order: Put) -> Outcome | Put:
        storage = self.storage
        if storage.stamp(order.path) != order.replaces:
            return Failed(order.id, Why.CHANGED, "changed")
        if order.hint is not None:
            if storage.stamp(order.hint[0]) != order.hint[1]:
                return replace(order, hint=None)
            self._lose(order.path)
            storage.move(order.hint[0], order.path)
            return Done(order.id, storage.disk[order.path].seen(order.path))
        for source in order.sources:
            other = self._contents(source.entry)
            if other is None or other.stamp(source.path) != source.stamp:
                continue
            content = other.disk[source.path].content
            if order.digest not in (None, digest(content)):
                continue
            self._lose(order.path)
            storage.write(order.path, content, order.mtime_ns)
            storage.copied += 1
            seen = storage.disk[order.path].seen(order.path)
            return Done(order.id, seen, digest(content), copied=len(content))
        return Failed(order.id, Why.SOURCE, "no source has it")

    def _lose(self, path: str) -> None:
        if path in self.storage.disk:
            self.storage.trash.append(self.storage.disk[path].content)


def digest(content: bytes) -> bytes:
    return content.ljust(32, b"\0")[:32]


def _paths(order: Order, done: Done) -> list[str]:
    paths = [] if isinstance(order, Inspect) else [order.path]
    if isinstance(order, Put) and order.hint is not None:
        paths.append(order.hint[0])
    if isinstance(order, SetAside) and done.seen is not None:
        paths.append(done.seen.path)
    return paths
