"""Figures, names and times for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli import show


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, ""),
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 * 2**20, "10 MiB"),
        (123_456_789, "118 MiB"),
        (2**40, "1 TiB"),
        (2**63, "8192 PiB"),
    ],
)
def test_amounts(size: int | None, words: str):
    assert show.amount(size) == words


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "file", "0 files"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
        (12345, "file", "12,345 files"),
    ],
)
def test_counts(number: int, noun: str, words: str):
    assert show.counted(number, noun) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [([], "none"), (["A"], "A"), (["A", "B"], "A and B"), ([*"ABC"], "A, B and C")],
)
def test_lists(names: list[str], words: str):
    assert show.listed(names) == words


@given(st.text())
def test_what_is_shown_stays_on_its_line(text: str):
    assert show.printable(text).isprintable()


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"])))
def test_what_can_be_shown_is_not_changed(text: str):
    assert show.printable(text) == text


def test_moments(monkeypatch: pytest.MonkeyPatch):
    assert show.moment(None) == ""
    assert show.moment(86_400 * 365)[:4] in ("1970", "1971")
