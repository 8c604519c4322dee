"""What comes in bulk waits; too much of it is held until a person decides."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd import wire
from syncd.core.change import Change, Delete, Found, Gone
from syncd.core.file import Alarm
from syncd.core.guard import LATER, SOON, WINDOW, Limit, Limits
from syncd.core.world import Member, OnUnmatch
from syncd.errors import Conflict
from syncd.replication import batch
from syncd.replication.guards import Waiting
from tests.replication.house import Child, House

STRICT = Limits(Limit(4, 0.25), Limit(4, 0.5), Limit(4))
MILD = Limits(Limit(4, 0.5))
NAMES = ("A", "B", "C")
EVERYWHERE = {"sync": [*NAMES]}


def guarded(
    path: Path, limits: Limits = STRICT, names: tuple[str, ...] = NAMES
) -> House:
    return House(path, *names, **{name: Member(name, limits=limits) for name in names})


@pytest.fixture(autouse=True)
def in_no_time(hasty: None) -> None:
    """Wake often; everything else asks the house's clock."""


@pytest.fixture
async def house(tmp_path: Path):
    async with guarded(tmp_path) as house:
        await filled(house)
        yield house


async def filled(house: House, number: int = 12) -> None:
    """Let everybody have so many files, and come."""
    await house.use(EVERYWHERE)
    for name in names(*range(number)):
        house.children["A"].write(name, "one", report=False)
    await house.start()
    await house.peace()


def names(*numbers: int) -> list[str]:
    return [f"f{number:02}" for number in numbers]


def counts(house: House) -> list[int]:
    return [len(child.disk) for child in house.children.values()]


def contents(house: House, name: str = "f00") -> list[str | None]:
    return [child.contents().get(name) for child in house.children.values()]


def waiting(house: House, entry: str = "A") -> dict[str, int]:
    slot = house.slots[entry]
    return {str(one.alarm): one.files for one in house.referee.guards.waiting(slot)}


def said(house: House) -> list[tuple[str, dict[str, int]]]:
    told = [facts for kind, facts in house.told if kind == "held"]
    return [(facts["state"], facts["changes"]) for facts in told]


async def rest(house: House, seconds: float = LATER) -> None:
    """Let everything be told and carried out, and then nothing happen for a while."""
    await house.peace()
    await house.pass_time(seconds)
    await house.peace()


async def delete(house: House, *numbers: int) -> None:
    house.children["A"].delete(*names(*numbers))
    await house.peace()


async def rewrite(house: House, text: str, *numbers: int, entry: str = "A") -> None:
    child = house.children[entry]
    for name in names(*numbers):
        child.write(name, text, report=False)
    child.report()
    await house.peace()


# Deletions --------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_what_could_not_be_too_many_is_passed_on_at_once(house: House, number):
    await delete(house, *range(number))

    assert counts(house) == [12 - number] * 3


async def test_more_wait_a_moment_and_go_then_if_they_are_no_great_part(tmp_path: Path):
    async with guarded(tmp_path, MILD) as house:
        await filled(house)
        await delete(house, *range(6))
        assert counts(house) == [6, 12, 12]

        await rest(house)
        assert counts(house) == [6] * 3
        assert said(house) == []


async def test_too_many_are_held_though_some_were_passed_on(house: House):
    for number in range(0, 10, 2):
        await delete(house, number, number + 1)
        await house.pass_time(SOON / 2)
    await rest(house)

    assert counts(house)[1:] == [8, 8]
    assert waiting(house) == {"deletions": 6}


async def test_what_is_told_to_follow_counts_as_if_it_had_come(house: House):
    a = house.children["A"]
    for number, ahead in ((0, 4), (1, 3), (2, 2), (3, 1), (4, 0)):
        await tell_gone(a, *names(number), ahead=ahead)
    await rest(house)

    assert counts(house) == [7, 12, 12]
    assert waiting(house) == {"deletions": 5}


