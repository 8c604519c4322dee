"""Crontabs: what they say, and when it comes, whatever the clock does."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.cron import ALIASES, parse
from syncd.errors import BadRequest

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")
"""Midnight comes twice, or not at all."""
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""The clock is put forward and back by half an hour."""
MINUTE = timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)


def local(*when: Any, zone=UTC, fold=0) -> datetime:
    return datetime(*when).replace(tzinfo=zone, fold=fold)  # noqa: DTZ001


def coming(text: str, after: datetime, count: int = 3) -> list[str]:
    schedule, found = parse(text), []
    for _ in range(count):
        after = schedule.next(after) or NEVER
        found.append(f"{after:%m-%d %a %H:%M:%S}")
    return found


# What it says: as the original's library reads it.

MIDNIGHT = local(2026, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "0 * * * *",
        "*/10 * * * *",
        "5/15 * * * *",
        "1,2,30-40/3 4 * * *",
        "0 22-3 * * *",
        "10-5/2 * * * *",
        "0 0 * * FRI-MON",
        "0 0 * * sun-tue",
        "0 0 * * 5-7",
        "0 0 * * 6-1",
        "0 0 * * 7",
        "0 0 * jan-mar *",
        "0 0 1 nov-feb *",
        "0 0 13 * FRI",
        "0 0 */2 * MON",
        "0 0 13 * */3",
        "0 0 ? * MON",
        "0 0 13 * ?",
        "0 0 L * *",
        "0 0 * * L5",
        "0 0 * * 5#2",
        "0 0 29 2 *",
        "*/5 * * * * 30",
        "* * * * * */20",
        *ALIASES,
        "@Hourly",
    ],
)
def test_it_means_what_it_meant(text):
    theirs = croniter(ALIASES.get(text.lower(), text), MIDNIGHT)
    expected = [f"{theirs.get_next(datetime):%m-%d %a %H:%M:%S}" for _ in range(30)]

    assert coming(text, MIDNIGHT, 30) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no schedule"),
        ("None", "'None' is no schedule"),
        ("* * * *", "it must have 5 fields"),
        ("* * * * * * *", "it must have 5 fields"),
        ("@reboot", "be one of @yearly"),
        ("0 " * 600, "is no schedule"),
        ("60 * * * *", "the minute cannot be '60'; it goes from 0 to 59"),
        ("* 24 * * *", "the hour cannot be '24'"),
        ("* 24-3 * * *", "the hour cannot be '24-3'"),
        ("* 22-3/0 * * *", "the hour cannot be '22-3/0'"),
        ("* * 0 * *", "the day of the month cannot be '0'"),
        ("* * 5-0 * *", "the day of the month cannot be '5-0'"),
        ("* * 32 * *", "the day of the month cannot be '32'"),
        ("* * * 13 *", "the month cannot be '13'"),
        ("* * * MAY-FOO *", "the month cannot be 'MAY-FOO'"),
        ("* * * * 8", "the day of the week cannot be '8'"),
        ("* * * * 9-1", "the day of the week cannot be '9-1'"),
        ("* * * * * 60", "the second cannot be '60'"),
        ("*/0 * * * *", "the minute cannot be '*/0'"),
        ("1, * * * *", "the minute cannot be '1,'"),
        ("-1 * * * *", "the minute cannot be '-1'"),
        ("٣ * * * *", "the minute cannot be"),
        ("? * * * *", "the minute cannot be '?'"),
        ("R * * * *", "the minute cannot be 'R'"),
        ("1#2 * * * *", "the minute cannot be '1#2'"),
        ("* * * * 1#6", "the day of the week cannot be '1#6'"),
        ("* * * * 1#2/2", "the day of the week cannot be"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(BadRequest) as refused:
        parse(text)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_schedule_keeps_its_words():
    assert parse("@hourly").text == "@hourly"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        parse("@hourly").next(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_search_ends():
    # The fifth Monday of February was in 2016 last, and is in 2044 next; 50 years.
    assert parse("0 0 * 2 MON#5").next(MIDNIGHT) == local(2044, 2, 29)
    assert parse("0 0 29 2 *").next(local(9999, 1, 1)) is None
    assert parse("* * 29 2 *").next(local(9999, 1, 1)) is None
    assert parse("0 0 * * *").next(local(9999, 12, 31, 12)) is None
    assert parse("0 * * * *").next(local(9999, 12, 31, 23, zone=BERLIN)) is None


def test_parts_of_a_second_are_cut_off():
    just_before = local(2026, 1, 1) - timedelta(microseconds=1)

    assert parse("0 0 * * *").next(just_before) == MIDNIGHT
    assert parse("@hourly").next(just_before) == MIDNIGHT
    assert coming("0 0 * * *", MIDNIGHT + timedelta(microseconds=1), 1) == [
        "01-02 Fri 00:00:00"
    ]


# Where the clock is put forward or back.


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("30 2 * * *", local(2026, 3, 28, 12, zone=BERLIN), ["29 03:00", "30 02:30"]),
        ("*/20 2 * * *", local(2026, 3, 29, zone=BERLIN), ["29 03:00", "30 02:00"]),
        ("0 2,3 * * *", local(2026, 3, 29, zone=BERLIN), ["29 03:00", "30 02:00"]),
        ("0 */2 * * *", local(2026, 3, 29, zone=BERLIN), ["29 03:00", "29 04:00"]),
        ("30 * * * *", local(2026, 3, 29, 1, zone=BERLIN), ["29 01:30", "29 03:30"]),
        ("30 2 * * *", local(2026, 10, 24, 12, zone=BERLIN), ["25 02:30", "26 02:30"]),
        ("*/40 2 * * *", local(2026, 10, 25, zone=BERLIN), ["25 02:00", "25 02:40"]),
        ("0 * * * *", local(2026, 10, 25, 1, zone=BERLIN), ["25 02:00", "25 02:00"]),
        ("0 0 * * *", local(2026, 3, 7, 12, zone=HAVANA), ["08 01:00", "09 00:00"]),
        ("0 0 * * *", local(2026, 10, 31, 12, zone=HAVANA), ["01 00:00", "02 00:00"]),
        ("15 * 1 11 *", local(2026, 11, 1, 0, 30, zone=HAVANA), ["01 00:15"]),
    ],
)
def test_clocks_that_change(text, after, expected):
    found = [words.split() for words in coming(text, after, len(expected))]

    assert [f"{day[3:]} {time[:5]}" for day, _, time in found] == expected


