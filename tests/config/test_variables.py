"""The backup daemon's variables: what each does, and that nothing else changes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config import backup, backup_faults
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
        (
            {"STORAGE_EXTERNAL": "/external"},
            {
                "store": {
                    "path": "/vaults",
                    "compress": "zstd",
                    "elsewhere": "/external",
                }
            },
        ),
        (
            {
                "ENABLE_INCREMENTAL": "true",
                "STORAGE_EXTERNAL": "/external",
                "INCREMENTAL_STORAGE_EXTERNAL": "/external-too",
            },
            {
                "store": {
                    "path": "/vaults",
                    "compress": "zstd",
                    "elsewhere": "/external",
                },
                "incremental": {
                    "store": {
                        "path": "/vaults/inc-backup-storage",
                        "elsewhere": "/external-too",
                    }
                },
            },
        ),
        (
            {"ENABLE_INCREMENTAL": "true", "INCREMENTAL_STORAGE_EXTERNAL": "/more"},
            {
                "incremental": {
                    "store": {
                        "path": "/vaults/inc-backup-storage",
                        "elsewhere": "/more",
                    }
                }
            },
        ),
        ({"INCREMENTAL_STORAGE_EXTERNAL": "/more"}, {}),
        ({"STORAGE_EXTERNAL": ""}, {}),
        ({"S3_ENABLED": "false"}, {}),
        ({"S3_ALIASES_USED": "false"}, {}),
        ({"SKIP_LOCK_CHECK": "false"}, {}),
        ({"LOGS_TO_STDOUT": "False"}, {}),
        ({"MARKER_SET_COMMAND": ""}, {}),
    ],
)
def test_what_each_does(variables, changed):
    assert section(**variables) == {**FILE["backup"], **changed}


OURS = {"certificate": "/tls/tls.crt", "key": "/tls/tls.key"}
USUAL = "127.0.0.1:3862"


@pytest.mark.parametrize(
    ("file", "variables", "changed"),
    [
        ({}, {"TLS_ENABLED": "true"}, {"tls": OURS}),
        (
            {},
            {"TLS_ENABLED": "True", "CERTS_PATH": "/certs/"},
            {"tls": {"certificate": "/certs/tls.crt", "key": "/certs/tls.key"}},
        ),
        ({}, {"TLS_ENABLED": "false", "CERTS_PATH": "/c", "TLS_PORT": "1"}, {}),
        ({}, {"CERTS_PATH": "/certs/", "TLS_PORT": "8443"}, {}),
        ({"tls": {"certificate": "a", "key": "b"}}, {"TLS_ENABLED": "true"}, {}),
        (
            {"tls": {"certificate": "a", "key": "b"}},
            {"TLS_ENABLED": "true", "CERTS_PATH": "/tls"},
            {"tls": OURS},
        ),
        (
            {},
            {"TLS_ENABLED": "true", "TLS_PORT": "9443"},
            {"tls": OURS, "listen": [USUAL, "0.0.0.0:9443"]},
        ),
        (
            {"listen": ["10.0.0.7:80"]},
            {"TLS_ENABLED": "1", "TLS_PORT": "9443", "BROADCAST_ADDRESS": "10.0.0.7"},
            {"tls": OURS, "listen": ["10.0.0.7:80", "10.0.0.7:9443"]},
        ),
        (
            {},
            {"TLS_ENABLED": "true", "BROADCAST_ADDRESS": "::"},
            {"tls": OURS, "listen": [USUAL, "[::]:8443"]},
        ),
        (
            {},
            {"BROADCAST_ADDRESS": "127.0.0.1"},
            {"listen": [USUAL, "127.0.0.1:8080"]},
        ),
        # What is there already cannot be listened on twice.
        (
            {"listen": [USUAL, "127.0.0.1:8080"]},
            {"BROADCAST_ADDRESS": "0.0.0.0"},
            {"listen": [USUAL, "0.0.0.0:8080"]},
        ),
        (
            {"listen": ["127.0.0.1:8080"]},
            {"BROADCAST_ADDRESS": "127.0.0.1"},
            {"listen": ["127.0.0.1:8080"]},
        ),
        ({}, {"BROADCAST_ADDRESS": "", "TLS_PORT": ""}, {}),
    ],
)
def test_where_it_listens_and_with_what_protection(file, variables, changed):
    said = {**FILE, **file}

    found, _, faults = applied(said, variables)

    assert faults == []
    assert found == {**said, **changed}


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
        ({"S3_ALIASES_USED": "true"}, "S3_ALIASES_USED: vaults lie in a folder"),
        *(
            (
                {
                    "ENABLE_INCREMENTAL": "true",
                    "STORAGE_EXTERNAL": "/external",
                    "INCREMENTAL_STORAGE_EXTERNAL": folder,
                },
                "INCREMENTAL_STORAGE_EXTERNAL: it is the folder of STORAGE_EXTERNAL",
            )
            for folder in ("/external/", "/external/more", "/")
        ),
        ({"TLS_PORT": "https"}, "TLS_PORT: 'https' is no port"),
        ({"TLS_PORT": "65536"}, "TLS_PORT: '65536' is no port"),
        ({"SKIP_LOCK_CHECK": "true"}, "SKIP_LOCK_CHECK: what is not finished"),
        ({"LOGS_TO_STDOUT": "true"}, "LOGS_TO_STDOUT: what jobs say"),
        ({"MARKER_SET_COMMAND": "set"}, "MARKER_SET_COMMAND: no command"),
    ],
)
def test_what_is_wrong_is_named(variables, words):
    _, _, (fault,) = applied(FILE, variables)

    assert words in fault.words


def test_a_variable_does_not_take_away_the_protection_that_the_file_wants():
    said = {**FILE, "tls": OURS}

    found, _, (fault,) = applied(said, {"TLS_ENABLED": "false"})

    assert found["tls"] == OURS
    assert "TLS_ENABLED: the file says tls" in fault.words


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
        {"tls": "x"},
        {"listen": "x"},
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
        "STORAGE_EXTERNAL": "/external",
        "INCREMENTAL_STORAGE_EXTERNAL": "/external-too",
    }
    said = section({}, **variables)

    assert backup_faults.faults(said, model_faults) == []
    assert isinstance(backup.read(said), Backup)


def test_the_file_is_read_with_them(tmp_path, monkeypatch):
    file = tmp_path / "syncd.yaml"
    file.write_text("entries: {A: {driver: memory}}\n")
    monkeypatch.setenv("EVICTION_POLICY", "3/delete")

    config = read(file)

    assert config.backup == {"eviction": "3/delete"}
    assert config.variables == ("EVICTION_POLICY",)
    monkeypatch.setenv("TLS_ENABLED", "true")
    monkeypatch.setenv("CERTS_PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"tls\.certificate: .*/tls\.crt"):
        read(file)
    monkeypatch.delenv("TLS_ENABLED")
    monkeypatch.setenv("BROADCAST_ADDRESS", "0.0.0.0")
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0:8080 can be reached"):
        read(file)
    monkeypatch.delenv("BROADCAST_ADDRESS")
    monkeypatch.setenv("EVICTION_POLICY", "0/delete")
    with pytest.raises(ConfigError, match="EVICTION_POLICY"):
        read(file)


@pytest.mark.parametrize("kind", ["", "granular_"])
def test_a_policy_counts_in_place_of_counts(kind: str):
    said = {"backup": {f"{kind}keep": {"daily": 7}, "queue": 5}}
    name = f"{kind}eviction_policy".upper()

    assert section(said, **{name: "3/delete"}) == {
        f"{kind}eviction": "3/delete",
        "queue": 5,
    }
    assert section(said, **{name: ""}) == said["backup"]
