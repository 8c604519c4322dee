"""What is kept for how long, and what undoing would bring back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.file import Kind
from syncd.core.keeping import DAY, Kept, Loss, Promise, Version, superfluous, wanted

SECOND = 1_000_000_000
NOW = 100 * DAY * SECOND


def version(
    entry: str,
    at: int,
    content: str,
    cause: str = "",
    loss: Loss = Loss.REPLACED,
    *,
    sound: bool = True,
) -> Version:
    kept = Kept(
        path="x",
        place=content,
        at_ns=at,
        kind=Kind.FILE,
        size=1,
        mtime_ns=1,
        loss=loss,
        cause=cause,
        sound=sound,
    )
    return Version(entry, kept)


@pytest.mark.parametrize(
    ("ages", "days", "versions", "gone"),
    [
        ([], 7, 10, []),
        ([0, 1, 2], 7, 10, []),
        ([0, 1, 2, 3], 7, 2, [2, 3]),
        ([0, 6.9, 7.1, 8], 7, 10, [7.1, 8]),
        ([0, 7.1, 8], 7, 1, [7.1, 8]),
        ([0.1, 0.4, 0.6], 0.5, 10, [0.6]),
        ([-3, -2, 0, 1], 7, 1, [1]),
    ],
)
def test_what_is_no_longer_promised(ages, days, versions, gone):
    taken = [int(NOW - age * DAY * SECOND) for age in ages]
    expected = [int(NOW - age * DAY * SECOND) for age in gone]

    assert superfluous(taken, Promise(days, versions), NOW) == expected


@given(
    st.sets(st.integers(0, NOW), max_size=8),
    st.floats(0.01, 200),
    st.integers(1, 5),
    st.permutations(range(8)),
)
def test_what_is_left_is_all_promised_in_whatever_order(ages, days, versions, order):
    promise = Promise(days, versions)
    taken = [NOW - age for age in ages]
    shuffled = [taken[i] for i in order if i < len(taken)]
    gone = superfluous(shuffled, promise, NOW)
    left = set(taken) - set(gone)

    assert superfluous(left, promise, NOW) == []
    assert set(gone) <= set(taken)
    assert len(left) <= versions
    young = sorted((at for at in taken if NOW - at < days * DAY * SECOND), reverse=True)
    assert set(young[:versions]) <= left | {NOW - int(days * DAY * SECOND)}


# On A and B: one gave way to two (at 10), two to three (at 20). C was away until 50.
STORY = [
    version("B", 10, "one", "c2"),
    version("A", 20, "two", "c3"),
    version("C", 50, "one", "c3"),
]


@pytest.mark.parametrize(
    ("story", "since", "expected"),
    [
        ([], None, []),
        ([], 5, []),
        (STORY, None, ["A two", "C one"]),
        (STORY, 5, ["B one"]),
        (STORY, 10, ["A two", "C one"]),
        (STORY, 15, ["A two", "C one"]),
        # Since 30 nothing has changed: that C heard of it later is no change.
        (STORY, 30, []),
        (STORY, 60, []),
        # What nobody knows the cause of counts for itself.
        ([version("A", 10, "one"), version("B", 11, "two")], None, ["B two"]),
        ([version("A", 10, "one"), version("B", 11, "two")], 5, ["A one"]),
        # The cause of what is let go, or undone, is older than that.
        (
            [
                version("B", 10, "one", "c2"),
                version("B", 30, "two", "c2", Loss.UNMATCHED),
            ],
            None,
            ["B two"],
        ),
        (
            [
                version("B", 10, "one", "c2"),
                version("B", 30, "two", "c2", Loss.UNDONE),
            ],
            20,
            ["B two"],
        ),
        (
            [
                version("B", 10, "one", "c2"),
                version("B", 30, "two", "c3", Loss.DELETED),
            ],
            None,
            ["B two"],
        ),
        # What a crash left in between is only taken when there is nothing else.
        (
            [
                version("B", 10, "half", "c2", sound=False),
                version("B", 12, "one", "c2"),
            ],
            None,
            ["B one", "B half"],
        ),
    ],
)
def test_what_undoing_brings_back(story, since, expected):
    for versions in (story, story[::-1]):
        found = wanted(versions, since)
        assert [f"{one.entry} {one.kept.place}" for one in found] == expected


MANY = st.lists(
    st.builds(
        version,
        st.sampled_from("ABC"),
        st.integers(1, 30),
        st.just("x"),
        st.sampled_from(["", "c1", "c2", "c3"]),
        st.sampled_from(Loss),
        sound=st.booleans(),
    ),
    max_size=8,
)


@given(MANY, st.none() | st.integers(0, 31))
def test_undoing_takes_what_is_kept_and_never_what_was_older(versions, since):
    found = wanted(versions, since)

    assert all(one in versions for one in found)
    if since is not None:
        assert all(one.kept.at_ns > since for one in found)
    elif versions:
        assert found
