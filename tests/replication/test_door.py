"""Who is let in: emptied, foreign, lost and renamed storages, and people's word."""

from pathlib import Path
from typing import TypeGuard

import pytest
from msgspec.structs import replace

from syncd import wire
from syncd.core.change import Gone
from syncd.core.file import has
from syncd.errors import Conflict, Unavailable
from syncd.replication import door
from syncd.store import doubts, entries
from syncd.store.entries import Entry
from tests.replication.house import INDEX, Child, House, until

ALL = {"a": "one", "b": "two", "c/d": "three"}
SYNC = {"sync": ["A", "B"]}


async def entry(house: House, name: str) -> Entry:
    known = await house.store.read(entries.everything)
    return next(one for one in known if one.name == name)


async def filled(house: House) -> Child:
    """Bring everybody in step, and let the child of B die."""
    await house.start()
    for path, content in ALL.items():
        house.children["A"].write(path, content)
    await house.peace()
    b = house.children["B"]
    assert b.contents() == ALL
    b.leave()
    house.line.sent.clear()
    return b


def contents(house: House) -> list[dict[str, str]]:
    return [child.contents() for child in house.children.values()]


# An emptied storage -----------------------------------------------------------


async def emptied(house: House) -> Child:
    b = await filled(house)
    b.disk.clear()
    b.hello()
    welcome = await b.welcomed()
    assert welcome.suspended is not None
    assert "empty but held 3 files" in welcome.suspended
    assert house.reasons["B"] == welcome.suspended
    assert not has(house.referee.up, 1)
    return b


async def test_an_emptied_storage_deletes_nothing(house: House):
    b = await emptied(house)
    b.say(wire.Changes(99, []))
    await house.peace()

    assert contents(house) == [ALL, {}, ALL]
    assert house.line.sent["B"] == [wire.Noted(99)]


async def test_deletions_that_were_meant_spread(house: House):
    b = await emptied(house)
    await house.referee.approve("B")
    welcome = await b.enter()
    await house.peace()

    assert welcome.suspended is None
    assert not welcome.forget
    assert contents(house) == [{}] * 3
    assert house.reasons["B"] is None


async def test_deletions_that_were_meant_spread_even_if_the_ledger_is_lost(
    house: House,
):
    b = await emptied(house)
    b.leave()
    b.ledger, b.number, b.told = None, 0, {}
    assert (await b.come()).suspended is not None
    await house.referee.approve("B")
    assert (await b.enter()).forget
    await house.quiet()
    (look,) = house.line.take("B", wire.Look)
    b.tell([Gone(path) for path in look.paths])
    await house.peace()

    assert contents(house) == [{}] * 3


async def test_an_emptied_storage_can_be_filled_again(house: House):
    b = await emptied(house)
    await house.referee.restore("B")
    welcome = await b.enter()
    await house.peace()

    assert welcome.forget
    assert contents(house) == [ALL] * 3
    assert house.line.take("B", wire.Look) == [wire.Look([], last=True)]


async def test_a_word_counts_for_one_time(house: House):
    b = await emptied(house)
    await house.referee.restore("B")
    await b.enter()
    await house.peace()
    b.leave()
    b.disk.clear()

    assert (await b.come()).suspended is not None


async def test_a_word_counts_though_the_child_dies_before_it_has_walked(house: House):
    b = await emptied(house)
    await house.referee.approve("B")
    await b.welcomed()
    b.leave()

    assert (await b.come()).suspended is None
    await house.peace()
    assert contents(house) == [{}] * 3


async def test_a_word_is_void_when_the_storage_goes_away(house: House):
    b = await emptied(house)
    await house.referee.approve("B")
    await b.welcomed()
    b.say(wire.Suspended("the root is gone"))
    await house.quiet()

    assert (await b.come()).suspended is not None


@pytest.mark.parametrize("word", ["approve", "restore"])
async def test_who_does_not_wait_needs_no_word(house: House, word):
    await house.start("A")
    with pytest.raises(Conflict, match="entry A does not wait for a decision"):
        await getattr(house.referee, word)("A")


