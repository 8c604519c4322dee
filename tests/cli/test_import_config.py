"""syncd import-config: what it writes is what the daemon takes."""

import json
from pathlib import Path

import pytest
import yaml

from syncd.config import backup_faults
from syncd.config.reading import model_faults
from tests.cli.conftest import command

ZOOKEEPER = """
# A configuration as it is found in the field.
schedule = "0 2 * * *"
schedule = ${?BACKUP_SCHEDULE}
eviction: "0/1d,7d/delete"
granular_eviction = 7d/delete
storage = "/opt/zookeeper/backup-storage"
command = "python3 /opt/backup.py %(data_folder)s %(mode)s %(dbs)s"
restore_command = "python3 /opt/restore.py {{ .data_folder }} {{ .dbs }}"
list_instances_in_vault_command = "python3 /opt/list.py %(data_folder)s"
instances_key = "-d"
custom_vars = [ mode, { region: eu } ]
enable_full_restore: true
scheduled_dbs = "a, b"
logs_to_stdout = true
log { level = INFO }
s3_enabled = true
s3_key_secret = "do not tell"
strange = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup-daemon.conf"


def imported(file: Path, text: str):
    file.write_text(text)
    ended = command("import-config", str(file))
    assert ended.code == 0, ended.err
    return ended.out, yaml.safe_load(ended.out)


def test_what_is_found_in_the_field(file):
    text, said = imported(file, ZOOKEEPER)

    assert said == {
        "listen": ["127.0.0.1:3862", "127.0.0.1:8080"],
        "backup": {
            "store": {"path": "/opt/zookeeper/backup-storage"},
            "source": {
                "kind": "command",
                "backup": "python3 /opt/backup.py %(data_folder)s %(mode)s %(dbs)s",
                "restore": "python3 /opt/restore.py {{ .data_folder }} {{ .dbs }}",
                "list": "python3 /opt/list.py %(data_folder)s",
                "variables": ["mode", {"region": "eu"}],
                "databases_key": "-d",
            },
            "schedule": [
                {"at": "0 2 * * *"},
                {"at": "0 * * * *", "databases": ["a", "b"]},
            ],
            "eviction": "0/1d,7d/delete",
            "granular_eviction": "7d/delete",
            "daemon": {"full_restore": True},
        },
        "log": {"level": "info"},
    }
    assert "do not tell" not in text
    remarks = [line for line in text.splitlines() if line.startswith("# ")]
    assert [line.split(":")[0] for line in remarks[1:]] == [
        "# listen",
        "# logs_to_stdout",
        "# s3_enabled",
        "# strange",
    ]


def test_for_programs(file):
    file.write_text(ZOOKEEPER)

    said = json.loads(command("import-config", "--json", str(file)).out)

    assert said["configuration"] == imported(file, ZOOKEEPER)[1]
    assert len(said["remarks"]) == 4


def test_what_is_said_by_saying_nothing(file):
    text, said = imported(file, "")

    section = said["backup"]
    assert section["source"]["backup"] == "ls -la %(data_folder)s"
    assert "# command: is missing" in text
    assert section["store"] == {"path": "/backup-storage"}
    assert section["schedule"] == [{"at": "0 * * * *"}]
    assert section["eviction"] == "7d/7d,1y/delete"
    assert section["granular_eviction"] == "7d/delete"
    assert section["daemon"] == {"full_restore": False}
    assert "incremental" not in section


def test_incremental_ones(file):
    _, said = imported(
        file,
        "incremental_enabled = true, storage = /x, incremental_command = make\n"
        "incremental_eviction = 1d/delete\ncommand = full",
    )

    section = said["backup"]
    assert section["source"]["backup"] == "full"
    assert section["incremental"] == {
        "store": {"path": "/x/inc-backup-storage"},
        "source": {"kind": "command", "backup": "make"},
        "schedule": [{"at": "*/10 * * * *"}],
        "eviction": "1d/delete",
        "granular_eviction": "1d/delete",
    }


def test_vaults_that_lie_elsewhere(file):
    text = "incremental_enabled = true, storage_external = /external, command = full\n"
    _, said = imported(file, f"{text}incremental_storage_external = /more")

    section = said["backup"]
    assert section["store"]["elsewhere"] == "/external"
    assert section["incremental"]["store"]["elsewhere"] == "/more"

    text, said = imported(file, f"{text}incremental_storage_external = /external/")
    assert "elsewhere" not in said["backup"]["incremental"]["store"]
    assert "# incremental_storage_external: is the folder of storage_external" in text


def test_no_schedule(file):
    _, said = imported(file, 'schedule = "None"')

    assert said["backup"]["schedule"] == []


def test_what_is_wrong_is_told_and_left_out(file):
    text, said = imported(file, 'eviction = 7w/delete\nschedule = "61 * * * *"')

    assert "eviction" not in said["backup"]
    assert said["backup"]["schedule"] == []
    assert "# eviction: '7w/delete'" in text
    assert "# schedule: '61 * * * *': the minute" in text


def test_encryption(file):
    _, said = imported(file, 'tls_enabled = true\nbroadcast_address = "::"')

    assert said["listen"] == ["[::]:8443"]
    assert said["tls"] == {"certificate": "/tls/tls.crt", "key": "/tls/tls.key"}


def test_what_both_stores_take_is_written_twice(file):
    text, said = imported(file, "custom_vars = [ mode ]\nincremental_enabled = yes")

    assert "&" not in text
    inner = said["backup"]["incremental"]["source"]["variables"]
    assert inner == said["backup"]["source"]["variables"] == ["mode"]


@pytest.mark.parametrize("text", [ZOOKEEPER, "", "incremental_enabled = yes"])
def test_it_is_a_section_that_is_taken(file, text):
    _, said = imported(file, text)

    found = [
        fault
        for fault in backup_faults.faults(said["backup"], model_faults)
        # Which kinds there are is a matter of what is installed.
        if fault.place[-1] != "kind"
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a = ", "line 1: a value is missing"),
        (b"\xff", "is not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_read(file, text, words):
    if text is not None:
        file.write_bytes(text)

    ended = command("import-config", str(file))

    assert (ended.code, ended.out) == (78, "")
    assert words in ended.err
