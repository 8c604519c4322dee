"""Stores that are not there: what is known stays, and they are looked for."""

from typing import Any

import pytest
from msgspec.structs import replace

from syncd.backup import records, surveys
from syncd.core.backup import BackupRequest
from syncd.core.errand import UNTRUSTED, Deed, Done
from syncd.core.job import State
from syncd.errors import StorageError, Unavailable
from tests.backup.bench import Bench

WANTED = BackupRequest(source="s")
AWAY = Done(error="its disk is not mounted", reason=UNTRUSTED)


class Disk:
    """Where the vaults of a bench are; without it, workers say that it is not."""

    def __init__(self, bench: Bench, id: str = "a disk") -> None:
        self.id = id
        self.there = True
        self.asked: list[Any] = []
        """The id that each work asked for."""
        self._usual = bench.workers._usual
        for deed in Deed:
            bench.workers.doings[deed] = self._do

    async def _do(self, work: Any, told: Any) -> Done:
        wanted = work.store.options.get("id")
        self.asked.append(wanted)
        if wanted and not self.there:
            return AWAY
        return replace(await self._usual(work, told), store=self.id)


async def names(bench: Bench) -> list[str]:
    return [view.summary.name for view in await bench.service.vaults()]


async def test_a_store_is_asked_for_by_its_id_while_vaults_are_known(bench):
    disk = Disk(bench)
    job = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert disk.asked == [None]
    await bench.service.evict(str(job.vault), who="me")
    assert disk.asked == [None, "a disk"]
    # There is nothing to lose any more.
    await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert disk.asked == [None, "a disk", None]


async def test_what_is_known_of_a_store_that_is_away_stays(bench, monkeypatch):
    monkeypatch.setattr(surveys, "AGAIN", 0.01)
    disk = Disk(bench)
    kept = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert bench.service.trouble() == ""
    disk.there = False

    with pytest.raises(Unavailable, match="not mounted"):
        await bench.runner.survey("full")
    failed = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    with pytest.raises(StorageError, match="not mounted"):
        await bench.service.evict(str(kept.vault), who="me")

    assert (failed.state, failed.reason) == (State.FAILED, UNTRUSTED)
    assert failed.error == bench.service.trouble() == AWAY.error
    assert await names(bench) == [kept.vault]
    disk.there = True
    await bench.until(lambda: not bench.service.trouble())
    assert await names(bench) == [kept.vault]


async def test_a_store_that_some_work_reached_is_looked_into_at_once(bench):
    disk = Disk(bench)
    await bench.ended(await bench.service.back_up(WANTED, who="me"))
    disk.there = False
    await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert bench.service.trouble()
    disk.there = True
    await bench.ended(await bench.service.back_up(WANTED, who="me"))

    await bench.until(lambda: not bench.service.trouble())
    assert bench.workers.works[-1].deed is Deed.SURVEY


async def test_a_start_without_the_folder_is_no_loss(store, tmp_path):
    async with Bench(store, tmp_path) as bench:
        Disk(bench)
        kept = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    again = Bench(store, tmp_path)
    disk = Disk(again)
    disk.there = False
    async with again:
        await again.until(again.service.trouble)

        assert await names(again) == [kept.vault]
        assert disk.asked == ["a disk"]


async def test_what_cannot_be_noted_of_a_store_is_noted_later(bench, monkeypatch):
    disk, run, full = Disk(bench), bench.runner.store.run, [True]

    async def refusing(work: Any, *args: Any) -> Any:
        if full[0] and work is records.know_store:
            raise Unavailable("the disk is full")
        return await run(work, *args)

    monkeypatch.setattr(bench.runner.store, "run", refusing)
    made = await bench.ended(await bench.service.back_up(WANTED, who="me"))
    assert made.state is State.SUCCESSFUL
    assert await names(bench) == [made.vault]
    full[0] = False
    for _ in range(2):
        await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert disk.asked == [None, None, "a disk"]


async def test_a_source_that_is_not_trusted_says_nothing_of_the_vaults(bench):
    async def read(work: Any, told: Any) -> Done:
        return Done(error="of another entry", reason=UNTRUSTED, store="a disk")

    bench.workers.doings[Deed.BACKUP] = read
    failed = await bench.ended(await bench.service.back_up(WANTED, who="me"))

    assert failed.state is State.FAILED
    assert bench.service.trouble() == ""


async def test_another_folder_is_another_store(store, tmp_path):
    async with Bench(store, tmp_path) as bench:
        Disk(bench)
        await bench.ended(await bench.service.back_up(WANTED, who="me"))
    moved = tmp_path / "moved"
    moved.mkdir()
    again = Bench(store, tmp_path, path=moved)
    disk = Disk(again, "another disk")
    async with again:
        await again.until(lambda: disk.asked)
        assert disk.asked == [None]
        assert not again.service.trouble()
