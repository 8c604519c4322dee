"""Eviction policies: the grammar's own examples, and what no policy may do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.retention import (
    LARGEST,
    UNITS,
    Candidate,
    Intervals,
    calendar,
    decide,
    parse,
)
from syncd.errors import BadRequest

HOUR, DAY = 3600, 86_400
BERLIN = ZoneInfo("Europe/Berlin")


def at(*when: Any) -> float:
    return datetime(*when).replace(tzinfo=UTC).timestamp()  # noqa: DTZ001


def vault(made: float, **more) -> Candidate:
    return Candidate(**{"vault": f"{made:020.3f}", "made": made, **more})


def split(policy, vaults, now):
    """Return the times of what goes, newest first, and of what stays."""
    times = {one.vault: one.made for one in vaults}
    decisions = decide(policy, vaults, now)
    gone = [times[one.vault] for one in decisions if not one.keep]
    return gone, [times[one.vault] for one in decisions if one.keep]


def gone(policy: str, times, now, **more):
    return split(parse(policy), [vault(time, **more) for time in times], now)[0]


def kept(policy: str, times, now, **more):
    return split(parse(policy), [vault(time, **more) for time in times], now)[1]


def only(decisions, vault):
    return next(one for one in decisions if one.vault == vault)


# The worked examples.


def test_a_policy_of_five_rules_is_read():
    policy = parse("0/1h,3d/1d,7d/7d,1m/1m,1y/delete")

    assert isinstance(policy, Intervals)
    assert [(rule.start, rule.window) for rule in policy.rules] == [
        (0, HOUR),
        (3 * DAY, DAY),
        (7 * DAY, 7 * DAY),
        (30 * DAY, 30 * DAY),
        (360 * DAY, None),
    ]


def test_one_of_each_day_stays():
    now = at(2026, 1, 15, 12)
    times = [now - 1, now - HOUR - 1, now - 2 * HOUR - 1, now - DAY - 1]

    assert gone("0/1d", times, now) == [times[1], times[2]]


def test_weeks_begin_on_mondays():
    days = [10, 12, 14, 21, 19, 22]
    times = [at(2017, 1, day) for day in days]

    left = [at(2017, 1, day) for day in (21, 19, 12, 10)]
    assert gone("0/7d", times, at(2017, 1, 23)) == left


def test_windows_around_the_first_monday_are_cut_off_towards_zero():
    times = range(HOUR, 2 * DAY + 1, HOUR)

    stay = [172_800, 169_200, 165_600, 162_000, 158_400, 86_400]
    assert kept("0/1h,4h/1d", times, 2 * DAY) == stay


def test_what_is_too_old_goes():
    assert gone("1h/delete", [7200, 3600], 7205) == [3600]


def test_a_month_is_a_window_of_thirty_days():
    times = [
        at(2016, 6, day, hour, minute)
        for day in range(2, 31)
        for hour, minute in [(13, 0), (13, 20), (15, 0), (16, 0)]
    ]

    left = [at(2016, 6, 30, 16)]
    assert kept("0/1h,1d/7d,1m/1m", times, at(2017, 9, 21)) == left


HOURLY = [at(2026, 1, 5, 13) + n * HOUR for n in range(240)]
NOW = at(2026, 1, 15, 12, 30)
NEWEST = at(2026, 1, 15, 12)


def nights(first: int, last: int) -> list[float]:
    return [at(2026, 1, day, 23) for day in range(last, first - 1, -1)]


def hours_from(*when: int) -> list[float]:
    return [time for time in reversed(HOURLY) if time >= at(*when)]


@pytest.mark.parametrize(
    ("policy", "stay"),
    [
        ("0/1d,7d/delete", [NEWEST, *nights(8, 14)]),
        ("0/7d", [NEWEST, *nights(11, 11)]),
        ("1d/1d,1m/delete", [*hours_from(2026, 1, 14, 12), *nights(5, 13)]),
        ("1d/7d", [*hours_from(2026, 1, 14, 12), *nights(11, 11)]),
        (
            "0/1h,3d/1d,7d/7d,1m/1m,1y/delete",
            [*hours_from(2026, 1, 12, 12), *nights(8, 11)],
        ),
        ("7d/delete", hours_from(2026, 1, 8, 13)),
        ("3/delete", hours_from(2026, 1, 15, 10)),
    ],
)
def test_hourly_backups_of_ten_days(policy, stay):
    assert kept(policy, HOURLY, NOW) == stay


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        ("0/1d,7d/delete", 8),
        ("0/7d", 2),
        ("1d/1d,1m/delete", 34),
        ("1d/7d", 26),
        ("0/1h,3d/1d,7d/7d,1m/1m,1y/delete", 77),
        ("7d/delete", 168),
    ],
)
def test_so_many_stay(policy, count):
    assert len(kept(policy, HOURLY, NOW)) == count


@pytest.mark.parametrize("policy", ["1min/delete", " 1min/delete "])
def test_the_newest_stays_although_it_is_too_old(policy):
    # The original keeps none.
    assert kept(policy, HOURLY, NOW) == [NEWEST]


FOUR = [at(2026, 1, 14, hour) for hour in (1, 5, 9, 23)]


def test_a_pinned_vault_is_not_the_one_of_its_window():
    vaults = [vault(time) for time in FOUR[:3]] + [vault(FOUR[3], pinned="mine")]

    assert split(parse("0/1d"), vaults, NOW) == ([FOUR[1], FOUR[0]], FOUR[3:1:-1])


def test_a_pinned_vault_stays_whatever_their_number():
    # The original drops the pinned one, too.
    vaults = [vault(FOUR[0], pinned=""), *(vault(time) for time in FOUR[1:])]

    assert split(parse("2/delete"), vaults, NOW)[0] == [FOUR[1]]


def test_pinned_ones_do_not_count_among_the_newest():
    vaults = [*(vault(time) for time in FOUR[:3]), vault(FOUR[3], pinned="mine")]

    assert split(parse("2/delete"), vaults, NOW)[0] == [FOUR[0]]


# What is refused, and the original took.


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("3/delete,7d/delete", "'3' lacks a unit"),
        ("7d/delete,3/delete", "'3' lacks a unit"),
        ("5d/3", "'3' lacks a unit"),
        ("0/3", "'3' lacks a unit"),
        ("3/7d", "'3' lacks a unit"),
        ("0/delete", "would keep nothing"),
        ("00/delete", "would keep nothing"),
        ("0d/delete", "would delete every vault"),
        ("0/1d,0/delete", "would delete every vault"),
        ("5d/0d", "a window of no length"),
        ("5d/0", "lacks a unit"),
        ("", "is no rule"),
        ("7d/delete,", "is no rule"),
        ("7d", "is no rule"),
        ("7d/", "'' is no length"),
        ("/delete", "'' is no length"),
        ("7D/delete", "'7D' is no length"),
        ("7w/delete", "'7w' is no length"),
        ("7 d/delete", "'7 d' is no length"),
        ("7d/Delete", "'Delete' is no length"),
        ("7d/delete/1d", "'delete/1d' is no length"),
        ("-1d/delete", "'-1d' is no length"),
        ("٣/delete", "is no length"),
        (f"{LARGEST + 1}/delete", "numbers go up to"),
        ("9" * 5000 + "d/delete", "numbers go up to"),
        ("1d/delete," * 100 + "1d/delete", "more than 100 rules"),
        ("x" * 100, "x" * 60 + "'..."),
    ],
)
def test_bad_policies_are_refused_in_words(policy, words):
    with pytest.raises(BadRequest) as refused:
        parse(policy)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "policy", ["1h/1h", "0/1min", " 0/1d , 7d/delete ", "0d/1d", "0007d/delete"]
)
def test_sane_policies_are_taken(policy):
    parse(policy)


def test_the_units():
    assert UNITS == {
        "min": 60,
        "h": 3600,
        "d": 86_400,
        "m": 2_592_000,
        "y": 31_104_000,
    }


# Failed ones.


def test_a_failed_one_does_not_take_the_place_of_a_valid_one():
    good, bad = vault(FOUR[1]), vault(FOUR[2], valid=False)

    decisions = decide(parse("0/1d"), [good, bad, vault(FOUR[3] + DAY)], NOW)

    assert only(decisions, good.vault).keep
    assert only(decisions, bad.vault).rule == "failed"
    assert not only(decisions, bad.vault).keep


def test_failed_ones_do_not_count_among_the_newest():
    vaults = [*(vault(time) for time in FOUR[:2]), vault(FOUR[2], valid=False)]

    assert split(parse("2/delete"), [*vaults, vault(FOUR[3])], NOW)[0] == [
        FOUR[2],
        FOUR[0],
    ]


def test_the_last_failed_one_tells_why_there_is_nothing_newer():
    vaults = [vault(FOUR[0]), *(vault(time, valid=False) for time in FOUR[1:])]

    decisions = decide(parse("1/delete"), vaults, NOW)

    assert [one.keep for one in decisions] == [True, False, False, True]
    assert decisions[0].rule == "newest failed"


def test_a_failed_one_that_no_rule_looks_at_yet_stays():
    vaults = [vault(NOW - 2 * DAY), vault(NOW - DAY, valid=False), vault(NOW - HOUR)]

    decisions = decide(parse("7d/delete"), vaults, NOW)

    assert [one.keep for one in decisions] == [True, True, True]
    assert decisions[1].rule == "failed"


# The reasons.


def test_every_decision_names_its_rule_and_its_reason():
    vaults = [
        vault(NOW - HOUR, vault="young"),
        vault(NOW - 2 * DAY, vault="first"),
        vault(NOW - 2 * DAY - HOUR, vault="second"),
        vault(NOW - 9 * DAY, vault="old"),
        vault(NOW - 9 * DAY, vault="pinned", pinned="the auditor asked"),
        vault(NOW - 9 * DAY, vault="plainly", pinned=""),
        vault(NOW - 9 * DAY, vault="read", busy="a restore reads it"),
        vault(NOW - 9 * DAY, vault="somehow", busy=""),
    ]

    said = {
        one.vault: (one.keep, one.rule, one.reason)
        for one in decide(parse("1d/1d,7d/delete"), vaults, NOW)
    }

    assert said == {
        "young": (True, "1d/1d", "it is younger than 1d"),
        "first": (True, "1d/1d", "it is the newest of its window of 1d"),
        "second": (False, "1d/1d", "first is newer in its window of 1d"),
        "old": (False, "7d/delete", "it is 7d old or older"),
        "pinned": (True, "pinned", "the auditor asked"),
        "plainly": (True, "pinned", "it is pinned"),
        "read": (True, "in use", "a restore reads it"),
        "somehow": (True, "in use", "it is in use"),
    }


def test_a_limit_names_its_reasons():
    decisions = decide(parse("1/delete"), [vault(1), vault(2)], NOW)

    assert [one.reason for one in decisions] == [
        "it is number 1 of the newest 1",
        "1 newer ones are valid",
    ]


def test_the_floor_says_what_it_overrules():
    (decision,) = decide(parse("1d/delete"), [vault(0)], NOW)

    assert (decision.keep, decision.rule) == (True, "newest valid")
    assert "1d/delete" in decision.reason


def test_nothing_is_decided_of_nothing():
    assert decide(parse("1d/delete"), [], NOW) == []


# The calendar.


def days(*when: tuple[int, ...]) -> list[Candidate]:
    return [vault(at(*one)) for one in when]


@pytest.mark.parametrize(
    ("counts", "stay"),
    [
        ({"last": 3}, hours_from(2026, 1, 15, 10)),
        ({"hourly": 3}, hours_from(2026, 1, 15, 10)),
        ({"daily": 3}, [NEWEST, *nights(13, 14)]),
        ({"weekly": 3}, [NEWEST, *nights(11, 11)]),
        ({"monthly": 1}, [NEWEST]),
        ({"yearly": 9}, [NEWEST]),
        ({"last": 2, "daily": 2, "weekly": 2, "monthly": 0}, None),
    ],
)
def test_counts_by_the_calendar(counts, stay):
    vaults = [vault(time) for time in HOURLY]

    expected = stay or [*hours_from(2026, 1, 15, 11), *nights(14, 14), *nights(11, 11)]
    assert split(calendar(counts, UTC), vaults, NOW)[1] == expected


def test_days_begin_where_the_people_are():
    # In Berlin, the second is of the next day.
    vaults = days((2026, 7, 1, 21), (2026, 7, 1, 23))

    assert len(split(calendar({"daily": 2}, UTC), vaults, NOW)[0]) == 1
    assert split(calendar({"daily": 2}, BERLIN), vaults, NOW)[0] == []


def test_an_hour_that_comes_twice_is_two_hours():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    vaults = [vault(one.timestamp()) for one in (first, first.replace(fold=1))]

    assert split(calendar({"hourly": 2}, BERLIN), vaults, NOW)[0] == []


def test_months_and_years_are_those_of_the_calendar():
    vaults = days((2024, 12, 31), (2025, 1, 1), (2025, 1, 31), (2025, 2, 1))

    assert len(split(calendar({"monthly": 9}, UTC), vaults, NOW)[1]) == 3
    assert len(split(calendar({"yearly": 9}, UTC), vaults, NOW)[1]) == 2


def test_a_week_belongs_to_the_year_that_has_most_of_it():
    vaults = days((2024, 12, 30), (2025, 1, 5))

    assert len(split(calendar({"weekly": 9}, UTC), vaults, NOW)[1]) == 1


def test_a_calendar_names_its_reasons():
    vaults = [vault(1, vault="older"), vault(2, vault="newer")]

    said = decide(calendar({"daily": 7, "last": 1}, UTC), vaults, NOW)

    assert [(one.rule, one.reason) for one in said] == [
        ("keep last: 1, daily: 7", "it is last 1 of 1, daily 1 of 7"),
        ("keep last: 1, daily: 7", "none of the counts keeps it"),
    ]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "would keep nothing"),
        ({"daily": 0}, "would keep nothing"),
        ({"dayly": 1}, "not 'dayly'"),
        ({"daily": -1}, "from 0 to"),
        ({"daily": LARGEST + 1}, "from 0 to"),
    ],
)
def test_bad_counts_are_refused_in_words(counts, words):
    with pytest.raises(BadRequest, match=words):
        calendar(counts, UTC)


def test_a_calendar_drops_failed_ones_too():
    vaults = [vault(1), vault(2, valid=False), vault(3)]

    assert split(calendar({"last": 5}, UTC), vaults, NOW)[0] == [2]


# What holds for every policy.

LENGTHS = st.builds(
    "{}{}".format, st.integers(1, 40), st.sampled_from(["min", "h", "d", "m", "y"])
)
RULES = st.builds("{}/{}".format, st.just("0") | LENGTHS, LENGTHS) | LENGTHS.map(
    "{}/delete".format
)
POLICIES = (
    st.lists(RULES, min_size=1, max_size=5).map(lambda rules: parse(",".join(rules)))
    | st.integers(1, 9).map(lambda count: parse(f"{count}/delete"))
    | st.dictionaries(
        st.sampled_from(["last", "hourly", "daily", "weekly", "monthly", "yearly"]),
        st.integers(1, 5),
        min_size=1,
    ).map(lambda counts: calendar(counts, BERLIN))
)
AGES = st.integers(-HOUR, 3 * 360 * DAY) | st.integers(0, 3 * DAY)
VAULTS = st.lists(
    st.builds(
        Candidate,
        vault=st.text("abc", min_size=1),
        made=AGES.map(lambda age: NOW - age),
        valid=st.booleans(),
        pinned=st.sampled_from([None, None, "mine"]),
        busy=st.sampled_from([None, None, "read"]),
    ),
    unique_by=lambda one: one.vault,
    max_size=12,
)


def stays(policy, vaults, now=NOW) -> set[str]:
    return {one.vault for one in decide(policy, vaults, now) if one.keep}


@given(POLICIES, VAULTS, st.randoms())
def test_the_order_of_vaults_does_not_matter(policy, vaults, random):
    shuffled = random.sample(vaults, len(vaults))

    assert decide(policy, shuffled, NOW) == decide(policy, vaults, NOW)


@given(st.lists(RULES, min_size=1, max_size=5), VAULTS, st.randoms())
def test_the_order_of_rules_does_not_matter(rules, vaults, random):
    shuffled = random.sample(rules, len(rules))

    one, other = parse(",".join(rules)), parse(",".join(shuffled))
    assert stays(one, vaults) == stays(other, vaults)


@given(POLICIES, VAULTS)
def test_the_newest_valid_one_stays(policy, vaults):
    valid = [one for one in vaults if one.valid]

    if valid:
        newest = max(valid, key=lambda one: (one.made, one.vault))
        assert newest.vault in stays(policy, vaults)


@given(POLICIES, VAULTS)
def test_pinned_ones_and_those_in_use_stay(policy, vaults):
    guarded = {one.vault for one in vaults if one.pinned or one.busy}

    assert guarded <= stays(policy, vaults)


@given(POLICIES, VAULTS)
def test_evicting_twice_changes_nothing(policy, vaults):
    stay = stays(policy, vaults)

    assert stays(policy, [one for one in vaults if one.vault in stay]) == stay


@given(POLICIES, VAULTS)
def test_failed_ones_change_nothing_for_valid_ones(policy, vaults):
    valid = [one for one in vaults if one.valid]

    assert stays(policy, valid) == stays(policy, vaults) & {one.vault for one in valid}


@given(POLICIES, VAULTS)
def test_a_failed_one_outlives_no_good_one_that_is_as_new(policy, vaults):
    stay = stays(policy, vaults)
    failed = [one for one in vaults if not (one.valid or one.pinned or one.busy)]
    newest_lost = max(
        (one.made for one in vaults if one.valid and one.vault not in stay),
        default=float("-inf"),
    )
    older = [one for one in failed if one.made < newest_lost]

    assert not stay & {one.vault for one in older}


@given(POLICIES, VAULTS)
def test_everything_is_decided_once_newest_first(policy, vaults):
    said = [one.vault for one in decide(policy, vaults, NOW)]

    ordered = sorted(vaults, key=lambda one: (one.made, one.vault), reverse=True)
    assert said == [one.vault for one in ordered]


@given(st.text() | st.text("0123456789/dhmy,min elt"))
def test_any_text_is_read_or_refused(text):
    try:
        policy = parse(text)
    except BadRequest:
        return
    assert stays(policy, [vault(NOW - 1)]) == {vault(NOW - 1).vault}


def _as_it_was(rules, times, now) -> set[float]:
    """Drop as the original does, where all are valid and nothing is pinned."""
    obsolete = set()
    for start, window in rules:
        old = sorted(time for time in times if time <= now - start)
        buckets = (
            {int((time - 345_600) / window): time for time in old} if window else {}
        )
        obsolete |= set(old) - set(buckets.values())
    return obsolete


@given(
    st.lists(RULES, min_size=1, max_size=5),
    st.lists(AGES.map(lambda age: NOW - age), unique=True, max_size=20),
)
def test_it_is_the_grammar_as_it_was_but_for_the_newest(rules, times):
    policy = parse(",".join(rules))
    assert isinstance(policy, Intervals)
    plain = [(rule.start, rule.window) for rule in policy.rules]

    was = _as_it_was(plain, times, NOW) - {max(times, default=0)}
    assert set(split(policy, [vault(time) for time in times], NOW)[0]) == was


def test_a_vault_from_the_future_is_young():
    ahead = vault(NOW + timedelta(days=1).total_seconds())

    assert stays(parse("1min/delete"), [ahead, vault(NOW)]) == {
        ahead.vault,
        vault(NOW).vault,
    }


class TestAges:
    def kept(self, policy: str, *ages: float) -> list[float]:
        vaults = [Candidate(vault=str(age), made=-age * DAY) for age in ages]
        said = decide(parse(policy), vaults, now=0.0)
        return [float(one.vault) for one in said if one.keep]

    @pytest.mark.parametrize(
        ("policy", "ages", "kept"),
        [
            ("near 0d", [0, 1, 2], [0]),
            ("near 2d, 0d", [0, 1, 2], [0, 2]),
            ("near 120d,0d", [0, 1], [0, 1]),
            # The first to choose takes the newest; the others what is left.
            ("near 0d, 0d, 0d", [5, 6, 7, 8], [5, 6, 7]),
            # Between two that are as near, the newer one.
            ("near 0d, 2d", [0, 1, 3], [0, 1]),
            ("near 7d,1d,0d", [], []),
        ],
    )
    def test_of_each_age_the_nearest_stays(self, policy, ages, kept):
        assert self.kept(policy, *ages) == kept

    def test_a_year_of_nights_leaves_one_for_each_age(self):
        policy = "near 120d,90d,60d,30d,20d,10d,7d,6d,5d,4d,3d,2d,1d,0d"
        there = [0.0]
        for _ in range(365):
            there = self.kept(policy, 0.0, *(age + 1 for age in there))

        assert len(there) == 14
        assert there[:8] == [0, 1, 2, 3, 4, 5, 6, 7]

    def test_it_says_why(self):
        vaults = [Candidate(vault=name, made=0.0) for name in ("a", "b")]
        said = {one.vault: one for one in decide(parse("near 3d"), vaults, now=0.0)}

        assert said["b"].reason == "it is the nearest to 3d"
        assert said["a"].reason == "others are nearer to every age"
        assert said["a"].rule == "near 3d"

    def test_one_that_failed_goes_when_there_is_a_newer_one(self):
        vaults = [
            Candidate(vault="old", made=0.0, valid=False),
            Candidate(vault="new", made=1.0),
        ]
        said = {one.vault: one.keep for one in decide(parse("near 1d"), vaults, 2.0)}

        assert said == {"old": False, "new": True}

    @pytest.mark.parametrize("bad", ["near ", "near x", "near 5", "near 1d,,2d"])
    def test_what_is_no_age_is_refused(self, bad):
        with pytest.raises(BadRequest):
            parse(bad)

    def test_there_are_not_too_many(self):
        with pytest.raises(BadRequest, match="ages"):
            parse("near " + ",".join(["1d"] * 101))
