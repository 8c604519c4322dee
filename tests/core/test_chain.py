"""Chains: which jobs a launch makes, and who waits for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.chain import BAD, ENDED, STATUS, Step, after, chain
from syncd.core.job import State

TWO = [(7, "web"), (8, "db")]


def test_two_clients():
    links = chain("p", TWO, catalog=True, prune=True)

    assert [one.name for one in links] == [
        "Backup Job p web",
        "Catalog Job p web",
        "Prune Job p web",
        "Backup Job p db",
        "Catalog Job p db",
        "Prune Job p db",
    ]
    assert [one.waits for one in links] == [1, 2, 5, 4, 5, None]
    assert [one.master for one in links] == [None, 0, 1, None, 3, 4]
    assert [one.client for one in links] == [7, 7, 7, 8, 8, 8]
    assert [one.status for one in links] == ["pending", "waiting", "waiting"] * 2


@pytest.mark.parametrize(
    ("catalog", "prune", "steps"),
    [
        (False, False, [Step.BACKUP]),
        (True, False, [Step.BACKUP, Step.CATALOG]),
        (False, True, [Step.BACKUP, Step.PRUNE]),
    ],
)
def test_shorter_ones(catalog, prune, steps):
    links = chain("p", TWO[:1], catalog=catalog, prune=prune)

    assert [one.step for one in links] == steps
    assert [one.waits for one in links] == [*range(1, len(steps)), None]


def test_nobody():
    assert chain("p", [], catalog=True, prune=True) == []


@given(
    count=st.integers(1, 5),
    catalog=st.booleans(),
    prune=st.booleans(),
)
def test_all_is_waited_for_once_at_least_and_it_ends(count, catalog, prune):
    clients = [(number, f"h{number}") for number in range(count)]
    links = chain("p", clients, catalog=catalog, prune=prune)

    assert [place for place, one in enumerate(links) if one.waits is None] == [
        len(links) - 1
    ]
    for place, one in enumerate(links):
        assert one.waits is None or one.waits > place
        if one.master is not None:
            assert links[one.master].client == one.client
            assert links[one.master].waits == place


def test_every_state_has_a_word():
    assert STATUS.keys() == set(State)
    assert {STATUS[one] for one in State if one.final} <= ENDED
    assert BAD < ENDED


@pytest.mark.parametrize(
    ("step", "outcome", "status"),
    [
        ("job", "successful", "pending"),
        ("job", "failed", "canceled"),
        ("job", "canceled", "canceled"),
        ("job", "error", "canceled"),
        ("catalog", "successful", "pending"),
        ("catalog", "failed", "pending"),
        ("catalog", "error", "pending"),
        ("catalog", "canceled", "canceled"),
        ("prune", "failed", "canceled"),
    ],
)
def test_what_follows(step, outcome, status):
    assert after(step, outcome) == status