async def test_who_is_gone_does_not_wait(house: House):
    b = await emptied(house)
    b.leave()
    with pytest.raises(Conflict):
        await house.referee.approve("B")


# Another storage --------------------------------------------------------------


@pytest.mark.parametrize("word", ["approve", "restore"])
@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        (None, "lost its .syncd-marker"),
        ("of a stranger", "not the storage that was here before"),
        ("marker of A", "the storage of entry A"),
    ],
)
async def test_another_storage_waits_and_is_then_a_new_one(
    house: House, marker, reason, word
):
    b = await filled(house)
    b.disk.clear()
    b.write("new", "four", report=False)
    b.marker = marker
    welcome = await b.come()
    await house.quiet()
    assert welcome.suspended is not None
    assert reason in welcome.suspended
    assert contents(house) == [ALL, {"new": "four"}, ALL]

    await getattr(house.referee, word)("B")
    (adopt,) = house.line.take("B", wire.Adopt)
    assert adopt.marker not in (marker, "marker of B")
    b.marker = adopt.marker
    assert (await b.come()).forget
    await house.peace()
    assert contents(house) == [ALL | {"new": "four"}] * 3
    assert house.line.take("B", wire.Look) == []


async def test_a_person_is_told_when_the_child_cannot_be(house: House):
    b = await filled(house)
    b.marker = "of a stranger"
    await b.come()
    house.line.deaf.add("B")
    with pytest.raises(Unavailable, match="entry B cannot be reached"):
        await house.referee.approve("B")

    house.line.deaf.clear()
    await house.referee.approve("B")  # Said once more, it works.
    (adopt,) = house.line.take("B", wire.Adopt)
    b.marker = adopt.marker
    await b.come()
    await house.peace()
    assert contents(house) == [ALL] * 3


async def test_a_storage_in_trouble_is_not_let_in(house: House):
    await house.start("A")
    house.children["B"].hello(trouble="no such folder")
    await house.quiet()

    assert house.reasons["B"] == "no such folder"
    assert house.line.sent["B"] == []
    assert house.referee.up == 0b001


@pytest.mark.parametrize("word", ["approve", "restore"])
async def test_of_a_storage_in_trouble_nothing_can_be_decided(house: House, word: str):
    house.children["B"].hello(trouble="no such folder; bring it back")
    await house.quiet()
    with pytest.raises(Conflict, match="entry B: no such folder; bring it back"):
        await getattr(house.referee, word)("B")

    assert (await house.children["B"].come()).suspended is None
    with pytest.raises(Conflict, match="entry B does not wait for a decision"):
        await getattr(house.referee, word)("B")


# The index and ledgers do not fit ---------------------------------------------


async def test_a_storage_of_a_lost_index_keeps_its_marker(house: House):
    a = house.children["A"]
    a.marker, a.ledger, a.number = "from long ago", "another index", 50
    a.write("x", "one", report=False)
    welcome = await a.come()

    assert (welcome.marker, welcome.forget) == ("from long ago", True)
    assert (await entry(house, "A")).marker == "from long ago"
    await house.quiet()
    assert await house.uptodate("x") == "A-BC"


async def test_who_tells_everything_for_the_first_time_has_left_nothing_out(
    house: House,
):
    a, b = house.children["A"], house.children["B"]
    for child in (a, b):
        child.write("x", "one", report=False)
        await child.come()
    await house.quiet()

    assert house.line.take("A", wire.Look) == house.line.take("B", wire.Look) == []
    assert not (await entry(house, "B")).forget


async def test_who_died_while_it_told_everything_for_the_first_time_may_have(
    house: House,
):
    a = house.children["A"]
    a.hello()
    await a.welcomed()
    a.ledger = INDEX
    a.write("x", "one")
    await house.quiet()
    a.leave()
    a.disk, a.told = {}, {}
    assert (await a.come()).forget
    await house.quiet()

    assert house.line.take("A", wire.Look) == [wire.Look(["x"], last=True)]