def test_the_second_time_does_not_count():
    twice = local(2026, 10, 25, 2, 10, zone=BERLIN, fold=1)

    assert parse("30 2 * * *").next(twice) == local(2026, 10, 26, 2, 30, zone=BERLIN)


def test_years_away_the_passing_time_is_found_too():
    # The clock changes twice between; the wanted times are in the summer's offset.
    winter = local(2026, 1, 1, zone=BERLIN)

    assert parse("30 * 1 7 *").next(winter) == local(2026, 7, 1, 0, 30, zone=BERLIN)
    assert parse("30 * 31 12 *").next(winter) == local(2026, 12, 31, 0, 30, zone=BERLIN)


def test_a_fixed_offset_is_a_zone():
    zone = timezone(timedelta(hours=-9, minutes=-30))

    found = parse("0 0 * * *").next(local(2026, 1, 1, zone=zone))

    assert found == local(2026, 1, 2, zone=zone)


# Against looking at every minute.


def numbers(least: int, most: int):
    chosen = st.frozensets(st.integers(least, most), min_size=1, max_size=4)
    return st.none() | chosen


def column(values) -> str:
    return "*" if values is None else ",".join(map(str, sorted(values)))


CHANGES = [
    local(2026, 3, 29, 1, zone=UTC),
    local(2026, 10, 25, 1, zone=UTC),
    local(2026, 3, 8, 5, zone=UTC),
    local(2026, 11, 1, 5, zone=UTC),
    local(2026, 10, 3, 15, 30, zone=UTC),
    local(2026, 4, 4, 15, zone=UTC),
    local(2026, 7, 1, 12, zone=UTC),
]


def shows(moment: datetime, zone) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def by_looking(fields, after: datetime, zone) -> datetime | None:
    """Return the first minute that is meant, of the next three days."""
    minutes, hours, days, weekdays = fields

    def is_meant(face: datetime) -> bool:
        by_day = days is None or face.day in days
        by_weekday = weekdays is None or face.isoweekday() % 7 in weekdays
        either = days is not None and weekdays is not None
        return (
            (minutes is None or face.minute in minutes)
            and (hours is None or face.hour in hours)
            and ((by_day or by_weekday) if either else (by_day and by_weekday))
        )

    moment = after.astimezone(UTC).replace(second=0)
    for _ in range(3 * 24 * 60):
        before, moment = moment, moment + MINUTE
        face = shows(moment, zone)
        # What the clock leaps over comes at the first minute behind.
        leapt = int((face - shows(before, zone)) / MINUTE)
        if hours is None or len(hours) == 24:
            if is_meant(face):
                return moment
        elif any(is_meant(face - n * MINUTE) for n in range(leapt)) and not (
            moment.astimezone(zone).fold
        ):
            return moment
    return None


HOURS = numbers(0, 23) | st.sampled_from([frozenset({n}) for n in range(4)])
ZONES = st.sampled_from([BERLIN, HAVANA, LORD_HOWE, UTC])


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(numbers(0, 59), HOURS, numbers(1, 31), numbers(0, 6)),
    ZONES,
    st.sampled_from(CHANGES),
    st.integers(-2000, 200),
)
def test_it_comes_when_looking_says(fields, zone, near, ahead):
    after = (near + ahead * MINUTE).astimezone(zone)
    *days, weekday = map(column, fields)

    found = parse(" ".join([*days, "*", weekday])).next(after)

    seen = by_looking(fields, after, zone)
    if seen is None:
        assert found is None or found - after > timedelta(days=3) - MINUTE
    else:
        assert found is not None
        assert found.astimezone(UTC) == seen


@settings(max_examples=50, deadline=None)
@given(
    numbers(0, 59),
    numbers(0, 59),
    st.sampled_from(CHANGES),
    st.integers(-7200, 3600),
)
def test_seconds_come_when_looking_says(seconds, minutes, near, ahead):
    after = (near + timedelta(seconds=ahead)).astimezone(BERLIN)
    text = f"{column(minutes)} * * * * {column(seconds)}"

    moment = after
    while True:
        moment = (moment.astimezone(UTC) + timedelta(seconds=1)).astimezone(BERLIN)
        right = minutes is None or moment.minute in minutes
        if right and (seconds is None or moment.second in seconds):
            break

    assert parse(text).next(after) == moment


@given(st.text() | st.text("0123456789*/-,#LW? ") | st.text("@hourlydaily"))
def test_any_text_is_read_or_refused(text):
    try:
        schedule = parse(text)
    except BadRequest:
        return
    found = schedule.next(MIDNIGHT)
    assert found is None or found > MIDNIGHT
