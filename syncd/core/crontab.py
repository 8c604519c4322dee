"""Crontabs with a year: ``MINUTE HOUR DAY MONTH WEEKDAY YEAR``, all of which must hold.

They differ from those of ``core/cron``: Monday is 1 and Sunday 7, there is a year and
never a second, and a day must be right by the month *and* by the week. Times are UTC.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

from syncd.errors import BadRequest

LONGEST = 1000
"""Characters of a crontab: every minute can be named in less."""

YEARS = 50
"""How far ahead a moment is looked for: a 29th of February on a Monday needs 40."""

_FIRST = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL")
MONTHS = (*_FIRST, "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

DayTest = Callable[[date], bool]


class Column(Struct, frozen=True):
    """One field of a crontab."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Of its values, from the least on."""


MINUTE = Column("minute", 0, 59)
HOUR = Column("hour", 0, 23)
DAY = Column("day of the month", 1, 31)
MONTH = Column("month", 1, 12, MONTHS)
WEEKDAY = Column("day of the week", 1, 7, WEEKDAYS)

_TERM = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", re.ASCII)
_NTH = re.compile(r"(\w+)#([1-5])|(\w+)L", re.ASCII)
_YEAR = re.compile(r"\*|[12]\d{3}", re.ASCII)


class Crontab(Struct, frozen=True):
    """Moments that come again and again, each at the beginning of a minute."""

    text: str
    """As it was written."""
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    """Of the month; 0 is its last."""
    months: frozenset[int]
    weekdays: frozenset[tuple[int, int]]
    """From Monday, which is 1, and which of the month: 0 any, 6 the last."""
    year: int | None

    def next(self, after: datetime) -> datetime | None:
        """Return the first moment after that one, in UTC; None: none in 50 years."""
        day = after.astimezone(UTC).date()
        last = date(min(day.year + YEARS, date.max.year), 12, 31)
        return next((one for one in self._moments(day, last) if one > after), None)

    def during(self, first: date, last: date) -> list[datetime]:
        """Return every moment of these days, in UTC."""
        return list(self._moments(first, last))

    def _moments(self, first: date, last: date) -> Iterator[datetime]:
        for day in self._days(first, last):
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime.combine(day, time(hour, minute), UTC)

    def _days(self, first: date, last: date) -> Iterator[date]:
        if self.year is not None:
            first = max(first, date(self.year, 1, 1))
            last = min(last, date(self.year, 12, 31))
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            if day.month in self.months and self._falls_on(day):
                yield day

    def _falls_on(self, day: date) -> bool:
        length = calendar.monthrange(day.year, day.month)[1]
        is_last = day.day == length and 0 in self.days
        if not is_last and day.day not in self.days:
            return False
        of_week = day.isoweekday()
        which = {0, (day.day + 6) // 7}
        if day.day + 7 > length:
            which.add(6)
        return any((of_week, one) in self.weekdays for one in which)


def parse(text: str) -> Crontab:
    """Return what a crontab says; raise BadRequest, naming the field.

    Without a year it is for all of them. ``A/N`` goes from A on, ``L`` is the last day
    of a month, ``MON#2`` its second Monday, ``MONL`` its last.
    """
    words = text.upper().split(" ")
    if len(words) not in (5, 6) or "" in words or len(text) > LONGEST:
        raise BadRequest(
            f"{_shown(text)} is no crontab: write minute, hour, day of the month,"
            " month, day of the week (1 is Monday) and perhaps a year, with one space"
            " between them, as in 0 5 * * MON *"
        )
    minute, hour, day, month, weekday, year = [*words, "*"][:6]
    if not _YEAR.fullmatch(year):
        raise BadRequest(
            f"the year cannot be {_shown(year)}; write * or one year, such as 2030"
        )
    return Crontab(
        text=text,
        minutes=tuple(sorted(_values(minute, MINUTE))),
        hours=tuple(sorted(_values(hour, HOUR))),
        days=_days(day),
        months=_values(month, MONTH),
        weekdays=_weekdays(weekday),
        year=None if year == "*" else int(year),
    )


def _days(text: str) -> frozenset[int]:
    terms = text.split(",")
    plain = [term for term in terms if term != "L"]
    found = _values(",".join(plain), DAY, text) if plain else frozenset()
    return found | {0} if "L" in terms else found


def _weekdays(text: str) -> frozenset[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    for term in text.split(","):
        if chosen := _NTH.fullmatch(term):
            which = int(chosen[2] or 6)
            found.add((_value(chosen[1] or chosen[3], WEEKDAY, text), which))
        else:
            found |= {(one, 0) for one in _term(term, WEEKDAY, text)}
    return frozenset(found)


def _values(text: str, column: Column, whole: str = "") -> frozenset[int]:
    return frozenset(
        one for term in text.split(",") for one in _term(term, column, whole or text)
    )


def _term(term: str, column: Column, whole: str) -> list[int]:
    """Return the values of one term, as of ``1-5/2``; raise BadRequest."""
    parts = _TERM.fullmatch(term)
    if parts is None or (parts[1] == "*" and parts[2]) or parts[3] == "0":
        raise _wrong(whole, column)
    if parts[1] == "*":
        first, last = column.least, column.most
    else:
        first = _value(parts[1], column, whole)
        open_end = column.most if parts[3] else first
        last = _value(parts[2], column, whole) if parts[2] else open_end
    if first > last and column is not WEEKDAY:
        raise _wrong(whole, column)
    around = range(first, column.most + 1) if first > last else range(first, last + 1)
    rest = range(column.least, last + 1) if first > last else range(0)
    return [*around, *rest][:: int(parts[3] or 1)]


def _value(word: str, column: Column, whole: str) -> int:
    if word in column.names:
        return column.least + column.names.index(word)
    if len(word) > 2 or not word.isdecimal():
        raise _wrong(whole, column)
    if not column.least <= int(word) <= column.most:
        raise _wrong(whole, column)
    return int(word)


def _wrong(text: str, column: Column) -> BadRequest:
    names = f" or {column.names[0]} to {column.names[-1]}" if column.names else ""
    return BadRequest(
        f"the {column.name} cannot be {_shown(text)}; it goes from {column.least} to"
        f" {column.most}{names}"
    )


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."