async def test_what_a_walk_finds_waits_until_it_is_over(house: House):
    a = house.children["A"]
    await tell_gone(a, "f00", more=True)
    await tell_gone(a, *names(*range(1, 5)))
    await rest(house)

    assert waiting(house) == {"deletions": 5}


async def tell_gone(child: Child, *some: str, **facts: Any) -> None:
    for name in some:
        del child.disk[name], child.told[name]
    child.number += 1
    child.say(wire.Changes(child.number, [Gone(name) for name in some], **facts))
    await child.house.peace()


async def test_what_is_held_is_told_once_with_what_to_do(house: House):
    with capture_logs() as lines:
        await delete(house, *range(6))
        await rest(house)

    assert said(house) == [("held", {"deletions": 6})]
    (line,) = [line for line in lines if line["event"] == "held"]
    assert line["log_level"] == "warning"
    assert "6 deletions at once" in line["reason"]
    assert "syncd entries approve A" in line["reason"]
    assert "syncd entries restore A" in line["reason"]
    assert house.referee.guards.waiting(0) == [Waiting(Alarm.DELETIONS, 6, house.now)]


async def test_everything_else_goes_on(house: House):
    await delete(house, *range(6))
    await rest(house)

    house.children["A"].write("new", "one")
    await rewrite(house, "two", 7)
    house.children["B"].delete(*names(8))
    await rewrite(house, "three", 9, entry="C")

    assert contents(house, "new") == ["one"] * 3
    assert contents(house, "f07") == ["two"] * 3
    assert contents(house, "f08") == [None] * 3
    assert contents(house, "f09") == ["three"] * 3
    assert waiting(house) == {"deletions": 6}


async def test_more_deletions_join_those_that_are_held(house: House):
    await delete(house, *range(6))
    await rest(house)
    await delete(house, 7)
    await rest(house)

    assert waiting(house) == {"deletions": 7}
    assert counts(house) == [5, 12, 12]


async def test_what_is_approved_goes_to_the_others(house: House):
    await delete(house, *range(6))
    await rest(house)
    await house.referee.approve("A")
    await house.peace()

    assert counts(house) == [6] * 3
    assert waiting(house) == {}
    assert said(house)[1:] == [("approved", {"deletions": 6})]
    await delete(house, 7)
    assert counts(house) == [5] * 3


@pytest.mark.parametrize(("verb", "left"), [("approve", 6), ("restore", 12)])
async def test_a_decision_counts_though_the_clock_was_set_back(house, verb, left):
    await delete(house, *range(6))
    await rest(house)
    await house.pass_time(-3600)
    await getattr(house.referee, verb)("A")
    await house.peace()

    assert counts(house) == [left] * 3
    assert waiting(house) == {}


async def test_what_is_kept_is_let_go_though_the_clock_was_set_back(tmp_path: Path):
    async with guarded(tmp_path, MILD) as house:
        await filled(house)
        await delete(house, *range(6))
        await house.pass_time(-3600)
        await rest(house)

        assert counts(house) == [6] * 3


async def test_that_all_was_meant_counts_no_hour_when_the_clock_is_set_back(house):
    guards = house.referee.guards
    guards.scans(0, meant=True)
    guards.scanned(0, house.now)
    assert 0 not in guards.rooms(house.now)

    assert 0 in guards.rooms(house.now - 3600)


async def test_what_is_restored_comes_back(house: House):
    await delete(house, *range(6))
    await rest(house)
    await house.referee.restore("A")
    await house.peace()

    assert counts(house) == [12] * 3
    assert waiting(house) == {}
    assert said(house)[1:] == [("restored", {"deletions": 6})]


@pytest.mark.parametrize("verb", ["approve", "restore"])
async def test_where_nothing_waits_there_is_nothing_to_decide(house: House, verb: str):
    with pytest.raises(Conflict, match="entry A does not wait for a decision"):
        await getattr(house.referee, verb)("A")

    await delete(house, *range(5))  # They wait only for a moment so far.
    with pytest.raises(Conflict):
        await getattr(house.referee, verb)("A")


