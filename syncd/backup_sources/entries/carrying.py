"""Carries out a plan through an entry's driver, with all that it guarantees.

What is replaced or deleted goes where the entry keeps such things. What is not as
it was when the plan was made is left alone, and told.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from uuid import uuid4

from syncd.backup_sources.entries.giving import Giving, Portion
from syncd.backup_sources.entries.items import shown, target_of
from syncd.backup_sources.entries.planning import BLOCKED, COUNTED, Deed, Plan, Step
from syncd.backup_sources.entries.tally import Tally
from syncd.core.change import Amend, Delete, Put
from syncd.core.file import Kind
from syncd.core.keeping import Loss
from syncd.core.path import readable
from syncd.drivers.contract import Content, Driver, Writing, Written
from syncd.errors import StorageChanged, StorageError
from syncd.vaults.contract import Vault

MOST = 200
"""Things that are done, and made durable, at once."""

_OWN = 0o700


async def carry_out(
    driver: Driver, plan: Plan, vault: Vault, tally: Tally, *, before: str
) -> tuple[dict[str, int], dict[str, str]]:
    """Return how much was done of each deed, and what could not be done, and why."""
    carrier = _Carrier(driver, tally, before)
    tally.enter("writing")
    try:
        await carrier.carry_out(plan, vault)
    finally:
        driver.made_parents()
    return carrier.counts(), carrier.troubles()


class _Carrier:
    def __init__(self, driver: Driver, tally: Tally, before: str) -> None:
        self._driver = driver
        self._tally = tally
        self._before = before
        self._counts: Counter[str] = Counter()
        self._ids = count(1)
        self._cause = uuid4().hex[:8]
        self._failed: dict[str, tuple[Step, str]] = {}

    def counts(self) -> dict[str, int]:
        return {deed: self._counts[deed] for deed in [*COUNTED.values(), "bytes"]}

    def troubles(self) -> dict[str, str]:
        """Return what could not be done and why; the paths are for people."""
        return {self._shown(step): why for step, why in self._failed.values()}

    async def carry_out(self, plan: Plan, vault: Vault) -> None:
        for step in plan.steps:
            if step.deed is Deed.UNCHANGED:
                self._done(step, 0)
            elif step.deed is Deed.BLOCKED:
                self._fail(step, StorageError(BLOCKED))
        gone = await self._clear(plan)
        work = [
            step
            for step in plan.steps
            if step.deed in (Deed.CREATE, Deed.REPLACE)
            and self._name(step) not in self._failed
        ]
        amended = [step for step in plan.steps if step.deed is Deed.AMEND]
        folders = [step for step in work if step.kind is Kind.DIRECTORY]
        await self._make(folders, gone)
        await self._put(
            [Writing(self._order(step, gone), None) for step in _links(work)],
            _links(work),
        )
        await self._write([s for s in work if s.kind is Kind.FILE], gone, vault)
        await self._amend(amended)
        await self._delete(plan.others())
        await self._close(folders)

    async def _clear(self, plan: Plan) -> set[str]:
        """Take away what is in the way; return the paths that now are free."""
        gone: set[str] = set()
        for some in _cut(plan.in_the_way()):
            orders = [self._removal(step) for step in some]
            answers = await self._driver.delete(orders)
            for step, answer in zip(some, answers, strict=True):
                if answer is not None:
                    self._fail(step, answer)
                else:
                    gone.add(step.path)
                    if step.deed is Deed.DELETE:
                        self._done(step, 0)
        return gone

    async def _make(self, folders: Sequence[Step], gone: set[str]) -> None:
        """Make folders, each before those in it, so that they can be written to."""
        for some in _cut(folders):
            orders = [self._order(step, gone, _OWN) for step in some]
            await self._put([Writing(order, None) for order in orders], some)

    async def _close(self, folders: Sequence[Step]) -> None:
        """Give folders that we may not write to their own mode at last."""
        shut = [one for one in folders if one.item and one.item.mode & _OWN != _OWN]
        for some in _cut(reversed(shut)):
            orders = [self._order(step, set()) for step in some]
            answers = await self._driver.write(
                [Writing(order, None) for order in orders], _ignore
            )
            for step, answer in zip(some, answers, strict=True):
                if isinstance(answer, StorageError):
                    self._fail(step, answer)

    async def _write(self, steps: Sequence[Step], gone: set[str], vault: Vault) -> None:
        """Write files, with what the vault gives."""
        by_path = {step.item.path: step for step in steps if step.item is not None}
        giving = Giving(vault, [step.item for step in steps if step.item is not None])
        while (portion := await giving.next()) is not None:
            with portion:
                await self._write_portion(portion, by_path, gone)

    async def _write_portion(
        self, portion: Portion, by_path: Mapping[str, Step], gone: set[str]
    ) -> None:
        writings, steps = list[Writing](), list[Step]()
        for item, content in portion.contents:
            step = by_path[item.path]
            if isinstance(content, StorageError):
                self._fail(step, content)
                continue
            writings.append(Writing(self._order(step, gone), _content(content)))
            steps.append(step)
        await self._put(writings, steps)

    async def _put(self, writings: Sequence[Writing], steps: Sequence[Step]) -> None:
        for start in range(0, len(writings), MOST):
            some = steps[start : start + MOST]
            answers = await self._driver.write(writings[start : start + MOST], _ignore)
            for step, answer in zip(some, answers, strict=True):
                self._answered(step, answer)

    def _answered(self, step: Step, answer: Written | StorageError) -> None:
        if isinstance(answer, StorageError):
            self._fail(step, answer)
            return
        self._done(step, step.item.size if step.item else 0)

    async def _amend(self, steps: Sequence[Step]) -> None:
        for some in _cut(steps):
            answers = await self._driver.amend([self._amendment(step) for step in some])
            for step, answer in zip(some, answers, strict=True):
                if isinstance(answer, StorageError):
                    self._fail(step, answer)
                else:
                    self._done(step, 0)

    async def _delete(self, steps: Iterable[Step]) -> None:
        for some in _cut(steps):
            answers = await self._driver.delete([self._removal(step) for step in some])
            for step, answer in zip(some, answers, strict=True):
                if answer is not None:
                    self._fail(step, answer)
                else:
                    self._done(step, 0)

    def _order(self, step: Step, gone: set[str], add_mode: int = 0) -> Put:
        item, there = step.item, step.there
        assert item is not None
        return Put(
            id=next(self._ids),
            path=step.path,
            kind=step.kind,
            size=item.size,
            mtime_ns=item.mtime_ns,
            mode=item.mode | add_mode,
            target=target_of(item),
            digest=None,
            sources=[],
            replaces=None if there is None or step.path in gone else there.stamp,
            cause=self._cause,
        )

    def _removal(self, step: Step) -> Delete:
        assert step.there is not None
        replaced = step.deed is Deed.REPLACE
        return Delete(
            id=next(self._ids),
            path=step.path,
            kind=step.there.kind,
            stamp=step.there.stamp,
            cause=self._cause,
            why=Loss.REPLACED if replaced else Loss.DELETED,
        )

    def _amendment(self, step: Step) -> Amend:
        assert step.item is not None
        assert step.there is not None
        return Amend(
            id=next(self._ids),
            path=step.path,
            stamp=step.there.stamp,
            mode=step.item.mode,
            mtime_ns=step.item.mtime_ns,
            cause=self._cause,
        )

    def _name(self, step: Step) -> str:
        return step.item.path if step.item else self._before + step.path

    def _shown(self, step: Step) -> str:
        return shown(step.item) if step.item else self._before + readable(step.path)

    def _done(self, step: Step, bytes: int) -> None:
        self._counts[COUNTED[step.deed]] += 1
        self._counts["bytes"] += bytes
        self._tally.done(step.item.size if step.item else 0, 1)

    def _fail(self, step: Step, error: StorageError) -> None:
        words = str(error)
        if isinstance(error, StorageChanged):
            words = f"{words}: somebody changed it meanwhile, and it stays as it is"
        self._failed[self._name(step)] = step, words


def _content(content: int | Content) -> Content:
    if isinstance(content, int):
        os.lseek(content, 0, os.SEEK_SET)
    return content


def _links(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.kind is Kind.LINK]


def _cut(steps: Iterable[Step]) -> Iterator[list[Step]]:
    some: list[Step] = []
    for step in steps:
        some.append(step)
        if len(some) == MOST:
            yield some
            some = []
    if some:
        yield some


def _ignore(order: int, done: int) -> None:
    del order, done
