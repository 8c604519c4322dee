"""syncd history."""

from pathlib import Path

import pytest

from syncd.core import path as paths
from tests.cli.conftest import Canned, Run
from tests.cli.test_undo import ONE

FID = paths.fid("docs/a.txt")
SAID = {
    "fid": FID,
    "filename": "docs/a.txt",
    "versions": [ONE, {**ONE, "entry": "A", "version": "16", "why": "replaced"}],
    "unheard": [{"entry": "C", "reason": "it is not running"}],
}


def test_versions_newest_first(daemon: Canned, run: Run):
    text = daemon.say(f"GET /files/{FID}/history", SAID)
    ended = run("history", "docs/a.txt")

    assert ended.code == 0
    lines = [line for line in ended.out.splitlines() if "1.5 KiB" in line]
    assert ["deleted" in lines[0], "replaced" in lines[1]] == [True, True]
    assert "1700000000500000000" in lines[0]
    assert "C could not tell: it is not running" in ended.out
    assert run("history", "docs/a.txt", "--json").out == text + "\n"


def test_nothing_is_kept(daemon: Canned, run: Run):
    daemon.say(f"GET /files/{FID}/history", {**SAID, "versions": [], "unheard": []})

    assert run("history", "docs/a.txt").out == "nothing is kept of it\n"


@pytest.mark.parametrize("known", [True, False])
def test_a_place_on_this_disk(daemon: Canned, run: Run, tmp_path: Path, known: bool):
    place = tmp_path / "docs/a.txt"
    root = str(tmp_path) if known else "/elsewhere"
    entry = {"name": "A", "driver": "local_storage", "options": {"root": root}}
    daemon.say("GET /entries", {"entries": [entry]})
    fid = paths.fid(str(place)[1:])
    daemon.refuse(f"GET /files/{fid}/history", 404, "file not found")
    daemon.say(f"GET /files/{FID}/history", SAID)
    ended = run("history", str(place))

    assert ended.code == (0 if known else 66)
    assert "deleted" in ended.out if known else f"{place}: file not" in ended.err
