"""syncd status."""

from typing import Any

from rich.console import Console

from syncd.cli import status
from tests.cli.conftest import Canned, Run


def entry(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry as the daemon tells it."""
    return {
        "name": name,
        "state": "active",
        "files": 1200,
        "bytes": 3 * 2**20,
        "pending": 0,
        "conflicts": 0,
        **more,
    }


def shown(document: dict[str, Any]) -> list[str]:
    """Return the picture, line by line."""
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(status.picture(document))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_all_is_well(daemon: Canned, run: Run):
    daemon.say("GET /status", {"entries": [entry("A"), entry("B")], "files": 1200})

    ended = run("status")

    lines = ended.out.splitlines()
    assert lines[0].split() == [
        *("entry", "state", "files", "size", "pending", "conflicts", "held", "reason")
    ]
    assert lines[2].split() == ["A", "active", "1,200", "3", "MiB", "0", "0", "0"]
    assert lines[-1].rstrip() == "1,200 files, everything is in step"


def test_trouble_is_told():
    troubled = entry("B", state="suspended", reason="its root is gone", pending=7)

    lines = shown({"entries": [troubled], "files": 3, "conflicts": 2})

    assert "suspended" in lines[2]
    assert "its root is gone" in lines[2]
    assert "3 files, 7 pending, 2 conflicts" in lines


def test_what_cannot_be_watched_is_told():
    few = {"watched_ratio": 0.75, "oldest_unscanned_seconds": 12.4}
    some = entry("B", unwatched=1000, **few)

    lines = shown({"entries": [entry("A", unwatched=0), some], "files": 3})

    told = [line for line in lines if "watched" in line]
    assert told == [
        "B: 1,000 folders cannot be watched (75% are) and are looked into in turn;"
        " the one that waits longest was 12 s ago"
    ]


def test_trouble_with_its_own_state_is_told():
    full = {"usable": False, "reason": "full; make room", "last_stop": "clean"}
    anew = {"usable": True, "last_stop": "power cut", "replaced": "/var/index.broken"}
    well = {"usable": True, "last_stop": "clean"}
    told = [
        shown({"entries": [], "files": 3, "state": state})[-1]
        for state in (full, anew, well)
    ]

    assert told[0] == "nothing is changed for now: full; make room"
    assert told[1].endswith("made anew; the old one is /var/index.broken")
    assert told[2] == "3 files, everything is in step"


def test_a_first_copy_shows_how_far_it_is():
    transfer = {"filename": "big", "bytes": 2**31, "copied": 2**30, "source": "A"}
    copying = entry("B", files=250, pending=750, in_flight=[transfer])

    lines = shown({"entries": [entry("A"), copying], "files": 1000})

    assert any("250 of 1,000" in line for line in lines)
    assert any("big" in line and "1 GiB of 2 GiB" in line for line in lines)


def test_json_is_the_daemons_own(daemon: Canned, run: Run):
    text = daemon.say("GET /status", {"entries": [], "files": 0, "later": [1]})

    assert run("status", "--json") == (0, text + "\n", "")


def test_what_is_held_is_told_with_what_to_do_and_since_when():
    held = entry("A", state="held", held=3000, held_since=0.0, reason="approve A")

    lines = shown({"entries": [held], "files": 1})

    assert "3,000" in lines[2].split()
    assert "approve A (since 1970-01-01" in " ".join(lines)
    assert lines[-1] == "1 file, 3,000 changes held until you decide"
