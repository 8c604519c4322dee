"""What every source of backups does; see hands.py for how one joins."""

import asyncio

import pytest

from syncd.backup_sources.contract import Source
from syncd.core.backup import Report, Restoring, Wanted
from syncd.errors import BadRequest, NotFound, StorageError
from tests.backup_sources.conftest import Staged
from tests.backup_sources.fakes import FolderVault, Listener
from tests.backup_sources.hands import Hand

NOBODY = "nobody-has-this"


async def backed_up(
    hand: Hand, stage: Staged, *databases: str
) -> tuple[FolderVault, Report]:
    """Make a vault of all, or some, databases, as a worker does."""
    into = stage()
    source = hand.source()
    wanted = Wanted(databases=list(databases) or None)
    report = await source.back_up(wanted, into, Listener())
    assert report.failed == {}
    first = into.sealed(databases=list(databases) or None, listed=report.databases)
    listed = list(await source.listed(first))
    return into.sealed(databases=list(databases) or None, listed=listed), report


async def restored(hand: Hand, vault: FolderVault, **wanted) -> Report:
    return await hand.source().restore(Restoring(**wanted), vault, Listener())


async def refused(work, *kinds: type[Exception]) -> None:
    """Have the work be refused, or fail: anything but a success will do."""
    try:
        report = await work
    except kinds:
        return
    assert report.failed


