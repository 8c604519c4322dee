"""The room as a whole: what children say becomes records, and records become orders."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from syncd import wire
from syncd.core.change import Done, Failed, Found, Gone, Inspect, Put, Why
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.guard import LATER
from syncd.core.rules import parse
from syncd.core.world import Member, OnUnmatch
from syncd.errors import Conflict, NotFound, Unavailable
from syncd.replication import incoming, judging, lane, referee
from syncd.store import entries, files
from tests.replication.house import INDEX, NOON, House, until

TO_ALL = {"sync": ["A", "B", "C"]}


def found(path: str, size: int = 3) -> Found:
    return Found(Seen(path, Kind.FILE, Stamp(size, 1, 1, 1)), cause="because")


# Word by word -----------------------------------------------------------------


async def test_hello_is_answered_by_welcome(house: House):
    child = house.children["A"]
    child.hello()

    welcome = await child.welcomed()
    assert welcome == wire.Welcome(INDEX, "marker of A", forget=True, mime=False)
    assert house.referee.up == 0b001
    assert house.reasons["A"] is None


async def test_changes_are_noted_once_they_are_safe(house: House):
    child = house.children["A"]
    await child.come()
    child.tell([found("x"), found("y")])
    child.tell([Gone("x")])
    await house.quiet()

    assert [noted.number for noted in house.line.take("A", wire.Noted)] == [1, 2]
    assert await house.uptodate("x") == "deleted A-BC"
    assert await house.uptodate("y") == "A-BC"


async def test_orders_wait_for_the_first_walk(house: House):
    a, b = house.children["A"], house.children["B"]
    a.write("x", "one", report=False)
    await a.come()
    b.hello()
    await b.welcomed()
    await house.quiet()
    assert house.line.orders("B") == []

    b.say(wire.Walked(False, 0.1, 0))  # Only the first one counts.
    await house.quiet()
    assert house.line.orders("B") == []

    b.say(wire.Walked(True, 0.1, 0))
    await house.quiet()
    (order,) = house.line.orders("B")
    assert isinstance(order, Put)
    assert (order.path, order.sources[0].entry) == ("x", "A")


async def test_a_walk_of_an_entry_that_was_not_let_in_starts_nothing(house: House):
    await house.children["A"].come()
    house.children["A"].write("x", "one")
    house.children["B"].say(wire.Walked(True, 0.1, 0))
    await house.quiet()

    assert house.line.orders("B") == []
    assert not house.referee.lanes[1].ready


async def test_outcomes_become_records(house: House):
    await house.start("A", "B")
    a, b = house.children["A"], house.children["B"]
    a.write("x", "one")
    await house.quiet()
    assert await house.uptodate("x") == "A-BC"

    b.work()
    await house.quiet()
    assert await house.uptodate("x") == "AB-C"
    assert house.line.orders("B") == []
    assert len(house.referee.lanes[1]) == 0


async def test_outcomes_are_noted_like_changes(house: House):
    await house.start("A", "B")
    a, b = house.children["A"], house.children["B"]
    a.write("x", "one")
    await house.quiet()
    b.work()
    b.say(wire.Outcomes([]))  # Of orders that changed nothing: no number.
    await house.quiet()

    assert house.line.take("B", wire.Noted) == [wire.Noted(b.number)]
    known = await house.store.read(entries.everything)
    assert [entry.noted for entry in known] == [a.number, b.number, 0]


async def test_one_edit_goes_everywhere(house: House):
    await house.start()
    house.children["B"].write("x", "one")
    await house.peace()

    assert [c.contents() for c in house.children.values()] == [{"x": "one"}] * 3
    assert await house.uptodate("x") == "ABC-"


async def test_two_edits_are_both_kept(house: House):
    house.children["A"].write("x", "one", report=False)
    house.children["B"].write("x", "two", report=False)
    await house.start()
    await house.peace()
    contents = [child.contents() for child in house.children.values()]

    assert contents[0] == contents[1] == contents[2]
    assert sorted(contents[0].values()) == ["one", "two"]


async def test_equal_trees_are_not_copied(house: House):
    for child in house.children.values():
        child.write("x", "same", report=False)
    await house.start()
    await house.peace()

    assert [child.copied for child in house.children.values()] == [0, 0, 0]
    assert await house.uptodate("x") == "ABC-"


async def test_people_are_told(house: House):
    await house.start()
    house.children["A"].write("x", "one")
    await house.peace()

    kinds = [kind for kind, _ in house.told]
    assert kinds == ["change", "transfer", "transfer"]
    assert house.told[0][1]["cause"] == "Ax"


async def test_what_children_say_besides_is_taken_in(house: House):
    await house.start("A")
    a = house.children["A"]
    house.now += 5
    a.say(wire.Walked(False, 0.1, 0))
    a.say(wire.Progress(7, 100))
    a.say(wire.Told("info", "hi", {}))
    a.say(wire.Figures(0, 0, False, None, 0.0))
    await house.quiet()

    assert house.referee.lanes[0].copied == {7: 100}
    assert house.referee.walked_at == {0: NOON + 5}
    assert house.referee.slot("A") == 0


# Children that come and go ----------------------------------------------------


async def test_a_child_lost_in_the_middle_gets_its_orders_again(house: House):
    await house.start()
    b = house.children["B"]
    for number in range(5):
        house.children["A"].write(f"f{number}", "one")
    await house.quiet()
    b.work(most=2)
    await house.quiet()
    b.leave()
    assert house.referee.up == 0b101
    await b.come()
    await house.peace()

    assert len(b.contents()) == 5
    assert b.copied == 5


async def test_what_a_child_did_before_it_died_counts(house: House):
    await house.start("A", "B")
    b = house.children["B"]
    house.children["A"].write("x", "one")
    await house.quiet()
    b.work()  # Heard, and not yet dealt with, when it dies.
    b.leave()
    await house.quiet()

    assert await house.uptodate("x") == "AB-C"


async def test_answers_to_orders_of_a_former_life_mean_nothing(house: House):
    await house.start("A", "B")
    b = house.children["B"]
    house.children["A"].write("x", "one")
    await house.quiet()
    (order,) = house.line.orders("B")
    b.leave()
    b.answer([order])
    await house.quiet()

    assert await house.uptodate("x") == "A-BC"


async def test_changes_said_twice_count_once(house: House):
    a = house.children["A"]
    await a.come()
    for _ in range(2):
        a.say(wire.Changes(1, [found("x")]))
    await house.quiet()

    assert [noted.number for noted in house.line.take("A", wire.Noted)] == [1, 1]
    assert len(await house.store.read(files.after, 0, 9)) == 1
    assert [kind for kind, _ in house.told] == ["change"]


async def test_a_hello_in_the_middle_begins_anew(house: House):
    await house.start("A", "B")
    house.children["A"].write("x", "one")
    await house.quiet()
    house.line.orders("B")
    await house.children["B"].come()
    await house.quiet()

    assert len(house.line.orders("B")) == 1


async def test_nothing_is_ordered_while_no_source_is_there(house: House):
    await house.start("A", "B")
    a, b = house.children["A"], house.children["B"]
    b.leave()
    a.write("x", "one")
    await house.quiet()
    a.leave()
    await b.come()
    await house.quiet()
    assert house.line.orders("B") == []
    assert await house.uptodate("x") == "A-BC"

    await a.come()  # The source is back.
    await house.peace()
    assert b.contents() == {"x": "one"}


async def test_another_source_takes_the_place_of_one_that_went_away(house: House):
    await house.start()
    house.children["A"].write("x", "one")
    await house.quiet()
    house.children["C"].work()
    await house.quiet()
    house.children["A"].leave()
    house.children["A"].disk.clear()
    house.line.orders("B")
    house.children["B"].leave()
    await house.children["B"].come()
    await house.peace()

    assert house.children["B"].contents() == {"x": "one"}


async def test_what_changed_while_an_entry_was_away(house: House):
    await house.start()
    a, b = house.children["A"], house.children["B"]
    for path in ("kept", "edited", "deleted", "fought"):
        a.write(path, "one")
    await house.peace()
    b.leave()
    a.write("edited", "two")
    a.write("fought", "by A")
    a.write("new", "one")
    a.delete("deleted")
    b.write("fought", "by B", report=False)
    await house.quiet()
    await b.come()
    await house.peace()

    contents = [child.contents() for child in house.children.values()]
    assert contents[0] == contents[1] == contents[2]
    rest = {p: c for p, c in contents[0].items() if "sync-conflict" not in p}
    assert rest == {"kept": "one", "edited": "two", "fought": "by B", "new": "one"}
    assert sorted(contents[0].values()) == ["by A", "by B", "one", "one", "two"]


async def test_a_suspended_entry_rests(house: House):
    await house.start("A", "B")
    b = house.children["B"]
    house.children["A"].write("x", "one")
    await house.quiet()
    house.line.orders("B")
    b.say(wire.Suspended("the root is gone"))
    house.children["A"].write("y", "one")
    await house.quiet()

    assert house.reasons["B"] == "the root is gone"
    assert house.referee.up == 0b001
    assert house.line.orders("B") == []


# A line that is busy ----------------------------------------------------------


async def test_orders_that_a_busy_line_refused_are_given_later(house: House):
    await house.start("A", "B")
    house.line.deaf.add("B")
    for number in range(5):
        house.children["A"].write(f"f{number}", "one")
    await house.quiet()
    assert len(house.referee.lanes[1]) == 0

    house.line.deaf.clear()
    await house.pass_time(1)
    await house.peace()
    assert len(house.children["B"].contents()) == 5


async def test_a_busy_line_is_left_in_peace(house: House):
    await house.start("A", "B")
    house.line.deaf.add("B")
    house.children["A"].write("x", "one")
    await house.quiet()
    before = house.line.refused
    await asyncio.sleep(0.2)

    assert house.line.refused <= before + 1


async def test_noted_is_said_again_when_the_line_was_busy(house: House):
    await house.start("A")
    a = house.children["A"]
    house.line.deaf.add("A")
    a.tell([found("x")])
    a.tell([found("y")])
    await house.quiet()
    house.line.deaf.clear()
    assert house.line.take("A", wire.Noted) == []

    await house.pass_time(1)
    assert house.line.take("A", wire.Noted) == [wire.Noted(a.number)]


async def test_more_orders_than_one_message_takes(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(referee, "PAGE", 4)
    monkeypatch.setattr(incoming, "MOST", 3)
    await house.start("A", "B")
    a = house.children["A"]
    a.tell([found(f"f{number}") for number in range(10)])
    for number in range(10, 20):
        a.tell([found(f"f{number}")])
    await house.quiet()
    messages = house.line.take("B", wire.Orders)

    assert max(len(message.orders) for message in messages) <= 4
    paths = [order.path for message in messages for order in message.orders]
    assert sorted(paths) == sorted(f"f{number}" for number in range(20))


async def test_more_work_than_the_window_flows_to_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lane, "WINDOW", 10)
    monkeypatch.setattr(referee, "PAGE", 7)
    a, b = house.children["A"], house.children["B"]
    for number in range(60):
        a.write(f"f{number}", "one", report=False)
    await house.start()
    most = []
    for sofar in (60, 120):
        while len(b.contents()) < sofar:
            await house.quiet()
            most.append(len(house.referee.lanes[1]))
            assert b.work()
            house.children["C"].work()
        for number in range(60, 120):
            a.write(f"f{number}", "one", report=False)
        a.report()
    await house.peace()
    assert max(most) == 10
    assert len(house.children["C"].contents()) == 120

    a.delete(*list(a.disk))
    await house.quiet()
    await house.pass_time(LATER)
    await house.referee.approve("A")
    await house.peace()
    assert [child.contents() for child in house.children.values()] == [{}] * 3


# Trouble ----------------------------------------------------------------------


async def test_nothing_is_lost_while_the_index_cannot_be_used(house: House):
    await house.start("A")
    a, b = house.children["A"], house.children["B"]
    house.store.down = True
    with capture_logs() as lines:
        a.write("x", "one")
        b.hello()
        await until(lambda: house.referee.trouble)
        await asyncio.sleep(0.1)  # It is tried again and again, and told once.
        assert house.line.take("A", wire.Noted)[1:] == []
        assert house.line.take("B", wire.Welcome) == []

        house.store.down = False
        await b.enter()
    told = [line["event"] for line in lines if line.get("action") == "index"]
    assert told == ["nothing is changed for now", "the index takes changes again"]
    assert house.referee.trouble is None
    await house.peace()
    assert b.contents() == {"x": "one"}
    assert a.number in [noted.number for noted in house.line.take("A", wire.Noted)]


async def test_outcomes_are_kept_while_the_index_cannot_be_used(house: House):
    await house.start("A", "B")
    house.children["A"].write("x", "one")
    await house.quiet()
    house.store.down = True
    house.children["B"].work()
    await asyncio.sleep(0.05)
    assert len(house.referee.lanes[1]) == 1

    house.store.down = False
    await house.quiet()
    assert await house.uptodate("x") == "AB-C"
    assert house.children["B"].copied == 1


async def test_what_fails_is_tried_again_after_growing_pauses(house: House):
    await house.start()
    b = house.children["B"]
    b.trouble = (Why.BLOCKED, "no room")
    house.children["A"].write("x", "one")
    tries: list[float] = []
    for _ in range(40):
        await house.quiet()
        house.children["C"].work()
        if b.work():
            tries.append(house.now - NOON)
        await house.quiet()
        await house.pass_time(0.5)

    assert tries == [0, 1.0, 3.0, 7.0, 15.0]
    assert house.children["C"].contents() == {"x": "one"}  # Nobody else waits.
    assert house.referee.tally.of(1).blocked == 1

    b.trouble = None
    await house.pass_time(600)
    await house.peace()
    assert b.contents() == {"x": "one"}
    assert house.referee.tally.of(1).blocked == 0


async def test_what_fails_does_not_wait_for_a_clock_that_was_set_back(house: House):
    await house.start()
    b = house.children["B"]
    b.trouble = (Why.BLOCKED, "no room")
    house.children["A"].write("x", "one")
    await house.peace()
    assert house.referee.tally.of(1).blocked == 1

    b.trouble = None
    await house.pass_time(-1e8)
    await house.peace()

    assert b.contents() == {"x": "one"}
    assert house.referee.tally.of(1).blocked == 0


async def test_what_fails_is_not_tried_twice_at_once(house: House):
    await house.start("A", "B")
    b = house.children["B"]
    b.trouble = (Why.BLOCKED, "no room")
    house.children["A"].write("x", "one")
    await house.quiet()
    b.work()
    await house.quiet()
    for _ in range(5):
        house.referee.reset_lanes()  # It is come by again and again.
        await house.quiet()
    await house.pass_time(5)

    assert len(house.line.orders("B")) == 1


async def test_a_target_that_changed_is_tried_again_soon(house: House):
    await house.start("A", "B")
    b = house.children["B"]
    house.children["A"].write("x", "one")
    await house.quiet()
    b.write("x", "two", report=False)
    b.work()
    b.report()
    await house.quiet()
    await house.pass_time(1)
    await house.peace()

    assert sorted(b.contents().values()) == ["one", "two"]
    assert b.contents() == house.children["A"].contents()


async def test_a_bug_ends_the_work(house: House):
    await house.start("A")
    house.referee._news.append("nonsense")  # type: ignore[arg-type]
    house.referee._wake.set()
    await until(house.referee.task.done)

    assert house.referee.task.exception() is not None
    house.referee.task = asyncio.create_task(asyncio.sleep(0))


# Rules ------------------------------------------------------------------------


async def test_new_rules_make_new_owners(house: House):
    await house.use()
    await house.start()
    a, b = house.children["A"], house.children["B"]
    a.write("x", "one")
    a.write("y/z", "two")
    await house.peace()
    assert b.contents() == {}

    await house.use({"match": {"path": "/y"}, "sync": ["B"]})
    await house.peace()
    assert b.contents() == {"y/z": "two"}
    assert house.referee.written == [{"match": {"path": "/y"}, "sync": ["B"]}]


async def test_children_are_told_when_mime_types_become_wanted(house: House):
    await house.start("A")
    await house.use({"match": {"mime": ["text/*"]}, "sync": ["B"]})

    (welcome,) = house.line.take("A", wire.Welcome)
    assert welcome == wire.Welcome(INDEX, "marker of A", forget=False, mime=True)
    assert house.line.take("B", wire.Welcome) == []  # Not there.


async def test_an_entry_never_gets_what_it_ignores(tmp_path: Path, hasty: None):
    picky = Member("B", ignore=("*.tmp", "build/"))
    async with House(tmp_path, "A", "B", B=picky) as house:
        await house.use({"sync": ["A", "B"]})
        await house.start()
        for path in ("x", "x.tmp", "build/x"):
            house.children["A"].write(path, "one")
        await house.peace()

        assert house.children["B"].contents() == {"x": "one"}
        assert await house.uptodate("x.tmp") == "A-"


async def test_copies_that_rules_do_not_want_any_more_stay(house: House):
    await house.start()
    house.children["A"].write("x", "one")
    await house.peace()
    await house.use({"sync": ["A", "B"]})
    house.children["A"].write("x", "three")
    await house.peace()

    assert house.children["B"].contents() == {"x": "three"}
    assert house.children["C"].contents() == {"x": "one"}
    assert await house.uptodate("x") == "AB-"


async def test_or_go_where_that_is_wanted(tmp_path: Path, hasty: None):
    tidy = Member("B", on_unmatch=OnUnmatch.DELETE)
    async with House(tmp_path, "A", "B", B=tidy) as house:
        await house.use({"sync": ["A", "B"]})
        await house.start()
        house.children["A"].write("x", "one")
        await house.peace()
        await house.use({"sync": ["A"]})
        await house.peace()

        assert house.children["B"].contents() == {}
        assert house.children["A"].contents() == {"x": "one"}


async def test_a_mime_type_is_asked_for_only_when_a_rule_needs_it(house: House):
    await house.use({"match": {"mime": ["text/*"]}, "sync": ["B"]})
    await house.start()
    a = house.children["A"]
    a.hello()
    assert (await a.welcomed()).mime
    a.walk()
    a.write("x", "one")
    await house.quiet()
    (order,) = house.line.orders("A")
    assert isinstance(order, Inspect)
    assert order.mime

    a.answer([order])
    await house.peace()
    assert house.children["B"].contents() == {"x": "one"}


async def test_rules_about_age_are_asked_again_in_time(house: House):
    await house.use({"match": {"age": {"min": "1h"}}, "sync": ["B"]})
    await house.start()
    a, b = house.children["A"], house.children["B"]
    a._set("x", "one", int(NOON * 1e9))
    a.report()
    await house.peace()
    assert b.contents() == {}

    await house.pass_time(3700)
    await house.peace()
    assert b.contents() == {"x": "one"}


async def test_rules_that_cannot_be_kept_are_not_put_in_force(house: House):
    await house.start()
    document = {"rules": [{"sync": ["A"]}]}
    house.store.down = True
    with pytest.raises(Unavailable):
        await house.referee.use(document, parse(document, house.names))
    house.store.down = False
    house.children["A"].write("x", "one")
    await house.peace()

    assert house.children["B"].contents() == {"x": "one"}
    assert house.referee.written == [TO_ALL]


# Disputes ---------------------------------------------------------------------


@pytest.fixture
async def asking(tmp_path: Path, hasty: None) -> AsyncIterator[House]:
    """A house where A leaves conflicts to people; A and B differ over x."""
    async with House(tmp_path, "A", "B", "C", A=Member("A", manual=True)) as opened:
        await opened.use(TO_ALL)
        opened.children["A"].write("x", "one", report=False)
        opened.children["B"].write("x", "other", report=False)
        await opened.start()
        await opened.peace()
        yield opened


def said(house: House) -> list[tuple[Any, Any]]:
    return [(f.get("state"), f["entries"]) for k, f in house.told if k == "conflict"]


async def test_what_is_disputed_goes_nowhere_until_a_person_decides(asking: House):
    contents = [child.contents().get("x") for child in asking.children.values()]
    assert (contents[:2], contents[2] in (None, "one")) == (["one", "other"], True)
    [(state, entries)] = said(asking)
    assert (state, entries[:2]) == ("disputed", ["A", "B"])
    assert asking.referee.tally.conflicts == 1

    await asking.referee.decide("x", "B")
    await asking.peace()

    assert [child.contents() for child in asking.children.values()] == 3 * [
        {"x": "other"}
    ]
    assert said(asking)[1:] == [("settled", [])]
    assert asking.referee.tally.conflicts == 0


async def test_both_can_be_kept(asking: House):
    await asking.referee.decide("x", None)
    await asking.peace()
    contents = [child.contents() for child in asking.children.values()]

    assert contents[0] == contents[1] == contents[2]
    assert sorted(contents[0].values()) == ["one", "other"]


async def test_decisions_that_cannot_be(asking: House):
    for path, keep, error in (
        ("x", "Z", KeyError),
        ("y", "A", NotFound),
        ("y", None, NotFound),
    ):
        with pytest.raises(error):
            await asking.referee.decide(path, keep)
    await asking.referee.decide("x", "A")
    with pytest.raises(Conflict):
        await asking.referee.decide("x", "A")


async def test_an_edit_that_was_not_known_when_it_was_decided_is_a_new_dispute(
    asking: House,
):
    asking.children["B"].write("x", "last words", report=False)
    await asking.referee.decide("x", "A")
    await asking.quiet()
    asking.children["B"].work()  # It finds something else than it was told.
    asking.children["B"].report()
    await asking.peace()

    assert asking.children["B"].contents() == {"x": "last words"}
    assert asking.children["A"].contents() == {"x": "one"}
    assert said(asking)[-1][0] == "disputed"


# From life to life ------------------------------------------------------------


async def test_the_rules_in_force_are_in_force_from_the_start(
    tmp_path: Path, hasty: None
):
    async with House(tmp_path, "A", "B") as house:
        await house.use({"sync": ["A", "B"]})
    async with House(tmp_path, "A", "B") as house:
        assert house.referee.written == [{"sync": ["A", "B"]}]
        await house.start()
        house.children["A"].write("x", "one")
        await house.peace()

        assert house.children["B"].contents() == {"x": "one"}


async def test_judging_that_was_interrupted_goes_on_under_the_same_rules(
    tmp_path: Path, hasty: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(judging, "PAGE", 3)
    async with House(tmp_path, "A", "B") as house:
        await house.use({"sync": ["A", "B"]})
        await house.start("A")
        house.children["A"].tell([found(f"f{number}") for number in range(10)])
        await house.quiet()
        # As when it was killed: begun, and not one page judged.
        await house.store.run(judging._begin, '{"rules": [{"sync": ["B"]}]}', "m")
        await house.referee.__aexit__(None, None, None)
        house.referee.task = asyncio.create_task(asyncio.sleep(0))
    async with House(tmp_path, "A", "B") as house:
        await house.quiet()

        owners = {f.owners for f, _ in await house.store.read(files.after, 0, 99)}
        assert owners == {0b11}
        assert house.referee.tally.of(1).owned == 10


async def test_rules_in_the_index_that_are_none_any_more_are_no_rules(
    tmp_path: Path, hasty: None
):
    async with House(tmp_path, "A") as house:
        await house.store.run(judging._begin, '{"rules": [{"bogus": 1}]}', "mark")
    async with House(tmp_path, "A") as house:
        assert house.referee.written == ()


async def test_counts_and_rows_go_on_after_reopening(tmp_path: Path, hasty: None):
    for number in (1, 2, 3):
        async with House(tmp_path, "A", "B") as house:
            await house.use(TO_ALL | {"sync": ["A", "B"]})
            child = house.children["A"]
            child.hello(marker="marker of A", ledger=INDEX, noted=number - 1)
            await child.enter()
            child.say(wire.Changes(number, [found(f"f{number}")]))
            await house.quiet()

            assert house.referee.tally.of(0).files == number
            assert house.referee.tally.of(1).pending == number
            rows = await house.store.read(files.after, 0, 99)
            assert [file.id for file, _ in rows] == list(range(1, number + 1))


async def test_old_tombstones_are_forgotten_in_time(house: House):
    await house.start()
    house.children["A"].write("x", "one")
    await house.peace()
    house.children["A"].delete("x")
    await house.peace()
    assert await house.uptodate("x") == "deleted ABC-"

    await house.pass_time(31 * 86400)
    assert await house.uptodate("x") == "unknown"


async def test_what_an_entry_held_can_be_forgotten(house: House):
    await house.start()
    house.children["A"].write("x", "one")
    await house.peace()
    await house.referee.drop_copies(1)

    assert await house.uptodate("x") == "AC-B"
    assert house.referee.tally.of(1).files == 0
    assert house.referee.tally.of(1).pending == 1


async def test_an_answer_to_nothing_is_no_harm(house: House):
    await house.start("A")
    nonsense: list[Any] = [Done(99, None), Failed(98, Why.SOURCE, "no")]
    house.children["A"].say(wire.Outcomes(nonsense))
    await house.quiet()

    assert not house.referee.task.done()


async def test_a_storage_with_room_again_is_tried_at_once(house: House, monkeypatch):
    """Whatever the pause has grown to; and nobody else, and nothing else, is."""
    monkeypatch.setattr("syncd.replication.batch.PAGE", 2)
    await house.start("A", "B", "C")
    a, b, c = house.children.values()
    for name in ("B", "C"):
        house.children[name].trouble = (Why.BLOCKED, "no room")
    for number in range(5):
        a.write(f"{number}", "content")
    await house.peace()
    for _ in range(6):
        await house.pass_time(600)
        await house.peace()
    tried = len(c.done)
    b.trouble = None
    await house.peace()
    assert b.contents() == {}
    assert house.referee.tally.of(1).blocked == 5

    b.say(wire.Relieved())
    await house.peace()

    assert b.contents() == a.contents()
    assert house.referee.tally.of(1).blocked == 0
    assert len(c.done) == tried
    assert house.referee.tally.of(2).blocked == 5
