"""How sources are: asked when somebody wants to know, remembered, never waited for."""

import asyncio
from typing import Any

import msgspec
import pytest

from syncd.backup import sounding
from syncd.core.backup import Health
from syncd.core.errand import Deed, Done, Part, Work
from syncd.store.database import Store
from syncd.supervisor.workers import Told
from tests.backup.bench import NOW, Bench

KEY = ("full", "t")


@pytest.fixture
async def bench(store: Store, tmp_path):
    async with Bench(store, tmp_path, sounded=frozenset({"t"})) as opened:
        yield opened


def answering(bench: Bench, *answers: Any) -> None:
    """Have workers answer so, one after the other."""
    left = list(answers)

    async def answer(work: Work, told: Told) -> Done:
        del told
        assert (work.source_name, work.store) == ("t", bench.plan.store)
        one = left.pop(0)
        if isinstance(one, Done):
            return one
        if one is None:
            await asyncio.sleep(600)
        return Done(result={"health": msgspec.to_builtins(one)})

    bench.workers.doings[Deed.HEALTH] = answer


def asked(bench: Bench) -> int:
    return sum(work.deed is Deed.HEALTH for work in bench.workers.works)


async def test_the_first_who_asks_waits_for_nothing(bench):
    answering(bench, Health(True, "fine", {"lag": 2.0}))
    assert bench.runner.sounding.look() == {}
    await bench.until(bench.service.sounded)

    known = bench.service.sounded()
    assert known.keys() == {"t"}
    assert (known["t"].health, known["t"].at) == (
        Health(True, "fine", {"lag": 2.0}),
        NOW,
    )
    assert bench.runner.sounding.look() == {KEY: known["t"]}


async def test_it_is_asked_anew_when_that_is_old_and_somebody_wants_to_know(bench):
    answering(bench, Health(True), Health(False, "away"))
    look = bench.runner.sounding.look
    look(), look()
    await bench.until(look)
    bench.now += sounding.FRESH - 1
    look()
    assert asked(bench) == 1
    bench.now += 1
    # What was known is told until there is something newer.
    assert look()[KEY].health.reachable
    await bench.until(lambda: not look()[KEY].health.reachable)

    assert (asked(bench), look()[KEY].health.detail) == (2, "away")


async def test_what_cannot_be_asked_is_not_reachable(bench, monkeypatch):
    answering(bench, Done(error="the worker died"))
    look = bench.runner.sounding.look
    await bench.until(look)
    assert look()[KEY].health == Health(False, "it could not be asked: the worker died")
    monkeypatch.setattr(sounding, "LONGEST", 0.05)
    answering(bench, None, Health(True))
    bench.now += sounding.FRESH
    await bench.until(lambda: "did not answer" in look()[KEY].health.detail)


async def test_a_bug_is_told_as_one(bench):
    answering(bench, Done(result={"health": "nonsense"}))
    look = bench.runner.sounding.look
    await bench.until(look)

    assert look()[KEY].health == Health(False, "it could not be asked: this is a bug")


async def test_whoever_is_asked_at_the_end_is_not_waited_for(store, tmp_path):
    async with Bench(store, tmp_path, sounded=frozenset({"t"})) as bench:
        answering(bench, None)
        bench.runner.sounding.look()
        await bench.until(lambda: asked(bench))
    assert bench.runner.sounding.look() == {}
    assert asked(bench) == 1


async def test_sources_that_do_not_want_it_are_not_asked(store, tmp_path):
    async with Bench(store, tmp_path) as bench:
        assert bench.service.sounded() == {}
        assert asked(bench) == 0


async def test_only_so_many_are_asked_at_once(store, tmp_path):
    names = frozenset(f"s{number}" for number in range(5))
    sources = {name: Part("m:c") for name in names}
    go, inside, most = asyncio.Event(), [0], [0]

    async def answer(work: Work, told: Told) -> Done:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        await go.wait()
        inside[0] -= 1
        return Done(result={"health": msgspec.to_builtins(Health(True))})

    async with Bench(store, tmp_path, sources=sources, sounded=names) as bench:
        bench.workers.doings[Deed.HEALTH] = answer
        look = bench.runner.sounding.look
        look()
        await bench.until(lambda: inside[0] == sounding.AT_ONCE)
        go.set()
        await bench.until(lambda: len(look()) == len(names))

    assert most[0] == sounding.AT_ONCE
