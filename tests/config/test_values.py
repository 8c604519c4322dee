import re
from typing import Any

import pytest
from pydantic import ValidationError

from syncd.config.access import Address
from syncd.config.values import Config, Conflict, Entry, Keep, Limits
from syncd.core.guard import Limit
from syncd.core.guard import Limits as GuardLimits


def entry(**settings: Any) -> Entry:
    return Entry(driver="memory", **settings)


def config(**settings: Any) -> Config:
    return Config.model_validate({"entries": {"A": entry()}, **settings})


def refusal(function: Any, **settings: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        function(**settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:3862", "127.0.0.1", 3862),
        ("127.1.2.3:0", "127.1.2.3", 0),
        ("localhost:65535", "localhost", 65535),
        ("[::1]:80", "::1", 80),
        ("0.0.0.0:1", "0.0.0.0", 1),
        ("[::]:1", "::", 1),
        ("nas.local:80", "nas.local", 80),
    ],
)
def test_addresses(text, host, port):
    listen = config(listen=(text,)).listen

    assert listen == (Address(host, port),)
    assert str(listen[0]) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "127.0.0.1", "::1:80", "127.0.0.1:99999", "127.0.0.1:x", 3862, None],
)
def test_what_is_no_address_is_refused(text):
    assert "is not HOST:PORT" in refusal(config, listen=(text,))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90), (0, 0), (0.5, 0.5), ("30s", 30), ("15m", 900), ("1h30m", 5400)],
)
def test_a_duration_is_seconds_or_has_units(written, seconds):
    assert entry(rescan=written).rescan == seconds


@pytest.mark.parametrize("written", [-1, True, None, "90", "1y", "", float("nan"), [1]])
def test_what_is_no_duration_is_refused(written):
    assert "is not a duration; write seconds" in refusal(entry, rescan=written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("keep-both", Conflict()),
        ("larger", Conflict(larger=True)),
        ({"prefer": ["A", "B"]}, Conflict(prefer=("A", "B"))),
        ("manual", Conflict(manual=True)),
    ],
)
def test_a_conflict_can_be_settled_in_four_ways(written, meant):
    assert entry(conflict=written).conflict == meant


@pytest.mark.parametrize(
    "written",
    ["automatic", {}, {"prefer": []}, {"prefer": [1]}, {"prefer": ["A"], "x": 1}, []],
)
def test_other_ways_are_refused(written):
    assert "is not a way to settle conflicts" in refusal(entry, conflict=written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, Keep(7, 10)),
        (False, Keep(0, 10)),
        ({"days": 0}, Keep(0, 10)),
        ({"days": 30}, Keep(30, 10)),
        ({"days": 0.5, "versions": 1}, Keep(0.5, 1)),
        ({"versions": 99}, Keep(7, 99)),
    ],
)
def test_for_how_long_to_keep(written, meant):
    assert entry(keep=written).keep == meant
    assert entry().keep == Keep(7, 10)
    assert str(Keep(0.5, 1)) == "{days: 0.5, versions: 1}"


@pytest.mark.parametrize(
    "written",
    [
        None,
        7,
        "7d",
        {},
        {"days": -1},
        {"days": "7"},
        {"days": True},
        {"days": float("nan")},
        {"days": float("inf")},
        {"days": 10**6},
        {"versions": 0},
        {"versions": 1.5},
        {"versions": True},
        {"days": 7, "bytes": 1},
        [7, 10],
    ],
)
def test_other_ways_to_keep_are_refused(written):
    assert "is not for how long to keep; write {days: 7" in refusal(entry, keep=written)


@pytest.mark.parametrize(
    "name", ["A", "disk 1", "Ünï", "照片", "a.b", "x" * 100, "-.-"[1:]]
)
def test_a_name_may_be_what_people_like(name):
    assert name in config(entries={name: entry()}).entries


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "a/b",
        "a:b",
        "a\nb",
        "a\x7f",
        "a\u2028b",
        " a",
        "-a",
        101 * "x",
        51 * "é",
    ],
)
def test_a_name_that_would_confuse_is_refused(name):
    said = refusal(config, entries={name: entry()})

    assert re.search("; (choose another name|rename it|shorten it)", said)


def test_patterns_are_tried():
    assert entry(ignore=(".git/", "*.tmp", "!keep")).ignore[0] == ".git/"
    assert "Invalid git pattern" in refusal(entry, ignore=("a", "!"))


@pytest.mark.parametrize("size", [65536, "64KiB", "64 KiB"])
def test_a_body_is_a_size(size):
    assert Limits(body=size).body == 65536


def test_a_value_cannot_be_changed():
    with pytest.raises(ValidationError):
        entry().driver = "other"


def test_secrets_are_hidden_however_deep():
    options = {
        "a": "s3cret",
        "b": [{"c": "s3cret"}, "open", 5, None],
        "d": "not s3cret",
    }
    told = Entry.model_validate(
        {"driver": "x", "options": options}, context=frozenset({"s3cret"})
    )

    assert told.shown() == {
        "a": "********",
        "b": [{"c": "********"}, "open", 5, None],
        "d": "not s3cret",
    }
    assert told.options == options


def test_guards_are_on_by_default():
    assert entry().guard.limits() == GuardLimits()


@pytest.mark.parametrize("said", [{"deletions": 0}, {"deletions_percent": 0}])
def test_naught_switches_one_guard_off(said):
    limits = entry(guard=said).guard.limits()

    assert limits.deletions == Limit()
    assert limits.overwrites == GuardLimits().overwrites


def test_limits_are_settable_each_by_itself():
    limits = entry(
        guard={"deletions": 1, "overwrites_percent": 50, "rollbacks": 7}
    ).guard.limits()

    assert limits == GuardLimits(Limit(1, 0.25), Limit(100, 0.5), Limit(7))


@pytest.mark.parametrize(
    "said", [{"deletions": -1}, {"overwrites_percent": 101}, {"deletion": 3}]
)
def test_limits_that_make_no_sense_are_refused(said):
    refusal(entry, guard=said)
