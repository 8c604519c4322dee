"""Moments of the past, as people write them."""

from datetime import datetime

import click
import pytest

from syncd import clock
from syncd.cli.moments import Moment

NOW = datetime(2026, 8, 14, 15, 0).astimezone().timestamp()


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(clock, "timestamp", lambda: NOW)


def moment(text: str) -> float:
    return Moment().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("7d", 604800),
        ("14:30", 1800),
        ("14:59:30", 30),
        ("2026-08-14 14:30", 1800),
        ("2026-08-14T14:30:00", 1800),
        ("2026-08-14", 54000),
        ("2026-08-13 15:00", 86400),
    ],
)
def test_moments(text, ago):
    assert moment(text) == NOW - ago


def test_another_zone():
    assert moment("2026-08-14 12:00+00:00") == moment("2026-08-14 13:00+01:00")


@pytest.mark.parametrize("text", ["", "noon", "1", "25:00", "2026-13-01", "h", "1 y"])
def test_what_is_none(text):
    with pytest.raises(click.BadParameter, match="is no moment; write a time like"):
        moment(text)


@pytest.mark.parametrize("text", ["15:01", "2026-08-15", "9999-12-31"])
def test_what_has_not_come_yet(text):
    with pytest.raises(click.BadParameter, match="has not come yet"):
        moment(text)