async def test_what_a_new_ledger_leaves_out_is_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "PAGE", 2)
    b = await filled(house)
    b.ledger, b.number, b.told = None, 0, {}
    del b.disk["a"]  # Deleted while nobody remembered that it was there.
    assert (await b.come()).forget
    await house.quiet()
    looks = house.line.take("B", wire.Look)
    assert sorted(path for look in looks for path in look.paths) == sorted(ALL)
    assert [look.last for look in looks] == [False, True]
    assert (await entry(house, "B")).forget  # Asked, and not answered yet.

    b.tell([Gone("a")])
    b.say(wire.Looked())
    await house.peace()
    assert not (await entry(house, "B")).forget
    rest = {"b": "two", "c/d": "three"}
    assert contents(house) == [rest] * 3


async def test_what_a_busy_line_did_not_take_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "PAGE", 2)
    b = await filled(house)
    b.ledger = None
    b.hello()
    assert (await b.welcomed()).forget
    house.line.deaf.add("B")
    b.ledger, b.told, b.number = INDEX, {}, 0
    b.walk()
    await house.quiet()
    assert (await entry(house, "B")).forget  # Not yet settled.

    house.line.deaf.clear()
    await house.pass_time(1)
    looks = house.line.take("B", wire.Look)
    assert sorted(path for look in looks for path in look.paths) == sorted(ALL)
    b.say(wire.Looked())
    await house.quiet()
    assert not (await entry(house, "B")).forget


async def test_who_dies_before_it_was_asked_begins_anew(house: House):
    b = await filled(house)
    b.ledger = None
    b.hello()
    assert (await b.welcomed()).forget
    b.leave()
    b.ledger, b.told, b.number = INDEX, {}, 0

    assert (await b.come()).forget
    await house.quiet()
    assert len(house.line.take("B", wire.Look)) == 1


async def test_what_was_to_be_asked_of_the_dead_is_not_asked(house: House):
    b = await filled(house)
    b.ledger = None
    b.hello()
    await b.welcomed()
    house.line.deaf.add("B")
    b.walk()
    await house.quiet()
    b.leave()
    house.line.deaf.clear()
    await house.pass_time(1)

    assert house.line.take("B", wire.Look) == []
    assert (await entry(house, "B")).forget


async def test_an_old_index_makes_newer_ledgers_start_anew(house: House):
    b = await filled(house)
    b.number += 100

    b.hello()
    assert (await b.welcomed()).forget
    assert (await entry(house, "B")).forget


async def test_the_index_unusable_for_a_moment_asks_for_everything(house: House):
    b = await filled(house)
    b.ledger = None
    b.hello()
    await b.welcomed()
    house.store.down = True
    b.say(wire.Walked(True, 0.1, 3))
    assert house.referee.lanes[1].ready is False
    house.store.down = False
    await house.quiet()

    assert sorted(house.line.take("B", wire.Look)[-1].paths) == sorted(ALL)
    b.say(wire.Looked())
    await house.quiet()
    assert not (await entry(house, "B")).forget


async def test_what_a_ledger_that_is_behind_lacks_is_asked_for(house: House):
    """Killed before its ledger had what is noted, and the file is gone since."""
    b = await filled(house)
    b.number -= 1
    del b.disk["a"], b.told["a"]  # It never comes by it, and so never misses it.

    assert not (await b.come()).forget
    await house.quiet()
    (look,) = house.line.take("B", wire.Look)
    assert sorted(look.paths) == sorted(ALL)
    assert (await entry(house, "B")).forget  # Whoever dies now begins anew.

    b.tell([Gone("a")])
    b.say(wire.Looked())
    await house.peace()
    assert contents(house) == [{"b": "two", "c/d": "three"}] * 3
    assert not (await entry(house, "B")).forget


# An entry with another name ---------------------------------------------------


