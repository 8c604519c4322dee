"""The walk over every file that follows new rules."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syncd.core.file import Copy, File, Stamp
from syncd.core.world import World
from syncd.replication import judging
from syncd.replication.judging import Judging, in_force
from syncd.store import files
from syncd.store.database import Store
from tests.core.story import NOW, TO_ALL, a_world

DOCUMENT: dict[str, Any] = {"rules": [TO_ALL]}
WORLD = a_world(TO_ALL)
OTHER = a_world({"sync": ["B"]})


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "PAGE", 3)
    monkeypatch.setattr(judging, "PATIENCE", 0.01)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "index.db") as opened:
        yield opened


async def fill(store: Store, number: int, **facts: Any) -> None:
    held = Copy(version={0: 1}, stamp=Stamp(size=3))
    some = [
        File(
            id=row,
            path=f"f{row}",
            size=3,
            version={0: 1},
            origin=0b1,
            owners=0b1,
            copies={0: held},
            **facts,
        )
        for row in range(1, number + 1)
    ]
    await store.run(files.add, [(file, files.facts(file, 0)) for file in some])


async def owners(store: Store) -> list[int]:
    return [file.owners for file, _ in await store.read(files.after, 0, 99)]


async def walk(some: Judging, world: World, steps: int = 99) -> int:
    """Take steps until there is nothing to do; return how many files changed."""
    changed = 0
    for _ in range(steps):
        touched = await some.step(world)
        if touched is None:
            return changed
        changed += len(touched)
    return changed


async def test_new_rules_are_applied_to_every_file(store: Store):
    await fill(store, 8)
    some = Judging(store)
    await some.open()
    assert await some.step(WORLD) is None

    await some.start(DOCUMENT, "mark")
    assert await walk(some, WORLD) == 8
    assert await owners(store) == [0b111] * 8
    page = await store.read(files.pending, 1, False, 0, 99)
    assert len(page) == 8
    assert await store.read(in_force) == (DOCUMENT, "mark")


async def test_before_there_were_rules_none_are_in_force(store: Store):
    assert await store.read(in_force) == (None, None)


@pytest.mark.parametrize("number", [0, 3, 4])
async def test_a_walk_ends_at_any_number_of_files(store: Store, number: int):
    await fill(store, number)
    some = Judging(store)
    await some.start(DOCUMENT, "mark")

    assert await walk(some, WORLD) == number
    await asyncio.wait_for(some.wait(), 30)


async def test_the_same_rules_are_not_applied_twice(store: Store):
    await fill(store, 2)
    some = Judging(store)
    await some.start(DOCUMENT, "mark")
    await walk(some, WORLD)
    await some.start(DOCUMENT, "mark")

    assert await some.step(WORLD) is None


async def test_what_rules_do_not_change_is_not_told(store: Store):
    await fill(store, 4)
    some = Judging(store)
    await some.start({"rules": []}, "mark")

    assert await walk(some, a_world()) == 0


async def test_a_walk_that_was_interrupted_goes_on(store: Store):
    await fill(store, 8)
    first = Judging(store)
    await first.start(DOCUMENT, "mark")
    await walk(first, WORLD, steps=1)
    assert await owners(store) == [0b111] * 3 + [0b1] * 5

    second = Judging(store)
    await second.open()
    assert await walk(second, WORLD) == 5
    third = Judging(store)
    await third.open()
    assert await third.step(WORLD) is None


async def test_other_rules_in_the_middle_begin_anew(store: Store):
    await fill(store, 8)
    some = Judging(store)
    await some.start(DOCUMENT, "mark")
    await walk(some, WORLD, steps=2)
    await some.start({"rules": [{"sync": ["B"]}]}, "another mark")
    await walk(some, OTHER)

    assert await owners(store) == [0b011] * 8


class LateStore(Store):
    """An index whose next transaction is only begun after others that come later."""

    begin: asyncio.Event | None = None

    async def run(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        begin, self.begin = self.begin, None
        if begin is not None:
            await begin.wait()
        return await super().run(work, *args, **kwargs)


async def test_a_page_that_comes_too_late_does_not_end_the_new_walk(tmp_path: Path):
    async with LateStore(tmp_path / "index.db") as store:
        await fill(store, 8)
        some = Judging(store)
        await some.start(DOCUMENT, "mark")
        await walk(some, WORLD, steps=2)
        begin = store.begin = asyncio.Event()
        late = asyncio.create_task(some.step(WORLD))
        await asyncio.sleep(0)
        await some.start({"rules": [{"sync": ["B"]}]}, "another mark")
        begin.set()
        assert await late == []

        again = Judging(store)  # Also what a crash would leave is the new walk.
        await again.open()
        await walk(again, OTHER, steps=1)
        await walk(some, OTHER)
        assert await owners(store) == [0b011] * 8


async def test_who_asked_is_answered_when_all_is_judged(store: Store):
    await fill(store, 4)
    some = Judging(store)
    await some.start(DOCUMENT, "mark")
    waiting = asyncio.create_task(some.wait())
    await walk(some, WORLD)

    await asyncio.wait_for(waiting, 30)


async def test_who_asked_is_answered_though_it_goes_on(store: Store):
    await fill(store, 4)
    some = Judging(store)
    await some.start(DOCUMENT, "mark")

    await asyncio.wait_for(some.wait(), 30)
    assert await walk(some, WORLD) == 4


async def test_what_is_due_is_judged(store: Store):
    await fill(store, 2, judge_at=NOW, mtime_ns=int((NOW - 7200) * 1e9))
    rule = {"match": {"age": {"min": "1h"}}, "sync": ["C"]}
    some = Judging(store)
    before, after = a_world(rule, now=NOW - 1), a_world(rule)

    assert await some.due(before) == []
    assert [one.after.owners for one in await some.due(after)] == [0b101] * 2
    assert await owners(store) == [0b101] * 2
    assert await some.due(after) == []
