"""Guessing gets slow, for a while, and nobody is locked out for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.api.guesses import (
    FREE,
    HALF,
    LONGEST,
    MOST,
    PATIENCE,
    Guesses,
    neighbourhood,
)
from syncd.api.pace import Hurried


def fail(guesses: Guesses, times: int, now: float = 0.0, key: str = "a") -> float:
    """Fail so often, each time after the wait; return when the last one tried."""
    for _ in range(times):
        now += guesses.begin([key], now)
    return now


def test_people_may_mistype():
    guesses = Guesses()

    assert [guesses.begin(["a"], 0.0) for _ in range(FREE)] == [0.0] * FREE


def test_then_each_failure_makes_the_next_one_wait_longer():
    guesses = Guesses()
    now, waits = fail(guesses, FREE), []
    for _ in range(8):
        waits.append(guesses.begin(["a"], now))
        now += waits[-1]

    assert waits[1] > 0
    assert waits[1:5] == sorted(waits[1:5])
    assert max(waits) <= LONGEST + 1e-6


def test_who_asks_many_times_at_once_gains_nothing():
    guesses = Guesses()
    waits = []
    with pytest.raises(Hurried) as hurried:
        for _ in range(1000):
            waits.append(guesses.begin(["a"], 0.0))

    assert len(waits) < FREE + 12
    assert waits == sorted(waits)
    assert max(waits) <= PATIENCE
    assert hurried.value.retry_after >= PATIENCE


def test_what_succeeded_is_no_failure():
    guesses = Guesses()
    for _ in range(100):
        assert guesses.begin(["a", "b"], 0.0) == 0.0
        guesses.succeeded(["a", "b"])


def test_any_of_the_keys_makes_it_wait():
    guesses = Guesses()
    fail(guesses, FREE + 3, key="account")

    assert guesses.look(["address"], 0.0) == 0
    assert guesses.look(["address", "account"], 0.0) > 0


def test_failures_are_forgotten():
    guesses = Guesses()
    now = fail(guesses, 20)

    assert guesses.begin(["a"], now + LONGEST + 1) == 0
    later = now + 10 * HALF
    assert [guesses.begin(["a"], later) for _ in range(FREE)] == [0.0] * FREE


@given(st.lists(st.floats(0, 10), min_size=30, max_size=60))
def test_nobody_guesses_faster_than_that_for_long(pauses):
    guesses, now, tried = Guesses(), 0.0, 0
    for pause in pauses:
        now += pause
        try:
            now += guesses.begin(["a"], now)
            tried += 1
        except Hurried:
            continue

    # The steps up to the longest pause let a few more through, and what is
    # forgotten meanwhile lets them come again.
    assert tried <= (FREE + 6) * (1 + now / HALF) + now / LONGEST + 1


@given(st.integers(0, 40))
def test_nobody_waits_for_longer_than_that(times):
    guesses, now = Guesses(), 0.0
    for _ in range(times):
        try:
            guesses.begin(["a"], now)
        except Hurried as hurried:
            now += hurried.retry_after
            guesses.begin(["a"], now)  # Whoever comes back when told gets a turn.


def test_so_many_are_remembered():
    guesses = Guesses()
    for number in range(MOST + 50):
        guesses.begin([str(number)], 0.0)

    assert len(guesses._lines) == MOST


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address, counted):
    assert neighbourhood(address) == counted
