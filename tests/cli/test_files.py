"""syncd files."""

import os

from tests.cli.conftest import Canned, Run


def file(name: str, size: int = 10, owners: str = "AB", uptodate: str = "AB"):
    """Return a file as the daemon tells it."""
    return {
        "filename": name,
        "size": size,
        "owners": [*owners],
        "uptodate": [*uptodate],
    }


def test_a_table(daemon: Canned, run: Run):
    some = [file("docs/a.txt", 1536), file("b", uptodate="A"), file("c", uptodate="")]
    daemon.say("GET /files", {"files": some, "total": 3})

    lines = run("files").out.splitlines()

    assert [line.split() for line in lines if "/" in line or line[:1] in "bc"] == [
        ["docs/a.txt", "1.5", "KiB", "A,", "B", "all"],
        ["b", "10", "B", "A,", "B", "A"],
        ["c", "10", "B", "A,", "B", "none"],
    ]


def test_a_page_says_how_many_there_are(daemon: Canned, run: Run):
    daemon.say("GET /files", {"files": [file("a")], "total": 12345})

    assert run("files", "--limit", "1").out.splitlines()[-1] == "1 of 12,345 files"
    assert daemon.asked[-1].target == "/api/v1.0/files?limit=1"


def test_filters_are_handed_on(daemon: Canned, run: Run):
    daemon.say("GET /files", {"files": [], "total": 0})

    run("files", "--path", "a b/\u00e9", "--owner", "A&B", "--state", "pending")

    assert daemon.asked[-1].target == (
        "/api/v1.0/files?path=a+b%2F%C3%A9&owner=A%26B&state=pending"
    )


def test_names_that_are_not_utf8_are_handed_on_as_they_are(daemon: Canned, run: Run):
    daemon.say("GET /files", {"files": [], "total": 0})

    run("files", "--path", os.fsdecode(b"\xff/\x80"))

    assert daemon.asked[-1].target == "/api/v1.0/files?path=%FF%2F%80"


def test_names_cannot_write_to_the_terminal(daemon: Canned, run: Run):
    nasty = "a\nb \x1b[31m [red] \u202e \U0010feff"
    daemon.say("GET /files", {"files": [file(nasty)], "total": 1})

    out = run("files").out

    assert r"a\nb \x1b[31m [red] \u202e \xff" in out
    assert "\x1b" not in out
