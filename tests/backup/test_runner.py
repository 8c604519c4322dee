"""The runner: what starts, what is recorded, what a crash leaves, what is told."""

import asyncio
from typing import Any

import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs

from syncd.backup import recording, records
from syncd.backup.plan import Notify, WebHook
from syncd.core.backup import BackupRequest
from syncd.core.errand import Deed, Done
from syncd.core.job import Kind, Retries, State
from syncd.errors import Conflict, NotFound, Unavailable
from syncd.store import jobs, vaults
from tests.backup.bench import NOW, Bench, a_view

WANTED = BackupRequest(source="s")


async def test_what_ran_was_interrupted_and_what_waited_runs(store, tmp_path):
    before = Bench(store, tmp_path)
    # What a worker says that is ended is not recorded, as if all was killed.
    before.workers.doings[Deed.BACKUP] = lambda work, told: fails_at(before)
    async with before:
        before.workers.go.clear()
        first = await before.service.back_up(WANTED, who="me")
        second = await before.service.back_up(WANTED, who="me")
        await before.until(lambda: before.workers.works)
    async with Bench(store, tmp_path) as after:
        one, two = await after.service.job(first.id), await after.ended(second)

    assert (one.state, one.reason) == (State.FAILED, "interrupted")
    assert one.error == "interrupted by a restart"
    assert two.state is State.SUCCESSFUL


async def fails_at(bench: Bench) -> Done:
    await bench.workers.go.wait()
    return Done(error="it was ended", reason="canceled")


async def fails(work: Any, told: Any) -> Done:
    return Done(error="it does not want to", reason="storage")


async def test_half_a_vault_is_found_before_anything_else_is_done(store, tmp_path):
    (tmp_path / "vaults").mkdir()
    bench = Bench(store, tmp_path)
    bench.workers.aside = ["20200101T000000"]
    bench.workers.vaults = {"found": a_view("found")}
    async with bench:
        job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
        made = {view.summary.name for view in await bench.service.vaults()}
        assert made == {"found", job.vault}
        assert [work.deed for work in bench.workers.works] == ["survey", "backup"]
        assert await bench.service.aside() == ["20200101T000000"]
        await bench.service.evict("20200101T000000", who="me")
        assert await bench.service.aside() == []


async def test_a_vault_that_is_gone_from_the_store_is_not_listed(store, tmp_path):
    (tmp_path / "vaults").mkdir()
    bench = Bench(store, tmp_path)
    bench.workers.vaults = {"a": a_view("a"), "b": a_view("b")}
    async with bench:
        await bench.runner.survey("full")
    del bench.workers.vaults["a"]
    again = Bench(store, tmp_path)
    again.workers.vaults = bench.workers.vaults
    async with again:
        await again.runner.survey("full")
        assert [v.summary.name for v in await again.service.vaults()] == ["b"]


async def test_what_cannot_be_read_in_a_store_is_told(bench):
    async def found(work: Any, told: Any) -> Done:
        said = {"names": [], "pins": {}, "unreadable": {"x": "it is a copy"}}
        return Done(result=said)

    bench.workers.doings[Deed.SURVEY] = found
    with capture_logs() as told:
        await bench.runner.survey("full")

    assert [(one["vault"], one["reason"]) for one in told] == [("x", "it is a copy")]


async def test_what_may_help_is_tried_again_and_only_so_often(store, tmp_path):
    async def busy(work: Any, told: Any) -> Done:
        return Done(error="away", reason="unreachable", retry=True)

    plan = {"retries": {Kind.BACKUP: Retries(2, 60.0)}}
    async with Bench(store, tmp_path, **plan) as bench:
        bench.workers.doings[Deed.BACKUP] = busy
        job = await bench.service.back_up(WANTED, who="me")
        for attempt, pause in ((1, 60.0), (2, 120.0)):
            await bench.until(lambda: len(bench.workers.works) == attempt)  # noqa: B023
            await bench.until(
                lambda: (
                    bench.runner.known and bench.runner.known[0].not_before > bench.now
                )
            )
            [waits] = bench.runner.known
            assert (waits.state, waits.error) == (State.QUEUED, "away")
            assert waits.not_before == bench.now + pause
            bench.now += pause
            bench.runner._wake.set()
        ended = await bench.ended(job)

    assert (ended.state, ended.attempts) == (State.FAILED, 3)


