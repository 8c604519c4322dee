import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.health import (
    GOOD_LIFE,
    LONGEST_PAUSE,
    NEXT,
    Backoff,
    Event,
    Life,
    State,
)
from syncd.errors import Conflict


def a_life(state: State = State.STOPPED) -> Life:
    return Life(name="A", state=state, since=1.0)


@given(st.lists(st.sampled_from(Event)))
def test_what_the_table_does_not_know_is_refused(events):
    life = a_life()
    for at, event in enumerate(events, 2):
        before = life
        try:
            life = life.after(event, at=at)
        except Conflict as refused:
            assert not before.can(event)
            assert str(refused) == f"cannot {event} entry A: it is {before.state}"
        else:
            assert before.can(event)
            assert life.state is NEXT[before.state, event]


@given(st.lists(st.sampled_from(Event)))
def test_an_entry_without_process_has_no_pid(events):
    life = a_life()
    for event in events:
        if life.can(event):
            life = life.after(event, at=2.0, pid=7 if event is Event.SPAWN else None)
        assert life.pid is None or life.state not in (State.STOPPED, State.FAILING)


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_stopped(state):
    life = a_life(state)
    if state not in (State.STOPPED, State.STOPPING):
        life = life.after(Event.STOP, at=2.0)
    if life.state is State.STOPPING:
        life = life.after(Event.DIE, at=3.0)

    assert life.state is State.STOPPED


def test_only_a_death_nobody_ordered_is_a_failure():
    failed = {before for (before, event), after in NEXT.items() if after == "failing"}

    assert failed == {State.STARTING, State.ACTIVE, State.SUSPENDED}
    assert NEXT[State.STOPPING, Event.DIE] is State.STOPPED


def test_a_life_tells_since_when_why_and_how_often():
    life = a_life().after(Event.START, at=2.0).after(Event.SPAWN, at=3.0, pid=7)
    assert (life.since, life.pid, life.restarts) == (2.0, 7, 0)

    life = life.after(Event.ASK, at=4.0).after(Event.DIE, at=5.0, reason="why")
    assert (life.since, life.pid, life.reason) == (5.0, None, "why")

    life = life.after(Event.START, at=6.0)
    assert (life.reason, life.restarts) == ("", 1)

    life = life.after(Event.STOP, at=7.0).after(Event.DIE, at=8.0)
    assert life.after(Event.START, at=9.0).restarts == 0


def test_pauses_grow_to_a_limit():
    backoff, pauses = Backoff(), []
    for _ in range(10):
        backoff = backoff.died(born=0.0, at=1.0)
        pauses.append(backoff.pause)

    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_good_life_is_rewarded():
    backoff = Backoff(deaths=9)

    assert backoff.died(born=0.0, at=GOOD_LIFE - 0.1).pause == LONGEST_PAUSE
    assert backoff.died(born=0.0, at=GOOD_LIFE).pause == 0


@given(st.integers(0, 10**9))
def test_no_number_of_deaths_breaks_it(deaths):
    assert 0 <= Backoff(deaths).pause <= LONGEST_PAUSE