async def test_an_entry_may_be_given_another_name(tmp_path: Path, hasty: None):
    async with House(tmp_path, "A", "B") as house:
        await house.use(SYNC)
        await filled(house)
        disk = house.children["A"].disk
        copies = (await _file(house, "a")).copies
    async with House(tmp_path, "Anna", "B") as house:
        await house.use({"sync": ["Anna", "B"]})
        anna, b = house.children["Anna"], house.children["B"]
        anna.marker, anna.ledger, anna.disk = "marker of A", INDEX, dict(disk)
        del anna.disk["b"]
        b.marker, b.ledger, b.number = "marker of B", INDEX, 0
        b.disk = {}
        assert (await anna.come()).marker == "marker of A"
        await house.quiet()

        file = await _file(house, "a")
        assert (file.owners, file.origin) == (0b110, 0b100)
        assert set(file.copies) == {1, 2}
        assert file.copies[2].version == copies[0].version
        (look,) = house.line.take("Anna", wire.Look)
        anna.tell([Gone(path) for path in look.paths if path not in anna.disk])
        await house.quiet()
        assert await house.uptodate("b") == "deleted Anna-B"
        assert await house.uptodate("c/d") == "AnnaB-"


async def test_what_a_former_entry_did_not_hold_is_not_handed_over(
    tmp_path: Path, hasty: None
):
    async with House(tmp_path, "A", "B") as house:
        await house.use()
        await house.start()
        house.children["B"].write("x", "one")
        await house.peace()
        await house.referee.hand_over(0, 1)

        assert (await _file(house, "x")).copies.keys() == {1}
        assert (await _file(house, "x")).origin == 0b10


async def _file(house: House, path: str):
    file = await house.file(path)
    assert file is not None
    return file


async def test_handing_over_without_a_referee_is_nothing(house: House):
    async def nobody(_name: str) -> None:
        raise AssertionError

    alone = door.Door(
        house.store, INDEX, send=house.line.send, report=house.reasons.__setitem__
    )
    await alone.hand_over(0, 1)
    alone.greet_again("A", wire.Hello("A", 1, None, True, None, 0))

    assert alone.wants_mime() is False
    assert house.line.sent == {}


async def test_what_a_power_cut_left_is_doubted_until_it_is_walked(tmp_path: Path):
    """Over restarts, too: an entry that is away is doubted when it comes back."""
    async with House(tmp_path, "A", "B") as house:
        await house.use({"sync": ["A", "B"]})
        await house.start("A", "B")
        house.children["A"].write("x", "good")
        await house.peace()
        disks = [house.children[name].disk for name in "AB"]
        await house.store.run(doubts.add, house.slots.values(), 1)
    for walked in (False, True):
        async with House(tmp_path, "A", "B") as house:
            await house.use({"sync": ["A", "B"]})
            a, b = house.children["A"], house.children["B"]
            for child, disk in zip((a, b), disks, strict=True):
                child.disk, child.marker = disk, f"marker of {child.name}"
                child.ledger, child.number = INDEX, 0
            if not walked:
                a.hello()
                assert (await a.welcomed()).doubted == 1
                continue
            stamp = a.disk["x"][1].stamp
            short = replace(stamp, size=0)
            a.disk["x"] = ("", replace(a.disk["x"][1], stamp=short))
            assert (await a.come()).doubted == 1
            await b.come()
            await house.peace()
            for child in (a, b):
                child.say(wire.Looked())
            await house.quiet()
            assert a.contents() == b.contents() == {"x": "good"}
            assert [kind for kind, _ in house.told].count("damage") == 1
            assert await house.store.read(doubts.of) == {}
            assert house.referee.world.doubted == {}


async def test_with_a_new_ledger_the_doubt_lasts_until_all_is_said(house: House):
    """What it lacks now may be what the power cut took: that is no deletion."""
    b = await filled(house)
    house.door.doubted = {house.slots["B"]: 1}
    del b.disk["a"]
    b.told, b.ledger = {}, None
    await b.come()
    await until(lambda: any(m.last for m in house.line.sent["B"] if is_look(m)))
    asked = [path for look in house.line.take("B", wire.Look) for path in look.paths]
    assert set(asked) == set(ALL)
    assert house.referee.world.doubted

    b.tell([Gone("a")])
    b.say(wire.Looked())
    await house.peace()

    assert contents(house) == [ALL, ALL, ALL]
    assert not house.referee.world.doubted


def is_look(message: object) -> TypeGuard[wire.Look]:
    return isinstance(message, wire.Look)
