import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import job as jobs
from syncd.core.job import Event, Job, Kind, Retries, State
from syncd.errors import Conflict


def a_job(state: State = State.QUEUED, **more) -> Job:
    given = {"id": "1", "kind": Kind.BACKUP, "asked": {}, "source": "s", "store": "v"}
    return Job(**{**given, "who": "me", "created": 1.0, "state": state, **more})


@given(st.lists(st.sampled_from(Event)))
def test_whatever_happens_what_has_ended_stays_so(events):
    state = State.QUEUED
    for event in events:
        before = state
        if jobs.can(state, event):
            state = jobs.after(state, event)
        else:
            with pytest.raises(Conflict, match=f"that is {state} cannot {event}"):
                jobs.after(state, event)
        assert not before.final or state is before


@pytest.mark.parametrize("state", State)
def test_every_state_leads_to_an_end_across_a_crash(state):
    follows = [
        jobs.after(state, event)
        for event in (Event.INTERRUPT, Event.CANCEL)
        if jobs.can(state, event)
    ]

    assert state.final or any(one.final for one in follows)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_policy_of_retries(kind):
    assert jobs.RETRIES[kind].most >= 0
    assert kind.makes == (kind in ("backup", "upload"))


def test_a_life_of_two_attempts():
    job = jobs.started(a_job(), 2.0)
    assert (job.state, job.started, job.attempts) == (State.RUNNING, 2.0, 1)

    waits = jobs.again(job, 3.0, Retries(1, 60.0), "busy")
    assert waits is not None
    assert (waits.state, waits.not_before, waits.error) == ("queued", 63.0, "busy")

    job = jobs.started(waits, 63.0)
    assert (job.attempts, job.error, job.reason) == (2, "", "")
    assert jobs.again(job, 64.0, Retries(1), "busy") is None

    done = jobs.ended(job, Event.SUCCEED, 70.0, result={"files": 1})
    assert (done.state, done.ended, done.result) == ("successful", 70.0, {"files": 1})


def test_what_nobody_says_of_the_result_stays():
    job = a_job(State.RUNNING, result={"files": 1})

    failed = jobs.ended(job, Event.FAIL, 2.0, error="why", reason="word")

    assert failed.result == {"files": 1}
    assert (failed.state, failed.error, failed.reason) == ("failed", "why", "word")


@given(st.integers(1, 10_000))
def test_pauses_grow_to_a_limit(attempts):
    job = a_job(State.RUNNING, attempts=attempts)

    waits = jobs.again(job, 0.0, Retries(10_000, 60.0), "")

    assert waits is not None
    assert 60.0 <= waits.not_before <= jobs.LONGEST_PAUSE


def test_what_is_told_to_end_is_not_tried_again():
    assert jobs.again(a_job(State.CANCELING, attempts=1), 0.0, Retries(3), "") is None


@pytest.mark.parametrize(
    ("state", "words"), [("canceling", "was told to end"), ("failed", "has ended")]
)
def test_what_ends_or_has_ended_is_not_canceled_again(state, words):
    with pytest.raises(Conflict, match=f"job 1 {words} already: it is {state}"):
        jobs.canceled(a_job(State(state)), 5.0, "me")


@pytest.mark.parametrize(
    ("state", "then", "ended"),
    [(State.QUEUED, State.CANCELED, 5.0), (State.RUNNING, State.CANCELING, None)],
)
def test_canceling_ends_at_once_only_what_does_not_run(state, then, ended):
    job = jobs.canceled(a_job(state), 5.0, "me")

    assert (job.state, job.ended, job.error) == (then, ended, "canceled by me")
