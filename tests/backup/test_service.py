"""What is asked of the engine: names, keys, refusals, policies, checks."""

import asyncio
import threading
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from syncd.backup import retaining
from syncd.backup.marking import Notes
from syncd.core import retention
from syncd.core.backup import BackupRequest, RestoreRequest
from syncd.core.errand import Deed, Done
from syncd.core.job import Kind, State
from syncd.core.vault import Pin
from syncd.errors import BadRequest, Conflict, NotFound, StorageError, Unavailable
from syncd.store import vaults
from tests.backup.bench import NOW, Bench, a_view

WANTED = BackupRequest(source="s")


async def have(bench: Bench, *views) -> None:
    bench.workers.vaults |= {view.summary.name: view for view in views}
    await bench.runner.store.run(vaults.put, "full", views)


async def test_names_are_given_at_once_and_never_twice(bench):
    asks = (bench.service.back_up(WANTED, who="me") for _ in "abc")
    asked = await asyncio.gather(*asks)
    names = [job.vault for job in asked]

    assert sorted(names) == ["20231114T221320", "20231114T221321", "20231114T221322"]
    await asyncio.gather(*map(bench.ended, asked))
    await bench.service.evict(names[0], who="me")
    again = await bench.service.back_up(WANTED, who="me")
    assert again.vault not in names
    assert (await bench.service.job(names[0])).id == asked[0].id


async def test_the_same_key_is_the_same_job_even_at_the_same_moment(bench):
    one, two = await asyncio.gather(
        *(bench.service.back_up(WANTED, who="me", key="k") for _ in "ab")
    )
    assert one.id == two.id
    await bench.ended(one)
    assert (await bench.service.back_up(WANTED, who="me", key="k")).id == one.id
    assert len(bench.workers.works) == 1
    with pytest.raises(Conflict, match="used for something else"):
        await bench.service.back_up(WANTED, who="them", key="k")
    with pytest.raises(BadRequest, match="key"):
        await bench.service.back_up(WANTED, who="me", key="")


async def test_what_cannot_be_asked_for_is_refused(bench):
    with pytest.raises(NotFound, match="source x not found; configured: s, t"):
        await bench.service.back_up(BackupRequest(source="x"), who="me")
    for folder in ("/etc", "../x", "a/../../b", "x" * 501):
        with pytest.raises(BadRequest, match="below the store's"):
            await bench.service.back_up(BackupRequest(folder=folder), who="me")
    with pytest.raises(NotFound, match="vault nope not found"):
        await bench.service.restore(RestoreRequest(vault="nope"), who="me")
    assert (await bench.service.jobs())[0] == 0


async def test_a_vault_that_is_no_good_is_restored_by_force_only(bench):
    await have(
        bench,
        a_view("failed", failed="no room"),
        a_view("canceled", canceled=True),
        a_view("damaged", damaged=["packs/1: rotten"]),
    )
    whys = {"failed": "no room", "canceled": "canceled", "damaged": "rotten"}
    for name, why in whys.items():
        with pytest.raises(Conflict, match=why):
            await bench.service.restore(RestoreRequest(vault=name), who="me")
    job = await bench.service.restore(
        RestoreRequest(vault="failed", force=True), who="me"
    )
    assert (await bench.ended(job)).state is State.SUCCESSFUL


async def test_a_refusal_can_be_a_job(bench):
    await have(bench, a_view("v"))
    job = await bench.service.restore(
        RestoreRequest(vault="v"), who="me", refused="not all at once"
    )
    kept = await bench.service.job(job.id)

    assert (kept.state, kept.error) == (State.FAILED, "not all at once")
    assert bench.workers.works == []


async def test_deleting_returns_when_it_is_gone(bench):
    await have(bench, a_view("v", pin=Pin("law", "me", 1.0)))
    await bench.service.evict("v", who="me")

    assert await bench.service.vaults() == []
    assert bench.workers.works[-1].asked["force"]
    with pytest.raises(NotFound):
        await bench.service.evict("v", who="me")


async def test_what_is_in_use_is_not_deleted(bench):
    await have(bench, a_view("v"))
    bench.workers.go.clear()
    job = await bench.service.restore(RestoreRequest(vault="v"), who="me")
    with pytest.raises(Conflict, match=f"in use by the restore {job.id}"):
        await bench.service.evict("v", who="me")
    decisions = await bench.service.evict_by_policy(who="me", dry_run=True)
    assert decisions[0].keep
    bench.workers.go.set()
    await bench.ended(job)


async def test_a_deletion_that_fails_is_told(bench):
    async def fail(work, told):
        return Done(error="it is a mountain", reason="storage")

    await have(bench, a_view("v"))
    bench.workers.doings["evict"] = fail
    with pytest.raises(StorageError, match="mountain"):
        await bench.service.evict("v", who="me")
    assert len(await bench.service.vaults()) == 1