async def test_an_emptied_entry_is_held_however_small(tmp_path: Path):
    async with guarded(tmp_path, Limits()) as house:
        await filled(house, 3)
        await delete(house, 0, 1, 2)
        await rest(house)

        assert counts(house) == [0, 3, 3]
        assert waiting(house) == {"deletions": 3}


async def test_a_guard_that_is_off_holds_nothing(tmp_path: Path):
    async with guarded(tmp_path, Limits(Limit(), Limit(), Limit())) as house:
        await filled(house)
        await delete(house, *range(12))

        assert counts(house) == [0, 0, 0]


async def test_moves_are_no_deletions(house: House):
    a = house.children["A"]
    changes: list[Any] = []
    for name in names(*range(12)):
        content, seen = a.disk.pop(name)
        del a.told[name]
        new = a._land(f"d/{name}", content, seen.stamp.mtime_ns)
        changes += [Found(new, old=name), Gone(name)]
    a.tell(changes)
    await house.peace()

    assert counts(house) == [12] * 3
    assert set(house.children["B"].disk) == {f"d/{name}" for name in names(*range(12))}


async def test_a_folder_goes_with_what_was_in_it(house: House):
    a = house.children["A"]
    await delete(house, *range(6))
    await rest(house)
    a.tell([Gone("unknown")])
    await house.peace()

    assert waiting(house) == {"deletions": 6}


# What was held comes to something else ----------------------------------------


async def test_files_that_come_back_need_no_decision(house: House):
    await delete(house, *range(6))
    await rest(house)
    await rewrite(house, "one", *range(5))
    assert waiting(house) == {"deletions": 1}

    await rewrite(house, "two", 5)
    assert waiting(house) == {}
    assert said(house)[-1][0] == "over"
    assert contents(house, "f05") == ["two"] * 3
    assert counts(house) == [12] * 3


async def test_an_edit_elsewhere_wins_over_a_held_deletion(house: House):
    await delete(house, *range(6))
    await rest(house)
    await rewrite(house, "two", 0, entry="B")
    assert contents(house) == ["two"] * 3

    await house.referee.approve("A")
    await house.peace()
    assert contents(house) == ["two"] * 3
    assert counts(house) == [7] * 3


async def test_what_others_delete_too_is_deleted(house: House):
    await delete(house, *range(6))
    await rest(house)
    house.children["B"].delete("f00", "f01")
    await house.peace()

    assert waiting(house) == {"deletions": 4}
    assert contents(house) == [None] * 3


async def test_another_storage_leaves_nothing_to_decide(house: House):
    await delete(house, *range(6))
    await rest(house)
    await house.referee.drop_copies(0)
    await house.quiet()
    await house.pass_time(1)

    assert waiting(house) == {}
    assert said(house)[-1][0] == "over"


async def test_rules_may_change_meanwhile(house: House):
    await delete(house, *range(6))
    await rest(house)
    await house.use({"match": {"path": "/"}, "sync": ["A", "C"]})
    await house.peace()
    assert waiting(house) == {"deletions": 6}

    await house.referee.approve("A")
    await house.peace()
    assert counts(house) == [6, 12, 6]


async def test_several_entries_hold_each_its_own(house: House):
    await delete(house, *range(5))
    house.children["B"].delete(*names(*range(6, 11)))
    await rest(house)
    assert (waiting(house, "A"), waiting(house, "B")) == (
        {"deletions": 5},
        {"deletions": 5},
    )

    await house.referee.approve("A")
    await house.referee.restore("B")
    await house.peace()
    assert counts(house) == [7] * 3


# Overwrites and rollbacks -----------------------------------------------------


async def test_too_much_that_is_overwritten_is_held(house: House):
    await rewrite(house, "scrambled", *range(12))
    await rest(house)

    assert waiting(house) == {"overwrites": 12}
    assert contents(house) == ["scrambled", "one", "one"]
    house.children["A"].write("new", "one")
    await house.peace()
    assert contents(house, "new") == ["one"] * 3


