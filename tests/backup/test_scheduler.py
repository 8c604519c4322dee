"""Schedules: once each time, across restarts; missed, put off, not overlapping."""

import asyncio
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.backup.plan import Misfire, Notify, Timed
from syncd.backup.scheduler import DAY, LATE, Scheduler, judge, put_off
from syncd.core import cron
from syncd.core.job import Kind
from syncd.store import vaults
from tests.backup.bench import NOW, Bench, a_view

HOUR = 3600.0
START = NOW - NOW % HOUR


def timed(at: str = "0 * * * *", **more) -> Timed:
    given = {"kind": Kind.BACKUP, "source": "s", "zone": ZoneInfo("UTC")}
    return Timed(name="hourly", schedule=cron.parse(at), **{**given, **more})


def test_nothing_is_due_before_its_time():
    assert judge(timed(), START, START + HOUR - 1) is None
    due = judge(timed(), START, START + HOUR)
    assert due is not None
    assert (due.until, due.run, due.missed) == (START + HOUR, True, 0)


@pytest.mark.parametrize(
    ("misfire", "run", "missed"), [(Misfire.RUN, True, 4), (Misfire.SKIP, False, 5)]
)
def test_missed_runs_are_made_up_for_once_or_not_at_all(misfire, run, missed):
    now = START + 5 * HOUR + LATE + 1
    due = judge(timed(misfire=misfire), START, now)

    assert due is not None
    assert (due.until, due.run, due.missed) == (START + 5 * HOUR, run, missed)
    assert judge(timed(misfire=misfire), due.until, now) is None


def test_a_run_in_time_is_no_missed_one_though_others_were():
    due = judge(timed(misfire=Misfire.SKIP), START, START + 5 * HOUR + 1)

    assert due is not None
    assert (due.run, due.missed) == (True, 4)


@given(st.floats(0, 1e6), st.floats(1, 1e5), st.sampled_from([0.0, 600.0, 5000.0]))
def test_whatever_the_clock_shows_each_run_is_dealt_with_once(start, more, jitter):
    one = timed(jitter=jitter)
    now, last = START + start + more, START + start
    due = judge(one, last, now)
    if due is not None:
        assert last < due.until <= now
        assert judge(one, due.until, now) is None


@given(st.floats(0, 4e9), st.floats(0, 1e4))
def test_a_run_is_put_off_by_less_than_the_jitter_and_always_the_same(due, jitter):
    one = timed(jitter=jitter)

    assert 0 <= put_off(one, due) <= jitter
    assert put_off(one, due) == put_off(one, due)


def test_missed_runs_beyond_counting_do_not_take_for_ever():
    due = judge(timed("* * * * *"), 0.0, NOW)

    assert due is not None
    assert due.until == NOW


def a_scheduler(bench: Bench) -> Scheduler:
    return Scheduler(bench.runner, {"full": bench.service}, lambda: bench.now)


async def asked(bench: Bench) -> int:
    return (await bench.service.jobs(kind=Kind.BACKUP))[0]


async def test_a_new_schedule_begins_now_and_a_restart_repeats_nothing(store, tmp_path):
    for _ in range(2):
        async with Bench(store, tmp_path, timed=[timed()]) as bench:
            await a_scheduler(bench).look()
            assert await asked(bench) == 0
    async with Bench(store, tmp_path, timed=[timed()]) as bench:
        bench.now += HOUR
        await a_scheduler(bench).look()
        await a_scheduler(bench).look()
        assert await asked(bench) == 1
        [job] = (await bench.service.jobs())[1]
        assert (job.who, job.schedule) == ("schedule hourly", "hourly")
        await bench.ended(job)


async def test_a_run_does_not_overlap_the_one_before(store, tmp_path):
    async with Bench(store, tmp_path, timed=[timed()]) as bench:
        scheduler = a_scheduler(bench)
        await scheduler.look()
        bench.workers.go.clear()
        for _ in range(3):
            bench.now += HOUR
            await scheduler.look()
        assert await asked(bench) == 1
        [job] = bench.runner.known
        bench.workers.go.set()
        await bench.ended(job)
        bench.now += HOUR
        await scheduler.look()
        assert await asked(bench) == 2
        await bench.until(lambda: not bench.runner.known)


@pytest.mark.parametrize(
    ("left", "rest", "ready"),
    [(100, 30, []), (20, 15, []), (3, 3, [["m"]]), (5, 5, [["m"]])],
)
async def test_a_worker_is_ready_when_a_backup_is_due(
    store, tmp_path, left, rest, ready
):
    async with Bench(store, tmp_path, timed=[timed()]) as bench:
        bench.now = START
        scheduler = a_scheduler(bench)
        await scheduler.look()
        bench.now = START + HOUR - left

        assert await scheduler.rest() == rest
        assert bench.workers.ready == ready
        assert await scheduler.rest() == rest
        assert bench.workers.ready == ready


