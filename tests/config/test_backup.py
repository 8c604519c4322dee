"""The section of backups: every fault with its place, and what is meant."""

from pathlib import Path
from textwrap import indent

import pytest

from syncd.config import backup, read
from syncd.errors import ConfigError

ENTRIES = "entries: {A: {driver: local_storage, options: {root: %s}}}\n"


@pytest.fixture
def say(tmp_path: Path):
    def said(text: str) -> backup.Backup:
        file = tmp_path / "syncd.yaml"
        section = "backup:\n" + indent(text, "  ") if text else ""
        file.write_text(ENTRIES % (tmp_path / "A") + section)
        return backup.read(read(file).backup)

    return said


def test_nothing_has_to_be_said(say):
    section = say("")

    assert section.all_sources() == {"default": {"kind": "entries"}}
    assert list(section.sections()) == ["full", "optools"]
    assert (section.eviction, section.schedule, section.store.path) == (None, (), None)


def test_a_section_says_all_there_is(say, monkeypatch):
    monkeypatch.setenv("PASSWORD", "hush")
    section = say(
        """
store: {path: /srv/vaults, compress: zstd, encrypt: {identity: !env PASSWORD}}
sources:
  one: {kind: "m:C", any: thing}
  two: {kind: "m:C"}
schedule: [{at: "0 3 * * *", source: two, databases: [a], name: nightly}]
verify: "@weekly"
drill: "0 5 1 * *"
time_zone: Europe/Berlin
misfire: skip
jitter: 5m
eviction: 7d/1d, 30d/delete
granular_eviction: 3/delete
timeout: {backup: 4h}
grace: 1m
retries: {evict: 5}
parallel: 4
hooks:
  before: [{command: [sync]}]
  after: [{url: "https://host/hook", secret: !env PASSWORD, kinds: [restore]}]
notify: {stale: 26h, mail: {host: h, sender: a@b, to: [c@d]}, web: [{url: "http://h/"}]}
queue: 50
incremental: {store: {path: /srv/more}, source: {kind: "m:C"}, keep: {daily: 7}}
"""
    )

    assert section.store.encrypt is not None
    assert section.store.encrypt.identity == "hush"
    assert section.timeout == {"backup": 14_400.0}
    assert section.notify.stale == 93_600.0
    assert str(section.sections()["incremental"].store.path) == "/srv/more"
    assert str(section.zone(None)) == "Europe/Berlin"
    assert section.queue == 50
    assert section.sections()["incremental"].keep == {"daily": 7}
    assert "hush" not in repr(section)


def test_a_console_has_a_store_with_nights_and_ages_of_its_own(say):
    unsaid = say("").sections()["optools"]
    said = say("optools: {source: {kind: couchdb, url: 'http://h:5984'}, body: 1MiB}")

    assert unsaid.all_sources() == {"default": {"kind": "records"}}
    assert unsaid.schedule == ()
    assert said.optools is not None
    assert said.optools.body == 1 << 20
    (night,) = said.optools.schedule
    assert (night.at, night.unless_younger) == ("0 1 * * *", 43_200)
    assert said.optools.eviction.startswith("near 120d, 90d")


FAULTS = [
    ("optools: {optools: {}}", "optools.optools: is not known"),
    (
        "optools: {source: {kind: couchdb}}",
        "optools.source.url: is missing",
    ),
    (
        "optools: {source: {kind: couchdb, url: 'http://u:p@h'}}",
        "optools.source.url",
    ),
    ("store: {compres: zstd}", "store.compres: is not known; did you mean compress?"),
    ("schedule: [{at: 0 25 * * *}]", "schedule.0.at: '0 25 * * *': the hour"),
    ("schedule: [{at: '@daily', source: x}]", "schedule.0.source: names no source"),
    ("verify: never", "verify: 'never' is no schedule"),
    ("time_zone: Mars/Olympus", "time_zone: is no time zone"),
    ("eviction: 0/1q", "eviction: '0/1q'"),
    ("keep: {dayly: 7}", "keep: what is kept is counted by last, hourly"),
    ("keep: {daily: -1}", "keep: daily must be a whole number"),
    ("keep: {daily: 0}", "keep: these counts would keep nothing"),
    ("keep: {}", "keep: these counts would keep nothing"),
    ("keep: {daily: 7}\neviction: 3/delete", "keep: cannot stand beside eviction"),
    (
        "granular_keep: {daily: 7}\ngranular_eviction: 3/delete",
        "granular_keep: cannot stand beside granular_eviction",
    ),
    ("granular_keep: {dayly: 7}", "granular_keep: what is kept is counted by last"),
    ("queue: 0", "queue: "),
    ("timeout: {nap: 4h}", "timeout.nap: is not one of"),
    ("grace: -1", "grace: is not a duration"),
    ("notify: {mail: {host: h}}", "notify.mail.sender: is missing"),
    ("notify: {web: [{url: ftp://h}]}", "notify.web.0.url: is no address"),
    ("hooks: {before: [{}]}", "hooks.before.0: needs either a command or a url"),
    ("hooks: {after: [{comand: [a]}]}", "hooks.after.0.comand: is not known"),
    ("source: {knd: x}", "source.kind: is missing"),
    ("source: {kind: nonsense}", "source.kind: there is no source"),
    (
        "source: {kind: 'm:C'}\nsources: {a: {kind: 'm:C'}}",
        "source: cannot stand beside",
    ),
    ("sources: {a: {}}", "sources.a.kind: is missing"),
    ("incremental: {drill: x}", "incremental.drill: 'x' is no schedule"),
    ("incremental: {incremental: {}}", "incremental.incremental: is not known"),
    ("[1]", "backup: is not a mapping"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_every_fault_has_its_place(say, text, fault):
    with pytest.raises(ConfigError) as refused:
        say(text)

    assert f"backup.{fault}" in str(refused.value) or f": {fault}" in str(refused.value)


def test_all_faults_are_told_at_once(say):
    with pytest.raises(ConfigError) as refused:
        say("jitter: x\ndrill: x\nhooks: {before: [{}]}")

    assert len(str(refused.value).splitlines()) == 3


def test_a_secret_is_in_no_refusal(say, monkeypatch):
    monkeypatch.setenv("PASSWORD", "hush")
    with pytest.raises(ConfigError) as refused:
        say("eviction: !env PASSWORD")

    assert "hush" not in str(refused.value)
