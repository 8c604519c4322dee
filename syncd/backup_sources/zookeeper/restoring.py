"""Brings trees back: plans, asks whether it may, writes, looks, and else takes it back.

What is there is read, compared and changed until nothing is left to be done; so what
somebody changed meanwhile, and what a lost connection left half done, is settled in the
next round, and the last round is the proof. If it cannot be done, the same is done with
what was there before.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncd.backup_sources.contract import Tell
from syncd.backup_sources.zookeeper.applying import Applying
from syncd.backup_sources.zookeeper.holding import Held, Live
from syncd.backup_sources.zookeeper.keeping import Entry, Keeping, Owed
from syncd.backup_sources.zookeeper.making import node
from syncd.backup_sources.zookeeper.nodes import is_masked, parent
from syncd.backup_sources.zookeeper.planning import Mode, Plan, Step, There, plan
from syncd.backup_sources.zookeeper.reading import Kinds, Tree
from syncd.backup_sources.zookeeper.session import Session
from syncd.backup_sources.zookeeper.spool import Writer
from syncd.core.job import Progress
from syncd.errors import StorageChanged, StorageError

ROUNDS = 12
"""How often what is there is compared and changed, before it is given up."""


class Goal(Struct):
    """One tree as it is to be."""

    top: str
    held: Held
    deep: bool = True


def kept(place: Path, entries: Sequence[Entry]) -> list[Goal]:
    """Return as goals what lies in a folder of ``Keeping``; raise StorageError."""
    goals = []
    for entry in entries:
        held = Held()
        held.take(place / entry.file, entry.top, entry.top)
        goals.append(Goal(entry.top, held, entry.deep))
    return goals


class Look(Struct, frozen=True):
    """One tree as it is, and what is to be done with it."""

    goal: Goal
    there: dict[str, There]
    plan: Plan


class Restoring:
    """One restore within a session."""

    def __init__(
        self,
        session: Session,
        options: Mapping[str, Any],
        scratch: Path,
        keeping: Keeping,
        tell: Tell,
    ) -> None:
        self._session = session
        self._options = options
        self._scratch = scratch
        self._keeping = keeping
        self._tell = tell
        self._walks = self._done = 0
        self._applying = Applying(session, options["packet"], self._count)
        self.failed: dict[str, str] = {}
        """What is not as it was to be, although the rest is."""

    async def reach(
        self, goals: Sequence[Goal], mode: Mode, vault: str, *, dry_run: bool
    ) -> tuple[list[Look], Path | None]:
        """Have the goals be reached, or only say what that would take.

        Return what was done, and where what was there before is kept, if anything was
        to be done. Raise StorageError as ``probe`` and ``run``.
        """
        looks = await self.looked(goals, mode)
        if dry_run or not any([*one.plan.steps()] for one in looks):
            await self.forget()
            return looks, None
        await self.probe(looks)
        return looks, await self.run(looks, mode, vault)

    async def looked(self, goals: Sequence[Goal], mode: Mode) -> list[Look]:
        """Return what would be done, and keep what is there; raise StorageError."""
        await self._session.sync()
        folder = await asyncio.to_thread(self._keeping.begin)
        files = [folder / f"{number}.jsonl" for number in range(len(goals))]
        looks = [
            await self._look(goal, mode, file)
            for goal, file in zip(goals, files, strict=True)
        ]
        for look in looks:
            for step in look.plan.deletes:
                if is_masked(look.there[step.path].acl):
                    raise StorageError(
                        f"{step.path} would be deleted, and its ACL is not shown to"
                        " this login; nothing was touched"
                    )
        return looks

    async def probe(self, looks: Sequence[Look]) -> None:
        """Raise StorageError if the servers would refuse any of it."""
        for look in looks:
            held = look.goal.held
            inherited = await self._inherited(look.goal, look.there)
            troubles = await self._applying.probe(
                look.plan, held.wanted, look.there, inherited, held.load
            )
            for path, why in list(troubles.items())[:100]:
                self._tell.line(f"would be refused: {path}: {why}")
            if troubles:
                await self.forget()
                path, why = next(iter(troubles.items()))
                more = f", and {len(troubles) - 1} more" if len(troubles) > 1 else ""
                raise StorageError(f"{path}: {why}{more}; nothing was touched")

    async def forget(self) -> None:
        """Keep nothing of what was looked at: it stays as it is."""
        await asyncio.to_thread(lambda: self._keeping.settle(keep=False))

    async def run(self, looks: Sequence[Look], mode: Mode, vault: str) -> Path | None:
        """Do it, and return where what was there before that vault is kept.

        Raise StorageError if it could not be done; then it is as before, or the error
        says that it is not.
        """
        entries = [
            Entry(look.goal.top, f"{number}.jsonl", look.goal.deep)
            for number, look in enumerate(looks)
        ]
        await asyncio.to_thread(self._keeping.seal, Owed(vault, entries))
        try:
            await self._converge([look.goal for look in looks], mode, list(looks))
        except asyncio.CancelledError:
            back = asyncio.create_task(self.undo(), name="undo a restore")
            await asyncio.wait([back])
            if not back.cancelled() and back.exception() is None:
                self._tell.line("called off: everything is as it was before")
            raise
        except StorageError as error:
            self._tell.line(f"cannot be done: {error}")
            await self._undone(error)
        return await asyncio.to_thread(lambda: self._keeping.settle(keep=True))

    async def _undone(self, error: StorageError) -> None:
        try:
            await self.undo()
        except StorageError as worse:
            raise StorageError(
                f"{error}; and what was there before could not be brought back:"
                f" {worse}; it lies in {self._keeping.place}, and the next job of this"
                " source tries again"
            ) from None
        raise StorageError(f"{error}; everything is as it was before") from None

    async def undo(self) -> list[str]:
        """Give back what an unfinished restore owes; return which trees that were.

        Raise StorageError if it cannot be done.
        """
        owed = await asyncio.to_thread(self._keeping.owed)
        goals = await asyncio.to_thread(kept, self._keeping.place, owed)
        if goals:
            await self._session.sync()
            await self._converge(goals, Mode.REPLACE, None)
        await asyncio.to_thread(lambda: self._keeping.settle(keep=False))
        return [entry.top for entry in owed]

    async def _converge(
        self, goals: Sequence[Goal], mode: Mode, looks: list[Look] | None
    ) -> None:
        """Change until nothing is left to be done; raise StorageError."""
        trouble = ""
        for number in range(ROUNDS):
            if looks is None:
                looks = [
                    await self._look(goal, mode, self._scratch / f"look-{n}")
                    for n, goal in enumerate(goals)
                ]
            if not any([*look.plan.steps()] for look in looks):
                return
            for look in looks:
                try:
                    await self._carry_out(look)
                except StorageChanged as error:
                    trouble = str(error)
                    self._tell.line(f"again ({number + 1}): {trouble}")
                    await self._session.pause()
            looks = None
        raise StorageError(trouble or "what was written does not stay as it is")

    async def _carry_out(self, look: Look) -> None:
        held = look.goal.held
        inherited = await self._inherited(look.goal, look.there)
        await self._applying.carry_out(look.plan, held.wanted, inherited, held.load)

    async def _look(self, goal: Goal, mode: Mode, file: Path) -> Look:
        live = Live()
        self._walks += 1
        scratch = self._scratch / f"look-walk-{self._walks}"
        await asyncio.to_thread(scratch.mkdir, parents=True)
        tree = Tree(
            self._session,
            goal.top,
            scratch,
            kinds=Kinds(self._options["containers"], self._options["ttl"]),
            window=self._options["window"],
            took=live.took,
            masked=False,
            deep=goal.deep,
        )
        await tree.survey()
        async with Writer(file) as writer:
            found = await tree.read(writer)
        if found.failed:
            path, why = next(iter(found.failed.items()))
            raise StorageError(f"{path} cannot be read: {why}")
        made = plan(goal.held.wanted, live.there, mode)
        return Look(goal, live.there, self._within(made))

    def _within(self, made: Plan) -> Plan:
        """Return the plan without counters that are too far away, which are named."""
        most = self._options["counters"]
        raises: list[Step] = []
        for step in made.raises:
            if step.count <= most:
                raises.append(step)
                continue
            self.failed[step.path] = (
                f"its counter of sequential names is {step.count} too low, and stays"
                f" so; raise counters ({most}) to have it raised"
            )
        return Plan(
            made.deletes, made.writes, raises, made.permits, made.unchanged, made.kept
        )

    async def _inherited(
        self, goal: Goal, there: Mapping[str, There]
    ) -> Callable[[str], tuple[str, ...]]:
        """Return what tells the ACL of a node whose own nobody knows: the one above."""
        unknown = any(not one.acl for one in goal.held.wanted.values())
        top = goal.top
        above: tuple[str, ...] = ()
        if unknown and top not in there:
            above = tuple((await node(self._session, parent(top))).acl)

        def inherited(path: str) -> tuple[str, ...]:
            while path not in there:
                if path == top:
                    return above
                path = parent(path)
            return there[path].acl

        return inherited

    def _count(self, count: int) -> None:
        self._done += count
        self._tell.progress(Progress(items=self._done, phase="writing"))
