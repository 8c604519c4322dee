"""Version vectors: a partial order, and the least that knows two versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.version import NEVER, Relation, bumped, merged, relation

SLOTS = st.integers(0, 3)
VERSIONS = st.dictionaries(SLOTS, st.integers(1, 4), max_size=4)

SAME, NEWER = Relation.SAME, Relation.NEWER
OLDER, CONCURRENT = Relation.OLDER, Relation.CONCURRENT
MIRROR = {SAME: SAME, NEWER: OLDER, OLDER: NEWER, CONCURRENT: CONCURRENT}


def knows(one, other) -> bool:
    return relation(one, other) in (SAME, NEWER)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (NEVER, NEVER, SAME),
        ({0: 1}, NEVER, NEWER),
        (NEVER, {0: 1}, OLDER),
        ({0: 2}, {0: 1}, NEWER),
        ({0: 1, 1: 2}, {0: 1}, NEWER),
        ({0: 1}, {0: 1, 1: 2}, OLDER),
        ({0: 2}, {0: 1, 1: 2}, CONCURRENT),
        ({0: 1}, {1: 1}, CONCURRENT),
    ],
)
def test_how_versions_stand_to_each_other(one, other, expected):
    assert relation(one, other) is expected


@given(VERSIONS, VERSIONS)
def test_each_sees_the_other_in_the_mirror(one, other):
    assert relation(other, one) is MIRROR[relation(one, other)]


@given(VERSIONS, VERSIONS)
def test_only_equal_versions_are_the_same(one, other):
    assert (relation(one, other) is SAME) == (one == other)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_what_knows_of_what_knows_of_a_version_knows_of_it(one, other, third):
    if knows(one, other) and knows(other, third):
        assert knows(one, third)


@given(VERSIONS, VERSIONS)
def test_a_merge_is_the_least_that_knows_both(one, other):
    both = merged(one, other)

    assert knows(both, one)
    assert knows(both, other)
    assert both == merged(other, one)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_whatever_knows_both_knows_their_merge(one, other, third):
    if knows(third, one) and knows(third, other):
        assert knows(third, merged(one, other))


@given(VERSIONS, SLOTS, VERSIONS)
def test_a_change_is_newer_than_what_it_was_made_from(version, slot, above):
    assert relation(bumped(version, slot, above), version) is NEWER


@given(VERSIONS, SLOTS, VERSIONS)
def test_a_number_once_given_is_never_given_again(version, slot, above):
    new = bumped(version, slot, above)

    assert new[slot] > max((*version.values(), *above.values()), default=0)
    assert relation(new, above) is not SAME


@given(VERSIONS, VERSIONS, SLOTS)
def test_the_winner_of_a_conflict_is_newer_than_both(one, other, slot):
    new = bumped(merged(one, other), slot)

    assert relation(new, one) is NEWER
    assert relation(new, other) is NEWER


@given(VERSIONS, VERSIONS, SLOTS, SLOTS)
def test_changes_of_two_entries_that_do_not_know_each_other_are_concurrent(
    one, other, here, there
):
    if here != there and one == other:
        assert relation(bumped(one, here), bumped(other, there)) is CONCURRENT


@given(VERSIONS, VERSIONS, SLOTS)
def test_versions_are_never_changed_in_place(one, other, slot):
    before = dict(one), dict(other)

    merged(one, other)
    bumped(one, slot, other)

    assert (one, other) == before
