import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.settle import (
    AGAIN,
    BULK,
    DEPARTED,
    LONGEST,
    LULL,
    PATIENCE,
    SOON,
    Settler,
)

OLD, NEW = (1, 1), (2, 2)


def looked(settler, now, evidence, *, written_to=False):
    """Look at everything that is due; tell what is at rest."""
    return [
        path
        for path in settler.due(now, 100)
        if settler.looked(path, now, evidence, written_to=written_to)
    ]


def test_what_was_closed_is_at_rest_at_once():
    settler = Settler()
    settler.closed("a", 0.0)

    assert looked(settler, 0.0, NEW) == ["a"]
    assert settler.wait(0.0) is None


def test_what_is_gone_is_looked_at_a_moment_later():
    settler = Settler()
    settler.gone("a", 0.0)

    assert settler.due(0.0, 100) == []
    assert settler.wait(0.0) == DEPARTED
    assert looked(settler, DEPARTED, None) == ["a"]


def test_what_came_back_meanwhile_is_looked_at_at_once():
    settler = Settler()
    settler.gone("a", 0.0)
    settler.closed("a", 0.001)

    assert looked(settler, 0.001, NEW) == ["a"]
    assert looked(settler, 1.0, None) == []


def test_a_path_that_nothing_happened_to_is_at_rest():
    assert Settler().looked("a", 0.0, NEW, written_to=False)


def test_what_was_touched_and_is_no_file_is_at_rest_at_once():
    settler = Settler()
    settler.touch("a", 0.0)

    assert looked(settler, 0.0, None) == ["a"]


def test_a_touched_file_is_at_rest_after_the_quiet_time():
    settler = Settler(quiet=2.0)
    settler.touch("a", 0.0)

    assert looked(settler, 0.0, NEW) == []
    assert settler.wait(0.5) == 1.5
    assert looked(settler, 1.9, NEW) == []
    assert looked(settler, 2.0, NEW) == ["a"]


@pytest.mark.parametrize(
    ("evidence", "written_to", "touched"),
    [(OLD, False, False), (NEW, True, False), (NEW, False, True)],
    ids=["it changed", "it is open", "it was touched"],
)
def test_a_sign_of_writing_starts_the_quiet_time_anew(evidence, written_to, touched):
    settler = Settler(quiet=2.0)
    settler.touch("a", 0.0)
    looked(settler, 0.0, NEW)
    if touched:
        settler.touch("a", 2.0)

    assert looked(settler, 2.0, evidence, written_to=written_to) == []
    assert looked(settler, 3.9, evidence) == []
    assert looked(settler, 4.0, evidence) == ["a"]


def test_a_close_ends_the_quiet_time():
    settler = Settler()
    settler.touch("a", 0.0)
    looked(settler, 0.0, NEW)
    settler.closed("a", 0.1)

    assert looked(settler, 0.1, NEW) == ["a"]


def test_a_closed_file_that_others_write_to_is_looked_at_again_and_again():
    settler = Settler(quiet=2.0)
    settler.closed("a", 0.0)

    assert looked(settler, 0.0, NEW, written_to=True) == []
    assert settler.wait(0.0) == SOON
    assert looked(settler, SOON, NEW, written_to=True) == []
    assert settler.wait(SOON) == pytest.approx(2 * SOON)
    assert looked(settler, 1.0, NEW) == ["a"]


@pytest.mark.parametrize("how", [Settler.touch, Settler.closed])
def test_what_happens_during_a_look_is_looked_at_again(how):
    settler = Settler()
    settler.closed("a", 0.0)
    settler.due(0.0, 100)
    how(settler, "a", 0.1)

    assert not settler.looked("a", 0.1, None, written_to=False)
    assert looked(settler, 0.1, None) == ["a"]


def test_no_more_than_asked_for_is_due_at_a_time():
    settler = Settler()
    for name in "abc":
        settler.closed(name, 0.0)

    assert [settler.due(0.0, 2), settler.due(0.0, 2)] == [["a", "b"], ["c"]]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["touch", "closed", "look"]),
        st.sampled_from(["a", "b"]),
        st.floats(0.0, 3.0),
    )
)


@given(EVENTS)
def test_whatever_happens_every_path_comes_to_rest_in_the_end(events):
    settler, now = Settler(), 0.0
    awaited: set[str] = set()
    for what, path, pause in events:
        now += pause
        if what == "look":
            awaited -= set(looked(settler, now, NEW))
        else:
            getattr(settler, what)(path, now)
            awaited.add(path)

    while (wait := settler.wait(now)) is not None:
        now += wait + 1e-6  # real time goes on, too; a sum may round down
        awaited -= set(looked(settler, now, NEW))

    assert awaited == set()
    assert len(settler) == 0