async def test_what_was_overwritten_is_restored(house: House):
    await rewrite(house, "scrambled", *range(12))
    await rest(house)
    await house.referee.restore("A")
    await house.peace()

    assert [set(c.contents().values()) for c in house.children.values()] == [
        {"one"}
    ] * 3


async def test_what_was_overwritten_is_approved(house: House):
    await rewrite(house, "wanted", *range(12))
    await rest(house)
    await house.referee.approve("A")
    await house.peace()

    assert [set(c.contents().values()) for c in house.children.values()] == [
        {"wanted"}
    ] * 3
    assert waiting(house) == {}


async def test_some_edits_wait_no_moment(house: House):
    await rewrite(house, "two", 0)

    assert contents(house) == ["two"] * 3


async def test_touching_everything_is_nothing(house: House):
    await rewrite(house, "one", *range(12))
    await rest(house)

    assert waiting(house) == {}
    assert house.children["B"].copied <= 12


async def test_an_old_backup_put_back_is_held(house: House):
    for text in ("two", "three"):
        for number in range(12):
            await rewrite(house, text, number)
            await house.pass_time(WINDOW)
    await rewrite(house, "two", *range(5))
    await rest(house)
    assert waiting(house) == {"rollbacks": 5}
    assert contents(house) == ["two", "three", "three"]

    await house.referee.restore("A")
    await house.peace()
    assert contents(house) == ["three"] * 3


async def test_a_few_files_put_back_go_at_once(house: House):
    await rewrite(house, "two", *range(4))
    await house.pass_time(WINDOW)
    await rewrite(house, "one", *range(4))

    assert contents(house) == ["one"] * 3


async def test_what_is_put_back_little_by_little_is_held_in_the_end(house: House):
    await rewrite(house, "two", *range(12))
    await rest(house)
    await house.referee.approve("A")
    await rest(house, WINDOW)
    for number in range(0, 8, 2):
        await rewrite(house, "one", number, number + 1)
    await rest(house)

    assert waiting(house) == {"rollbacks": 4}


async def test_what_must_be_read_first_is_held_in_the_end(house: House):
    """Of older contents that nobody has read, it is the digest that tells."""
    await rewrite(house, "two more", *range(12))
    await rest(house)
    await house.referee.approve("A")
    await rest(house, WINDOW)
    a = house.children["A"]
    for name in names(*range(12)):
        a.write(name, "one", report=False)
        a.told[name] = a.disk[name][1]
    a.number += 1
    a.say(wire.Changes(a.number, [Found(a.told[name]) for name in a.told]))
    await rest(house)

    assert waiting(house) == {"rollbacks": 12}


# What a person ordered of syncd ------------------------------------------------


async def order(house: House, text: str, *numbers: int, read: bool = True) -> None:
    """Let A tell what it put back because a person had syncd undo something."""
    a = house.children["A"]
    for name in names(*numbers):
        a.write(name, text, report=False)
        a.told[name] = a.disk[name][1]
    changes: list[Change] = [
        Found(a.told[name], text.encode().ljust(32, b"\0")) for name in a.told
    ]
    if not read:
        changes = [Found(a.told[name]) for name in a.told]
    a.number += 1
    a.say(wire.Changes(a.number, changes, ordered=True))
    await house.peace()


@pytest.mark.parametrize("read", [True, False])
async def test_what_was_undone_by_order_goes_at_once(house: House, read: bool):
    """Even if nobody has read it yet."""
    await rewrite(house, "two", *range(12))
    await rest(house)
    await house.referee.approve("A")
    await rest(house, WINDOW)
    await order(house, "one", *range(12), read=read)

    assert all(contents(house, name) == ["one"] * 3 for name in names(*range(12)))
    assert waiting(house) == {}
    assert said(house)[1:] == [("approved", {"overwrites": 12})]


async def test_what_was_ordered_takes_up_no_room(house: House):
    await order(house, "two", *range(12))
    await rewrite(house, "three", *range(4))
    await delete(house, *range(4, 8))

    assert contents(house) == ["three"] * 3
    assert counts(house) == [8] * 3


