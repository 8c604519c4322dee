"""The steps of a restore: taken back if it fails, gone on with after a kill."""

import pytest
from msgspec.structs import replace

from syncd.core.job import Kind
from syncd.core.vault import Pin
from tests.api.optools.conftest import conducted
from tests.api.optools.test_restores import settled


@pytest.fixture
def vault(backups) -> str:
    name: str = backups.add("20261121T000000").summary.name
    return name


async def begun(conductor, vault: str, hook: str = ""):
    return await conductor.restore(vault, skip={}, hook=hook, who="w@x.org", by="w")


async def test_what_fails_is_taken_back(backups, conductor, vault):
    one = await begun(conductor, vault)
    safety = await backups.of_kind(Kind.BACKUP)
    backups.finish(safety.id)
    backups.fail((await backups.of_kind(Kind.RESTORE)).id, "the server is gone")
    back = await backups.of_kind(Kind.RESTORE, 2)

    assert back.asked["vault"] == safety.vault
    assert back.asked["delete"] is False
    assert (await conductor.transaction(one.id)).status == "undoing"
    backups.finish(back.id)
    await settled(conductor)
    ended = await conductor.transaction(one.id)
    assert ended.status == "error"
    assert "the server is gone" in ended.messages[0]
    assert f"is back, from {safety.vault}" in ended.messages[1]


async def test_what_cannot_be_taken_back_names_where_it_is(backups, conductor, vault):
    one = await begun(conductor, vault)
    safety = await backups.of_kind(Kind.BACKUP)
    backups.finish(safety.id)
    for number in (1, 2):
        backups.fail((await backups.of_kind(Kind.RESTORE, number)).id, "gone")
    await settled(conductor)
    ended = await conductor.transaction(one.id)

    assert f"in the vault {safety.vault}" in ended.messages[1]
    assert backups.kept() == [safety.vault]


async def test_what_cannot_be_put_in_force_is_taken_back(
    backups, conductor, vault, after
):
    one = await begun(conductor, vault)
    backups.not_in_force = "rules.yaml: no such entry"
    for kind, number in ((Kind.BACKUP, 1), (Kind.RESTORE, 1), (Kind.RESTORE, 2)):
        backups.finish((await backups.of_kind(kind, number)).id)
    await settled(conductor)

    ended = await conductor.transaction(one.id)
    assert ended.status == "error"
    assert "no such entry" in ended.messages[0]
    assert "is back" in ended.messages[1]
    assert after == [1, 1]


async def test_without_a_safety_nothing_is_restored(backups, conductor, vault, after):
    one = await begun(conductor, vault)
    backups.fail((await backups.of_kind(Kind.BACKUP)).id, "no room")
    await settled(conductor)
    ended = await conductor.transaction(one.id)

    assert ended.status == "error"
    assert "nothing was restored: no room" in ended.messages[0]
    assert not [job for job in backups.asked.values() if job.kind is Kind.RESTORE]
    assert after == []
    conductor.check_free()


async def test_a_vault_that_is_gone_is_an_error(backups, conductor):
    one = await begun(conductor, "20261121T000001")
    await settled(conductor)

    assert (await conductor.transaction(one.id)).status == "error"


async def test_after_a_kill_it_goes_on_where_it_was(
    backups, store, manners, after, vault
):
    async with conducted(backups, store, manners, after) as first:
        one = await begun(first, vault)
        safety = await backups.of_kind(Kind.BACKUP)
    async with conducted(backups, store, manners, after) as second:
        backups.finish(safety.id)
        restore = await backups.of_kind(Kind.RESTORE)
    async with conducted(backups, store, manners, after) as third:
        backups.finish(restore.id)
        await settled(third)
        assert (await third.transaction(one.id)).status == "success"
    assert second is not third

    kinds = [job.kind for job in backups.asked.values()]
    assert kinds == [Kind.BACKUP, Kind.RESTORE]


def interrupt(backups, job) -> None:
    """Have a job end as one does under which the daemon went down."""
    backups.fail(job.id, "interrupted by a restart")
    ended = replace(backups.asked[job.id], reason="interrupted")
    backups.asked[job.id] = ended


async def test_what_a_restart_interrupts_is_done_again_and_taken_back(
    backups, conductor, vault
):
    one = await begun(conductor, vault)
    interrupt(backups, await backups.of_kind(Kind.BACKUP))
    safety = await backups.of_kind(Kind.BACKUP, 2)
    backups.finish(safety.id)
    for number in (1, 2):
        interrupt(backups, await backups.of_kind(Kind.RESTORE, number))
    back = await backups.of_kind(Kind.RESTORE, 3)
    assert back.asked["vault"] == safety.vault
    backups.finish(back.id)
    await settled(conductor)

    ended = await conductor.transaction(one.id)
    assert f"is back, from {safety.vault}" in ended.messages[1]


async def test_what_was_before_cannot_go_while_something_is_restored(
    backups, store, manners, after, vault
):
    async with conducted(backups, store, manners, after) as first:
        await begun(first, vault)
        safety = await backups.of_kind(Kind.BACKUP)
        backups.finish(safety.id)
        restore = await backups.of_kind(Kind.RESTORE)
        assert set(backups.kept()) == {vault, safety.vault}
    # Nor between two runs of the daemon.
    assert set(backups.kept()) == {vault, safety.vault}
    async with conducted(backups, store, manners, after) as second:
        backups.finish(restore.id)
        await settled(second)

    assert backups.kept() == []


async def test_a_pin_that_somebody_sets_meanwhile_stays(backups, conductor, vault):
    await begun(conductor, vault)
    safety = await backups.of_kind(Kind.BACKUP)
    pin = Pin("mine", "a@x.org", 1.0)
    await backups.pin(vault, pin, who="a@x.org")
    backups.fail(safety.id, "no room")
    await settled(conductor)

    assert backups.known[vault].pin == pin


async def test_a_pin_of_somebody_stays(backups, conductor, vault):
    pin = Pin("mine", "a@x.org", 1.0)
    await backups.pin(vault, pin, who="a@x.org")
    await begun(conductor, vault)
    backups.fail((await backups.of_kind(Kind.BACKUP)).id, "no room")
    await settled(conductor)

    assert backups.known[vault].pin == pin
