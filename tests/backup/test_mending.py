"""Restores that were cut off: taken back before anything else, and told."""

from typing import Any

import pytest

from syncd.core.backup import BackupRequest, RestoreRequest
from syncd.core.errand import Deed, Done
from syncd.core.job import Job
from tests.backup.bench import Bench


async def cut_off(bench: Bench) -> Job:
    """Return a restore whose worker was killed."""

    async def dies(work: Any, told: Any) -> Done:
        return Done(error="killed by SIGKILL", reason="died")

    made = await bench.ended(
        await bench.service.back_up(BackupRequest(source="s"), who="me")
    )
    bench.workers.doings[Deed.RESTORE] = dies
    wanted = RestoreRequest(source="s", vault=made.vault)
    job = await bench.ended(await bench.service.restore(wanted, who="me"))
    await bench.until(lambda: not bench.runner._running)
    return await bench.service.job(job.id)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Done(result={"said": "all was taken back"}), "; all was taken back"),
        (Done(result={"said": ""}), ""),
        (Done(error="it is away"), "; not taken back yet: it is away"),
    ],
)
async def test_what_came_of_it_is_told_with_the_job(
    bench: Bench, done: Done, said: str
):
    async def mend(work: Any, told: Any) -> Done:
        assert (work.source_name, work.store) == ("s", bench.plan.store)
        assert work.keep == str(bench.runner.logs.keep("full", "s"))
        return done

    bench.workers.doings[Deed.MEND] = mend
    job = await cut_off(bench)

    assert job.error == f"killed by SIGKILL{said}"
    deeds = [work.deed for work in bench.workers.works]
    assert deeds[-3:] == [Deed.RESTORE, Deed.MEND, Deed.SURVEY]
    # What is owed is asked for once; the source's next job does it, too.
    await bench.runner.survey("full")
    assert [work.deed for work in bench.workers.works].count(Deed.MEND) == 1


async def test_after_a_restart_it_is_the_first_that_is_done(store, tmp_path):
    (tmp_path / "vaults").mkdir()
    async with Bench(store, tmp_path) as before:
        before.workers.doings[Deed.RESTORE] = lambda work, told: ended(before)
        made = await before.ended(
            await before.service.back_up(BackupRequest(source="s"), who="me")
        )
        before.workers.go.clear()
        wanted = RestoreRequest(source="s", vault=made.vault)
        await before.service.restore(wanted, who="me")
        await before.until(lambda: before.workers.works[-1].deed is Deed.RESTORE)
    async with Bench(store, tmp_path) as after:
        await after.until(lambda: len(after.workers.works) > 1)

    deeds = [work.deed for work in after.workers.works]
    assert deeds == [Deed.MEND, Deed.SURVEY]


async def ended(bench: Bench) -> Done:
    await bench.workers.go.wait()
    return Done(error="it was ended", reason="canceled")
