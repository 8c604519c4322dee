from syncd.child.busy import Busy
from syncd.drivers.contract import Event, What


def test_what_happens_at_a_busy_path_is_told_when_it_is_free():
    told: list[Event] = []
    busy = Busy(told.extend)

    with busy.working(["a"]):
        assert busy.put_off(Event("a", What.TOUCHED))
        assert busy.put_off(Event("a", What.TREE))
        assert not busy.put_off(Event("b", What.CLOSED))
        assert told == []

    assert told == [Event("a", What.TOUCHED | What.TREE)]
    assert not busy.put_off(Event("a", What.CLOSED))


def test_a_path_is_free_when_the_last_is_done_with_it():
    told: list[Event] = []
    busy = Busy(told.extend)

    with busy.working(["a"]):
        with busy.working(["a"]):
            busy.put_off(Event("a", What.CLOSED))
        assert "a" in busy
        assert told == []

    assert "a" not in busy
    assert len(told) == 1


def test_a_look_is_spoiled_by_what_became_busy_since():
    told: list[Event] = []
    busy = Busy(told.extend)
    with busy.working(["before"]):
        pass
    busy.begin_look()
    with busy.working(["since"]):
        pass

    with busy.working(["now"]):
        assert busy.is_spoiled("now")
        assert busy.is_spoiled("since")
        assert not busy.is_spoiled("before")

    assert [e.path for e in told] == ["since", "now"]
