"""Crontabs: when something is to be done next.

The fields are found by ``cronsim``, on clock faces without a time zone; how those
become moments is said here, since a clock that is put forward or back is where
schedules go wrong:

* A schedule of chosen hours goes by the clock's face. A time that is skipped comes
  when the clock has been put forward, and one that comes twice counts the first time.
* A schedule of every hour goes by the time that passes, whatever the clock does.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from cronsim import CronSim, CronSimError
from msgspec import Struct

from syncd.errors import BadRequest

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

LONGEST = 1000
"""Characters of a crontab: every minute and second can be named in less."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Field(NamedTuple):
    """One column of a crontab."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Of its values, from the least on."""


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of the month", 1, 31)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL")
MONTH = Field("month", 1, 12, (*_MONTHS, "AUG", "SEP", "OCT", "NOV", "DEC"))
WEEKDAY = Field(
    "day of the week", 0, 6, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
)
SECOND = Field("second", 0, 59)

FORMS: dict[int, Sequence[Field]] = {
    5: (MINUTE, HOUR, DAY, MONTH, WEEKDAY),
    6: (MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND),
}
"""The columns of a crontab by their number."""

_BOUNDS = re.compile(r"([A-Z]{3}|\d{1,2})-([A-Z]{3}|\d{1,2})(?:/(\d{1,2}))?", re.ASCII)

_SIMULATED = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
"""The order in which cronsim has them."""


class Schedule(Struct, frozen=True):
    """Moments that come again and again."""

    text: str
    """As it was written."""
    columns: str
    """As cronsim reads it."""
    passing: bool
    """Whether it goes by the time that passes, not by the clock's face."""

    def next(self, after: datetime) -> datetime | None:
        """Return the first moment after that one, in its time zone.

        None if there is none in 50 years, or before the end of the calendar. Raise
        ValueError for a time without a zone.
        """
        if after.tzinfo is None:
            raise ValueError("a schedule needs a time with its zone")
        zone, moment = after.tzinfo, after.astimezone(UTC).replace(microsecond=0)
        find = self._passing if self.passing else self._faced
        try:
            return find(moment, zone).astimezone(zone)
        except (OverflowError, StopIteration, ValueError):
            return None

    def _faced(self, after: datetime, zone: tzinfo) -> datetime:
        faces = CronSim(self.columns, _face(after, zone))
        moments = (_first_shown(face, zone) for face in faces)
        return next(moment for moment in moments if moment > after)

    def _passing(self, after: datetime, zone: tzinfo) -> datetime:
        """Go from one change of the clock to the next."""
        moment, face = after, _face(after, zone)
        while True:
            found = next(CronSim(self.columns, face))
            reached = found.replace(tzinfo=UTC) - _offset(moment, zone)
            change = _change(moment, reached, zone)
            if change is None:
                return reached
            moment, face = change, _face(change, zone) - _SECOND


def parse(text: str) -> Schedule:
    """Return the schedule that a crontab says; raise BadRequest, naming the field.

    It has five columns, or a sixth for the seconds, or is a word such as ``@hourly``.
    Where days of the month and of the week are chosen, either will do.
    """
    words = ALIASES.get(text.strip().lower(), text).upper().split()
    if len(words) not in FORMS or len(text) > LONGEST:
        raise BadRequest(
            f"{_shown(text)} is no schedule: it must have 5 fields"
            f" ({', '.join(field.name for field in FORMS[5])}), a sixth for the"
            f" {SECOND.name}, or be one of {', '.join(ALIASES)}"
        )
    given = dict(zip(FORMS[len(words)], words, strict=True))
    plain = {field: _plain(given.get(field, "0"), field) for field in _SIMULATED}
    for field, column in plain.items():
        if not _is_possible({field: column}):
            raise BadRequest(
                f"{_shown(text)}: the {field.name} cannot be {_shown(given[field])};"
                f" it goes from {field.least} to {field.most}"
            )
    if not _is_possible(plain):
        raise BadRequest(
            f"{_shown(text)} never comes: no such {DAY.name} is in its months"
        )
    columns = " ".join(plain.values())
    # A moment that no clock changes at: it only is to be asked for its hours.
    hours = CronSim(columns, datetime(2000, 1, 1)).hours  # noqa: DTZ001
    return Schedule(text, columns, len(hours) == 24)


def _is_possible(columns: dict[Field, str]) -> bool:
    line = " ".join(columns.get(field, "*") for field in _SIMULATED)
    try:
        CronSim(line, datetime(2000, 1, 1))  # noqa: DTZ001
    except (CronSimError, AssertionError, TypeError):
        return False
    return True


def _plain(column: str, field: Field) -> str:
    """Write a column as cronsim takes it."""
    if column == "?" and field in (DAY, WEEKDAY):
        return "*"
    terms = [_term(term, field) for term in column.split(",")]
    return ",".join(terms)


def _term(term: str, field: Field) -> str:
    if field in (DAY, WEEKDAY) and term.startswith("*/"):
        # To cronsim, a star before a step says that any day will do.
        return f"{field.least}-{field.most}{term[1:]}"
    if field is WEEKDAY and re.fullmatch(r"L[0-7]", term, re.ASCII):
        return f"{term[1]}L"
    if bounds := _BOUNDS.fullmatch(term):
        first, last = _value(bounds[1], field), _value(bounds[2], field)
        step = int(bounds[3] or 1)
        if first > last >= field.least and step:
            around = [*range(first, field.most + 1), *range(field.least, last + 1)]
            return ",".join(map(str, around[::step]))
    return term


def _value(word: str, field: Field) -> int:
    """Return what a word stands for; -1 for nothing. Sunday is 7 as well as 0."""
    if word in field.names:
        return field.least + field.names.index(word)
    most = 7 if field is WEEKDAY else field.most
    return int(word) if word.isdecimal() and int(word) <= most else -1


def _face(moment: datetime, zone: tzinfo) -> datetime:
    """Return what a clock in that zone shows."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _first_shown(face: datetime, zone: tzinfo) -> datetime:
    """Return when a clock first shows that time, or the first one after it."""
    moment = face.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _face(moment, zone) == face:
        return moment
    before = face.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(before, moment, zone) or moment


def _change(moment: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """Return when the clock is put forward or back first, from then until then."""
    while moment < until:
        ahead = min(moment + _DAY, until)
        if _offset(ahead, zone) != _offset(moment, zone):
            return _exactly(moment, ahead, zone)
        moment = ahead
    return None


def _exactly(before: datetime, behind: datetime, zone: tzinfo) -> datetime:
    """Return the second of the one change between two moments."""
    offset = _offset(before, zone)
    while behind - before > _SECOND:
        middle = before + ((behind - before) / 2 // _SECOND) * _SECOND
        if _offset(middle, zone) == offset:
            before = middle
        else:
            behind = middle
    return behind


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."
