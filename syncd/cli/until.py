"""Moments to come, as people write them."""

from datetime import datetime
from typing import Any

import click

from syncd import clock
from syncd.core import match


class Until(click.ParamType[float]):
    """A moment that has not come yet as seconds since 1970; times are local."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the moment; refuse what is none, or is over."""
        now = clock.timestamp()
        try:
            moment = now + match.duration(value)
        except ValueError:
            try:
                moment = datetime.fromisoformat(value).astimezone().timestamp()
            except (ValueError, OverflowError, OSError):
                self.fail(
                    f"{value!r} is no moment; write a day like 2026-12-31 or how long,"
                    " like 12h or 90d",
                    param,
                    ctx,
                )
        if moment <= now:
            self.fail(f"{value!r} is over", param, ctx)
        return moment
