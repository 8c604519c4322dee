"""Moments of the past, as people write them."""

from datetime import datetime
from typing import Any

import click

from syncd import clock
from syncd.core import match

FORMS = (
    "a time like 14:30 or '2026-08-14 14:30', or how long ago, like 90s, 15m, 1h30m or"
    " 7d"
)


class Moment(click.ParamType[float]):
    """A moment as seconds since 1970; times are local."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the moment; refuse what is none, or has not come yet."""
        now = clock.timestamp()
        moment = _ago(value, now)
        if moment is None:
            moment = _of_today(value, now)
        if moment is None:
            moment = _of_a_day(value)
        if moment is None:
            self.fail(f"{value!r} is no moment; write {FORMS}", param, ctx)
        if moment > now:
            self.fail(f"{value!r} has not come yet", param, ctx)
        return moment


def _ago(text: str, now: float) -> float | None:
    try:
        return now - match.duration(text)
    except ValueError:
        return None


def _of_today(text: str, now: float) -> float | None:
    today = datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d")
    return _of_a_day(f"{today} {text}")


def _of_a_day(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
