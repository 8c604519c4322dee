"""syncd rules."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Canned, Run

RULES = {"rules": [{"match": {"path": "/\u00e9", "mime": ["image/*"]}, "sync": ["A"]}]}


def share(copy: int = 0, stop: int = 0) -> dict[str, object]:
    """Return what a plan says of one entry."""
    return {
        "copy": {
            "files": copy,
            "bytes": copy * 1024,
            "examples": ["a\nb"] * (copy > 0),
        },
        "stop": {"files": stop, "bytes": stop, "examples": ["c"] * (stop > 0)},
        "undecided": 0,
    }


PLAN = {
    "entries": {"A": share(), "B": share(copy=1500, stop=1)},
    "total": {"files": 2000, "copy": {}, "stop": {}, "undecided": 3},
}


def test_what_is_shown_can_be_a_rules_file(daemon: Canned, run: Run):
    daemon.say("GET /rules", RULES)

    out = run("rules", "show").out

    assert yaml.safe_load(out) == RULES
    assert "/\u00e9" in out


@pytest.mark.parametrize(
    "text", [json.dumps(RULES), yaml.safe_dump(RULES)], ids=["JSON", "YAML"]
)
def test_a_plan_is_asked_for(daemon: Canned, run: Run, tmp_path: Path, text: str):
    (tmp_path / "new").write_text(text)
    daemon.say("POST /rules/plan", PLAN)

    ended = run("rules", "plan", str(tmp_path / "new"))

    assert ended.code == 0, ended.err
    assert json.loads(daemon.asked[-1].body) == RULES


def test_a_plan_is_told(daemon: Canned, run: Run, tmp_path: Path):
    (tmp_path / "new").write_text(json.dumps(RULES))
    daemon.say("POST /rules/plan", PLAN)

    lines = run("rules", "plan", str(tmp_path / "new")).out.splitlines()

    assert [line.split() for line in lines[2:4]] == [
        ["A", "0", "0", "B", "0"],
        ["B", "1,500", "1.5", "MiB", "1"],
    ]
    assert lines[4:] == [
        "B would get:",
        r"  a\nb",
        "  and 1,499 more",
        "B would let go, and keep as it is:",
        "  c",
        "3 files depend on a MIME type that is not known yet.",
        "2,000 files judged; nothing was changed.",
    ]


@pytest.mark.parametrize(
    "text",
    [b"rules: [", b"\xff\xfe\x00", b"a: !!python/none 1", b"rules: [2020-01-01]", b""],
)
def test_a_file_that_cannot_be_rules(run: Run, tmp_path: Path, text: bytes):
    (tmp_path / "new").write_bytes(text)

    ended = run("rules", "plan", str(tmp_path / "new"))

    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith("syncd: ")


def test_a_file_that_is_not_there(run: Run):
    ended = run("rules", "plan", "missing.yaml")

    assert (ended.code, ended.out) == (64, "")
    assert "missing.yaml: does not exist" in ended.err


def test_reload(daemon: Canned, run: Run):
    daemon.say("PUT /rules/reload", {"status": "ok"})

    assert run("rules", "reload") == (0, "The rules file is in force.\n", "")