async def test_policies_are_kept_and_bad_ones_change_nothing(bench, store, tmp_path):
    assert bench.service.policies() == {}
    with pytest.raises(BadRequest):
        await bench.service.use_policy("full", "nonsense", who="me")
    with pytest.raises(BadRequest, match="only full, partial"):
        await bench.service.use_policy("other", "1/delete", who="me")
    assert bench.service.policies() == {}
    await bench.service.use_policy("full", "1/delete", who="me")

    other = Bench(store, tmp_path, policies={"full": "9/delete", "partial": "8/delete"})
    await other.service.opened()

    assert other.service.policies() == {"full": "1/delete", "partial": "8/delete"}


async def test_what_the_policy_gives_up_goes_after_a_good_backup(bench):
    await bench.service.use_policy("full", "1/delete", who="me")
    await have(
        bench,
        a_view("old", NOW - 9),
        a_view("pinned", NOW - 8, pin=Pin("law", "me", 1.0)),
        a_view("other source", NOW - 7, source="t"),
        a_view("elsewhere", NOW - 6, folder="x"),
    )
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))

    gone = Kind.EVICT, State.SUCCESSFUL
    await bench.until(lambda: bench.runner.figures.ended[gone])
    left = {view.summary.name for view in await bench.service.vaults()}
    assert left == {"pinned", "other source", "elsewhere", job.vault}
    [eviction] = (await bench.service.jobs(kind=Kind.EVICT))[1]
    assert eviction.who == "syncd"
    assert eviction.asked["vaults"] == ["old"]
    assert eviction.asked["why"]["old"]


async def test_a_pin_counts_until_it_expires(bench):
    await have(bench, a_view("v", pin=Pin("law", "me", 1.0, NOW + 5)))

    assert (await bench.service.vault("v")).pin is not None
    bench.now += 6
    assert (await bench.service.vault("v")).pin is None
    await bench.service.pin("v", Pin("again", "me", NOW), who="me")
    assert (await bench.service.vault("v")).pin == Pin("again", "me", NOW)
    with pytest.raises(NotFound):
        await bench.service.pin("nope", None, who="me")


async def test_what_a_check_finds_is_kept_with_the_vault(bench):
    before = a_view("v", flags={"sharded": True}, pin=Pin("law", "me", 1.0))
    await have(bench, before)
    for kind in (Kind.VERIFY, Kind.DRILL):
        job = await bench.service.check("v", kind=kind, who="me")
        assert (await bench.ended(job)).state is State.SUCCESSFUL

    assert await bench.service.vault("v") == replace(before, verified=NOW, proven=NOW)


async def test_an_archive_becomes_a_vault_of_that_name(bench, tmp_path):
    def archive():
        sent = tmp_path / "sent"
        sent.write_bytes(b"zip")
        return sent

    with pytest.raises(BadRequest, match="no name of a vault"):
        await bench.service.upload("../../x", archive(), partial=False, who="me")
    asked = {"partial": True, "who": "me"}
    job = await bench.service.upload("20200101T000000", archive(), **asked)
    assert (await bench.ended(job)).vault == "20200101T000000"
    assert not (tmp_path / "sent").exists()
    with pytest.raises(Conflict, match="choose another"):
        await bench.service.upload("20200101T000000", archive(), **asked)


async def test_the_end_of_a_log_can_be_asked_for(bench):
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    bench.runner.logs.path(job.id).write_bytes(b"0123456789")

    assert await bench.service.log(job.id) == (b"0123456789", 10)
    assert await bench.service.log(job.id, start=4) == (b"456789", 10)
    assert await bench.service.log(job.vault or "", start=-3) == (b"789", 10)
    assert await bench.service.log(job.id, start=-30) == (b"0123456789", 10)
    assert [one async for one in bench.service.follow(job.id, start=8)] == [b"89"]


async def test_a_marker_is_kept(store):
    notes = Notes(store)
    assert await notes.get() is None
    await notes.put("20200101T000000", who="me")
    assert await Notes(store).get() == "20200101T000000"


async def test_the_same_key_is_the_same_job_at_a_later_moment(bench):
    """A pin is put on, and a start is worked out, each time it is asked."""

    def wish(since: float, start: int) -> BackupRequest:
        pin = Pin("law", "me", since)
        return replace(WANTED, pin=pin, variables={"start": start}, derived=["start"])

    one = await bench.service.back_up(wish(1.0, 5), who="me", key="k")
    two = await bench.service.back_up(wish(2.0, 6), who="me", key="k")
    assert one == two
    with pytest.raises(Conflict, match="used for something else"):
        asked = replace(wish(1.0, 5), pin=Pin("another", "me", 1.0))
        await bench.service.back_up(asked, who="me", key="k")
    await bench.ended(one)


