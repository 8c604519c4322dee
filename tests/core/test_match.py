"""Sizes, durations and criteria as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncd.core.match import Match, duration, named, shown, size

ODD: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text()
    | st.binary()
    | st.just([])
    | st.just({})
    | st.just(10**6000)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (0, 0),
        (4096, 4096),
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("1k", 1000),
        ("1.5k", 1500),
        ("1K", 1000),
        ("2 GB", 2_000_000_000),
        (" 2 Go ", 2_000_000_000),
        ("1MiB", 1_048_576),
        ("1 Mi", 1_048_576),
        ("0.5KiB", 512),
        ("3T", 3 * 10**12),
        ("1Pi", 2**50),
        ("0.1k", 100),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_sizes(text, value):
    assert size(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "MiB",
            "1X",
            "-1",
            "1,5k",
            "1e3",
            "1 M iB",
            "1ii",
            "1iB",
            "٣k",
            "1K\u212a",
        ),
        *(-1, True, 1.5, 1e3, math.nan, None, [], {}, b"1", 2**63, "9999999999P"),
        *("9" * 5000, 10**100),
    ],
)
def test_no_sizes(text):
    with pytest.raises(ValueError, match=r"must be bytes|is more than any file has"):
        size(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (0, 0),
        (90, 90),
        (0.5, 0.5),
        ("30d", 30 * 86400),
        ("12h", 12 * 3600),
        ("1w", 7 * 86400),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 1 d ", 86400),
        ("1.5h", 5400),
        ("10s", 10),
    ],
)
def test_durations(text, value):
    assert duration(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "d", "90", "1y", "1h30", "-1d", "1H", "h1", "1d,2h", "1..5h"),
        *(-1, True, math.nan, math.inf, -math.inf, None, [], {}, 10**12, 10**100),
        *("99999999999999w", "1s" * 11),
    ],
)
def test_no_durations(text):
    with pytest.raises(ValueError, match=r"must be seconds|is more than any file has"):
        duration(text)


@given(ODD)
def test_anything_else_is_refused_in_words(value):
    for read in (size, duration):
        try:
            assert read(value) >= 0
        except ValueError as error:
            assert str(error).encode().isascii()


@given(ODD)
def test_a_wrong_value_is_shown_in_a_few_plain_words(value):
    words = shown(value)

    assert len(words) < 500
    assert words.isascii()
    assert words.isprintable()


def test_a_name_is_quoted_only_if_it_has_to_be():
    assert named("Été") == "Été"
    assert named("a\nb") == r"'a\nb'"
    assert named("") == "''"
    assert named("x" * 100) == "'" + "x" * 40 + "...'"


def test_a_match_knows_what_was_given():
    match = Match.model_validate(
        {
            "mime": "Image/PNG",
            "size": {"min": "1k"},
            "not": {"path": "/a"},
            "from": ["A"],
        }
    )

    assert match.path is None
    assert match.mime == ("image/png",)
    assert match.size is not None
    assert match.size.min == 1000
    assert match.not_ == Match.model_validate({"path": "/a"})
    assert match.from_ == ("A",)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"mime": "png"}, {"mime": "*"}, {"mime": "a/b/c"}, {"mime": "text/a; b=c"}),
        *({"mime": []}, {"mime": ["a/b", "A/b"]}, {"mime": None}, {"mime": [1]}),
        *(
            {"size": {}},
            {"size": 5},
            {"size": {"min": 2, "max": 1}},
            {"size": {"mim": 1}},
        ),
        *({"age": {}}, {"age": {"min": "2d", "max": "1d"}}, {"age": {"min": None}}),
        *({"not": {}}, {"not": None}, {"not": []}, {"not": {"size": {}}}),
        *({"from": []}, {"from": "A"}, {"from": ["A", "A"]}, {"from": [True]}),
        *({"path": None}, {"path": ["/"]}, {"path": "a"}, {"from_": ["A"]}),
    ],
)
def test_no_matches(wrong):
    with pytest.raises(ValidationError):
        Match.model_validate(wrong)


def test_a_match_has_a_schema_for_the_documentation():
    schema = Match.model_json_schema()
    properties = schema["$defs"]["Match"]["properties"]

    assert set(properties) == {"path", "mime", "size", "age", "not", "from"}