async def test_a_job_that_runs_is_told_to_end_and_one_that_waits_has_ended(bench):
    bench.workers.go.clear()
    runs = await bench.service.back_up(WANTED, who="me")
    waits = await bench.service.back_up(WANTED, who="me")
    await bench.until(lambda: bench.workers.works)

    assert (await bench.service.cancel(waits.id, who="me")).state is State.CANCELED
    told = await bench.service.cancel(runs.vault, who="me")

    assert told.state is State.CANCELING
    assert bench.workers.canceled == [(runs.id, "canceled by me")]
    # It was done before it heard of it: what it made stays.
    assert (await bench.ended(runs)).state is State.SUCCESSFUL
    with pytest.raises(Conflict, match="has ended already"):
        await bench.service.cancel(runs.id, who="me")
    with pytest.raises(NotFound):
        await bench.service.cancel("nope", who="me")
    assert len(bench.workers.works) == 1


async def test_what_cannot_be_recorded_is_tried_until_it_is(bench, monkeypatch):
    monkeypatch.setattr(recording, "AGAIN", 0.01)
    run, full = bench.runner.store.run, [True]

    async def refusing(work: Any, *args: Any, **more: Any) -> Any:
        if full[0] and work.__name__ == "end":
            full.append(True)
            raise Unavailable("the disk is full")
        return await run(work, *args, **more)

    monkeypatch.setattr(bench.runner.store, "run", refusing)
    job = await bench.service.back_up(WANTED, who="me")
    await bench.until(lambda: len(full) > 3)
    assert (await bench.service.job(job.id)).state is State.RUNNING
    full[0] = False

    assert (await bench.ended(job)).state is State.SUCCESSFUL
    assert len(bench.workers.works) == 1


async def test_a_bug_of_ours_ends_the_job_and_nothing_else(bench):
    async def broken(work: Any, told: Any) -> Done:
        raise ZeroDivisionError

    bench.workers.doings[Deed.BACKUP] = broken
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert (job.state, job.reason) == (State.FAILED, "bug")
    del bench.workers.doings[Deed.BACKUP]
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert job.state is State.SUCCESSFUL


async def test_whoever_listens_hears_of_each_state(bench):
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))

    said = [data["state"] for event, data in bench.told if event == "job"]
    assert said == ["queued", "running", "successful"]
    assert {data["id"] for _, data in bench.told} == {job.id}
    assert "job_progress" in {event for event, _ in bench.told}


async def test_a_log_is_followed_until_the_job_has_ended(bench):
    bench.workers.go.clear()
    job = await bench.service.back_up(WANTED, who="me")
    await bench.until(lambda: bench.workers.works)
    log = bench.runner.logs.path(job.id)
    log.write_bytes(b"one ")
    heard: list[bytes] = []

    async def follow() -> None:
        async for piece in bench.service.follow(job.id):
            heard.append(piece)

    following = asyncio.create_task(follow())
    await bench.until(lambda: heard)
    with log.open("ab") as more:
        more.write(b"two")
    bench.workers.go.set()
    async with asyncio.timeout(30):
        await following

    assert b"".join(heard) == b"one two"


async def test_the_end_of_a_job_waits_for_nobody_who_is_told(store, tmp_path):
    nobody = [WebHook("http://127.0.0.1:1/")]
    async with Bench(store, tmp_path, notify=Notify(web=nobody)) as bench:
        bench.workers.doings[Deed.BACKUP] = fails
        job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
        assert job.state is State.FAILED
        await bench.runner.notifier.close()


async def test_jobs_and_logs_are_forgotten_when_there_are_too_many(bench, monkeypatch):
    monkeypatch.setattr("syncd.backup.records.KEPT", 1)
    first = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    bench.runner.logs.path(first.id).write_bytes(b"said")
    await bench.ended(await bench.service.back_up(WANTED, who="me"))
    await bench.until(lambda: not bench.runner.logs.path(first.id).exists())

    with pytest.raises(NotFound):
        await bench.runner.store.read(jobs.get, first.id)


async def test_a_worker_is_kept_ready_for_who_may_soon_ask_again(store, tmp_path):
    async with Bench(store, tmp_path) as bench:
        asked = await bench.service.back_up(WANTED, who="me")
        await bench.ended(asked)
        await bench.until(lambda: bench.workers.ready == [["m"]])
        later = replace(asked, id="timed", vault=None, schedule="nightly")
        await bench.ended(await bench.runner.ask(later, ["20200101T000000"]))
        bench.workers.doings[Deed.BACKUP] = fails
        await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert bench.workers.ready == [["m"]]


