"""One path on three entries: what they report and carry out, step by step.

A story is told in steps, and shown as ``newest content | up to date | work``:

* ``A:one`` entry A has a new content, ``A:one@9`` with that mtime; ``A:/`` is a
  folder, ``A:->t`` a link to t
* ``A~`` its content was touched, ``A-`` deleted
* ``A!`` it carries out what it is to do
"""

import re
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Self

from syncd.core import outcome, reconcile, work
from syncd.core.change import (
    Amend,
    Delete,
    Done,
    Found,
    Gone,
    Inspect,
    Order,
    Put,
    SetAside,
)
from syncd.core.file import File, Kind, Seen, Slot, Stamp, slots
from syncd.core.rules import Rules, parse
from syncd.core.world import Member, World

A, B, C = 0, 1, 2
NAMES = ("A", "B", "C")
SLOTS = {"A": A, "B": B, "C": C}
NOW = 1_700_000_000.0
TO_ALL = {"sync": ["A", "B", "C"]}

_STEP = re.compile(r"([ABC])(?:(:)([^@ ]*)(?:@(\d+))?|([~!-]))")


def a_world(*rules: Any, now: float = NOW, **members: Any) -> World:
    """Return entries A, B and C under the rules; some of them with wishes."""
    known = {slot: members.get(n, Member(n)) for slot, n in enumerate(NAMES)}
    ready = Rules(parse({"rules": list(rules)}, NAMES), SLOTS)
    return World(members=known, rules=ready, now=now)


def without(world: World, slot: Slot) -> World:
    """Return the world as it is when the entry is not configured any more."""
    members = {s: m for s, m in world.members.items() if s != slot}
    return World(members=members, rules=world.rules, now=world.now)


@dataclass(frozen=True)
class Thing:
    """What lies at the path of one entry."""

    content: str
    mtime_ns: int
    ctime_ns: int
    mode: int = 0o644

    @property
    def kind(self) -> Kind:
        if self.content == "/":
            return Kind.DIRECTORY
        return Kind.LINK if self.content.startswith("->") else Kind.FILE

    def seen(self, path: str) -> Seen:
        target = self.content[2:] if self.kind is Kind.LINK else None
        stamp = Stamp(len(self.content), self.mtime_ns, self.ctime_ns)
        return Seen(path, self.kind, stamp, self.mode, target)


class Story:
    """What happens at one path, and what is known of it."""

    def __init__(
        self, world: World, steps: str = "", *, eager: bool = True, path: str = "x"
    ) -> None:
        self.world = world
        self.file = reconcile.blank(path)
        self.disk: dict[Slot, Thing] = {}
        self.aside: dict[str, File] = {}
        self.kept: list[str] = []
        """The contents of what was set aside."""
        self._eager = eager
        self._clock = count(1)
        self.tell(steps)

    def tell(self, steps: str) -> Self:
        for step in steps.split():
            match = _STEP.fullmatch(step)
            assert match, step
            slot = SLOTS[match[1]]
            if match[2]:
                self.write(slot, match[3], int(match[4]) if match[4] else None)
            else:
                {"~": self.touch, "-": self.delete, "!": self.carry_out}[match[5]](slot)
        return self

    def write(self, slot: Slot, content: str, mtime_ns: int | None = None) -> None:
        now = next(self._clock)
        self.disk[slot] = Thing(content, mtime_ns or now, now)
        self.report(slot)

    def touch(self, slot: Slot) -> None:
        thing = self.disk[slot]
        self.write(slot, thing.content)

    def delete(self, slot: Slot) -> None:
        self.disk.pop(slot, None)
        self.report(slot)

    def report(self, slot: Slot) -> None:
        change = self.change(slot)
        if isinstance(change, Gone):
            self.file = reconcile.gone(self.file, slot, change, self.world)
        else:
            self.file = reconcile.found(self.file, slot, change, self.world)

    def change(self, slot: Slot) -> Found | Gone:
        """Return what the entry says of its path as it is."""
        path = self.file.path
        if (thing := self.disk.get(slot)) is None:
            return Gone(path)
        return Found(thing.seen(path), digest(thing) if self._eager else None)

    def order(self, slot: Slot, up: int = 0b111) -> Order | None:
        return work.order(self.file, slot, 1, self.world, up)

    def carry_out(self, slot: Slot) -> None:
        order = self.order(slot)
        assert order is not None, self.shown()
        result = self.do(slot, order)
        what = outcome.issued(order, self.file)
        before = self.file
        self.file = outcome.done(before, slot, what, result, self.world)
        if isinstance(order, SetAside) and result.seen is not None:
            kept = self.aside.get(order.to, reconcile.blank(order.to))
            self.aside[order.to] = outcome.kept_aside(
                slot, before, kept, result, self.world
            )

    def do(self, slot: Slot, order: Order) -> Done:
        """Do to the entry's disk what a child would do, and say what came of it."""
        here = self.disk.get(slot)
        match order:
            case Put():
                return self._put(slot, order)
            case Delete():
                del self.disk[slot]
                return Done(order.id, None)
            case SetAside():
                del self.disk[slot]
                assert here
                self.kept.append(here.content)
                return Done(order.id, here.seen(order.to))
            case Amend():
                assert here
                here = replace(
                    here,
                    mtime_ns=order.mtime_ns,
                    mode=order.mode,
                    ctime_ns=next(self._clock),
                )
                self.disk[slot] = here
                return Done(order.id, here.seen(order.path))
            case Inspect():
                assert here
                found = digest(here) if order.digest else None
                mime = "text/plain" if order.mime else None
                return Done(order.id, here.seen(order.path), found, mime)

    def _put(self, slot: Slot, order: Put) -> Done:
        content = "/" if order.kind is Kind.DIRECTORY else f"->{order.target}"
        if order.kind is Kind.FILE:
            source = self.disk[SLOTS[order.sources[0].entry]]
            assert source.seen(order.path).stamp == order.sources[0].stamp
            content = source.content
        here = self.disk.get(slot)
        assert (here and here.seen(order.path).stamp) == order.replaces
        thing = Thing(content, order.mtime_ns, next(self._clock), order.mode)
        self.disk[slot] = thing
        return Done(order.id, thing.seen(order.path), digest=digest(thing))

    def settle(self) -> Self:
        """Carry out everything that is left to do."""
        for _ in range(50):
            able = [s for s in self.world.members if self.order(s) is not None]
            if not able:
                return self
            self.carry_out(able[0])
        raise AssertionError(f"there is no end: {self.shown()}")

    def task(self, slot: Slot) -> work.Task | None:
        return work.task(self.file, slot, self.world)

    def newest(self) -> str:
        """Return the newest content, as some entry has it."""
        if self.file.deleted:
            return "-"
        holders = [self.disk[s] for s in slots(self.file.holders) if s in self.disk]
        return holders[0].content if holders else "?"

    def shown(self) -> str:
        uptodate = "".join(NAMES[slot] for slot in slots(self.file.uptodate))
        tasks = [
            f"{name} {todo.name.lower()}"
            for slot, name in enumerate(NAMES)
            if slot in self.world.members and (todo := self.task(slot)) is not None
        ]
        return f"{self.newest()} | {uptodate or '-'} | {', '.join(tasks) or '-'}"


def digest(thing: Thing) -> bytes | None:
    if thing.kind is not Kind.FILE:
        return None
    return thing.content.encode().ljust(32, b"\0")


def told(world: World, steps: str, **options: Any) -> str:
    """Return what is shown at the end of a story."""
    return Story(world, steps, **options).shown()
