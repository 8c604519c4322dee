"""What went by lately can be told of one file, and no more than so much is kept."""

import pytest

from syncd.core.change import Delete, Done, Failed, Found, Gone, Put, SetAside, Why
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.outcome import Issued
from syncd.replication import chronicle
from syncd.replication.batch import Ended, Reported
from syncd.replication.chronicle import Chronicle, Step
from syncd.replication.chronicle import Kind as Happened

STAMP = Stamp(size=1)


def found(path, cause):
    return Found(Seen(path, Kind.FILE, STAMP), cause=cause)


def put(path, cause, number=1):
    return Put(number, path, Kind.FILE, 1, 0, 0, None, None, [], None, cause=cause)


def answered(order, result):
    return Issued(order, 1, {}, 0), result


@pytest.fixture
def remembered():
    return Chronicle()


def test_one_change_from_the_event_to_the_answer(remembered):
    order, done = put("a", "why"), Done(1, None)
    remembered.heard([Reported(0, 1, [found("b", "why"), found("a", "why")], 5.0)], 6.0)
    remembered.ordered(1, [put("b", "why"), order], 7.0)
    remembered.heard([Ended(1, 0, [answered(order, done)])], 8.0)

    assert remembered.steps("a", "why") == [
        Step(5.0, Happened.NOTICED, 0, found("a", "why")),
        Step(7.0, Happened.ORDERED, 1, order),
        Step(8.0, Happened.ANSWERED, 1, order, done),
    ]


def test_another_change_of_the_file_is_not_told(remembered):
    old, new = put("a", "old"), put("a", "new")
    remembered.heard([Reported(0, 1, [found("a", "old"), Gone("a", "new")])], 1.0)
    remembered.ordered(1, [old, new], 2.0)
    failed = Failed(1, Why.SOURCE, "x")
    remembered.heard([Ended(1, 0, [answered(old, failed)])], 3.0)

    assert [step.about for step in remembered.steps("a", "new")] == [
        Gone("a", "new"),
        new,
    ]


def test_a_loser_is_told_under_both_names(remembered):
    order = SetAside(1, "a", STAMP, "a.sync-conflict", "why")
    remembered.ordered(1, [order, Delete(2, "b", Kind.FILE, STAMP, "why")], 1.0)

    for name in ("a", "a.sync-conflict"):
        assert [step.about for step in remembered.steps(name, "why")] == [order]


def test_they_are_told_in_the_order_of_time(remembered):
    """A child's report may arrive after what another said later."""
    remembered.heard([Reported(0, 1, [found("a", "why")], 9.0)], 10.0)
    remembered.heard([Reported(1, 1, [found("a", "why")], 3.0)], 11.0)

    assert [step.slot for step in remembered.steps("a", "why")] == [1, 0]


def test_the_oldest_is_forgotten(remembered, monkeypatch):
    monkeypatch.setattr(chronicle, "MOST", 10)
    for number in range(100):
        orders = [put(f"{number}", "why"), put("other", "why")]
        remembered.ordered(1, orders, float(number))

    assert len(remembered) == 10
    assert remembered.steps("94", "why") == []
    assert len(remembered.steps("95", "why")) == 1
    assert len(remembered.steps("other", "why")) == 5


def test_a_batch_that_is_too_large_is_told_until_the_next(remembered, monkeypatch):
    monkeypatch.setattr(chronicle, "MOST", 10)
    remembered.ordered(1, [put(f"{n}", "why") for n in range(50)], 1.0)
    assert len(remembered.steps("0", "why")) == 1

    remembered.ordered(1, [put("a", "why")], 2.0)

    assert len(remembered) == 1
