"""A daemon and its children without processes, disks or time: every step is told.

The referee, the door and the index are the real ones; the index lies in memory. What
is made up are the children, step by step: messages wait in both directions until they
are delivered, and any process can be killed between any two steps, or in the middle
of a transaction.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from syncd import wire
from syncd.core.file import File
from syncd.core.guard import Limit, Limits
from syncd.core.rules import parse
from syncd.core.world import Member
from syncd.errors import Unavailable
from syncd.replication.door import Door
from syncd.replication.judging import Judging
from syncd.replication.referee import Referee
from syncd.store import entries, files
from syncd.store.schema import metadata
from tests.replication.storage import Child, Storage

NAMES = ("A", "B", "C", "D")
NOON = 1_700_000_000.0

P = ParamSpec("P")
T = TypeVar("T")


NO_LIMITS = Limits(Limit(), Limit(), Limit())


class Killed(Exception):
    """The daemon was killed."""


class MemoryStore:
    """The index in memory; it may be told to be out of order, or to be the end."""

    def __init__(self) -> None:
        self.engine = _engine()
        self.down = False
        self.fuse: int | None = None
        """After how many transactions the daemon is killed."""
        self.committed = False
        """Whether that is right behind the last of them, or right before it ends."""
        self.become(_blank())

    def become(self, image: bytes) -> None:
        """Be the index that the image was made of."""
        _raw(self.engine).deserialize(image)

    def image(self) -> bytes:
        """Return all of the index."""
        return _raw(self.engine).serialize()

    async def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self.down:
            raise Unavailable("the disk is full")
        last = self.fuse == 0
        if self.fuse is not None:
            self.fuse -= 1
        with self.engine.begin() as db:
            result = work(db, *args, **kwargs)
            if last and not self.committed:
                raise Killed
        if last:
            raise Killed
        return result

    async def read(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        with self.engine.connect() as db:
            return work(db, *args, **kwargs)


class _Judging(Judging):
    async def wait(self) -> None:
        """Wait for nothing: there is no time here."""


class _Referee(Referee):
    """Does nothing by itself: its turns are taken when that is told."""

    def __init__(self, store: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(store, *args, **kwargs)
        self.judging = _Judging(store)

    async def _begin(self) -> None:
        await self._count_all()
        self._counted.set()
        await asyncio.Event().wait()

    @property
    def is_judging(self) -> bool:
        return self.judging._after is not None

    @property
    def has_news(self) -> bool:
        return bool(self._news)


class Simulation:
    """Some entries under rules; each method is one thing that happens.

    There can be only one at a time: they share the place of the index.
    """

    def __init__(
        self, number: int, rules: Sequence[Any], members: Mapping[str, Any] = {}
    ) -> None:
        self.names = NAMES[:number]
        self.rules = list(rules)
        self.loop = asyncio.new_event_loop()
        self.store = MemoryStore()
        self.ticks = count(1_000)
        self.now = NOON
        self.written = 0
        self.wishes = {name: members.get(name, {}) for name in self.names}
        self.storages = {name: Storage(name, self.ticks) for name in self.names}
        self.children: dict[str, Child | None] = dict.fromkeys(self.names)
        self.suspended: dict[str, str | None] = {}
        self.indices = count(1)
        self._make_index()
        self._boot()

    # The daemon -------------------------------------------------------------------

    def turn(self) -> bool:
        """Let the referee take a turn; tell whether it had anything to do."""
        try:
            return bool(self._do(self.referee._turn()))
        except Unavailable:
            return False

    def kill(self) -> None:
        """Kill the daemon and start it anew; the children end in an orderly way."""
        self._end()
        self._boot()

    def use(self, rules: Sequence[Any]) -> None:
        """Write new rules into their file, and put them in force, if that can be."""
        before, self.rules = self.rules, list(rules)
        try:
            self._use()
        except Unavailable:
            self.rules = before

    def lose_index(self) -> None:
        """Stop the daemon, take the index away, and start it anew."""
        self._end()
        self.store.become(_blank())
        self._make_index()
        self._boot()

    def restore_index(self, image: bytes) -> None:
        """Stop the daemon, put an old index in place, and start it anew."""
        self._end()
        self.store.become(image)
        self._boot()

    def close(self) -> None:
        """End everything."""
        self._end()
        self.loop.close()

    # The children -----------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start an entry's child, if there is none."""
        if self.children[name] is None:
            child = Child(self.storages[name], self._contents)
            self.children[name] = child
            child.greet()

    def lose(self, name: str, *, heard: int = 0, orderly: bool = False) -> None:
        """Have an entry's child end, after so many more of its messages are heard."""
        child = self.children[name]
        if child is None:
            return
        for _ in range(heard):
            self.deliver_up(name)
        if orderly:
            child.commit()
        self.children[name] = None
        self.referee.lost(name)

    def deliver_up(self, name: str, *, twice: bool = False) -> bool:
        """Have the referee hear a child's next word; tell whether there was one."""
        child = self.children[name]
        if child is None or not child.up:
            return False
        message = child.up.popleft()
        for _ in range(2 if twice else 1):
            self.referee.hear(name, message)
        return True

    def deliver_down(self, name: str, *, twice: bool = False) -> bool:
        """Have a child hear the next word for it; tell whether there was one."""
        child = self.children[name]
        if child is None or not child.down:
            return False
        message = child.down.popleft()
        for _ in range(2 if twice else 1):
            child.hear(message)
        return True

    def accept(self, name: str, *, restore: bool = False) -> None:
        """Approve what an entry is suspended for, or have it filled again."""
        if self.suspended.get(name) is None or self.children[name] is None:
            return
        if self.referee.slot(name) in self.referee._door._waiting:
            decide = self.referee.restore if restore else self.referee.approve
            self._do(decide(name))

    # What people and tests look at ------------------------------------------------

    def files(self) -> list[File]:
        """Return everything the index knows."""
        with self.store.engine.connect() as db:
            return [file for file, _ in files.after(db, 0, 10_000)]

    def file(self, path: str) -> File | None:
        """Return what the index knows of a path."""
        with self.store.engine.connect() as db:
            known = files.load(db, [path]).get(path)
        return known[0] if known else None

    def decide(self, path: str, keep: str | None) -> None:
        """Let a person end a dispute."""
        self._do(self.referee.decide(path, keep))

    def contents(self) -> set[bytes]:
        """Return every content that lies anywhere, but not what is kept for undoing."""
        return {
            thing.content
            for storage in self.storages.values()
            for thing in storage.disk.values()
        }

    def kept(self) -> set[bytes]:
        """Return every content that is kept for undoing."""
        return {one for storage in self.storages.values() for one in storage.trash}

    def settle(self) -> None:
        """Let everything happen that is to happen; nobody does anything meanwhile."""
        self.store.down, self.store.fuse = False, None
        for _ in range(30):
            if not self._settle_a_little():
                return
        raise AssertionError("it never comes to rest")

    # Inside -----------------------------------------------------------------------

    def _settle_a_little(self) -> bool:
        before = self.store.image()
        disks = [dict(storage.disk) for storage in self.storages.values()]
        for name in self.names:
            self.start(name)
            self._child(name).deaf = False
            if not self._child(name).working:
                self._child(name).greet()  # As it does when nobody answers.
        assert self.exchange(), "there is no end of talking"
        at_work = all(self._child(name).working for name in self.names)
        for name in self.names:
            self.accept(name)
            self._child(name).commit()
            self._child(name).walk()
        assert self.exchange(), "there is no end of talking"
        self.now += 700.0
        assert self.exchange(), "there is no end of talking"
        after = [dict(storage.disk) for storage in self.storages.values()]
        return not at_work or disks != after or before != self.store.image()

    def exchange(self, most: int = 500) -> bool:
        """Deliver, carry out and take turns; tell whether that came to an end."""
        for _ in range(most):
            busy = self.turn()
            for name in self.names:
                while self.deliver_up(name):
                    busy = True
                while self.deliver_down(name):
                    busy = True
                child = self.children[name]
                while child is not None and child.carry_out():
                    busy = True
            if not busy:
                return True
        return False

    def _child(self, name: str) -> Child:
        child = self.children[name]
        assert child is not None
        return child

    def _make_index(self) -> None:
        self.index = f"index {next(self.indices)}"
        markers = [f"marker of {name} for {self.index}" for name in self.names]
        with self.store.engine.begin() as db:
            entries.configure(db, self.names, markers)

    def _boot(self) -> None:
        with self.store.engine.connect() as db:
            known = {one.name: one.slot for one in entries.everything(db)}
        door = Door(
            self.store,  # type: ignore[arg-type]
            self.index,
            send=self._send,
            report=self.suspended.__setitem__,
        )
        # Who empties an entry here means it; test_model is about guards.
        wishes = {n: {"limits": NO_LIMITS, **self.wishes[n]} for n in self.names}
        members = {known[n]: Member(n, **wishes[n]) for n in self.names}
        self.referee = _Referee(
            self.store,
            door,
            members,
            send=self._send,
            tell=lambda _kind, _facts: None,
            tell_all=lambda _kind, _items: None,
            now=lambda: self.now,
        )
        self._do(self.referee.__aenter__())
        self._do(self.referee.counted())
        self._use()

    def _use(self) -> None:
        document = {"rules": self.rules}
        self._do(self.referee.use(document, parse(document, self.names)))

    def _end(self) -> None:
        self.store.down, self.store.fuse = False, None
        for name, child in self.children.items():
            if child is not None:
                child.commit()
            self.children[name] = None
        self.suspended.clear()
        self._do(self.referee.__aexit__(None, None, None))

    def _do(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what comes of the work; None if the daemon was killed in it."""
        try:
            return self.loop.run_until_complete(work)
        except Killed:
            self.kill()
            return None

    def _send(self, name: str, message: wire.Down) -> bool:
        child = self.children[name]
        if child is None or child.deaf:
            return False
        child.down.append(message)
        return True

    def _contents(self, name: str) -> Storage | None:
        """Return the storage of an entry whose child can be asked for content."""
        child = self.children[name]
        return self.storages[name] if child is not None and child.working else None


@cache
def _engine() -> Engine:
    # One for all: what SQLAlchemy compiles for it is of use to the next one, too.
    return create_engine(
        "sqlite://",
        poolclass=StaticPool,
        creator=lambda: sqlite3.connect(":memory:", check_same_thread=False),
    )


@cache
def _blank() -> bytes:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    image = _raw(engine).serialize()
    engine.dispose()
    return image


def _raw(engine: Engine) -> sqlite3.Connection:
    with engine.connect() as db:
        raw = db.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
