"""Crontabs with a year: what they say, when that comes, and that the search ends."""

import calendar
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.core.crontab import MONTHS, WEEKDAYS, parse
from syncd.errors import BadRequest

NOVEMBER = datetime(2018, 11, 23, 21, 0, tzinfo=UTC)
"""A Friday."""


def coming(text: str, count: int = 3, after: datetime = NOVEMBER) -> list[str]:
    found = []
    crontab = parse(text)
    for _ in range(count):
        moment = crontab.next(after)
        if moment is None:
            break
        after = moment
        found.append(f"{moment:%Y-%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/1 * * * * *", ["2018-11-23T21:01", "2018-11-23T21:02", "2018-11-23T21:03"]),
        ("0 5 * * MON *", ["2018-11-26T05:00", "2018-12-03T05:00", "2018-12-10T05:00"]),
        ("0 5 * * mon", ["2018-11-26T05:00", "2018-12-03T05:00", "2018-12-10T05:00"]),
        ("0 5 * * 1", ["2018-11-26T05:00", "2018-12-03T05:00", "2018-12-10T05:00"]),
        (
            "0 5 * * MON 2019",
            ["2019-01-07T05:00", "2019-01-14T05:00", "2019-01-21T05:00"],
        ),
        ("0 5 * * MON 2017", []),
        (
            "0/15 * * * * *",
            ["2018-11-23T21:15", "2018-11-23T21:30", "2018-11-23T21:45"],
        ),
        (
            "0 0 1/14 * * *",
            ["2018-11-29T00:00", "2018-12-01T00:00", "2018-12-15T00:00"],
        ),
        ("0 0 */9 * * *", ["2018-11-28T00:00", "2018-12-01T00:00", "2018-12-10T00:00"]),
        ("0 5 1 * MON *", ["2019-04-01T05:00", "2019-07-01T05:00", "2020-06-01T05:00"]),
        (
            "0 5 * * MON#1 *",
            ["2018-12-03T05:00", "2019-01-07T05:00", "2019-02-04T05:00"],
        ),
        (
            "0 5 * * FRIL *",
            ["2018-11-30T05:00", "2018-12-28T05:00", "2019-01-25T05:00"],
        ),
        ("0 0 L * *", ["2018-11-30T00:00", "2018-12-31T00:00", "2019-01-31T00:00"]),
        ("0 0 15,L 2 *", ["2019-02-15T00:00", "2019-02-28T00:00", "2020-02-15T00:00"]),
        (
            "0 5 * * SAT-MON *",
            ["2018-11-24T05:00", "2018-11-25T05:00", "2018-11-26T05:00"],
        ),
        ("0 5 * * 7 *", ["2018-11-25T05:00", "2018-12-02T05:00", "2018-12-09T05:00"]),
        ("1,3 2-4/2 * jan-feb *", ["2019-01-01T02:01", "2019-01-01T02:03"]),
        ("0 0 31 2 * *", []),
    ],
)
def test_what_it_means(text, expected):
    assert coming(text, len(expected) or 1) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("garbage", "is no crontab"),
        ("", "is no crontab"),
        ("@daily", "is no crontab"),
        ("* * * * * * *", "is no crontab"),
        ("*  * * * *", "with one space between them"),
        ("* * * *", "as in 0 5 * * MON *"),
        ("0 " * 600, "is no crontab"),
        ("60 * * * * *", "the minute cannot be '60'; it goes from 0 to 59"),
        ("* 24 * * * *", "the hour cannot be '24'"),
        ("* * 0 * * *", "the day of the month cannot be '0'"),
        ("* * ? * * *", "the day of the month cannot be '?'"),
        ("* * LW * * *", "the day of the month cannot be 'LW'"),
        ("* * 1W * * *", "the day of the month cannot be '1W'"),
        ("* * L,32 * * *", "the day of the month cannot be 'L,32'"),
        ("* * * 13 * *", "the month cannot be '13'; it goes from 1 to 12 or JAN to"),
        ("* * * MON * *", "the month cannot be 'MON'"),
        ("* * * * 0 *", "the day of the week cannot be '0'"),
        ("* * * * 8 *", "the day of the week cannot be '8'"),
        ("* * * * MON#6 *", "the day of the week cannot be"),
        ("* * * * XL *", "the day of the week cannot be"),
        ("10-5 * * * * *", "the minute cannot be '10-5'"),
        ("*/0 * * * * *", "the minute cannot be '*/0'"),
        ("*-5 * * * * *", "the minute cannot be '*-5'"),
        ("1, * * * * *", "the minute cannot be '1,'"),
        ("5abc * * * * *", "the minute cannot be"),
        ("\u0663 * * * * *", "the minute cannot be"),
        ("* * * * * 2018-2019", "the year cannot be '2018-2019'"),
        ("* * * * * 9999999", "write * or one year"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(BadRequest) as refused:
        parse(text)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


def test_every_moment_of_a_month():
    crontab = parse("0 5 * * MON *")
    told = crontab.during(date(2026, 11, 1), date(2026, 11, 30))

    assert [f"{one:%d %H:%M}" for one in told] == [
        f"{day:02} 05:00" for day in (2, 9, 16, 23, 30)
    ]
    minutes = parse("*/1 * * * * *").during(date(2026, 11, 1), date(2026, 11, 30))
    assert len(minutes) == 30 * 24 * 60


def test_it_keeps_its_words():
    assert parse("0 5 * * mon").text == "0 5 * * mon"


def test_the_end_of_the_calendar():
    assert parse("0 0 * * *").next(datetime(9999, 12, 31, tzinfo=UTC)) is None


def terms(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Return well-formed fields."""
    number = st.integers(least, most)
    plain = number.map(str) | (st.sampled_from(names) if names else st.nothing())
    # What croniter makes of 0-0/1 is every value, so no span is of one.
    pairs = st.tuples(number, number).filter(lambda two: two[0] < two[1])
    spans = pairs.map(lambda two: f"{two[0]}-{two[1]}")
    steps = st.tuples(st.just("*") | spans, st.integers(1, most)).map(
        lambda two: f"{two[0]}/{two[1]}"
    )
    one = plain | spans | steps
    return st.just("*") | st.lists(one, min_size=1, max_size=3).map(",".join)


MOMENTS = st.integers(946_684_800, 3_786_912_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
"""From 2000 to 2089."""
FIELDS = st.tuples(
    terms(0, 59),
    terms(0, 23),
    terms(1, 31),
    terms(1, 12, MONTHS),
    terms(1, 7, WEEKDAYS),
)


@given(words=FIELDS, after=MOMENTS)
@settings(max_examples=200, deadline=None)
def test_it_is_what_others_say_where_days_go_by_one_of_both(words, after):
    minute, hour, day, month, _ = words
    text = f"{minute} {hour} {day} {month} *"
    theirs = croniter(text, after, max_years_between_matches=60)
    try:
        expected = theirs.get_next(datetime)
    except Exception:  # noqa: BLE001 - whatever it says of days that never come
        expected = None
    found = parse(text).next(after)
    if found is None:
        assert expected is None or expected.year > after.year + 49
    else:
        assert found == expected


def matches(crontab: Any, moment: datetime) -> bool:
    """Tell the same in another way: by looking at one moment."""
    last = calendar.monthrange(moment.year, moment.month)[1]
    return (
        moment.minute in crontab.minutes
        and moment.hour in crontab.hours
        and (moment.day in crontab.days or (0 in crontab.days and moment.day == last))
        and moment.month in crontab.months
        and any(
            day == moment.isoweekday()
            and (
                which == 0
                or (which == 6 and moment.day > last - 7)
                or (which - 1) * 7 < moment.day <= which * 7
            )
            for day, which in crontab.weekdays
        )
        and crontab.year in (None, moment.year)
    )


@given(
    words=FIELDS,
    day=st.sampled_from(["", ",L"]),
    weekday=st.sampled_from(["", ",MON#2", ",SUNL"]),
    after=MOMENTS,
)
@example(words=("0", "0", "1", "1", "1"), day=",L", weekday=",SUNL", after=NOVEMBER)
@settings(max_examples=100, deadline=None)
def test_nothing_is_left_out_and_nothing_is_added(words, day, weekday, after):
    columns = [*words]
    columns[2] += day
    columns[4] += weekday
    crontab = parse(" ".join(columns))

    found = crontab.next(after)

    until = min(found or after + timedelta(days=2), after + timedelta(days=2))
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment < until:
        assert not matches(crontab, moment)
        moment += timedelta(minutes=1)
    if found is not None:
        assert matches(crontab, found)
        assert (found.second, found.microsecond) == (0, 0)
        assert found > after


@given(text=st.text(alphabet="0123456789*/-,#LWMONSAT ?", max_size=30))
@settings(max_examples=500)
def test_whatever_is_written_is_read_or_refused(text):
    try:
        crontab = parse(text)
    except BadRequest:
        return
    assert crontab.minutes
    assert crontab.hours
    assert crontab.days
    assert crontab.weekdays
