"""A referee with a real index, and children made up: storages in memory."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

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
from syncd.core.file import File, Kind, Seen, Stamp
from syncd.core.rules import parse
from syncd.core.world import Member
from syncd.errors import Unavailable
from syncd.replication.door import Door
from syncd.replication.referee import Referee
from syncd.store import entries, files
from syncd.store.database import Store

INDEX = "the index"
NOON = 1_700_000_000.0

P = ParamSpec("P")
T = TypeVar("T")

_clock = count(1)


async def until(fact: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until the fact holds."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.002)


class UnreliableStore(Store):
    """An index that cannot be used while it is told to be down."""

    down = False

    async def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self.down:
            raise Unavailable("the index cannot be used: disk full")
        return await super().run(work, *args, **kwargs)


class Line:
    """The line to the children: keeps what was sent, and refuses for the deaf."""

    def __init__(self) -> None:
        self.sent: dict[str, list[wire.Down]] = defaultdict(list)
        self.deaf: set[str] = set()
        self.refused = 0

    def send(self, name: str, message: wire.Down) -> bool:
        if name in self.deaf:
            self.refused += 1
            return False
        self.sent[name].append(message)
        return True

    def take(self, name: str, kind: type[T]) -> list[T]:
        """Return, and forget, what was sent of a kind."""
        mine: list[Any] = self.sent[name]
        taken = [one for one in mine if isinstance(one, kind)]
        self.sent[name] = [one for one in mine if not isinstance(one, kind)]
        return taken

    def orders(self, name: str) -> list[Order]:
        return [o for some in self.take(name, wire.Orders) for o in some.orders]


class House:
    """The open rooms; time stands still until it is told to pass."""

    def __init__(self, path: Path, *names: str, **members: Any) -> None:
        self.line = Line()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.reasons: dict[str, str | None] = {}
        self.now = NOON
        self.store = UnreliableStore(path / "index.db")
        self.names = names
        self._members = members
        self._rooms = AsyncExitStack()

    async def __aenter__(self) -> "House":
        await self._rooms.enter_async_context(self.store)
        markers = [f"marker of {name}" for name in self.names]
        await self.store.run(entries.configure, self.names, markers)
        known = {e.name: e.slot for e in await self.store.read(entries.everything)}
        self.slots = {name: known[name] for name in self.names}
        self.door = Door(
            self.store, INDEX, send=self.line.send, report=self.reasons.__setitem__
        )
        self.referee = Referee(
            self.store,
            self.door,
            {self.slots[n]: self._members.get(n, Member(n)) for n in self.names},
            send=self.line.send,
            tell=lambda kind, facts: self.told.append((kind, facts)),
            tell_all=lambda kind, items: self.told.extend(
                (kind, item.shown()) for item in items
            ),
            now=lambda: self.now,
        )
        await self._rooms.enter_async_context(self.referee)
        await self.referee.counted()
        self.children = {name: Child(self, name) for name in self.names}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rooms.aclose()
        if not self.referee.task.cancelled():
            self.referee.task.result()

    async def use(self, *rules: Any) -> None:
        document = {"rules": list(rules)}
        await self.referee.use(document, parse(document, self.names))

    async def file(self, path: str) -> File | None:
        known = (await self.store.read(files.load, [path])).get(path)
        return known[0] if known else None

    async def uptodate(self, path: str) -> str:
        """Return who is up to date, and which other owners there are."""
        file = await self.file(path)
        if file is None:
            return "unknown"
        state = "deleted " if file.deleted else ""
        has = [n for n, s in self.slots.items() if file.uptodate >> s & 1]
        lacks = [
            n for n, s in self.slots.items() if (file.owners ^ file.uptodate) >> s & 1
        ]
        return f"{state}{''.join(has)}-{''.join(lacks)}"

    async def quiet(self) -> None:
        """Return when everything heard was dealt with and nothing is to be found."""
        referee = self.referee

        def idle() -> bool:
            lanes = referee.lanes.values()
            return (
                not referee._news
                and not any(lane.wants_more for lane in lanes)
                and referee.judging._after is None
            )

        for _ in range(3):
            await until(idle)
            await self.store.run(lambda _db: None)
            await asyncio.sleep(0.01)

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.referee._wake.set()
        await self.quiet()

    async def peace(self) -> None:
        """Let the children carry out all their orders."""
        for _ in range(100):
            await self.quiet()
            if not sum(child.work() for child in self.children.values()):
                return
        raise AssertionError("there is no end of work")

    async def start(self, *names: str) -> None:
        """Let children come and walk."""
        for name in names or self.names:
            await self.children[name].come()


class Child:
    """A child made up: it greets, walks, and carries out orders on a dict."""

    def __init__(self, house: House, name: str) -> None:
        self.house, self.name = house, name
        self.disk: dict[str, tuple[str, Seen]] = {}
        self.told: dict[str, Seen] = {}
        self.marker: str | None = None
        self.ledger: str | None = None
        self.number = 0
        self.trouble: tuple[Why, str] | None = None
        self.done: list[Order] = []
        self.copied = 0

    def say(self, message: wire.Up) -> None:
        self.house.referee.hear(self.name, message)

    def hello(self, **facts: Any) -> None:
        values: dict[str, Any] = {
            "entry": self.name,
            "pid": 1,
            "marker": self.marker,
            "empty": not self.disk,
            "ledger": self.ledger,
            "noted": self.number,
        }
        self.say(wire.Hello(**values | facts))

    async def welcomed(self) -> wire.Welcome:
        line = self.house.line
        await until(
            lambda: any(isinstance(m, wire.Welcome) for m in line.sent[self.name])
        )
        return line.take(self.name, wire.Welcome)[-1]

    async def come(self) -> wire.Welcome:
        """Greet, and if welcome walk."""
        self.hello()
        return await self.enter()

    async def enter(self) -> wire.Welcome:
        welcome = await self.welcomed()
        if welcome.suspended is None:
            self.marker = welcome.marker
            if welcome.forget:
                self.told, self.number = {}, 0
            self.ledger = welcome.index
            self.walk()
        return welcome

    def walk(self) -> None:
        self.report()
        self.say(wire.Walked(True, 0.1, len(self.disk)))

    def leave(self) -> None:
        """Die."""
        self.house.referee.lost(self.name)
        self.house.line.sent[self.name].clear()

    def write(self, path: str, content: str, *, report: bool = True) -> None:
        self._set(path, content, next(_clock))
        if report:
            self.report()

    def delete(self, *some: str) -> None:
        for path in some:
            del self.disk[path]
        self.report()

    def report(self) -> None:
        """Tell what differs from what was told."""
        changes: list[Change] = [
            Found(seen, digest=_digest(content), cause=f"{self.name}{path}")
            for path, (content, seen) in self.disk.items()
            if self.told.get(path) != seen
        ]
        changes += [Gone(path) for path in self.told.keys() - self.disk.keys()]
        self.told = {path: seen for path, (_, seen) in self.disk.items()}
        if changes:
            self.tell(changes)

    def tell(self, changes: list[Change]) -> None:
        self.number += 1
        self.say(wire.Changes(self.number, changes))

    def work(self, most: int | None = None) -> int:
        """Carry out what orders came; return how many."""
        orders = self.house.line.orders(self.name)[:most]
        if orders:
            self.answer(orders)
        return len(orders)

    def answer(self, orders: Iterable[Order]) -> None:
        self.number += 1
        outcomes = [self._carry_out(order) for order in orders]
        self.say(wire.Outcomes(outcomes, self.number))

    def contents(self) -> dict[str, str]:
        return {path: content for path, (content, _) in self.disk.items()}

    def _carry_out(self, order: Order) -> Outcome:
        self.done.append(order)
        if self.trouble is not None:
            return Failed(order.id, *self.trouble)
        match order:
            case Put():
                return self._put(order)
            case Delete():
                self.disk.pop(order.path, None)
                self.told.pop(order.path, None)
                return Done(order.id, None)
            case Inspect():
                content, seen = self.disk[order.path]
                return Done(order.id, seen, _digest(content), "text/plain")
            case SetAside():
                content, _ = self.disk.pop(order.path)
                self.told.pop(order.path)
                return Done(order.id, self._land(order.to, content, next(_clock)))
            case Amend():
                content, _ = self.disk[order.path]
                return Done(order.id, self._land(order.path, content, order.mtime_ns))

    def _put(self, order: Put) -> Outcome:
        here = self.disk.get(order.path)
        if (here and here[1].stamp) != order.replaces:
            return Failed(order.id, Why.CHANGED, "it is something else")
        for source in order.sources:
            other = self.house.children[source.entry].disk.get(source.path)
            if other is not None and other[1].stamp == source.stamp:
                self.copied += 1
                seen = self._land(order.path, other[0], order.mtime_ns)
                return Done(order.id, seen, _digest(other[0]), copied=len(other[0]))
        return Failed(order.id, Why.SOURCE, "no source has it")

    def _land(self, path: str, content: str, mtime_ns: int) -> Seen:
        """Have the content at the path by order: that is no news."""
        self.told[path] = self._set(path, content, mtime_ns)
        return self.told[path]

    def _set(self, path: str, content: str, mtime_ns: int) -> Seen:
        stamp = Stamp(len(content), mtime_ns, next(_clock), 1)
        seen = Seen(path, Kind.FILE, stamp)
        self.disk[path] = (content, seen)
        return seen


def _digest(content: str) -> bytes:
    return content.encode().ljust(32, b"\0")
