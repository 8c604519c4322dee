"""Each criterion by itself, and when time changes the answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.criteria import Criteria, Subject
from syncd.core.file import Kind
from syncd.core.match import Match

SLOTS = {"A": 0, "B": 1, "C": 2}
DAY = 86_400
NOW = 1_700_000_000.0
PHOTO = Subject(
    path="photos/a.png",
    kind=Kind.FILE,
    size=1000,
    mtime_ns=int(NOW - 10 * DAY) * 10**9,
    mime="image/png",
    origin=0b001,
)
FOLDER = replace(PHOTO, kind=Kind.DIRECTORY, mime=None)
LINK = replace(PHOTO, kind=Kind.LINK, mime=None)
UNKNOWN = replace(PHOTO, mime=None)


def criteria(**match) -> Criteria:
    written = {key.rstrip("_"): value for key, value in match.items()}
    return Criteria(Match.model_validate(written), SLOTS)


@pytest.mark.parametrize(
    ("match", "subject", "truth"),
    [
        ({}, PHOTO, True),
        ({}, FOLDER, True),
        ({"path": "/photos"}, PHOTO, True),
        ({"path": "/photo"}, PHOTO, False),
        ({"mime": "image/png"}, PHOTO, True),
        ({"mime": ["text/plain", "image/*"]}, PHOTO, True),
        ({"mime": "*/png"}, PHOTO, True),
        ({"mime": "image/p"}, PHOTO, False),
        ({"mime": "IMAGE/PNG"}, replace(PHOTO, mime="image/PNG"), True),
        ({"mime": "image/*"}, UNKNOWN, None),
        ({"mime": "*/*"}, FOLDER, False),
        ({"mime": "*/*"}, LINK, False),
        ({"mime": "image/*", "path": "/x"}, UNKNOWN, False),
        ({"mime": "image/*", "path": "/photos"}, UNKNOWN, None),
        ({"mime": "image/*", "not": {"path": "/photos"}}, UNKNOWN, False),
        ({"mime": "image/*", "not": {"path": "/x"}}, UNKNOWN, None),
        ({"not": {"mime": "image/*"}}, PHOTO, False),
        ({"not": {"mime": "image/*"}}, UNKNOWN, None),
        ({"not": {"mime": "image/*"}}, FOLDER, True),
        ({"not": {"mime": "image/*", "path": "/x"}}, UNKNOWN, True),
        ({"not": {"mime": "image/*", "path": "/photos"}}, UNKNOWN, None),
        ({"not": {"not": {"path": "/photos"}}}, PHOTO, True),
        ({"path": "/photos", "not": {"path": "/photos/a.png"}}, PHOTO, False),
        ({"path": "/photos", "not": {"path": "/photos/b.png"}}, PHOTO, True),
        ({"size": {"min": 1000}}, PHOTO, True),
        ({"size": {"max": 1000}}, PHOTO, True),
        ({"size": {"min": 1001}}, PHOTO, False),
        ({"size": {"max": 999}}, PHOTO, False),
        ({"size": {"max": 2000}}, FOLDER, False),
        ({"size": {"max": 2000}}, LINK, True),
        ({"age": {"min": "10d"}}, PHOTO, True),
        ({"age": {"min": "10d1s"}}, PHOTO, False),
        ({"age": {"max": "10d"}}, PHOTO, True),
        ({"age": {"max": "9d"}}, PHOTO, False),
        ({"age": {"max": "20d"}}, FOLDER, False),
        ({"age": {"min": 0}}, FOLDER, False),
        ({"age": {"max": 0}}, replace(PHOTO, mtime_ns=int(NOW + DAY) * 10**9), True),
        ({"age": {"min": 0}}, replace(PHOTO, mtime_ns=int(NOW + DAY) * 10**9), False),
        ({"from": ["A"]}, PHOTO, True),
        ({"from": ["B"]}, PHOTO, False),
        ({"from": ["B", "C"]}, replace(PHOTO, origin=0b101), True),
        ({"from": ["gone"]}, PHOTO, False),
        ({"from": ["gone", "A"]}, PHOTO, True),
    ],
)
def test_what_holds(match, subject, truth):
    assert criteria(**match).holds(subject, NOW) is truth


def test_the_answer_changes_when_it_says_so():
    young = criteria(age={"min": "20d", "max": "30d"})

    assert young.turns(PHOTO, NOW) == NOW + 10 * DAY
    end = young.turns(PHOTO, NOW + 10 * DAY)
    assert end == math.nextafter(NOW + 20 * DAY, math.inf)
    assert young.turns(PHOTO, end) is None


@pytest.mark.parametrize(
    ("match", "subject"),
    [
        ({"path": "/photos"}, PHOTO),
        ({"age": {"min": "1d"}}, PHOTO),
        ({"age": {"max": "1d"}}, PHOTO),
        ({"age": {"min": "99d"}}, FOLDER),
        ({"age": {"min": "99d"}, "path": "/x"}, PHOTO),
        ({"age": {"min": "99d"}, "not": {"path": "/photos"}}, PHOTO),
        ({"not": {"age": {"min": "99d"}, "path": "/x"}}, PHOTO),
        ({"not": {"age": {"min": "99d"}}, "mime": "text/*"}, PHOTO),
    ],
)
def test_what_time_never_changes(match, subject):
    assert criteria(**match).turns(subject, NOW) is None


def test_a_type_not_known_yet_may_still_make_time_matter():
    assert criteria(mime="image/*", age={"min": "99d"}).turns(UNKNOWN, NOW) is not None


SECONDS = st.integers(0, 100)
AGES = st.builds(
    lambda one, other: {"min": min(one, other), "max": max(one, other)},
    SECONDS,
    SECONDS,
)
MATCHES = st.recursive(
    st.builds(lambda age: {"age": age}, AGES)
    | st.builds(lambda low: {"age": {"min": low}}, SECONDS),
    lambda inner: (
        st.builds(lambda no, age: {"not": no, "age": age}, inner, AGES)
        | st.builds(lambda no: {"not": no}, inner)
    ),
    max_leaves=4,
)


@given(MATCHES, st.integers(-100, 100), st.floats(0, 300, width=32))
def test_nothing_changes_before_the_time_told(match, modified, now):
    subject = replace(PHOTO, mtime_ns=modified * 10**9)
    ready = criteria(**match)
    before = ready.holds(subject, now)
    told = ready.turns(subject, now)
    until = 400.0 if told is None else math.nextafter(told, -math.inf)

    for moment in (now, (now + until) / 2, until):
        assert ready.holds(subject, moment) is before


def test_who_wants_a_type():
    assert criteria(mime="a/b").wants_mime
    assert criteria(not_={"not": {"mime": "a/b"}}).wants_mime
    assert not criteria(path="/").wants_mime
