"""syncd entries."""

import pytest
from click.shell_completion import ShellComplete

from syncd.cli import main
from tests.cli.conftest import Canned, Run


def test_the_list(daemon: Canned, run: Run):
    daemon.say(
        "GET /entries",
        {"entries": [{"name": "A", "driver": "d", "options": {"root": "x", "n": 1}}]},
    )

    lines = run("entries", "list").out.splitlines()

    assert lines[0].split() == ["entry", "driver", "options"]
    assert ["A", "d", "root:", "x,", "n:", "1"] in [line.split() for line in lines]


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "approve", "restore"])
@pytest.mark.parametrize(
    ("name", "encoded"),
    [("A", "A"), ("\u00e9 #1?", "%C3%A9%20%231%3F"), ("../up", "..%2Fup")],
)
def test_orders_name_the_entry_exactly(
    daemon: Canned, run: Run, verb: str, name: str, encoded: str
):
    daemon.say(f"GET /entries/{encoded}/status", {"name": name, "status": "active"})
    daemon.say(f"PUT /entries/{encoded}/{verb}", {"name": name, "status": "ok"})

    ended = run("entries", verb, name)

    assert ended.code == 0, ended.err
    assert ended.out.startswith(name)
    assert daemon.asked[-1].target == f"/api/v1.0/entries/{encoded}/{verb}"


def test_what_is_held(daemon: Canned, run: Run):
    file = {"filename": "a", "change": "deletions", "since": 0.0, "size": 3}
    held = {"reason": "do this", "changes": [], "total": 3000, "files": [file]}
    daemon.say("GET /entries/A/status", {"name": "A", "held": held})

    ended = run("entries", "held", "A", "--limit", "1")

    lines = ended.out.splitlines()
    assert lines[0].split() == ["file", "held", "since", "size"]
    assert lines[2].split()[:2] == ["a", "deletions"]
    assert [line.rstrip() for line in lines[-2:]] == ["1 of 3,000 files", "do this"]
    assert daemon.asked[-1].target == "/api/v1.0/entries/A/status?limit=1"


def test_what_was_passed_on_before_can_be_undone(daemon: Canned, run: Run):
    held = {
        "reason": "do this",
        "changes": [
            {"changes": "deletions", "files": 9, "since": 5.0},
            {"changes": "overwrites", "files": 9, "since": 5.0}
            | {"passed": 100, "passed_since": 86400.0},
        ],
        "total": 0,
        "files": [],
    }
    daemon.say("GET /entries/A/status", {"name": "A", "held": held})
    daemon.say("PUT /entries/A/restore", {"name": "A", "status": "ok"})

    ended = run("entries", "restore", "A")

    assert "100 more files have been passed on before" in ended.out
    assert "syncd undo / --at '1970-01-0" in ended.out
    assert "100 more files" in run("entries", "held", "A").out
    assert "more" not in run("entries", "restore", "A", "--json").out


def test_nothing_is_held(daemon: Canned, run: Run):
    text = daemon.say("GET /entries/A/status", {"name": "A", "status": "active"})

    assert run("entries", "held", "A").out == "nothing of A is held\n"
    assert run("entries", "held", "A", "--json").out == f"{text}\n"


def test_the_shell_completes_names(daemon: Canned, run: Run):
    entries = [{"name": name} for name in ("Aa", "Ab", "B")]
    daemon.say("GET /entries", {"entries": entries})
    shell = ShellComplete(main.syncd, {}, "syncd", "_SYNCD_COMPLETE")

    found = shell.get_completions(["entries", "stop"], "A")

    assert [item.value for item in found] == ["Aa", "Ab"]


def test_the_shell_completes_nothing_without_a_daemon(monkeypatch):
    monkeypatch.setenv("SYNCD_URL", "http://127.0.0.1:1")
    shell = ShellComplete(main.syncd, {}, "syncd", "_SYNCD_COMPLETE")

    assert shell.get_completions(["entries", "stop"], "A") == []
