"""One transaction over files."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, create_engine

from syncd.core import path as paths
from syncd.core import work
from syncd.core.change import Done, Failed, Found, Gone, Inspect, Put, SetAside, Why
from syncd.core.file import Copy, File, Kind, Seen, Stamp
from syncd.core.guard import Room
from syncd.core.outcome import Issued, issued
from syncd.core.world import Member, World
from syncd.errors import Conflict, NotFound
from syncd.replication import batch
from syncd.replication.batch import Ended, Reported, Touched
from syncd.store import entries, files
from syncd.store.schema import metadata
from tests.core.story import TO_ALL, A, B, C, a_world, without

WORLD = a_world(TO_ALL)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/index.db")
    metadata.create_all(made)
    with made.begin() as db:
        entries.configure(db, "ABC", "abc")
    yield made
    made.dispose()


@pytest.fixture
def db(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        yield connection


class Writer:
    """Takes news into an index, and remembers row numbers."""

    def __init__(self, db: Connection, world: World = WORLD) -> None:
        self.db, self.world, self.ids = db, world, count(1)

    def take(self, *news: batch.News) -> list[Touched]:
        return batch.take(self.db, news, self.world, self.ids)

    def report(self, slot: int, *changes: Any, number: int = 1) -> list[Touched]:
        return self.take(Reported(slot, number, changes))

    def order(self, path: str, slot: int) -> Issued:
        file = self.file(path)
        order = work.order(file, slot, 1, self.world, 0b111)
        assert order is not None
        return issued(order, file)

    def file(self, path: str) -> File:
        return files.load(self.db, [path])[path][0]

    def put(self, path: str, slot: int) -> None:
        what = self.order(path, slot)
        assert isinstance(what.order, Put)
        seen = Seen(path, Kind.FILE, Stamp(what.order.size, what.order.mtime_ns, 5))
        self.take(Ended(slot, 0, [(what, Done(1, seen, b"d" * 32))]))


@pytest.fixture
def writer(db: Connection) -> Writer:
    return Writer(db)


def found(path: str, size: int = 3, at: int = 1, **facts: Any) -> Found:
    return Found(Seen(path, Kind.FILE, Stamp(size, at, at)), **facts)


def test_what_is_new_gets_a_row(writer: Writer):
    one, other = writer.report(A, found("x"), found("y"))

    assert (one.before, one.was) == (None, None)
    assert (one.after.id, other.after.id) == (1, 2)
    assert one.now.behind == 0b110
    assert writer.file("x") == one.after


def test_what_changes_is_written_over_its_row(writer: Writer):
    (first,) = writer.report(A, found("x"))
    (second,) = writer.report(A, found("x", 4, 2))

    assert (second.before, second.was) == (first.after, first.now)
    assert second.after.id == 1
    assert writer.file("x").size == 4


def test_a_path_told_of_twice_in_one_batch_is_one_file(writer: Writer):
    (one,) = writer.report(A, found("x"), Gone("x"), found("x", 5, 2))

    assert (one.before, one.after.size, one.after.deleted) == (None, 5, False)


def test_news_of_several_entries_in_one_transaction(writer: Writer):
    touched = writer.take(
        Reported(A, 4, [found("x", digest=b"d" * 32)]),
        Reported(B, 7, [found("x", digest=b"d" * 32)]),
    )
    assert [one.after.uptodate for one in touched] == [0b011]
    noted = {entry.slot: entry.noted for entry in entries.everything(writer.db)}
    assert noted == {A: 4, B: 7, C: 0}


def test_what_nothing_was_known_of_and_is_gone_leaves_no_trace(writer: Writer):
    assert writer.report(A, Gone("x")) == []
    assert files.load(writer.db, ["x"]) == {}


def test_what_is_only_repeated_is_touched_but_not_written(writer: Writer):
    writer.report(A, found("x"))
    (again,) = writer.report(A, found("x"))

    assert again.before is again.after
    assert again.was == again.now


def test_facts_that_changed_by_themselves_are_written(writer: Writer):
    writer.report(A, found("x"))
    writer.world = without(WORLD, C)
    (again,) = writer.report(A, found("x"))

    assert (again.was, again.now.behind) != (again.now, 0b110)
    assert files.load(writer.db, ["x"])["x"][1].behind == 0b010


def test_a_move_knows_the_path_it_left(writer: Writer):
    writer.report(A, found("x"))
    writer.put("x", B)
    new, old = writer.report(A, found("y", old="x"), Gone("x"))

    assert new.after.path == "y"
    assert new.after.copies[B].hint == ("x", Stamp(3, 1, 5))
    assert old.after.deleted


def test_outcomes_of_an_order(writer: Writer):
    writer.report(A, found("x"))
    writer.put("x", B)
    assert writer.file("x").uptodate == 0b011

    what = writer.order("x", C)
    (one,) = writer.take(Ended(C, 0, [(what, Failed(1, Why.BLOCKED, "no room"))]))
    assert (one.now.behind, one.now.blocked) == (0b100, 0b100)


def test_what_was_kept_aside_is_a_file_of_the_same_transaction(writer: Writer):
    writer.report(A, found("x", 3, 1, digest=b"a" * 32))
    writer.report(B, found("x", 4, 2, digest=b"b" * 32))
    what = writer.order("x", A)
    assert isinstance(what.order, SetAside)
    seen = Seen(what.order.to, Kind.FILE, Stamp(3, 1, 9))
    winner, loser = writer.take(Ended(A, 0, [(what, Done(1, seen))]))

    assert (winner.after.path, loser.after.path) == ("x", what.order.to)
    assert (loser.after.conflict_of, loser.now.conflict) == ("x", True)
    assert loser.after.digest == b"a" * 32
    assert writer.file(what.order.to).uptodate == 0b001


def test_setting_aside_what_had_gone_makes_no_file(writer: Writer):
    writer.report(A, found("x", 3, 1))
    writer.report(B, found("x", 4, 2))
    what = writer.order("x", A)

    assert len(writer.take(Ended(A, 0, [(what, Done(1, None))]))) == 1


def test_an_outcome_for_a_file_that_was_forgotten_is_nothing(writer: Writer):
    writer.report(A, found("x"))
    what = writer.order("x", B)
    files.forget(writer.db, [1])

    assert writer.take(Ended(B, 0, [(what, Failed(1, Why.BLOCKED, "no"))])) == []


def test_what_was_read_is_learned(db: Connection):
    rule = {"match": {"mime": ["text/*"]}, "sync": ["B"]}
    writer = Writer(db, a_world(rule))
    writer.report(A, found("x"))
    what = writer.order("x", A)
    assert isinstance(what.order, Inspect)
    result = Done(1, found("x").seen, mime="text/plain")
    (one,) = writer.take(Ended(A, 0, [(what, result)]))

    assert one.after.owners == 0b011


# Walks through the index ------------------------------------------------------


def pages(
    db: Connection, walk: Any, *args: int, world: World = WORLD
) -> list[list[Touched]]:
    row: int | None = 0
    result = []
    while row is not None:
        row, touched = walk(db, *args, row, world)
        result.append(touched)
    return result


def test_what_an_entry_holds_is_forgotten_page_by_page(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batch, "PAGE", 2)
    for number in range(5):
        writer.report(B, found(f"f{number}"))
        if number % 2:
            writer.put(f"f{number}", A)
    writer.report(A, found("alone"))
    result = pages(writer.db, batch.drop_copies, A)

    assert [len(page) for page in result] == [1, 1, 1, 0]
    for number in range(5):
        file = writer.file(f"f{number}")
        assert (set(file.copies), file.deleted) == ({B}, False)
    assert writer.file("alone").deleted  # Unless it is told again.


@pytest.mark.parametrize(
    ("doubted", "changes", "kept"),
    [
        ({}, [found("x", 0), found("y", 0)], "xyz"),
        ({A: 1}, [found("x", 0), found("y", 0)], ""),
        ({}, [Gone("x"), Gone("y")], "xy"),
        ({A: 1}, [Gone("x"), Gone("y")], ""),
    ],
)
def test_what_a_power_cut_did_is_not_counted_as_changed(
    writer: Writer, doubted, changes, kept
):
    writer.report(A, found("x"), found("y"), found("z"))
    for path in "xyz":
        writer.put(path, B)
    writer.world = replace(writer.world, doubted=doubted)
    news = [Reported(A, 2, [*changes, found("z", 9, 7)])]
    rooms = {A: Room(deletions=1, overwrites=1)}
    touched = batch.take(writer.db, news, writer.world, writer.ids, rooms)

    assert "".join(one.after.path for one in touched if one.now.held) == kept


@pytest.fixture
def disputed(writer: Writer) -> Writer:
    """An index in which A and B differ over x, which is for people to decide."""
    writer.world = a_world(TO_ALL, A=Member("A", manual=True))
    writer.report(A, found("x", 3, cause="a"))
    (one,) = writer.report(B, found("x", 5, cause="b"))
    assert one.now.conflict
    assert one.now.behind == 0
    return writer


@pytest.mark.parametrize(
    ("keep", "size", "uptodate"), [(A, 3, 0b001), (B, 5, 0b010), (None, 5, 0b010)]
)
def test_a_person_decides(disputed: Writer, keep, size, uptodate):
    one = batch.decide(disputed.db, "x", keep, disputed.world, "why")

    assert disputed.file("x") == one.after
    assert (one.after.size, one.now.uptodate) == (size, uptodate)
    assert one.after.cause == "why"  # Undo tells by it what the decision took away.
    assert not one.now.conflict
    assert one.now.behind & ~one.now.uptodate
    assert files.load(disputed.db, ["x"])["x"][1] == one.now
    with pytest.raises(Conflict, match="nothing about x waits for a decision"):
        batch.decide(disputed.db, "x", keep, disputed.world, "why")


def test_a_decision_for_who_holds_nothing_of_it_changes_nothing(disputed: Writer):
    before = disputed.file("x")
    with pytest.raises(Conflict, match="entry C holds no side of it; choose from A, B"):
        batch.decide(disputed.db, "x", C, disputed.world, "why")

    assert disputed.file("x") == before


def test_there_is_nothing_to_decide_about_what_is_gone(disputed: Writer):
    disputed.report(A, Gone("x"))
    disputed.report(B, Gone("x"))

    for path in ("x", "never\U0010feff"):
        with pytest.raises(NotFound, match=f"file {paths.fid(path)} not found"):
            batch.decide(disputed.db, path, A, disputed.world, "why")


def test_who_is_not_configured_is_no_conflict(disputed: Writer):
    world = without(disputed.world, B)
    some = list(files.load(disputed.db, ["x"]).values())
    (one,) = batch.judge(disputed.db, some, world)

    assert (one.now.conflict, one.now.behind) == (False, 1 << C)


def test_what_one_entry_holds_is_handed_over_to_another(writer: Writer):
    world = a_world({"sync": ["B"]})
    writer.world = world
    writer.report(A, found("x"))
    writer.put("x", B)
    writer.report(B, found("y"))
    (page,) = pages(writer.db, batch.hand_over, A, C, world=without(world, A))

    (one,) = page
    assert (one.after.origin, one.after.owners) == (1 << C, 0b110)
    assert one.after.copies.keys() == {B, C}
    assert one.now.uptodate == 0b110
    assert writer.file("y").origin == 1 << B


def test_what_was_made_elsewhere_keeps_its_origin(writer: Writer):
    writer.report(B, found("x"))
    writer.put("x", A)
    pages(writer.db, batch.hand_over, A, C)

    assert writer.file("x").origin == 1 << B


def test_judging_writes_what_changes(writer: Writer):
    writer.report(A, found("x"), found("y"))
    some = list(files.load(writer.db, ["x", "y"]).values())

    assert batch.judge(writer.db, some, WORLD) == []
    assert len(batch.judge(writer.db, some, a_world())) == 2
    assert writer.file("x").owners == 0b001


def test_judging_sees_whose_answer_is_not_waited_for_any_more(writer: Writer):
    writer.report(A, found("x", 3, 9))
    writer.report(B, found("x", 3, 1))
    what = writer.order("x", B)
    result = Done(1, found("x", 3, 1).seen, digest=b"d" * 32)
    writer.take(Ended(B, 0, [(what, result)]))
    assert writer.file("x").uptodate == 0b001
    world = without(WORLD, A)
    (one,) = batch.judge(writer.db, list(files.load(writer.db, ["x"]).values()), world)

    assert one.after.uptodate == 0b010
    assert replace(one.after, id=1) == writer.file("x")
    assert one.after.copy(C) == Copy()
