from syncd.child.waiting import LARGE, Waiting, in_turn, is_large
from syncd.core.change import Amend, Delete, Inspect, Put, SetAside
from syncd.core.file import Kind, Stamp

BIG = Stamp(LARGE + 1)


def put(number, path, size=1, kind=Kind.FILE, hint=None):
    return Put(number, path, kind, size, 0, 0, None, None, [], None, hint)


def inspect(stamp):
    return Inspect(1, "a", stamp, digest=True, mime=False)


def test_an_order_is_given_out_once():
    waiting = Waiting()
    waiting.add(put(1, "a"))

    assert [o.id for o in waiting.take_small(10)] == [1]
    assert waiting.take_small(10) == []


def test_a_newer_order_replaces_the_one_that_waits():
    waiting = Waiting()
    waiting.add(put(1, "a", LARGE + 1))

    assert waiting.add(put(2, "a")) == put(1, "a", LARGE + 1)
    assert waiting.take_large() is None
    assert [o.id for o in waiting.take_small(10)] == [2]


def test_an_order_waits_while_another_for_its_path_is_carried_out():
    waiting = Waiting()
    waiting.add(put(1, "a"))
    (first,) = waiting.take_small(10)

    assert waiting.add(put(2, "a")) is None
    assert waiting.take_small(10) == []
    assert [o.id for o in waiting] == [1, 2]
    waiting.done(first)
    assert [o.id for o in waiting.take_small(10)] == [2]


def test_nothing_is_deleted_from_where_it_is_being_renamed_away():
    waiting = Waiting()
    moving = put(1, "new", hint=("old", Stamp()))
    waiting.add(moving)
    assert waiting.take_small(10) == [moving]
    waiting.add(Delete(2, "old", Kind.FILE, Stamp()))

    assert waiting.take_small(10) == []
    waiting.done(moving)
    assert [order.id for order in waiting.take_small(10)] == [2]


def test_no_more_is_taken_than_asked_for():
    waiting = Waiting()
    for number in range(5):
        waiting.add(put(number, str(number)))

    assert len(waiting.take_small(3)) == 3


def test_large_is_what_takes_long():
    assert is_large(put(1, "a", LARGE + 1))
    assert is_large(inspect(BIG))
    assert not is_large(put(1, "a", LARGE))
    assert not is_large(put(1, "a", LARGE + 1, hint=("b", BIG)))
    assert not is_large(put(1, "a", LARGE + 1, Kind.LINK))
    assert not is_large(Delete(1, "a", Kind.FILE, BIG))


def test_groups_come_in_an_order_in_which_nothing_is_in_the_way():
    stamp = Stamp()
    orders = [
        Delete(1, "a", Kind.DIRECTORY, stamp),
        Delete(2, "a/b", Kind.FILE, stamp),
        inspect(stamp),
        SetAside(4, "s", stamp, "t"),
        Amend(5, "m", stamp, 0, 0),
        put(6, "l", kind=Kind.LINK),
        put(7, "f"),
        put(8, "d/e", kind=Kind.DIRECTORY),
        put(9, "d", kind=Kind.DIRECTORY),
        put(10, "h", hint=("a/b", stamp)),
    ]

    groups = [[o.id for o in group] for group in in_turn(orders)]

    assert groups == [[10], [9, 8, 7], [6], [5], [4], [1], [2, 1]]
