import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api.pace import MOST_PEERS, Hurried, Pace


def test_a_burst_passes_then_the_rate_holds():
    pace = Pace(rate=10, burst=5)

    assert [pace.take("a", 0.0) for _ in range(5)] == [0] * 5
    assert pace.take("a", 0.0) == pytest.approx(0.1)
    assert pace.take("b", 0.0) == 0
    assert pace.take("a", 0.1) == 0
    assert pace.take("a", 0.1) > 0


@given(st.lists(st.floats(0, 1), max_size=50))
def test_never_more_than_the_bucket_and_what_flowed_in(pauses):
    pace, now, passed = Pace(rate=3, burst=4), 0.0, 0
    for pause in pauses:
        now += pause
        passed += pace.take("a", now) == 0

    assert passed <= 4 + 3 * now + 1e-6


def test_many_addresses_are_forgotten_in_time():
    pace = Pace(rate=1, burst=2)
    for number in range(MOST_PEERS * 2):
        pace.take(str(number), 0.0)

    assert len(pace._peers) <= MOST_PEERS

    pace.take("late", 100.0)
    assert list(pace._peers) == ["late"]


def test_whole_seconds_are_told():
    assert Hurried(0.01).retry_after == 1
    assert Hurried(1.2).retry_after == 2
