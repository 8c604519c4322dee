"""syncd check."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import command

CONFIG = """
state: /tmp/state
entries:
  A: {driver: local_storage, options: {root: a}}
  B: {driver: local_storage, options: {root: b}}
"""
RULES = "rules: [{match: {path: /}, sync: [A, B]}]"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound configuration, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "syncd.yaml").write_text(CONFIG)
    return Path("syncd.yaml")


def test_what_is_sound(config: Path):
    assert command("check", "--config", str(config)) == (
        0,
        "syncd.yaml: sound, 2 entries, 1 rule\n",
        "",
    )


def test_what_is_sound_for_programs(config: Path):
    ended = command("check", "--config", str(config), "--json")

    assert json.loads(ended.out) == {"status": "ok", "entries": ["A", "B"], "rules": 1}


def test_every_fault_of_the_configuration(config: Path):
    config.write_text("lsten: []\nentries: {A: {driver: floppy}}")

    ended = command("check", "--config", str(config))

    assert (ended.code, ended.out) == (78, "")
    for place in ("syncd.yaml: lsten", "syncd.yaml: entries.A"):
        assert place in ended.err


def test_every_fault_of_the_rules(config: Path):
    Path("rules.yaml").write_text(
        "rules: [{match: {pth: /}, sync: [A]}, {sync: [nobody]}]"
    )

    ended = command("check", "--config", str(config))

    assert ended.code == 78
    assert "rules.yaml: rules[0]" in ended.err
    assert "rules.yaml: rules[1]" in ended.err
    assert len(ended.err.splitlines()) == 2


@pytest.mark.parametrize("text", ["rules: [", "rules: 7", "", "rules: !env MISSING"])
def test_rules_that_are_none(config: Path, text: str):
    Path("rules.yaml").write_text(text)

    ended = command("check", "--config", str(config))

    assert ended.code == 78
    assert "rules.yaml" in ended.err


def test_faults_for_programs(config: Path):
    config.write_text("entries: {}\nlsten: []")

    ended = command("check", "--config", str(config), "--json")

    assert ended.code == 78
    told = json.loads(ended.out)
    assert told["status"] == "error"
    assert len(told["faults"]) == 2


@pytest.mark.parametrize("missing", ["syncd.yaml", "rules.yaml"])
def test_files_that_are_not_there(config: Path, missing: str):
    Path(missing).unlink()

    ended = command("check", "--config", str(config))

    assert ended.code == 78
    assert ended.err.startswith(f"syncd: {missing}: ")
    assert len(ended.err.splitlines()) == 1
