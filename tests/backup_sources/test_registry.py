import subprocess
import sys
from pathlib import Path

import pytest

from syncd.backup_sources import loading, registry
from syncd.backup_sources.command.source import Command
from syncd.backup_sources.entries.source import Entries
from syncd.errors import ConfigError

POINTS = """
[syncd.backup_sources]
command = syncd.backup_sources.command.source:Command
couchdb = syncd.backup_sources.couchdb.source:CouchDB
entries = syncd.backup_sources.entries.source:Entries
zookeeper = syncd.backup_sources.zookeeper.source:ZooKeeper
broken = syncd_no_such_package:Source
plain = syncd.backup_sources.entries.source:Entries
[syncd.backup_source_options]
command = syncd.backup_sources.command.options:CommandOptions
couchdb = syncd.backup_sources.couchdb.options:CouchDBOptions
entries = syncd.backup_sources.entries.options:EntriesOptions
zookeeper = syncd.backup_sources.zookeeper.options:ZooKeeperOptions
broken = syncd_no_such_package:Options
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a distribution announce sources, ours and others."""
    folder = tmp_path / "sources-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: sources\n")
    (folder / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_sources_are_found_by_their_kind():
    assert {"command", "couchdb", "entries", "zookeeper"} <= set(registry.names())
    assert loading.load(registry.reference("command")) is Command
    assert loading.load(registry.reference("entries")) is Entries


def test_what_setup_announces_is_there():
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text()

    for line in POINTS.splitlines():
        if line.startswith(("command", "couchdb", "entries", "zookeeper")):
            assert f"\n    {line}\n" in f"{setup}\n"


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'nope'; known: .*entries"):
        registry.reference("nope")
    with pytest.raises(ConfigError, match="no source of backups 'nope'"):
        registry.options("nope")


@pytest.mark.parametrize("name", ["command", "couchdb", "entries", "zookeeper"])
def test_a_source_tells_what_it_is_and_what_it_takes(name):
    schema = registry.schemas()[name]

    assert schema.description.endswith(".")
    assert schema.options["additionalProperties"] is False
    for said in schema.options["properties"].values():
        assert said["description"]


def test_a_broken_package_troubles_only_who_uses_it():
    assert "broken" in registry.names()
    assert "broken" not in registry.schemas()
    told = r"syncd_no_such_package.*install its package"
    with pytest.raises(ConfigError, match=told):
        registry.options("broken")
    with pytest.raises(ConfigError, match=told):
        loading.load(registry.reference("broken"))


def test_a_source_that_announces_no_options_takes_none():
    assert registry.options("plain").model_json_schema()["properties"] == {}


@pytest.mark.parametrize("name", ["command", "couchdb", "entries", "zookeeper"])
def test_a_worker_needs_no_pydantic_for_a_source(name):
    program = (
        "import sys; from syncd.backup_sources import loading;"
        f"loading.load({registry.reference(name)!r});"
        "sys.exit('pydantic' in sys.modules or 'importlib.metadata' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
