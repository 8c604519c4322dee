"""A window of orders over work that the index keeps."""

from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.change import Done, Failed, Outcome, Put, Why
from syncd.core.file import Copy, File, Stamp, Trouble
from syncd.replication import lane
from syncd.replication.lane import Lane
from tests.core.story import NOW, TO_ALL, A, B, a_world

WORLD = a_world(TO_ALL)
UP = 0b111
HELD = Copy(version={A: 1}, stamp=Stamp(size=3))


def a_file(number: int, trouble: Trouble | None = None) -> File:
    """Return a file that B lacks."""
    copies = {A: HELD} if trouble is None else {A: HELD, B: Copy(trouble=trouble)}
    return File(
        id=number,
        path=f"f{number}",
        size=3,
        version={A: 1},
        origin=1 << A,
        owners=0b11,
        copies=copies,
    )


def blocked(number: int, retry_at: float) -> File:
    return a_file(number, Trouble("no room", 1, retry_at, blocked=True))


FILES = [a_file(number) for number in range(1, 11)]


@pytest.fixture
def ready() -> Lane:
    made = Lane(B, "B", count(1))
    made.ready = True
    return made


@pytest.fixture(autouse=True)
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "WINDOW", 4)


def answer(some: Lane, results: Sequence[Outcome]) -> None:
    some.close(some.answers(results))


def test_one_order_for_a_file_at_a_time(ready: Lane):
    (order,) = ready.orders(FILES[:1], WORLD, UP)
    assert isinstance(order, Put)
    assert ready.orders(FILES[:1], WORLD, UP) == []

    answer(ready, [Done(order.id, None)])
    assert len(ready) == 0
    assert len(ready.orders(FILES[:1], WORLD, UP)) == 1


def test_what_there_is_nothing_to_do_about_takes_no_place(ready: Lane):
    done = replace(FILES[0], copies={A: HELD, B: HELD})

    assert ready.orders([done], WORLD, UP) == []
    assert ready.orders(FILES[:1], WORLD, 0b110) == []  # No source is up.
    assert len(ready) == 0


def test_orders_know_what_they_were_made_from(ready: Lane):
    (order,) = ready.orders(FILES[2:3], WORLD, UP)
    (issued,) = ready.under_way

    assert (issued.order, issued.file, issued.version) == (order, 3, {A: 1})


def test_the_window_is_filled_and_the_rest_is_found_again(ready: Lane):
    orders = ready.orders(FILES, WORLD, UP)
    assert [order.path for order in orders] == ["f1", "f2", "f3", "f4"]
    assert not ready.wants_more

    answer(ready, [Done(order.id, None) for order in orders[:2]])
    assert not ready.wants_more  # Not before there is room for a good part.
    answer(ready, [Done(orders[2].id, None)])
    assert ready.wants_more
    assert ready.cursor == (False, 4)  # From the first that did not fit on.


def test_work_is_looked_for_from_the_start_and_deletions_last(ready: Lane):
    assert not ready.wants_more
    ready.look_again()
    assert ready.wants_more
    seen = []
    for page in (FILES[:2], FILES[2:3], FILES[3:5], []):
        seen.append(ready.cursor)
        ready.turn(page, 2)

    assert seen == [(False, 0), (False, 2), (True, 0), (True, 5)]
    assert ready.cursor is None
    assert not ready.wants_more


def test_who_has_not_walked_wants_nothing(ready: Lane):
    ready.look_again()
    ready.ready = False

    assert not ready.wants_more


def test_answers_to_orders_nobody_gave_are_left_out(ready: Lane):
    (order,) = ready.orders(FILES[:1], WORLD, UP)
    results: list[Outcome] = [Failed(99, Why.BLOCKED, "no"), Done(order.id, None)]

    assert [result for _, result in ready.answers(results)] == results[1:]


