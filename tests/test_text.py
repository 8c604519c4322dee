"""Text for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, \u00e9 \N{GRINNING FACE}", "plain, \u00e9 \N{GRINNING FACE}"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("half \ud800", r"half \ud800"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_it_stays_on_one_line(text):
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
