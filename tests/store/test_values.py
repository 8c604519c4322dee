"""What texts of a query are read as."""

import pytest

from syncd.errors import BadRequest
from syncd.store import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:01", 60.0),
        ("1970-01-01 00:00:01.5", 1.5),
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T01:00:00 01:00", 0.0),
        (" 1970-01-01 ", 0.0),
    ],
)
def test_moments(text, seconds):
    assert values.moment(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1970", "1970-1-1", "1970-02-30", "00:00"])
def test_what_is_no_moment(text):
    with pytest.raises(BadRequest, match="must be in YYYY-MM-DD"):
        values.moment(text)


def test_numbers():
    assert values.whole(" -12 ") == -12
    assert values.number("1.5") == 1.5
    assert values.number_of("Null", "client") is None
    with pytest.raises(BadRequest):
        values.whole("1.0")


def test_a_pattern_takes_no_longer_than_its_text():
    values.pattern("(a+)+$")

    assert values.matches("(a+)+$", "a" * 50_000 + "b") == 0
    assert values.matches("a$", "ba") == 1
    assert values.matches("a$", None) is None
