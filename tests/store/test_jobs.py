"""Jobs are kept, found by id, vault, key and search, and forgotten when too many."""

import pytest
from msgspec.structs import replace

from syncd.core.job import Job, Kind, State
from syncd.errors import Conflict, NotFound, Unavailable
from syncd.store import jobs
from syncd.store.jobs import Search


def a_job(id: str, kind: Kind = Kind.BACKUP, **more) -> Job:
    given = {"asked": {"databases": ["a"]}, "source": "s", "store": "v", "who": "me"}
    return Job(id=id, kind=kind, **{**given, "created": 1.0, **more})


@pytest.fixture
def keep(store):
    async def kept(*some: Job) -> None:
        for job in some:
            await store.run(jobs.add, job)

    return kept


async def test_what_is_kept_is_what_was_asked_for(store, keep):
    job = a_job("1", vault="20200101T000000", key="k", schedule="nightly")
    await keep(job)

    assert await store.read(jobs.get, "1") == job
    with pytest.raises(NotFound, match="job 2 not found"):
        await store.read(jobs.get, "2")
    with pytest.raises(NotFound):
        await store.run(jobs.put, a_job("2"))


async def test_a_vault_finds_the_job_that_makes_it_and_no_other(store, keep):
    await keep(
        a_job("1", vault="n"),
        a_job("2", Kind.RESTORE, vault="n"),
        a_job("3", vault="n", store="other"),
    )

    assert (await store.read(jobs.making, "n", ["v"])).id == "1"
    with pytest.raises(NotFound):
        await store.read(jobs.making, "n", ["w"])


async def test_one_key_is_one_job(store, keep):
    job = a_job("1", key="k")
    await keep(job)

    assert await store.read(jobs.keyed, "v", "k", job) == job
    assert await store.read(jobs.keyed, "w", "k", job) is None
    for other in (
        a_job("2", Kind.RESTORE),
        a_job("2", asked={}),
        a_job("2", who="them"),
    ):
        with pytest.raises(Conflict, match="used for something else, job 1"):
            await store.read(jobs.keyed, "v", "k", other)
    with pytest.raises(Unavailable, match="UNIQUE"):
        await keep(a_job("2", key="k"))


async def test_what_has_ended_is_no_more_among_the_unfinished(store, keep):
    await keep(a_job("1"), a_job("2"), a_job("3", state=State.FAILED))
    await store.run(jobs.put, a_job("1", state=State.SUCCESSFUL))

    assert [job.id for job in await store.read(jobs.unfinished)] == ["2"]


async def test_jobs_are_searched_newest_first(store, keep):
    await keep(
        a_job("1", vault="n"),
        a_job("2", Kind.RESTORE, vault="n", source="t"),
        a_job("3", state=State.FAILED, store="w"),
    )

    async def found(offset=0, limit=10, **search):
        total, some = await store.read(
            jobs.page, Search(**search), offset=offset, limit=limit
        )
        return total, [job.id for job in some]

    assert await found() == (3, ["3", "2", "1"])
    assert await found(offset=1, limit=1) == (3, ["2"])
    assert await found(kind=Kind.RESTORE) == (1, ["2"])
    assert await found(state=State.FAILED) == (1, ["3"])
    assert await found(vault="n") == (2, ["2", "1"])
    assert await found(source="t") == (1, ["2"])
    assert await found(stores=["w"]) == (1, ["3"])
    newest = await store.read(jobs.last, Search(kind=Kind.BACKUP))
    assert newest is not None
    assert newest.id == "3"
    assert await store.read(jobs.last, Search(source="none")) is None
    assert (await store.read(jobs.counts))[Kind.BACKUP, State.FAILED] == 1


async def test_only_old_jobs_that_have_ended_are_forgotten(store, keep):
    done = State.SUCCESSFUL
    await keep(a_job("1"), *(a_job(str(number), state=done) for number in range(2, 6)))

    assert await store.run(jobs.forget, 2) == ["2", "3"]
    assert await store.run(jobs.forget, 2) == []
    assert (await store.read(jobs.page, Search(), offset=0, limit=9))[0] == 3


async def test_the_record_tells_all_of_it_again(store, keep):
    await keep(a_job("1"))
    job = replace(a_job("1"), state=State.RUNNING, started=2.0, attempts=1)
    await store.run(jobs.put, job)

    assert await store.read(jobs.get, "1") == job
