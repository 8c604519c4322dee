"""Turns what entries report into records, and records into orders.

One coroutine does everything in turns, so that nothing here needs a lock: what
entries said (one transaction for all that has come meanwhile), then work found
in the index, then rules to be applied. Nothing is answered before it is safe.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import structlog
from msgspec.structs import replace

from syncd import wire
from syncd.core.change import Order
from syncd.core.file import Mask, Slot, has, slots
from syncd.core.guard import ORDERED, Room
from syncd.core.ignoring import Ignored
from syncd.core.rules import Rule, RuleFaults, Rules, parse
from syncd.core.world import Member, World
from syncd.errors import Unavailable
from syncd.replication import batch, headlines, housekeeping, incoming
from syncd.replication.batch import Ended, News, Touched
from syncd.replication.chronicle import Chronicle
from syncd.replication.door import Door
from syncd.replication.guards import APPROVE, RESTORE, Guards
from syncd.replication.incoming import Incoming
from syncd.replication.judging import Judging, in_force
from syncd.replication.lane import Lane
from syncd.replication.ranks import Ranks
from syncd.replication.tally import Tally
from syncd.store import doubts, files
from syncd.store.database import Store

log = structlog.get_logger(__name__)

PAGE = 500
"""Files read from the index in one turn."""
TICK = 1.0
"""Seconds between looks at what has become due."""
SELDOM = 60.0
"""Seconds between looks at rules about age and at old tombstones."""
PAUSE = 1.0
"""Seconds before a transaction that failed (a full disk) is tried again."""


class Referee:
    """The room that knows which entry should hold what, and sees to it."""

    def __init__(
        self,
        store: Store,
        door: Door,
        members: Mapping[Slot, Member],
        *,
        send: Callable[[str, wire.Down], bool],
        tell: Callable[[str, dict[str, Any]], None],
        tell_all: headlines.Say,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._door = door
        self._members = dict(members)
        self._ignored = {
            slot: Ignored(member.ignore)
            for slot, member in members.items()
            if member.ignore
        }
        self._slots = {member.name: slot for slot, member in members.items()}
        self._send = send
        self._tell = tell
        self._tell_all = tell_all
        self._now = now
        self._rules = Rules((), self._slots)
        self.written: Sequence[Any] = ()
        """The rules in force as people wrote them."""
        self._news: deque[Incoming] = deque()
        self._wake = asyncio.Event()
        self._counted = asyncio.Event()
        self._numbers = count(1)
        self._ids = count(1)
        self.judging = Judging(store)
        self.tally = Tally()
        self.ranks = Ranks()
        self.chronicle = Chronicle()
        self.guards = Guards(
            store, members, holds=lambda slot: self.tally.of(slot).files, tell=tell
        )
        self.lanes = {
            slot: Lane(slot, member.name, self._numbers)
            for slot, member in members.items()
        }
        self.up: Mask = 0
        """The entries that can be asked for content."""
        self._noted: dict[Slot, int] = {}
        self._relieved: dict[Slot, int] = {}
        """After which row to let entries go on trying what their storage refused."""
        self.trouble: str | None = None
        """Why nothing can be recorded now; until it can, nothing is done."""
        self.walked_at: dict[Slot, float] = {}
        """When the last walk of each entry ended; seconds since 1970."""
        self._due = 0.0
        self._cleaned = 0.0
        door.wants_mime = lambda: self._rules.wants_mime
        door.greet_again = self.hear
        door.hand_over = self.hand_over

    async def __aenter__(self) -> Self:
        self._recall(*await self._store.read(in_force))
        self._ids = count(await self._store.read(files.highest_id) + 1)
        self._door.doubted = await self._store.read(doubts.of)
        await self.judging.open()
        await self.guards.open(self._now())
        self.task = asyncio.create_task(self._begin(), name="referee")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()  # Whoever waits for it has been told.

    async def counted(self) -> None:
        """Return when the tally is true; raise what went wrong in counting."""
        counted = asyncio.create_task(self._counted.wait())
        await asyncio.wait([counted, self.task], return_when=asyncio.FIRST_COMPLETED)
        counted.cancel()
        if self.task.done():
            self.task.result()

    @property
    def world(self) -> World:
        """Return the entries and rules in force, and the time."""
        return World(
            members=self._members,
            rules=self._rules,
            now=self._now(),
            ignored=self._ignored,
            doubted=self._door.doubted,
        )

    @property
    def _guarded(self) -> World:
        """Return the world in which whatever is to be kept from others is kept."""
        return replace(self.world, keeping=self.guards.keeping(self._now()))

    def slot(self, name: str) -> Slot:
        """Return the slot of a configured entry; KeyError for others."""
        return self._slots[name]

    def hear(self, name: str, message: wire.Up) -> None:
        """Take in what an entry's child said; it is dealt with in turn."""
        slot = self._slots[name]
        match message:
            case wire.Changes():
                self._news.append(incoming.reported(slot, message))
            case wire.Outcomes():
                results = self.lanes[slot].answers(message.outcomes)
                self._news.append(Ended(slot, message.number, results))
            case wire.Hello() | wire.Walked() | wire.Looked():
                self._news.append((slot, message))
            case wire.Progress():
                self.lanes[slot].copied[message.id] = message.copied
            case wire.Relieved():
                self._relieved[slot] = 0
            case wire.Suspended():
                self._rest(slot)
                self._door.suspended(slot, name, message.reason)
            case _:
                return
        self._wake.set()

    def lost(self, name: str) -> None:
        """Forget what an entry's child was doing: it is gone."""
        self._rest(self._slots[name])

    async def use(self, document: Any, rules: Sequence[Rule]) -> None:
        """Put these rules in force, for every file there is.

        Returns when all are judged, or after some seconds while that goes on.
        """
        mark = hashlib.sha256(repr((document, self._members)).encode()).hexdigest()
        await self.judging.start(document, mark)
        self._put_in_force(document, rules)
        for slot in slots(self.up):
            await self._door.say_wishes(slot)
        self._wake.set()
        self._tell("rules", {"rules": len(rules)})
        await self.judging.wait()

    def reset_lanes(self) -> None:
        """Look for work again everywhere: something may have become possible."""
        for lane in self.lanes.values():
            lane.look_again()
        self._wake.set()

    async def approve(self, name: str) -> None:
        """Take what an entry shows as meant: an odd storage, or changes held of it.

        Raise Conflict if nothing waits for that; see Door.approve.
        """
        await self._decide(name, APPROVE, self._door.approve)

    async def restore(self, name: str) -> None:
        """Undo what is lost on an entry: an empty storage, or changes held of it.

        Raise Conflict if nothing waits for that; see Door.restore.
        """
        await self._decide(name, RESTORE, self._door.restore)

    async def decide(self, path: str, keep: str | None) -> None:
        """End a file's dispute by what a person chose: an entry's side, or (None) all.

        Raise NotFound or Conflict if there is nothing to decide, or not on that
        entry; KeyError if no entry is called so.
        """
        slot = None if keep is None else self._slots[keep]
        world, cause = self.world, uuid4().hex[:8]
        one = await self._store.run(batch.decide, path, slot, world, cause)
        self._count([one])
        headlines.tell([one], [], world, self._tell_all)
        self._dispatch([one])

    async def drop_copies(self, slot: Slot) -> None:
        """Forget everything that an entry holds; nothing is deleted anywhere."""
        row: int | None = 0
        while row is not None:
            row, touched = await self._store.run(
                batch.drop_copies, slot, row, self.world
            )
            self._count(touched)

    async def hand_over(self, former: Slot, slot: Slot) -> None:
        """Take what one entry holds for what another does: it has its storage."""
        row: int | None = 0
        while row is not None:
            row, touched = await self._store.run(
                batch.hand_over, former, slot, row, self.world
            )
            self._count(touched)
        await self.guards.hand_over(former, slot)

    async def _decide(
        self, name: str, decision: str, at_the_door: Callable[..., Awaitable[None]]
    ) -> None:
        """Decide about the storage, about what is held, or about both at once."""
        slot = self._slots[name]
        held = self.guards.waiting(slot)
        if not held or self._door.is_asked(slot):
            await at_the_door(slot, name, self.drop_copies)
        if held and self.guards.waiting(slot):
            await self.guards.decide(slot, decision, self._now())
            self._wake.set()
            await self.guards.done(slot)

    def _recall(self, document: Any, _mark: str | None) -> None:
        """Go on under the rules that were in force: some work does not wait."""
        if document is not None:
            with suppress(RuleFaults):  # They are told when the file is read.
                self._put_in_force(document, parse(document, None))

    def _put_in_force(self, document: Any, rules: Sequence[Rule]) -> None:
        self._rules = Rules(rules, self._slots)
        self.written = document.get("rules", [])

    def _rest(self, slot: Slot) -> None:
        self.up &= ~(1 << slot)
        self._noted.pop(slot, None)
        self.lanes[slot].reset()
        self._door.left(slot)

    async def _begin(self) -> None:
        # For a large index this takes a while, in which the children can start.
        await self._count_all()
        self._counted.set()
        await self._work()

    async def _count_all(self) -> None:
        counts, blocks = await asyncio.gather(
            self._store.read(files.count), self._store.read(files.blocks)
        )
        self.tally.fill(counts)
        self.ranks.fill(blocks)

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            try:
                busy = await self._turn()
            except Unavailable as error:
                self._rest_for(str(error))
                await asyncio.sleep(PAUSE)
                continue
            self._rest_for(None)
            if not busy and not self._wake.is_set():
                await self._sleep()

    def _rest_for(self, trouble: str | None) -> None:
        """Keep, and say once, why nothing can be recorded; None: it can again."""
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble is None:
            log.warning("the index takes changes again", action="index")
        else:
            log.warning("nothing is changed for now", action="index", reason=trouble)

    async def _turn(self) -> bool:
        """Do one step of everything there is to do; tell whether there was any."""
        busy = await self._take_news()
        busy |= await self._guard()
        busy |= await self._find_work()
        busy |= await self._judge()
        busy |= await self._relieve()
        now = self._now()
        if now < self._due - TICK:
            self._set_back(now)
        if now >= self._due:
            self._due = now + TICK
            busy |= await self._tick()
        return busy

    def _set_back(self, now: float) -> None:
        """Find anew what to do and when: the clock was set back since the last tick."""
        self._due, self._cleaned = now, min(self._cleaned, now)
        self.reset_lanes()

    async def _sleep(self) -> None:
        try:
            now = self._now()
            pause = max(0.0, self.guards.due(now) - now)
            async with asyncio.timeout(min(TICK, pause)):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _take_news(self) -> bool:
        news = incoming.together(self._news)
        if not news:
            return await self._take_greeting()
        world, ordered = self.world, incoming.is_ordered(news[0])
        rooms: Mapping[Slot, Room] = {}
        if ordered:
            world = replace(world, keeping=ORDERED)
        else:
            rooms = self.guards.rooms(world.now)
        touched = await self._store.run(batch.take, news, world, self._ids, rooms)
        for one in news:
            self._news.popleft()
            self._acknowledge(one)
        self._count(touched)
        self.chronicle.heard(news, world.now)
        if not ordered:
            self.guards.passed(touched, world.now)
        headlines.tell(touched, news, world, self._tell_all)
        self._dispatch(touched)
        return True

    def _acknowledge(self, one: News) -> None:
        if isinstance(one, Ended):
            self.lanes[one.slot].close(one.results)
        if one.number:
            self._noted[one.slot] = one.number
            self._say_noted(one.slot)

    def _say_noted(self, slot: Slot) -> None:
        # What a busy line does not take now is said again with the next tick.
        if self._send(self._members[slot].name, wire.Noted(self._noted[slot])):
            del self._noted[slot]

    async def _take_greeting(self) -> bool:
        if not self._news:
            return False
        one = self._news[0]
        assert isinstance(one, tuple)
        slot, message = one
        if isinstance(message, wire.Hello):
            self._rest(slot)
            if await self._door.greet(slot, message, self.tally.of(slot).files):
                self.up |= 1 << slot
                self.guards.scans(slot, meant=self._door.is_accepted(slot))
        elif isinstance(message, wire.Looked):
            await self._door.looked(slot)
        elif has(self.up, slot) and message.first:
            await self._door.walked(slot)
            self.guards.scanned(slot, self._now())
            self.lanes[slot].ready = True
            self.reset_lanes()
        if isinstance(message, wire.Walked):
            self.walked_at[slot] = self._now()
        self._news.popleft()
        return True

    def _count(self, touched: Sequence[Touched]) -> None:
        self.tally.change((one.was, one.now) for one in touched)
        self.ranks.change(touched)
        self.guards.count(touched, self._now())

    def _dispatch(self, touched: Sequence[Touched]) -> None:
        world = self.world
        for slot, lane in self.lanes.items():
            if lane.ready:
                mine = [one.after for one in touched if has(one.now.behind, slot)]
                self._order(lane, lane.orders(mine, world, self.up))

    def _order(self, lane: Lane, orders: Sequence[Order]) -> None:
        for start in range(0, len(orders), PAGE):
            some = list(orders[start : start + PAGE])
            if not self._send(lane.name, wire.Orders(some)):
                lane.withdraw(orders[start:])
                return
            self.chronicle.ordered(lane.slot, some, self._now())
            headlines.tell_orders(lane.name, some)

    async def _find_work(self) -> bool:
        busy = False
        for lane in self.lanes.values():
            if lane.wants_more and lane.cursor is not None:
                deleted, after = lane.cursor
                page = await self._store.read(
                    files.pending, lane.slot, deleted, after, PAGE
                )
                lane.turn(page, PAGE)
                self._order(lane, lane.orders(page, self.world, self.up))
                busy = True
        return busy

    async def _guard(self) -> bool:
        """Let go, hold, or undo what was kept from other entries."""
        if self.guards.is_idle:
            return False
        touched = await self.guards.step(self._guarded)
        if touched is None:
            return False
        self._count(touched)
        headlines.tell(touched, [], self.world, self._tell_all)
        self._dispatch(touched)
        return True

    async def _judge(self) -> bool:
        touched = await self.judging.step(self._guarded)
        if touched is None:
            return False
        self._count(touched)
        self._dispatch(touched)
        return True

    async def _relieve(self) -> bool:
        for slot, after in list(self._relieved.items())[:1]:
            row, touched = await self._store.run(batch.relieve, slot, after, self.world)
            if self._relieved[slot] == after:  # Otherwise it was told again meanwhile.
                del self._relieved[slot]
                if row is not None:
                    self._relieved[slot] = row
            self._dispatch(touched)
            return True
        return False

    async def _tick(self) -> bool:
        """Do what has become due: failed orders, rules about age, old tombstones."""
        now = self._now()
        for slot in list(self._noted):
            self._say_noted(slot)
        await self._door.go_on()
        for lane in self.lanes.values():
            lane.refused = False
            if rows := lane.due(now):
                again = await self._store.read(files.by_ids, rows)
                self._order(lane, lane.orders(again, self.world, self.up))
        if now < self._cleaned + SELDOM:
            return False
        await self._store.run(housekeeping.forget_tombstones, now)
        touched = await self.judging.due(self._guarded)
        self._cleaned = now
        self._count(touched)
        self._dispatch(touched)
        return bool(touched)