async def test_what_was_ordered_does_not_take_others_along(house: House):
    """What the same entry tells before and after is judged as ever."""
    referee, a = house.referee, house.children["A"]
    await rewrite(house, "two", *range(12))
    await rest(house)
    await referee.approve("A")
    await rest(house, WINDOW)
    for number, ordered in ((0, False), (5, True), (6, False)):
        some = names(number) if ordered else names(*range(number, number + 5))
        for name in some:
            a.write(name, "one", report=False)
            a.told[name] = a.disk[name][1]
        changes: list[Change] = [
            Found(a.told[name], b"one".ljust(32, b"\0")) for name in some
        ]
        a.number += 1
        a.say(wire.Changes(a.number, changes, ordered=ordered))
    await rest(house)

    assert contents(house, "f05") == ["one"] * 3
    assert waiting(house) == {"rollbacks": 10}


async def test_what_people_decide_of_disputes_is_not_judged(tmp_path: Path):
    manual = {n: Member(n, limits=STRICT, manual=True) for n in NAMES}
    async with House(tmp_path, *NAMES, **manual) as house:
        await house.use(EVERYWHERE)
        for name in names(*range(12)):
            for child in ("A", "B"):
                house.children[child].write(name, f"by {child}", report=False)
        await house.start()
        await house.peace()
        for name in names(*range(12)):
            await house.referee.decide(name, "B")
        await house.peace()

        assert all(contents(house, name) == ["by B"] * 3 for name in names(*range(12)))
        assert said(house) == []


async def test_what_rules_take_from_an_entry_is_not_judged(tmp_path: Path):
    prune = {n: Member(n, limits=STRICT, on_unmatch=OnUnmatch.DELETE) for n in NAMES}
    async with House(tmp_path, *NAMES, **prune) as house:
        await filled(house)
        await house.use({"sync": ["A", "C"]})
        await house.peace()

        assert counts(house) == [12, 0, 12]
        assert said(house) == []


@pytest.mark.parametrize("verb", ["approve", "restore"])
async def test_what_a_decision_does_is_not_judged_again(house: House, verb: str):
    for _ in range(2):
        await delete(house, *range(5))
        await rest(house)
        await getattr(house.referee, verb)("A")
        await house.peace()
        await rewrite(house, "one", *range(5))
    await delete(house, *range(4))

    assert counts(house) == [8] * 3


# Stops and starts -------------------------------------------------------------


async def test_what_changed_while_an_entry_was_away_is_judged_as_a_whole(house: House):
    a = house.children["A"]
    a.leave()
    for name in names(*range(6)):
        del a.disk[name]
    a.hello()
    await a.welcomed()
    a.report()
    await house.peace()
    await house.pass_time(WINDOW / 2)
    assert counts(house) == [6, 12, 12]
    assert waiting(house) == {}

    a.say(wire.Walked(True, 0.1, 6))
    await rest(house)
    assert waiting(house) == {"deletions": 6}


async def test_an_entry_that_stops_leaves_what_waits(house: House):
    await delete(house, *range(6))
    await rest(house)
    house.children["A"].leave()
    assert waiting(house) == {"deletions": 6}

    await house.referee.approve("A")
    await house.peace()
    assert counts(house)[1:] == [6, 6]


@pytest.mark.parametrize("verb", ["approve", "restore"])
async def test_a_restart_forgets_nothing(tmp_path: Path, verb: str):
    disk = {}
    async with guarded(tmp_path) as house:
        await filled(house)
        await delete(house, *range(6))
        await rest(house)
        since = house.referee.guards.waiting(0)[0].since
        disk = {name: c.__dict__ for name, c in house.children.items()}
    async with guarded(tmp_path) as house:
        revive(house, disk)
        assert house.referee.guards.waiting(0) == [Waiting(Alarm.DELETIONS, 6, since)]
        await house.start()
        await rest(house)
        assert counts(house) == [6, 12, 12]

        await getattr(house.referee, verb)("A")
        await house.peace()
        assert counts(house) == [6 if verb == "approve" else 12] * 3