async def test_for_what_is_no_backup_no_worker_waits(store, tmp_path):
    async with Bench(store, tmp_path, timed=[timed(kind=Kind.VERIFY)]) as bench:
        bench.now = START
        scheduler = a_scheduler(bench)
        await scheduler.look()
        bench.now = START + HOUR - 3

        assert await scheduler.rest() == 3
        assert bench.workers.ready == []


async def test_a_clock_that_was_far_ahead_stops_no_schedule(store, tmp_path):
    async with Bench(store, tmp_path, timed=[timed()]) as bench:
        scheduler = a_scheduler(bench)
        bench.now += 100 * DAY
        await scheduler.look()
        bench.now -= 100 * DAY
        await scheduler.look()
        bench.now += HOUR
        await scheduler.look()
        assert await asked(bench) == 1
        await bench.until(lambda: not bench.runner.known)


@pytest.mark.parametrize(
    ("kind", "chosen"), [(Kind.VERIFY, "never verified"), (Kind.DRILL, "newest")]
)
async def test_checks_choose_their_vault(store, tmp_path, kind, chosen):
    plan = {"timed": [timed(kind=kind)]}
    async with Bench(store, tmp_path, **plan) as bench:
        bench.workers.vaults = {
            "verified": a_view("verified", NOW - 9, verified=NOW - 1),
            "never verified": a_view("never verified", NOW - 8),
            "newest": a_view("newest", NOW - 5, verified=NOW - 2),
            "bad": a_view("bad", NOW - 1, failed="why"),
        }
        await bench.runner.survey("full")
        scheduler = a_scheduler(bench)
        await scheduler.look()
        bench.now += HOUR
        await scheduler.look()
        [job] = (await bench.service.jobs(kind=kind))[1]
        assert job.vault == chosen
        await bench.ended(job)


async def test_where_there_is_nothing_to_check_nothing_is_asked(store, tmp_path):
    async with Bench(store, tmp_path, timed=[timed(kind=Kind.DRILL)]) as bench:
        scheduler = a_scheduler(bench)
        await scheduler.look()
        bench.now += HOUR
        await scheduler.look()
        assert (await bench.service.jobs())[0] == 0


async def test_what_is_too_old_is_told_once_until_it_is_not(store, tmp_path):
    plan = {"notify": Notify(stale=2 * HOUR), "sources": {"s": None}}
    async with Bench(store, tmp_path, **plan) as bench:
        scheduler = a_scheduler(bench)
        await scheduler.look()
        assert bench.runner.stale() == set()
        bench.now += 2 * HOUR + 1
        await scheduler.look()
        assert bench.runner.stale() == {("full", "s")}
        bench.workers.vaults = {"v": a_view("v", bench.now)}
        await bench.runner.survey("full")
        await scheduler.look()
        assert bench.runner.stale() == set()


async def test_it_looks_by_itself(store, tmp_path):
    async with (
        Bench(store, tmp_path, timed=[timed("* * * * * *")]) as bench,
        Scheduler(bench.runner, {"full": bench.service}, lambda: bench.now),
    ):
        async with asyncio.timeout(60):
            while not await asked(bench):
                bench.now += 1
                await asyncio.sleep(0.02)
        await bench.until(lambda: not bench.runner.known)


@pytest.mark.parametrize(("younger", "runs"), [(0.0, 1), (HOUR, 1), (3 * HOUR, 0)])
async def test_what_is_young_enough_makes_a_run_needless(
    store, tmp_path, younger, runs
):
    one = timed(unless_younger=younger)
    async with Bench(store, tmp_path, timed=[one]) as bench:
        await store.run(vaults.put, "full", [a_view("20231114T200000", NOW - 2 * HOUR)])
        wanted = await bench.service.wanted(one)

    assert len(wanted) == runs


async def test_only_what_is_good_and_whole_is_young_enough(store, tmp_path):
    one = timed(unless_younger=3 * HOUR)
    views = [
        a_view("20231114T200000", NOW, failed="gone"),
        a_view("20231114T200001", NOW, partial=True),
        a_view("20231114T200002", NOW, source="t"),
        a_view("20531114T200003", NOW + 1),
    ]
    async with Bench(store, tmp_path, timed=[one]) as bench:
        await store.run(vaults.put, "full", views)
        wanted = await bench.service.wanted(one)

    assert len(wanted) == 1
