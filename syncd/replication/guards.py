"""What is kept from the other entries because it is too much at once, and until when.

Which changes are kept is in their records; here is counted what comes, so that a
``core.guard`` can say what becomes of it, and people's decisions are carried out.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import structlog
from msgspec import Struct

from syncd.core import guard
from syncd.core.file import Alarm, File, Held, Kind, Mask, Slot, has
from syncd.core.guard import AT_WILL, WINDOW, Guard, Keeping, Room, Verdict
from syncd.core.holding import let_go, undone
from syncd.core.world import Member, World
from syncd.replication import batch
from syncd.replication.batch import Touched
from syncd.replication.door import undecided
from syncd.store import files, holds
from syncd.store.database import Store
from syncd.store.holds import Hold

PAGE = 1000
PATIENCE = 10.0
"""Seconds after which whoever decided is answered, though it is still carried out."""

APPROVE, RESTORE = "approve", "restore"
_WORDS = {
    Alarm.DELETIONS: "deletions",
    Alarm.OVERWRITES: "overwritten files",
    Alarm.ROLLBACKS: "files put back to older contents",
}

log = structlog.get_logger(__name__)


class Waiting(Struct, frozen=True):
    """Changes of one kind that wait for a person."""

    alarm: Alarm
    files: int
    since: float
    passed: int = 0
    """Files of which such changes were passed on before it was clear what they are."""
    passed_since: float | None = None


class _Job(Struct):
    """Kept changes being dealt with, page by page."""

    slot: Slot
    alarms: frozenset[Alarm]
    deal: Callable[[File, Slot, World], File]
    upto: float
    """Only what was kept by then: what came later was not decided about."""
    decision: str | None = None
    row: int | None = 0
    """After which to go on; None: all is dealt with."""


class Guards:
    """One guard per entry, and what people decided about what they hold."""

    def __init__(
        self,
        store: Store,
        members: Mapping[Slot, Member],
        *,
        holds: Callable[[Slot], int],
        tell: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Begin; ``holds`` says how many files an entry has that are not kept."""
        self._store = store
        self._members = members
        self._files = holds
        self._tell = tell
        self._guards: dict[Slot, Guard] = {}
        self._holds: dict[tuple[Slot, Alarm], Hold] = {}
        """What was noted when the guards began to hold what they hold."""
        self._jobs: deque[_Job] = deque()
        self._busy = asyncio.Condition()
        self._unscanned: Mask = 0
        self._meant: dict[Slot, float] = {}
        """Until when whatever an entry tells is what a person has called meant."""

    async def open(self, now: float) -> None:
        """Take up what is kept, and decisions that were not carried out."""
        known = await self._store.read(holds.everything)
        for slot, member in self._members.items():
            mine = [hold for hold in known if hold.slot == slot]
            self._guards[slot] = Guard(member.limits)
            for hold in mine:
                self._take_up(hold)
            self._unscanned |= 1 << slot
            row = 0
            while page := await self._store.read(files.held, slot, row, PAGE):
                row = page[-1][0].id
                for file, _ in page:
                    self._note(guard.kept(file).get(slot), slot, file, 1, now)

    def rooms(self, now: float) -> dict[Slot, Room]:
        """Return how much may change on entries at once; on others: whatever."""
        result = {}
        for slot, one in self._guards.items():
            if not self._is_meant(slot, now):
                scanning = has(self._unscanned, slot)
                room = one.room(now, self._files(slot), scanning=scanning)
                if room != AT_WILL:
                    result[slot] = room
        return result

    def _is_meant(self, slot: Slot, now: float) -> bool:
        """Tell whether whatever comes is meant, for a minute if the clock is right."""
        until = self._meant.get(slot, -inf)
        return until == inf or now < until <= now + WINDOW

    def keeping(self, now: float) -> Keeping:
        """Return what is to be kept of whatever changes, however little it is."""
        return guard.keeping(self.rooms(now), {}, {})

    def scans(self, slot: Slot, *, meant: bool) -> None:
        """Note that the entry begins to tell what changed while it was away.

        ``meant`` says that a person has seen that and called it meant.
        """
        self._unscanned |= 1 << slot
        self._meant.pop(slot, None)
        if meant:
            self._meant[slot] = inf

    def scanned(self, slot: Slot, now: float) -> None:
        """Note that the entry has told what changed while it was away.

        What it is asked for after that it tells within a minute.
        """
        self._unscanned &= ~(1 << slot)
        self._guards[slot].note_all_told()
        if slot in self._meant:
            self._meant[slot] = now + WINDOW

    def count(self, touched: Iterable[Touched], now: float) -> None:
        """Note what of these files is kept now, or no longer."""
        for one in touched:
            if not one.now.held and not (one.was and one.was.held):
                continue
            before = guard.kept(one.before) if one.before is not None else {}
            after = guard.kept(one.after)
            for slot in {**before, **after}:
                if before.get(slot) != after.get(slot):
                    if one.before is not None:
                        self._note(before.get(slot), slot, one.before, -1, now)
                    self._note(after.get(slot), slot, one.after, 1, now)

    def passed(self, touched: Iterable[Touched], now: float) -> None:
        """Note which changes were passed on to other entries."""
        for one in touched:
            if one.before is None or one.before is one.after:
                continue
            if change := guard.passed(one.before, one.after):
                slot, alarm = change
                if slot in self._guards:
                    self._guards[slot].note_passed(alarm, one.after.id, now)

    def waiting(self, slot: Slot) -> list[Waiting]:
        """Return what of the entry waits for a person."""
        one = self._guards[slot]
        return [
            self._waiting(slot, alarm, one.kept[alarm])
            for alarm in one.held
            if one.kept[alarm]
        ]

    def kept(self, slot: Slot) -> int:
        """Return how many changes of the entry are kept, held or for a moment."""
        return self._guards[slot].kept.total()

    def told(self, slot: Slot) -> str:
        """Return in words what of the entry waits, and what a person can do."""
        return told(self.waiting(slot), self._members[slot].name)

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is kept, held or being carried out."""
        return not self._jobs and not any(
            one.held or one.kept.total() for one in self._guards.values()
        )

    def due(self, now: float) -> float:
        """Return when to step next; infinity: when something has changed."""
        times = (
            one.due(now, self._files(slot))
            for slot, one in self._guards.items()
            if not has(self._unscanned, slot)
        )
        return min(times, default=inf)

    async def step(self, world: World) -> list[Touched] | None:
        """Do what is due; return what changed, None when there is nothing to do."""
        for slot, one in self._guards.items():
            await self._forget_empty(slot, one)
            if not has(self._unscanned, slot):
                await self._judge(slot, one, world.now)
        if not self._jobs:
            return None
        return await self._work(self._jobs[0], world)

    async def decide(self, slot: Slot, decision: str, now: float) -> None:
        """Approve or restore what is held of an entry.

        Returns when that is done, or after some seconds while it goes on. Raise
        Conflict if nothing is held.
        """
        one = self._guards[slot]
        name = self._members[slot].name
        if not self.waiting(slot):
            raise undecided(name)
        alarms = list(one.held)
        some = [
            replace(self._holds[slot, a], decision=decision, decided_at=now)
            for a in alarms
        ]
        await self._store.run(holds.put, some)
        self._say(slot, "approved" if decision == APPROVE else "restored", alarms)
        one.settle(alarms)
        self._jobs.appendleft(
            _Job(slot, frozenset(alarms), _DEALS[decision], now, decision)
        )

    async def hand_over(self, former: Slot, slot: Slot) -> None:
        """Hold for one entry what was held for another: it has its storage."""
        known = await self._store.read(holds.everything)
        mine = [hold for hold in known if hold.slot == former]
        await self._store.run(holds.put, [replace(hold, slot=slot) for hold in mine])
        await self._store.run(holds.drop, former, [hold.alarm for hold in mine])
        for hold in mine:
            self._take_up(replace(hold, slot=slot))

    async def done(self, slot: Slot) -> None:
        """Return when no decision about the entry is being carried out any more."""
        try:
            async with asyncio.timeout(PATIENCE), self._busy:
                await self._busy.wait_for(
                    lambda: (
                        not any(job.slot == slot and job.decision for job in self._jobs)
                    )
                )
        except TimeoutError:
            pass

    def _take_up(self, hold: Hold) -> None:
        if hold.decision is not None:
            self._jobs.append(_job(hold))
        else:
            self._guards[hold.slot].held[hold.alarm] = hold.since
            self._holds[hold.slot, hold.alarm] = hold

    def _waiting(self, slot: Slot, alarm: Alarm, number: int) -> Waiting:
        hold = self._holds[slot, alarm]
        return Waiting(alarm, number, hold.since, hold.passed, hold.passed_since)

    def _note(
        self, held: Held | None, slot: Slot, file: File, number: int, now: float
    ) -> None:
        if held is not None and slot in self._guards:
            some = 0 if file.kind is Kind.DIRECTORY else number
            self._guards[slot].note_kept(held.alarm, number, some, now)

    async def _judge(self, slot: Slot, one: Guard, now: float) -> None:
        for alarm in Alarm:
            if self._is_dealt_with(slot, alarm):
                continue
            verdict = one.verdict(alarm, now, self._files(slot))
            if verdict is Verdict.HOLD:
                some = [_begun(slot, a, one, now) for a in one.fresh(alarm)]
                await self._store.run(holds.put, some)
                self._holds |= {(slot, hold.alarm): hold for hold in some}
                self._say(slot, "held", one.hold(alarm, now))
            elif verdict is Verdict.LET_GO:
                self._jobs.append(_Job(slot, frozenset([alarm]), let_go, now))

    def _is_dealt_with(self, slot: Slot, alarm: Alarm) -> bool:
        return any(job.slot == slot and alarm in job.alarms for job in self._jobs)

    async def _forget_empty(self, slot: Slot, one: Guard) -> None:
        """Stop to hold what came to nothing: every file is back, or as others say."""
        if alarms := one.over():
            await self._store.run(holds.drop, slot, alarms)
            self._say(slot, "over", alarms)
            one.settle(alarms)

    async def _work(self, job: _Job, world: World) -> list[Touched]:
        """Deal with one page; after the last, end the job."""
        if job.row is None:
            await self._end(job)
            return []
        job.row, touched = await self._store.run(
            batch.deal, job.slot, job.row, partial(_dealt, job, world), world
        )
        if job.decision is None:
            self.passed(touched, world.now)
        return touched

    async def _end(self, job: _Job) -> None:
        if job.decision is not None:
            await self._store.run(holds.drop, job.slot, job.alarms)
        self._jobs.remove(job)
        async with self._busy:
            self._busy.notify_all()

    def _say(self, slot: Slot, state: str, alarms: Collection[Alarm]) -> None:
        name, one = self._members[slot].name, self._guards[slot]
        counts = {alarm.value: one.kept[alarm] for alarm in alarms if one.kept[alarm]}
        facts = {"entry": name, "state": state, "changes": counts}
        self._tell("held", facts)
        facts["action"] = "guard"
        if state == "held":
            log.warning("held", reason=self.told(slot), **facts)
        else:
            log.info("no longer held", **facts)


def told(waiting: Iterable[Waiting], name: str) -> str:
    """Return in words what waits, and what a person can do about it."""
    parts = [f"{one.files:,} {_WORDS[one.alarm]}" for one in waiting]
    return (
        f"{' and '.join(parts)} at once are held and not passed on; if they are meant:"
        f" syncd entries approve {name}; to undo them: syncd entries restore {name}"
    )


_DEALS = {APPROVE: let_go, RESTORE: undone}


def _begun(slot: Slot, alarm: Alarm, one: Guard, now: float) -> Hold:
    number, since = one.passed(alarm, now)
    return Hold(slot, alarm, now, number, since if number else None)


def _job(hold: Hold) -> _Job:
    assert hold.decision is not None
    assert hold.decided_at is not None
    deal = _DEALS[hold.decision]
    alarms = frozenset([hold.alarm])
    return _Job(hold.slot, alarms, deal, hold.decided_at, hold.decision)


def _dealt(job: _Job, world: World, file: File) -> File:
    held = file.copies[job.slot].held
    if held is None or held.alarm not in job.alarms:
        return file
    # What seems to come from the future is from before the clock was set back.
    if job.upto < held.since <= world.now:
        return file
    return job.deal(file, job.slot, world)