def revive(house: House, disk: dict[str, dict[str, Any]]) -> None:
    """Let the children know what those of another house knew."""
    for name, child in house.children.items():
        child.__dict__ |= {**disk[name], "house": house}


async def test_what_only_waited_is_judged_after_a_restart(tmp_path: Path):
    async with guarded(tmp_path, MILD) as house:
        await filled(house)
        await delete(house, *range(5))
        disk = {name: c.__dict__ for name, c in house.children.items()}
    async with guarded(tmp_path, MILD) as house:
        revive(house, disk)
        await rest(house, WINDOW)
        assert counts(house) == [7, 12, 12]

        await house.start()
        await rest(house)
        assert counts(house) == [7] * 3
        assert said(house) == []


@pytest.mark.parametrize("verb", ["approve", "restore"])
async def test_a_decision_survives_a_crash_in_the_middle_of_it(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batch, "PAGE", 2)
    async with guarded(tmp_path) as house:
        await filled(house)
        await delete(house, *range(6))
        await rest(house)
        house.referee.task.cancel()
        await house.referee.guards.decide(0, verb, house.now)
        await house.referee.guards.step(house.referee._guarded)
        disk = {name: c.__dict__ for name, c in house.children.items()}
    async with guarded(tmp_path) as house:
        revive(house, disk)
        assert waiting(house) == {}
        await house.start()
        await rest(house)

        assert counts(house) == [6 if verb == "approve" else 12] * 3
        assert said(house) == []


async def test_nothing_that_came_after_a_decision_is_part_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batch, "PAGE", 2)
    await delete(house, *range(5))
    await rest(house)
    referee = house.referee
    referee.task.cancel()
    await referee.guards.decide(0, "approve", house.now)
    house.now += 0.1
    house.children["A"].delete(*names(6, 7, 8))
    await referee._take_news()
    while await referee._guard():
        pass

    gone = [await house.file(name) for name in names(4, 6)]
    assert [bool(file and file.deleted) for file in gone] == [True, False]
    assert referee.guards.kept(0) == 3


async def test_what_is_held_goes_with_the_storage_to_another_entry(tmp_path: Path):
    async with guarded(tmp_path) as house:
        await house.use({"sync": ["A", "C"]})
        for number in range(12):
            house.children["A"].write(f"f{number:02}", "one", report=False)
        await house.start("A", "C")
        await house.peace()
        await delete(house, *range(6))
        await rest(house)
        house.referee.task.cancel()  # It is the one who hands over otherwise.
        await house.referee.hand_over(0, 1)

        assert waiting(house, "A") == {}
        assert waiting(house, "B") == {"deletions": 6}
    async with guarded(tmp_path) as house:
        assert waiting(house, "B") == {"deletions": 6}


# Both stories are one ---------------------------------------------------------


async def empty(house: House) -> Child:
    """Let A come back with nothing on it."""
    a = house.children["A"]
    a.leave()
    a.disk.clear()
    welcome = await a.come()
    assert welcome.suspended is not None
    return a


async def test_an_emptied_storage_is_approved_once(house: House):
    a = await empty(house)
    await house.referee.approve("A")
    assert (await a.enter()).suspended is None
    a.report()
    a.say(wire.Walked(True, 0.1, 0))
    await rest(house)

    assert counts(house) == [0, 0, 0]
    assert waiting(house) == {}


async def test_an_emptied_storage_is_restored_with_what_was_held(house: House):
    await delete(house, *range(6))
    await rest(house)
    a = await empty(house)
    await house.referee.restore("A")
    await a.enter()
    a.report()
    a.say(wire.Walked(True, 0.1, 0))
    await rest(house)

    assert counts(house) == [12] * 3
    assert waiting(house) == {}


async def test_no_held_deletion_is_ever_ordered(house: House):
    await delete(house, *range(12))
    await rest(house)
    for name in ("B", "C"):
        house.children[name].leave()
        await house.children[name].come()
    await rest(house, WINDOW * 10)

    done = [*house.children["B"].done, *house.children["C"].done]
    assert not any(isinstance(order, Delete) for order in done)
