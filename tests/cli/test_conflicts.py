"""syncd conflicts."""

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from syncd.cli import main
from syncd.core import path as paths
from tests.cli.conftest import Canned, Run

KEPT = {
    "fid": "f",
    "filename": "d/x.sync-conflict-20231114-221320-A\x1b",
    "state": "kept",
    "conflict_of": "d/x",
    "conflict_of_fid": "g",
    "size": 3,
    "mtime": 1_700_000_000,
    "owners": ["A", "B"],
    "uptodate": ["A"],
}
DISPUTED = {
    "fid": "h",
    "filename": "y",
    "state": "disputed",
    "sides": [
        {"entry": "A", "kind": "file", "size": 2048, "mtime": 1_700_000_000},
        {"entry": "B", "kind": "file", "size": 5, "mtime": 1_700_000_001},
    ],
    "size": 2048,
    "mtime": 1_700_000_000,
    "owners": ["A", "B"],
    "uptodate": ["A"],
}


def test_the_list(daemon: Canned, run: Run):
    daemon.say("GET /conflicts", {"conflicts": [KEPT, DISPUTED], "total": 9})

    ended = run("conflicts", "list", "--offset", "1", "--limit", "2")

    assert ended.code == 0
    header, _, kept, one, other, more = ended.out.splitlines()
    assert header.split() == ["file", "conflict", "size", "changed"]
    assert kept.startswith(r"d/x.sync-conflict-20231114-221320-A\x1b")
    assert "kept from d/x" in kept
    assert "waits for a decision: A holds this" in one
    assert "2 KiB" in one
    assert "B holds this" in other
    assert "5 B" in other
    assert more == "2 of 9 conflicts"
    assert daemon.asked[-1].target == "/api/v1.0/conflicts?offset=1&limit=2"


def test_json_is_the_daemons_own(daemon: Canned, run: Run):
    text = daemon.say("GET /conflicts", {"conflicts": [], "total": 0})

    assert run("conflicts", "list", "--json") == (0, text + "\n", "")


@pytest.mark.parametrize(
    ("keep", "words"),
    [("A", "d/x: what A holds is kept\n"), ("both", "d/x: both are kept\n")],
)
def test_a_decision(daemon: Canned, run: Run, keep: str, words: str):
    asked = f"POST /conflicts/{paths.fid('d/x')}/resolve"
    text = daemon.say(asked, {"fid": "f", "status": "ok"})

    assert run("conflicts", "resolve", "d/x", "--keep", keep) == (0, words, "")
    assert json.loads(daemon.asked[-1].body) == {"keep": keep}
    told = run("conflicts", "resolve", "d/x", "--keep", keep, "--json")
    assert told.out == text + "\n"


def test_a_place_on_this_disk(
    daemon: Canned, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    entry = {"name": "A", "driver": "d", "options": {"root": "example/A"}}
    daemon.say("GET /entries", {"entries": [entry]})
    wrong, right = paths.fid("example/A/x"), paths.fid("x")
    daemon.refuse(f"POST /conflicts/{wrong}/resolve", 404, "not found")
    daemon.say(f"POST /conflicts/{right}/resolve", {"fid": right, "status": "ok"})

    assert run("conflicts", "resolve", "example/A/x", "--keep", "A").code == 0


@pytest.mark.parametrize(("status", "code"), [(400, 64), (409, 75), (503, 69)])
def test_refusals(daemon: Canned, run: Run, status: int, code: int):
    asked = f"POST /conflicts/{paths.fid('x')}/resolve"
    daemon.refuse(asked, status, "the reason")

    ended = run("conflicts", "resolve", "x", "--keep", "A")

    assert (ended.code, ended.err) == (code, "syncd: the reason\n")


def test_what_to_keep_must_be_said(run: Run):
    ended = run("conflicts", "resolve", "x")

    assert ended.code == 64
    assert "--keep" in ended.err


def test_the_shell_completes_what_to_keep(daemon: Canned, run: Run):
    daemon.say("GET /entries", {"entries": [{"name": n} for n in ("A", "backup")]})
    shell = ShellComplete(main.syncd, {}, "syncd", "_SYNCD_COMPLETE")

    found = shell.get_completions(["conflicts", "resolve", "x", "--keep"], "b")

    assert [item.value for item in found] == ["backup", "both"]
