"""syncd undo."""

import base64
import json
import os
import time
from pathlib import Path

import pytest

from syncd.core import path as paths
from tests.cli.conftest import Canned, Run

ONE = {
    "fid": paths.fid("docs/a.txt"),
    "filename": "docs/a.txt",
    "version": "1700000000500000000",
    "entry": "B",
    "at": 1_700_000_000.5,
    "size": 1536,
    "mtime": 1_600_000_000.0,
    "kind": "file",
    "why": "deleted",
}
SAID = {
    "status": "ok",
    "dry_run": False,
    "files": 3,
    "bytes": 4096,
    "examples": [ONE],
    "passed_over": [{"filename": "docs/b\x1b", "reason": "it is a folder now"}],
    "unheard": [{"entry": "C", "reason": "it is not running"}],
}


def body(daemon: Canned, number: int = -1) -> object:
    return json.loads(daemon.asked[number].body)


def test_what_came_back_is_told(daemon: Canned, run: Run):
    daemon.say("POST /undo", SAID)
    ended = run("undo", "docs")

    assert ended.code == 0
    assert body(daemon) == {"path": "docs", "dry_run": False}
    for words in ("docs/a.txt", "1.5 KiB", "deleted", "and 2 more"):
        assert words in ended.out
    assert "3 files, 4 KiB, came back" in ended.out
    assert "docs/b\\x1b: it is a folder now" in ended.out
    assert "C could not tell: it is not running" in ended.out


def test_a_dry_run_says_that_nothing_was_changed(daemon: Canned, run: Run):
    daemon.say("POST /undo", {**SAID, "dry_run": True, "files": 1, "bytes": 1536})
    ended = run("undo", "docs", "--dry-run", "--entry", "B")

    assert body(daemon) == {"path": "docs", "dry_run": True, "entry": "B"}
    assert "1 file, 1.5 KiB, would come back; nothing was changed" in ended.out
    assert "more" not in ended.out


def test_a_moment(daemon: Canned, run: Run):
    daemon.say("POST /undo", SAID)
    run("undo", "/", "--at", "1h")

    said = body(daemon)
    assert isinstance(said, dict)
    assert said["path"] == "/"
    assert abs(said["at"] - (time.time() - 3600)) < 60


@pytest.mark.parametrize("when", ["yesterday", "", "25:00", "2100-01-01", "-1h"])
def test_what_is_no_moment_of_the_past(daemon: Canned, run: Run, when: str):
    ended = run("undo", "docs", "--at", when)

    assert ended.code == 64
    assert daemon.asked == []
    assert "no moment" in ended.err or "has not come yet" in ended.err


def test_one_version(daemon: Canned, run: Run):
    where = f"/files/{paths.fid('docs/a.txt')}/undo"
    daemon.say(f"POST {where}", {"status": "ok", "restored": ONE})
    ended = run("undo", "docs/a.txt", "--version", "17", "--entry", "B")

    assert body(daemon) == {"version": "17", "entry": "B"}
    assert "docs/a.txt, 1.5 KiB" in ended.out
    refusal = run("undo", "docs/a.txt", "--version", "17", "--dry-run")
    assert (refusal.code, "leave out" in refusal.err) == (64, True)


def test_json_as_it_came(daemon: Canned, run: Run):
    text = daemon.say("POST /undo", SAID)

    assert run("undo", "docs", "--json").out == text + "\n"


def test_a_name_that_is_not_utf_8(daemon: Canned, run: Run):
    daemon.say("POST /undo", SAID)
    run("undo", os.fsdecode(b"d/\xff"))

    said = body(daemon)
    assert isinstance(said, dict)
    assert base64.b64decode(said["path_base64"]) == b"d/\xff"


def test_a_place_on_this_disk(
    daemon: Canned, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    entry = {"name": "A", "driver": "local_storage", "options": {"root": str(tmp_path)}}
    daemon.say("GET /entries", {"entries": [entry]})
    daemon.refuse("POST /undo", 404, "nothing is kept of it")
    monkeypatch.chdir(tmp_path)

    assert run("undo", str(tmp_path / "docs")).code == 66
    assert [one.body and body(daemon, n) for n, one in enumerate(daemon.asked)] == [
        {"path": str(tmp_path / "docs"), "dry_run": False},
        b"",
        {"path": "docs", "dry_run": False},
    ]
    run("undo", str(tmp_path), "--at", "1h")
    said = body(daemon)
    assert isinstance(said, dict)
    assert said["path"] == ""
    fid = paths.fid("docs/a.txt")
    outside = paths.fid(str(tmp_path / "docs/a.txt")[1:])
    daemon.refuse(f"POST /files/{outside}/undo", 404, "not found")
    daemon.say(f"POST /files/{fid}/undo", {"status": "ok", "restored": ONE})
    assert run("undo", str(tmp_path / "docs/a.txt"), "--version", "1").code == 0


def test_elsewhere_on_this_disk(daemon: Canned, run: Run):
    daemon.say("GET /entries", {"entries": []})
    daemon.refuse("POST /undo", 404, "nothing is kept of it")
    daemon.refuse(f"POST /files/{paths.fid('x')}/undo", 404, "file not found")

    assert run("undo", "/nowhere").err == "syncd: nothing is kept of it\n"
    assert run("undo", "x", "--version", "1").code == 66