class TestBackups:
    async def test_all_comes_back(self, hand, stage):
        for name in hand.databases:
            hand.fill(name, f"words of {name}")
        before = {name: hand.content(name) for name in hand.databases}
        vault, report = await backed_up(hand, stage)
        for name in hand.databases:
            hand.empty(name)
        await restored(hand, vault)

        assert {name: hand.content(name) for name in hand.databases} == before
        assert set(report.databases) >= set(hand.databases)
        assert report.origin["kind"]

    async def test_only_what_is_named_is_in_it(self, hand, stage):
        one, other = hand.databases
        for name in hand.databases:
            hand.fill(name, f"words of {name}")
        vault, report = await backed_up(hand, stage, one)

        assert report.databases == [one]
        assert list(await hand.source().listed(vault)) == [one]
        with pytest.raises(NotFound):
            await restored(hand, vault, databases=[other])

    async def test_a_name_that_is_not_there_is_never_a_success(self, hand, stage):
        wanted = Wanted(databases=[hand.databases[0], NOBODY])

        await refused(hand.source().back_up(wanted, stage(), Listener()), NotFound)

    @pytest.mark.parametrize(
        "databases", [[], [7], [None], [""], ["../x"], "A", [["A"]], [{}]]
    )
    async def test_what_names_nothing_is_refused(self, hand, stage, databases):
        into = stage()
        with pytest.raises((BadRequest, NotFound)):
            await hand.source().back_up(Wanted(databases=databases), into, Listener())

        assert into.sealed().held == {}

    async def test_unknown_variables_are_refused(self, hand, stage):
        wanted = Wanted(variables={NOBODY: 1})
        with pytest.raises(BadRequest, match=NOBODY):
            await hand.source().back_up(wanted, stage(), Listener())

    async def test_it_is_told_how_it_goes(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        listener = Listener()
        await hand.source().back_up(Wanted(), stage(), listener)

        assert listener.lines or listener.told

    async def test_what_is_out_of_reach_is_never_a_success(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        hand.break_()
        source: Source = hand.source()

        await refused(source.back_up(Wanted(), stage(), Listener()), StorageError)

    async def test_it_ends_when_it_is_called_off(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def heard() -> None:
            loop.call_soon_threadsafe(begun.set)

        listener = Listener(heard)
        work = hand.source().back_up(Wanted(), stage(), listener)
        task = asyncio.ensure_future(work)
        await asyncio.wait_for(begun.wait(), 60)
        task.cancel()
        await asyncio.wait([task], timeout=60)

        assert task.done()  # and nothing is left behind: see the tests' conftest.py

    async def test_a_source_may_be_made_again_and_again(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        first, _ = await backed_up(hand, stage)
        second, _ = await backed_up(hand, stage)

        assert set(first.held) == set(second.held)


class TestRestores:
    async def test_only_what_is_named_is_touched(self, hand, stage):
        one, other = hand.databases
        for name in hand.databases:
            hand.fill(name, "then")
        then = hand.content(one)
        vault, _ = await backed_up(hand, stage)
        for name in hand.databases:
            hand.fill(name, "now")
        now = hand.content(other)
        report = await restored(hand, vault, databases=[one])

        assert report.failed == {}
        assert report.databases == [one]
        for name, there in then.items():
            assert hand.content(one)[name] == there
        assert hand.content(other) == now

    async def test_nothing_named_is_nothing_done(self, hand, stage):
        hand.fill(hand.databases[0], "then")
        vault, _ = await backed_up(hand, stage)
        hand.fill(hand.databases[0], "now")
        now = hand.content(hand.databases[0])
        report = await restored(hand, vault, databases=[])

        assert hand.content(hand.databases[0]) == now
        assert (report.databases, report.failed) == ([], {})

    async def test_a_name_that_is_not_in_it_is_refused_first(self, hand, stage):
        one = hand.databases[0]
        hand.fill(one, "then")
        vault, _ = await backed_up(hand, stage)
        hand.fill(one, "now")
        now = hand.content(one)
        with pytest.raises(NotFound, match=NOBODY):
            await restored(hand, vault, databases=[one, NOBODY])

        assert hand.content(one) == now

    async def test_it_can_go_to_another_name(self, hand, stage):
        if not hand.renames:
            pytest.skip("this source knows no other names")
        one = hand.databases[0]
        hand.fill(one, "words")
        before = hand.content(one)
        vault, _ = await backed_up(hand, stage, one)
        hand.empty(one)
        report = await restored(hand, vault, databases=[one], names={one: hand.spare})

        assert report.failed == {}
        assert hand.content(hand.spare) == before
        assert hand.content(one) == {}

    async def test_other_names_for_what_is_not_restored_are_refused(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        vault, _ = await backed_up(hand, stage)
        with pytest.raises((BadRequest, NotFound)):
            await restored(
                hand,
                vault,
                databases=[hand.databases[0]],
                names={NOBODY: hand.spare},
            )

        assert hand.content(hand.spare) == {}

    async def test_a_dry_run_changes_nothing_and_says_what_would_be(self, hand, stage):
        for name in hand.databases:
            hand.fill(name, "then")
        vault, _ = await backed_up(hand, stage)
        hand.empty(hand.databases[0])
        hand.fill(hand.databases[1], "now")
        now = [hand.content(name) for name in hand.databases]
        report = await restored(hand, vault, dry_run=True)

        assert [hand.content(name) for name in hand.databases] == now
        assert report.plan
        assert report.failed == {}
        if hand.plans:
            assert report.changed["created"] > 0
            assert report.changed["replaced"] > 0

    async def test_unknown_variables_are_refused(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        vault, _ = await backed_up(hand, stage)
        with pytest.raises(BadRequest, match=NOBODY):
            await restored(hand, vault, variables={NOBODY: 1})

    async def test_what_is_out_of_reach_is_never_a_success(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        vault, _ = await backed_up(hand, stage)
        hand.break_()

        await refused(restored(hand, vault), StorageError)


class TestBesides:
    async def test_health_tells_whether_it_is_there(self, hand):
        assert (await hand.source().health()).reachable

    async def test_health_never_raises(self, hand):
        hand.break_()

        assert (await hand.source().health()).detail is not None

    async def test_names_can_be_asked_for_though_not_of_every_source(self, hand):
        names = await hand.source().databases()

        assert names == [] or set(names) >= set(hand.databases)

    async def test_a_vault_may_be_deleted(self, hand, stage):
        hand.fill(hand.databases[0], "words")
        vault, _ = await backed_up(hand, stage)
        await hand.source().evicted(vault, Listener())

        vault.destroy()