def test_closing_twice_is_no_harm(ready: Lane):
    (order,) = ready.orders(FILES[:1], WORLD, UP)
    ready.copied = {order.id: 100, 99: 1}
    pairs = ready.answers([Done(order.id, None)])
    ready.close(pairs)
    again = ready.orders(FILES[:1], WORLD, UP)
    ready.close(pairs)

    assert ready.copied == {99: 1}
    assert [issued.order for issued in ready.under_way] == again
    assert ready.orders(FILES[:1], WORLD, UP) == []


def test_orders_of_the_dead_are_forgotten(ready: Lane):
    (order,) = ready.orders(FILES[:1], WORLD, UP)
    ready.orders([blocked(7, NOW + 1)], WORLD, UP)
    ready.copied[order.id] = 5
    ready.reset()

    assert len(ready) == 0
    assert not ready.ready
    assert ready.copied == {}
    assert ready.answers([Done(order.id, None)]) == []
    assert ready.due(NOW + 99) == []
    assert len(ready.orders(FILES[:1], WORLD, UP)) == 1


def test_what_the_line_refused_is_found_again_when_it_takes_more(ready: Lane):
    orders = ready.orders(FILES[:3], WORLD, UP)
    ready.withdraw(orders[1:])
    assert [issued.order for issued in ready.under_way] == orders[:1]
    assert not ready.wants_more

    ready.refused = False
    assert ready.wants_more
    assert len(ready.orders(FILES[:3], WORLD, UP)) == 2


def test_withdrawing_what_was_answered_is_no_harm(ready: Lane):
    (order,) = ready.orders(FILES[:1], WORLD, UP)
    answer(ready, [Done(order.id, None)])
    ready.withdraw([order])

    assert len(ready) == 0


def test_what_failed_is_due_at_its_time(ready: Lane):
    some = [blocked(1, NOW + 5), blocked(2, NOW + 3), a_file(3)]
    assert [order.path for order in ready.orders(some, WORLD, UP)] == ["f3"]

    assert ready.due(NOW + 2.9) == []
    assert ready.due(NOW + 3) == [2]
    assert ready.due(NOW + 9) == [1]
    assert ready.due(NOW + 99) == []


def test_what_is_come_by_again_and_again_is_due_once(ready: Lane):
    for _ in range(3):
        ready.orders([blocked(1, NOW + 5)], WORLD, UP)

    assert ready.due(NOW + 9) == [1]


def test_only_the_newest_time_counts(ready: Lane):
    for at in (NOW + 5, NOW + 2, NOW + 8):
        ready.orders([blocked(1, at)], WORLD, UP)

    assert ready.due(NOW + 7.9) == []
    assert ready.due(NOW + 8) == [1]


def test_what_was_not_taken_is_looked_for_from_the_first_of_it_on(ready: Lane):
    ready.cursor = None
    orders = ready.orders(FILES[:3], WORLD, UP)
    ready.withdraw(orders[1:])
    ready.refused = False

    assert ready.wants_more
    assert ready.cursor == (False, FILES[1].id - 1)


def test_long_transfers_are_told_with_their_progress(ready: Lane):
    orders = ready.orders(FILES[:2], WORLD, UP)
    ready.copied |= {orders[0].id: 5, 999: 7}

    assert ready.transfers() == [(orders[0], 5)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["offer", "answer", "withdraw", "reset"]),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)
def test_the_window_is_never_exceeded_and_no_file_is_ordered_twice(steps):
    some = Lane(B, "B", count(1))
    for what, number in steps:
        under_way = [issued.order for issued in some.under_way]
        if what == "offer":
            some.orders(FILES[number:], WORLD, UP)
        elif what == "answer" and under_way:
            answer(some, [Done(under_way[number % len(under_way)].id, None)])
        elif what == "withdraw":
            some.withdraw(under_way[number:])
        elif what == "reset":
            some.reset()
        paths = [issued.order.path for issued in some.under_way]
        assert len(paths) <= lane.WINDOW
        assert len(set(paths)) == len(paths)