async def test_what_a_policy_gave_up_is_judged_again_when_its_turn_comes(bench):
    """The floor holds at the moment of deleting, not only at that of asking."""
    a, b = a_view("a", NOW - 9), a_view("b", NOW - 8)
    bench.workers.vaults = {"a": a, "b": b}
    await bench.runner.store.run(vaults.put, "full", [a, b])
    await bench.service.use_policy("full", "1/delete", who="me")
    bench.workers.doings[Deed.BACKUP] = lambda work, told: fails_at(bench)
    bench.workers.go.clear()
    slow = await bench.service.back_up(WANTED, who="me")
    await bench.until(lambda: bench.workers.works)
    evicting = asyncio.create_task(bench.service.evict_by_policy(who="me"))
    await bench.until(lambda: len(bench.runner.known) == 2)
    rotten = replace(b, damaged=["packs/1: rotten"])
    await bench.runner.store.run(vaults.put, "full", [rotten])
    bench.workers.go.set()
    await bench.ended(slow)
    async with asyncio.timeout(30):
        decisions = {one.vault: one for one in await evicting}

    left = {view.summary.name for view in await bench.service.vaults()}
    assert left == {"a", "b"}
    assert decisions["a"].keep
    assert Deed.EVICT not in [work.deed for work in bench.workers.works]
    [eviction] = (await bench.service.jobs(kind=Kind.EVICT))[1]
    assert eviction.state is State.SUCCESSFUL
    assert eviction.result["kept"]["a"].startswith("1/delete: ")


async def test_what_is_canceled_before_it_has_a_worker_gets_none(bench, monkeypatch):
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(hooks: Any, job: Any) -> str:
        reached.set()
        await go.wait()
        return ""

    monkeypatch.setattr(bench.runner.notifier, "before", slow)
    bench.workers.cancel = lambda id, why: False
    job = await bench.service.back_up(WANTED, who="me")
    async with asyncio.timeout(30):
        await reached.wait()
    assert (await bench.service.cancel(job.id, who="me")).state is State.CANCELING
    go.set()
    ended = await bench.ended(job)

    assert (ended.state, ended.reason) == (State.CANCELED, "canceled")
    assert ended.error == "canceled by me"
    assert bench.workers.works == []


@pytest.mark.parametrize("retry", [True, False])
async def test_a_cancel_that_is_kept_just_before_the_end_counts(
    bench, monkeypatch, retry
):
    """It is in the store already, while nobody here has heard of it."""

    async def away(work: Any, told: Any) -> Done:
        await bench.runner.store.run(records.cancel, work.id, NOW, "them")
        return Done(error="away", reason="unreachable", retry=retry)

    bench.workers.doings[Deed.BACKUP] = away
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert (job.state, job.error) == (State.CANCELED, "canceled by them")
    assert await bench.runner.store.read(jobs.get, job.id) == job


async def test_what_cannot_be_recorded_for_a_bug_ends_as_one(bench, monkeypatch):
    run = bench.runner.store.run

    async def broken(work: Any, *args: Any, **more: Any) -> Any:
        if work.__name__ == "end" and any(
            isinstance(one, Done) and one.reason != "bug" for one in args
        ):
            raise ZeroDivisionError
        return await run(work, *args, **more)

    monkeypatch.setattr(bench.runner.store, "run", broken)
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert (job.state, job.reason) == (State.FAILED, "bug")
    assert "ZeroDivisionError" in job.error
    assert bench.runner.known == []


async def test_a_bug_after_a_job_or_in_a_survey_is_told(store, tmp_path):
    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError("here")

    (tmp_path / "vaults").mkdir()
    bench = Bench(store, tmp_path)
    bench.workers.doings[Deed.SURVEY] = broken
    bench.runner.after.insert(0, broken)
    seen: list[str] = []

    async def seeing(job: Any) -> None:
        seen.append(job.id)

    bench.runner.after.append(seeing)
    with structlog.testing.capture_logs() as lines:
        async with bench:
            job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
            await bench.until(lambda: seen)
    assert seen == [job.id]
    assert [line["action"] for line in lines if line["event"] == "bug"] == [
        "survey",
        "job",
    ]


async def test_a_catalogue_that_cannot_be_read_closes_no_store(bench, monkeypatch):
    read, left = bench.runner.store.read, [1]

    async def failing(work: Any, *args: Any, **more: Any) -> Any:
        if left[0] and work is vaults.everything:
            left[0] -= 1
            raise Unavailable("the disk fails")
        return await read(work, *args, **more)

    async def dies(work: Any, told: Any) -> Done:
        return Done(error="killed", reason="died")

    monkeypatch.setattr(bench.runner.store, "read", failing)
    bench.workers.doings[Deed.BACKUP] = dies
    await bench.ended(await bench.service.back_up(WANTED, who="me"))
    del bench.workers.doings[Deed.BACKUP]
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert (job.state, left) == (State.SUCCESSFUL, [0])