async def test_a_vault_elsewhere_is_restored_from_there_only(bench):
    await have(bench, a_view("v", folder="x"))
    for folder in ("", "y"):
        with pytest.raises(NotFound, match="vault v not found"):
            asked = RestoreRequest(vault="v", folder=folder)
            await bench.service.restore(asked, who="me")
    asked = RestoreRequest(vault="v", folder="x")
    assert (await bench.ended(await bench.service.restore(asked, who="me"))).vault


async def test_the_archive_of_an_upload_goes_with_its_job(store, tmp_path):
    async with Bench(store, tmp_path) as bench:
        bench.workers.go.clear()
        await bench.service.back_up(WANTED, who="me")
        await bench.until(lambda: bench.workers.works)
        kept = []
        for name in ("20200101T000000", "20200101T000001"):
            sent = tmp_path / "sent"
            sent.write_bytes(b"zip")
            kept.append(await bench.service.upload(name, sent, partial=False, who="me"))
        canceled, waits = (bench.runner.logs.archive(job.id) for job in kept)
        assert canceled.exists()
        await bench.service.cancel(kept[0].id, who="me")
        assert not canceled.exists()
        stray = bench.runner.logs.archive("nobody")
        stray.write_bytes(b"zip")
    again = Bench(store, tmp_path)
    again.workers.go.clear()
    async with again:
        assert waits.exists()
        assert not stray.exists()
        again.workers.go.set()
        await again.ended(kept[1])
        await again.until(lambda: not waits.exists())


async def test_more_than_may_wait_is_refused_but_never_an_eviction(store, tmp_path):
    async with Bench(store, tmp_path, queue=2) as bench:
        await have(bench, a_view("v"))
        bench.workers.go.clear()
        runs = await bench.service.back_up(WANTED, who="me")
        await bench.until(lambda: bench.workers.works)
        keyed = await bench.service.back_up(WANTED, who="me", key="k")
        last = await bench.service.back_up(WANTED, who="me")
        sent = tmp_path / "sent"
        sent.write_bytes(b"zip")
        with pytest.raises(Unavailable, match="2 jobs wait already"):
            await bench.service.back_up(WANTED, who="me")
        with pytest.raises(Unavailable, match="2 jobs wait already"):
            await bench.service.upload("20200101T000000", sent, partial=False, who="me")
        assert (await bench.service.back_up(WANTED, who="me", key="k")) == keyed
        evicting = asyncio.create_task(bench.service.evict("v", who="me"))
        await bench.until(lambda: len(bench.runner.known) == 4)
        bench.workers.go.set()
        async with asyncio.timeout(30):
            await evicting
        for job in (runs, keyed, last):
            await bench.ended(job)
        await bench.ended(await bench.service.back_up(WANTED, who="me"))


async def test_a_name_for_the_same_second_is_found_in_a_few_looks(store, monkeypatch):
    asked = [f"{number:04}" for number in range(3600)]
    await store.run(vaults.taken, "full", [*asked[:499], *asked[500:700]])
    looks = []

    def count(db):
        execute = db.execute

        def counting(*args):
            looks.append(args)
            return execute(*args)

        monkeypatch.setattr(db, "execute", counting)
        return vaults.reserve(db, "full", asked)

    assert await store.run(count) == "0499"
    assert len(looks) < 10
    assert await store.run(vaults.reserve, "full", asked) == "0700"
    assert await store.run(vaults.reserve, "other", asked) == "0000"
    with pytest.raises(Unavailable, match="every name"):
        await store.run(vaults.reserve, "full", asked[:700])


async def test_a_name_that_another_daemon_took_has_the_store_looked_into(bench):
    """So the next that is asked for gets one that is free."""

    async def taken(work, told):
        other = a_view("20231114T221321")
        bench.workers.vaults = {"20231114T221321": other}
        return Done(error="the name was used before", reason="conflict")

    bench.workers.doings[Deed.BACKUP] = taken
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert (job.state, job.reason) == (State.FAILED, "conflict")
    del bench.workers.doings[Deed.BACKUP]
    # It waits until the store was looked into, whatever its own name is.
    job = await bench.service.back_up(replace(WANTED, prefix="next"), who="me")
    assert (await bench.ended(job)).state is State.SUCCESSFUL
    assert [work.deed for work in bench.workers.works[:2]] == ["backup", "survey"]
    job = await bench.service.back_up(WANTED, who="me")
    assert job.vault == "20231114T221322"
    await bench.ended(job)


