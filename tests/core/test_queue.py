import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.job import Job, Kind, State
from syncd.core.queue import PARALLEL, claims, startable, wakes

NAMES = st.sampled_from("abc")
OPEN = (State.QUEUED, State.RUNNING, State.CANCELING)


@st.composite
def jobs(draw, states=OPEN):
    kind = draw(st.sampled_from(Kind))
    vaults = draw(st.lists(NAMES, max_size=2)) if kind is Kind.EVICT else None
    return Job(
        id=str(draw(st.uuids())),
        kind=kind,
        state=draw(st.sampled_from(states)),
        asked={} if vaults is None else {"vaults": vaults},
        source=draw(NAMES),
        store=draw(NAMES),
        vault=None if vaults is not None else draw(NAMES),
        priority=draw(st.integers(-1, 1)),
        who="me",
        created=draw(st.floats(0, 3)),
        not_before=draw(st.sampled_from([0.0, 5.0])),
    )


def a_job(name: str, kind: Kind = Kind.BACKUP, **more) -> Job:
    given = {"asked": {}, "source": name, "store": name, "who": "me", "created": 1.0}
    return Job(kind=kind, **{"id": name, **given, **more})


def names(found):
    return [job.id for job in found]


@given(st.lists(jobs(), max_size=8), st.integers(1, 4))
def test_what_starts_disturbs_nothing(known, parallel):
    running = [job for job in known if job.state is not State.QUEUED]
    chosen = startable(known, 1.0, parallel=parallel)

    together = running + chosen
    assert len(chosen) <= max(0, parallel - len(running))
    for number, one in enumerate(chosen):
        assert one.state is State.QUEUED
        assert one.not_before <= 1.0
        for other in together:
            if other is not one:
                assert not claims(one).clash(claims(other))
                assert not claims(other).clash(claims(one))
        assert all(one.priority >= later.priority for later in chosen[number:])


@given(st.lists(jobs(states=[State.QUEUED]), min_size=1, max_size=8))
def test_something_starts_when_nothing_runs(known):
    assert bool(startable(known, 9.0)) is True


@given(st.lists(jobs(), max_size=8))
def test_the_order_they_are_given_in_means_nothing(known):
    assert startable(known, 1.0) == startable(list(reversed(known)), 1.0)


def test_priority_goes_before_age():
    late = a_job("late", priority=1, created=2.0)

    assert names(startable([a_job("a"), late], 3.0, parallel=1)) == ["late"]
    assert names(startable([a_job("b", created=2), a_job("a")], 3.0)) == ["a", "b"]


def test_no_more_start_than_may_run_at_once():
    many = [a_job(str(number)) for number in range(9)]

    assert len(startable(many, 3.0)) == PARALLEL


@pytest.mark.parametrize(
    ("kind", "other", "together"),
    [
        (Kind.BACKUP, Kind.BACKUP, False),
        (Kind.BACKUP, Kind.RESTORE, False),
        (Kind.RESTORE, Kind.EVICT, False),
        (Kind.VERIFY, Kind.EVICT, False),
        (Kind.VERIFY, Kind.DRILL, False),
        (Kind.VERIFY, Kind.BACKUP, True),
        (Kind.DRILL, Kind.RESTORE, True),
    ],
)
def test_what_may_be_done_in_one_store_at_once(kind, other, together):
    running = a_job("v", kind, vault="old", state=State.RUNNING, id="1")
    vault = "new" if other is Kind.BACKUP else "old"
    waits = Job(
        id="2", kind=other, asked={}, source="t", store="v", vault=vault,
        who="me", created=1.0,
    )  # fmt: skip

    assert bool(startable([running, waits], 3.0)) is together


def test_one_source_is_not_read_twice_at_once():
    running = a_job("v", state=State.RUNNING, source="s")

    assert startable([running, a_job("w", source="s")], 3.0) == []
    assert names(startable([running, a_job("w", source="t")], 3.0)) == ["w"]


def test_who_waits_is_not_passed_for_ever():
    check = a_job("v", Kind.VERIFY, vault="old", state=State.RUNNING)
    evict = a_job("v", Kind.EVICT, asked={"vaults": ["old"]})
    later = a_job("v", Kind.VERIFY, vault="old", created=2.0)

    assert startable([check, evict], 3.0) == []
    assert names(startable([evict, later], 3.0)) == ["v"]
    assert startable([evict, later], 3.0)[0].kind is Kind.EVICT


def test_nothing_is_done_with_a_closed_store():
    assert startable([a_job("v")], 3.0, closed=frozenset({"v"})) == []


def test_what_rests_says_when_to_look_again():
    rests = [a_job("a", not_before=7.0), a_job("b", not_before=5.0), a_job("c")]

    assert wakes(rests, 3.0) == 5.0
    assert wakes([a_job("c")], 3.0) is None
    assert wakes([a_job("d", state=State.RUNNING, not_before=9.0)], 3.0) is None