@given(EVENTS)
def test_a_file_only_touched_rests_for_the_quiet_time_first(events):
    settler, now = Settler(quiet=2.0), 0.0
    last: dict[str, float] = {}
    for what, path, pause in events:
        now += pause
        if what == "look":
            for one in looked(settler, now, NEW):
                assert now >= last[one] + 2.0
        else:
            settler.touch(path, now)
            last[path] = now


def test_what_something_left_is_counted_until_it_is_looked_at():
    settler = Settler()
    for path in "abc":
        settler.gone(path, 0.0)
    settler.gone("a", 0.0)
    settler.closed("b", 0.0)
    settler.closed("d", 0.0)
    assert settler.departed == 2

    assert set(settler.due(DEPARTED, 9)) == {"a", "b", "c", "d"}
    assert settler.departed == 0
    settler.gone("a", 1.0)
    assert settler.departed == 1


def test_less_than_bulk_is_not_waited_for():
    settler = Settler()
    for number in range(BULK - 1):
        settler.gone(str(number), number * 0.001)

    assert settler.lull(0.01) == 0
    assert len(looked(settler, DEPARTED + 0.01, None)) == BULK - 1


def test_what_leaves_in_bulk_is_looked_at_when_that_pauses():
    settler = Settler()
    for number in range(BULK * 4):
        settler.gone(str(number), number * 0.001)
    settler.closed("other", 0.0)
    last = (BULK * 4 - 1) * 0.001

    assert looked(settler, last, NEW) == ["other"]
    assert looked(settler, last + LULL - 0.001, None) == []
    assert settler.wait(last + LULL - 0.001) == pytest.approx(0.001)
    assert settler.has_departed("0")
    assert len(looked(settler, last + LULL + 0.001, None)) == BULK * 4
    assert not settler.has_departed("0")


def test_of_what_is_put_off_only_so_much_is_gone_through_at_a_time():
    settler = Settler()
    for number in range(BULK * 4):
        settler.gone(str(number), 0.0)
    settler.closed("other", DEPARTED + 0.01)
    settler.gone("last", now := DEPARTED + 0.02)

    rounds = 1
    while not (ready := settler.due(now, BULK)):
        assert settler.wait(now) == 0, "more is to be looked at just now"
        rounds += 1

    assert ready == ["other"]
    assert rounds == 5


def test_what_leaves_without_end_is_looked_at_some_time():
    settler, now = Settler(), 0.0
    while not (ready := settler.due(now, 100)):
        settler.gone(f"{now:.3f}", now)
        now += 0.001

    assert now == pytest.approx(PATIENCE, abs=0.002)
    assert len(ready) > BULK
    assert settler.departed


def test_what_could_not_be_looked_at_is_tried_again_ever_later():
    settler = Settler()
    settler.closed("a", 0.0)
    now, pauses = 0.0, []

    for _ in range(9):
        assert settler.due(now, 100) == ["a"]
        settler.failed("a", now)
        pause = settler.wait(now)
        assert pause is not None
        pauses.append(pause)
        now += pause

    assert pauses[0] == AGAIN
    assert pauses == [min(AGAIN * 2**n, LONGEST) for n in range(9)]
    assert looked(settler, now, NEW) == ["a"]
    assert settler.wait(now) is None


def test_what_happened_since_a_failed_look_does_not_wait_for_the_next_try():
    settler = Settler()
    settler.closed("a", 0.0)
    assert settler.due(0.0, 100) == ["a"]
    settler.closed("a", 0.1)

    settler.failed("a", 0.1)

    assert looked(settler, 0.1, NEW) == ["a"]


def test_a_path_nobody_waited_for_is_due_once_it_could_not_be_looked_at():
    settler = Settler()
    settler.failed("a", 5.0)

    assert settler.due(5.0, 100) == []
    assert looked(settler, 5.0 + AGAIN, None) == ["a"]


def test_what_may_have_been_moved_is_waited_for_but_not_for_ever():
    settler = Settler(quiet=2.0)
    settler.gone("a", 0.0)
    now = DEPARTED

    for _ in range(100):
        assert settler.due(now, 100) == ["a"]
        if settler.looked("a", now, None, written_to=False, moving=True):
            break
        now += settler.wait(now) or 0.0

    assert 2.0 <= now < 4.0
    assert settler.wait(now) is None