async def test_vaults_are_counted_by_the_calendar_of_their_zone(store, tmp_path):
    """Both were made on one day in UTC, and on two in Berlin."""
    night = 1_699_999_200.0  # 2023-11-14 22:00 UTC
    before, after = a_view("before", night), a_view("after", night + 4000)
    newest = a_view("newest", night + 5000)
    kept = {}
    for name in ("UTC", "Europe/Berlin"):
        calendar = retention.calendar({"daily": 2}, ZoneInfo(name))
        bench = Bench(store, tmp_path, calendars={"full": calendar})
        async with bench:
            await have(bench, before, after, newest)
            assert bench.service.policies() == {"full": "keep daily: 2"}
            said = await bench.service.evict_by_policy(who="me", dry_run=True)
            kept[name] = {one.vault for one in said if one.keep}
            if name == "UTC":
                await bench.service.evict_by_policy(who="me")
                left = {view.summary.name for view in await bench.service.vaults()}
                assert left == {"newest"}
    assert kept == {"UTC": {"newest"}, "Europe/Berlin": {"newest", "before"}}
    lies = bench.workers.vaults
    async with Bench(store, tmp_path, calendars={"full": calendar}) as bench:
        bench.workers.vaults = lies
        await bench.service.use_policy("full", "1/delete", who="me")
        said = await bench.service.evict_by_policy(who="me", dry_run=True)
        assert [one.rule for one in said if not one.keep] == ["1/delete", "1/delete"]


async def test_before_a_policy_gives_up_anything_it_is_looked_what_is_there(bench):
    await have(bench, a_view("a", NOW - 9), a_view("b", NOW - 8), a_view("c", NOW - 7))
    await bench.service.use_policy("full", "1/delete", who="me")
    # By hand, which the catalogue has not heard of.
    bench.workers.checks["c"] = (NOW, ["packs/x.tar: its digest differs"])
    bench.workers.vaults["a"] = a_view("a", NOW - 9, pin=Pin("law", "me", 1.0))
    decisions = await bench.service.evict_by_policy(who="me")

    kept = {one.vault: one.keep for one in decisions}
    assert (kept["a"], kept["b"]) == (True, True)
    left = {view.summary.name: view for view in await bench.service.vaults()}
    assert {"a", "b"} <= left.keys()
    assert left["a"].pin is not None


async def test_where_nothing_goes_nobody_looks(bench):
    await have(bench, a_view("a", NOW - 9))
    await bench.service.use_policy("full", "1/delete", who="me")
    await bench.service.evict_by_policy(who="me")

    assert bench.workers.works == []


@pytest.mark.parametrize(
    ("verified", "damaged", "check", "then"),
    [
        (None, [], (5.0, []), (5.0, [])),
        (None, [], (5.0, ["x"]), (None, ["x"])),
        (4.0, [], (5.0, ["x"]), (4.0, ["x"])),
        (4.0, ["x"], (5.0, []), (5.0, [])),
        (5.0, [], (4.0, ["x"]), (5.0, [])),
        (5.0, ["x"], (5.0, []), (5.0, ["x"])),
        (4.0, ["x"], None, (4.0, ["x"])),
    ],
)
async def test_of_what_is_known_of_damage_the_newest_counts(
    bench, verified, damaged, check, then
):
    await have(bench, a_view("a", verified=verified, damaged=damaged))
    bench.workers.checks = {} if check is None else {"a": check}
    await bench.runner.survey("full")
    view = await bench.service.vault("a")

    assert (view.verified, view.damaged) == then


async def test_a_look_takes_away_nothing_that_came_meanwhile(bench):
    usual = bench.workers._usual

    async def slow(work, told):
        done = await usual(work, told)
        await have(bench, a_view("new", stored=77))
        return done

    bench.workers.doings[Deed.SURVEY] = slow
    await bench.runner.survey("full")

    assert (await bench.service.vault("new")).summary.stored == 77


async def test_policies_decide_while_others_are_answered(bench, monkeypatch):
    threads = []

    def noted(*said):
        threads.append(threading.current_thread())
        return decided(*said)

    decided = retaining.decided
    monkeypatch.setattr(retaining, "decided", noted)
    await have(bench, a_view("20200101T000000"))

    assert len(await bench.service.evict_by_policy(who="me", dry_run=True)) == 1
    assert threads
    assert threading.main_thread() not in threads


async def test_room_is_told_without_looking_through_all_vaults(bench, monkeypatch):
    for _ in range(3):
        await bench.ended(await bench.service.back_up(WANTED, who="me"))
    views = await bench.service.vaults()
    await bench.until(lambda: bench.runner.figures.sources["full", "s"].vaults == 3)

    monkeypatch.setattr(vaults, "everything", None)
    room = await bench.service.room()

    assert room.size == sum(view.summary.stored for view in views) > 0


async def test_a_vault_for_itself_lies_elsewhere(bench):
    asked = BackupRequest(source="s", folder="some/where")
    await bench.ended(await bench.service.back_up(asked, who="me"))

    place = bench.workers.works[-1].store.options["path"]
    assert place == str(bench.plan.elsewhere / "some" / "where")
