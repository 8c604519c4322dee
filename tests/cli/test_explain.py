"""syncd explain."""

import json
import os
from pathlib import Path

import pytest

from syncd.core import path as paths
from tests.cli.conftest import Canned, Run

FILE = {
    "fid": paths.fid("docs/a.txt"),
    "filename": "docs/a.txt",
    "size": 1536,
    "owners": ["A", "B", "C"],
    "uptodate": ["A"],
    "kind": "file",
    "mtime": 1_700_000_000.5,
    "state": "pending",
}
SAID = {
    "file": FILE,
    "rules": [{"number": 2, "rule": {"match": {"path": "/"}, "sync": ["A", "B", "C"]}}],
    "entries": [
        {
            "entry": "A",
            "owner": True,
            "uptodate": True,
            "present": True,
            "state": "uptodate",
            "because": "rule 2 says so",
        },
        {
            "entry": "B",
            "owner": True,
            "uptodate": False,
            "present": False,
            "state": "blocked",
            "because": "rule 2 says so",
            "reason": "no space left",
            "attempts": 3,
            "retry_at": 1_700_000_100,
        },
    ],
}


def canned(daemon: Canned, name: str) -> str:
    """Let the daemon know one file; return what it says of it."""
    return daemon.say(f"GET /files/{paths.fid(name)}/explain", SAID)


def test_the_story(daemon: Canned, run: Run):
    canned(daemon, "docs/a.txt")

    ended = run("explain", "docs/a.txt")

    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].startswith("docs/a.txt, 1.5 KiB, changed 2023-11-1")
    assert lines[1] == "should be on A, B and C"
    assert '  2. {"match": {"path": "/"}, "sync": ["A", "B", "C"]}' in lines
    assert "A: uptodate; rule 2 says so" in lines
    assert "B: blocked; rule 2 says so" in lines
    assert "  no space left" in lines
    assert lines[-1].startswith("  3 attempts, next at 2023-11-1")


def test_where_it_was_before(daemon: Canned, run: Run):
    daemon.say(f"GET /files/{paths.fid('a')}/explain", SAID | {"moved_from": "old\n"})

    assert r"moved here from old\n" in run("explain", "a").out.splitlines()


STORY = [
    {"at": 1_700_000_000.5, "step": "noticed", "what": "gone", "entry": "A\n"},
    {
        "at": 1_700_000_000.501,
        "step": "decided",
        "what": "deleted",
        "entries": ["A", "B"],
    },
    {
        "at": 1_700_000_000.502,
        "step": "ordered",
        "what": "put",
        "entry": "B",
        "sources": ["A", "C"],
    },
    {"at": 1, "step": "failed", "what": "put", "entry": "B", "reason": "no room"},
    {"at": 1, "step": "done", "what": "put", "entry": "C", "bytes": 2048},
    {"at": 1, "step": "done", "what": "delete", "entry": "C"},
]


def test_the_last_change(daemon: Canned, run: Run):
    said = SAID | {"cause": "1234abcd", "story": STORY}
    daemon.say(f"GET /files/{paths.fid('a')}/explain", said)

    lines = run("explain", "a").out.splitlines()

    start = lines.index("Its last change (1234abcd):")
    assert lines[start + 1].endswith(r".500  A\n: it was gone")
    assert [line[27:] for line in lines[start + 2 :]] == [
        "decided: deleted; should be on A and B",
        "B: told to put it, from A or C",
        "B: put failed: no room",
        "C: put done, 2 KiB copied",
        "C: delete done",
    ]


def test_one_that_is_gone(daemon: Canned, run: Run):
    daemon.say(f"GET /files/{paths.fid('a')}/explain", SAID | {"deleted": True})

    assert "deleted; was to be on A, B and C" in run("explain", "a").out.splitlines()


def test_json_is_the_daemons_own(daemon: Canned, run: Run):
    text = canned(daemon, "docs/a.txt")

    assert run("explain", "docs/a.txt", "--json") == (0, text + "\n", "")


@pytest.mark.parametrize("words", ["/docs/a.txt", "docs/a.txt/", "docs/a.txt"])
def test_slashes_around_do_not_matter(daemon: Canned, run: Run, words: str):
    canned(daemon, "docs/a.txt")

    assert run("explain", words).code == 0


@pytest.mark.parametrize("name", [b"\xff\x80", "\u00e9 100%".encode(), b"a\nb"])
def test_any_name(daemon: Canned, run: Run, name: bytes):
    canned(daemon, paths.from_bytes(name))

    assert run("explain", os.fsdecode(name)).code == 0


def test_a_place_on_this_disk(
    daemon: Canned, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    entry = {"name": "A", "driver": "d", "options": {"root": "example/A"}}
    daemon.say("GET /entries", {"entries": [entry]})
    asked = f"GET /files/{paths.fid('example/A/docs/a.txt')}/explain"
    daemon.refuse(asked, 404, "not found")
    text = canned(daemon, "docs/a.txt")

    ended = run("explain", "example/A/docs/a.txt", "--json")

    assert json.loads(ended.out) == json.loads(text)


def test_what_is_not_known(daemon: Canned, run: Run):
    daemon.say("GET /entries", {"entries": []})
    daemon.refuse(f"GET /files/{paths.fid('a')}/explain", 404, "file ... not found")

    ended = run("explain", "a")

    assert ended.code == 66
    assert ended.err.startswith("syncd: no file a is known")


@pytest.mark.parametrize("path", ["..", "a/../b", "/", "", "."])
def test_what_can_be_no_name(daemon: Canned, run: Run, path: str):
    assert run("explain", path).code == 64
