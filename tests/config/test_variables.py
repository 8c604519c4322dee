"""The backup daemon's variables: what each does, and that nothing else changes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config import backup
from syncd.config.backup import Backup
from syncd.config.reading import model_faults, read
from syncd.config.variables import APPLIES, applied
from syncd.errors import ConfigError

FILE: dict[str, Any] = {
    "entries": {"A": {"driver": "memory"}},
    "backup": {
        "store": {"path": "/vaults", "compress": "zstd"},
        "schedule": [
            {"at": "0 3 * * *", "name": "night"},
            {"at": "0 4 * * *", "databases": ["a"]},
        ],
        "eviction": "7d/delete",
    },
}


def section(said=None, **variables: str):
    found, _, faults = applied(copy.deepcopy(FILE if said is None else said), variables)
    assert faults == []
    return found["backup"]


@pytest.mark.parametrize(
    ("variables", "changed"),
    [
        (
            {"STORAGE": "/elsewhere"},
            {"store": {"path": "/elsewhere", "compress": "zstd"}},
        ),
        ({"EVICTION_POLICY": "0/1d"}, {"eviction": "0/1d"}),
        ({"GRANULAR_EVICTION_POLICY": " 3/delete "}, {"granular_eviction": "3/delete"}),
        ({"EVICTION_POLICY": ""}, {}),
        (
            {"BACKUP_SCHEDULE": "@hourly"},
            {
                "schedule": [
                    {"at": "0 4 * * *", "databases": ["a"]},
                    {"at": "@hourly", "name": "night"},
                ]
            },
        ),
        (
            {"BACKUP_SCHEDULE": "None"},
            {"schedule": [{"at": "0 4 * * *", "databases": ["a"]}]},
        ),
        (
            {"GRANULAR_SCHEDULE": "0 5 * * *"},
            {
                "schedule": [
                    {"at": "0 3 * * *", "name": "night"},
                    {"at": "0 5 * * *", "databases": ["a"]},
                ]
            },
        ),
        (
            {"SCHEDULED_DBS": " b, c,", "GRANULAR_SCHEDULE": "0 5 * * *"},
            {
                "schedule": [
                    {"at": "0 3 * * *", "name": "night"},
                    {"at": "0 5 * * *", "databases": ["b", "c"]},
                ]
            },
        ),
        (
            {"SCHEDULED_DBS": ""},
            {"schedule": [{"at": "0 3 * * *", "name": "night"}]},
        ),
        (
            {"BACKUP_COMMAND": "b", "RESTORE_COMMAND": "r", "LIST_COMMAND": "l"},
            {
                "source": {
                    "kind": "command",
                    "backup": "b",
                    "restore": "r",
                    "list": "l",
                }
            },
        ),
        ({"ENABLE_FULL_RESTORE": "True"}, {"daemon": {"full_restore": True}}),
        ({"ENABLE_FULL_RESTORE": "false"}, {"daemon": {"full_restore": False}}),
        (
            {"ALLOW_PREFIX": "anything", "WATCH_NAMESPACE": "shop"},
            {"daemon": {"prefixes": True, "namespace": "shop"}},
        ),
        ({"ALLOW_PREFIX": ""}, {"daemon": {"prefixes": False}}),
        ({"DATA_VALIDATION_ENABLED": "yes"}, {"daemon": {"data_validation": True}}),
        (
            {
                "ENABLE_INCREMENTAL": "true",
                "INC_BACKUP_SCHEDULE": "*/10 * * * *",
                "INC_EVICTION_POLICY": "1d/delete",
            },
            {
                "incremental": {
                    "store": {"path": "/vaults/inc-backup-storage"},
                    "schedule": [{"at": "*/10 * * * *"}],
                    "eviction": "1d/delete",
                }
            },
        ),
        (
            {"ENABLE_INCREMENTAL": "true", "INCREMENTAL_STORAGE": "/inc"},
            {"incremental": {"store": {"path": "/inc"}}},
        ),
        ({"ENABLE_INCREMENTAL": "false"}, {"incremental": None}),
        ({"INC_EVICTION_POLICY": "1d/delete"}, {}),
        ({"S3_ENABLED": "false"}, {}),
    ],
)
def test_what_each_does(variables, changed):
    assert section(**variables) == {**FILE["backup"], **changed}


def test_without_anything_said_it_says_all():
    said = {"entries": FILE["entries"]}

    found = section(
        said,
        STORAGE="/x",
        BACKUP_SCHEDULE="@daily",
        SCHEDULED_DBS="a",
        LOG_LEVEL="INFO",
    )

    assert found == {
        "store": {"path": "/x"},
        "schedule": [{"at": "@daily"}, {"at": "0 * * * *", "databases": ["a"]}],
    }


def test_a_command_takes_the_place_of_another_source():
    said = {"backup": {"source": {"kind": "entries", "entries": ["A"]}}}

    assert section(said, BACKUP_COMMAND="b")["source"] == {
        "kind": "command",
        "backup": "b",
    }


def test_a_command_is_changed_in_part():
    said = {"backup": {"source": {"kind": "command", "backup": "b", "list": "l"}}}

    assert section(said, LIST_COMMAND="m")["source"] == {
        "kind": "command",
        "backup": "b",
        "list": "m",
    }


@pytest.mark.parametrize(
    ("text", "level"),
    [("INFO", "info"), ("WARN", "warning"), ("CRITICAL", "error"), ("debug", "debug")],
)
def test_the_level_of_the_log(text, level):
    found, names, _ = applied(FILE, {"LOG_LEVEL": text})

    assert (found["log"], names) == ({"level": level}, ["LOG_LEVEL"])


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"EVICTION_POLICY": "7w/delete"}, "EVICTION_POLICY: '7w/delete'"),
        (
            {"BACKUP_SCHEDULE": "61 * * * *"},
            "BACKUP_SCHEDULE: '61 * * * *': the minute",
        ),
        ({"S3_ENABLED": "true"}, "S3_ENABLED: vaults lie in a folder"),
    ],
)
def test_what_is_wrong_is_named(variables, words):
    _, _, (fault,) = applied(FILE, variables)

    assert words in fault.words


def test_several_sources_have_no_one_command():
    said = {"backup": {"sources": {"a": {"kind": "entries"}}}}

    _, _, (fault,) = applied(said, {"BACKUP_COMMAND": "b"})

    assert "several sources" in fault.words


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "text",
        {"backup": []},
        {"log": "x"},
        {"backup": {"schedule": {}}},
        {"backup": {"schedule": [1]}},
        {"backup": {"store": "x"}},
        {"backup": {"incremental": 1}},
    ],
)
def test_what_is_wrong_in_the_file_is_for_others_to_say(said):
    everything = dict.fromkeys(APPLIES, "true")

    assert applied(said, everything) == (said, [], [])


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(APPLIES, st.text())))
def test_nothing_else_changes(variables):
    before = copy.deepcopy(FILE)

    found, names, _ = applied(FILE, variables)

    assert before == FILE
    assert set(names) == set(variables)
    assert found["entries"] == FILE["entries"]
    assert found["backup"]["store"]["compress"] == "zstd"
    assert applied(FILE, {"PATH": "/bin"})[0] is FILE


def test_what_they_say_is_what_the_section_takes():
    variables = {
        "STORAGE": "/x",
        "BACKUP_SCHEDULE": "0 * * * *",
        "SCHEDULED_DBS": "a",
        "EVICTION_POLICY": "7d/7d,1y/delete",
        "ENABLE_INCREMENTAL": "true",
        "INC_BACKUP_SCHEDULE": "*/10 * * * *",
        "ALLOW_PREFIX": "1",
        "WATCH_NAMESPACE": "shop",
    }
    said = section({}, **variables)

    assert backup.faults(said, model_faults) == []
    assert isinstance(backup.read(said), Backup)


def test_the_file_is_read_with_them(tmp_path, monkeypatch):
    file = tmp_path / "syncd.yaml"
    file.write_text("entries: {A: {driver: memory}}\n")
    monkeypatch.setenv("EVICTION_POLICY", "3/delete")

    config = read(file)

    assert config.backup == {"eviction": "3/delete"}
    assert config.variables == ("EVICTION_POLICY",)
    monkeypatch.setenv("EVICTION_POLICY", "0/delete")
    with pytest.raises(ConfigError, match="EVICTION_POLICY"):
        read(file)
