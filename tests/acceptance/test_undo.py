"""What syncd replaces or deletes is kept, and comes back when asked for."""

import os
import random
import threading
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from syncd.core import path as paths
from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import UNGUARDED, Daemon
from tests.acceptance.trees import content, digest

TRASH = ".syncd-trash"


def history(daemon: Daemon, name: str) -> list[dict[str, Any]]:
    """Return what is kept of a file, newest first."""
    found: list[dict[str, Any]] = daemon.get(f"/files/{fid(name)}/history")["versions"]
    return found


def undo(daemon: Daemon, name: str, **wish: Any) -> dict[str, Any]:
    """Bring one file back; it must work."""
    answer = daemon.http("POST", f"/files/{fid(name)}/undo", wish or None)
    assert answer.status_code == 200, answer.text
    restored: dict[str, Any] = answer.json()["restored"]
    return restored


def undo_below(daemon: Daemon, **wish: Any) -> dict[str, Any]:
    answer = daemon.http("POST", "/undo", wish)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def refused(daemon: Daemon, path: str, wish: Any = None) -> tuple[int, str]:
    answer = daemon.http("POST", path, wish)
    return answer.status_code, answer.json()["reason"]


def fid(name: str) -> str:
    return paths.fid(paths.from_bytes(os.fsencode(name)))


def trashed(root: Path) -> list[Path]:
    return sorted((root / TRASH).rglob("*~*"))


def written(daemon: Daemon, name: str, *contents: bytes) -> None:
    """Write contents on A one after the other; each has come to B before the next."""
    for data in contents:
        daemon.write("A", name, data)
        daemon.arrives("B", name, data)
    daemon.converged()


def test_what_was_overwritten_on_a_is_recoverable_on_b_and_then_everywhere(
    pair: Daemon,
):
    written(pair, "docs/a", b"old", b"newer")

    [kept] = history(pair, "docs/a")
    assert (kept["entry"], kept["size"], kept["why"]) == ("B", 3, "replaced")
    assert kept["filename"] == "docs/a"
    assert undo(pair, "docs/a")["version"] == kept["version"]
    pair.arrives("A", "docs/a", b"old")
    assert pair.read("B", "docs/a") == b"old"
    pair.converged(metadata=True)

    # What it replaced is kept in turn, on both; so the undoing can be undone.
    newest = history(pair, "docs/a")
    assert {one["entry"]: one["why"] for one in newest} == {
        "A": "replaced",
        "B": "undone",
    }
    undo(pair, "docs/a")
    for entry in ("A", "B"):
        pair.arrives(entry, "docs/a", b"newer")
    pair.converged()


def test_a_deletion_is_undone(pair: Daemon):
    written(pair, "docs/deep/a", b"old")
    pair.path("A", "docs/deep/a").unlink()
    wait_for(lambda: pair.read("B", "docs/deep/a") is None)
    pair.converged()

    [kept] = history(pair, "docs/deep/a")
    assert (kept["entry"], kept["why"]) == ("B", "deleted")
    undo(pair, "docs/deep/a")
    for entry in ("A", "B"):
        pair.arrives(entry, "docs/deep/a", b"old")
    pair.converged(metadata=True)
    assert history(pair, "docs/deep/a") == []


def test_every_fact_of_a_version_is_told(pair: Daemon):
    before = time.time()
    written(pair, "a", b"old", b"newer")
    pair.path("A", "a").unlink()
    wait_for(lambda: pair.read("B", "a") is None)

    second, first = history(pair, "a")
    assert second["digest"] != first["digest"]
    assert [len(one["digest"]) for one in (first, second)] == [64, 64]
    assert before < first["at"] < second["at"] < time.time()
    assert (first["kind"], first["why"], second["why"]) == (
        "file",
        "replaced",
        "deleted",
    )
    for one in (first, second):
        assert (
            f'"cause": "{one["cause"]}"'
            in (pair.state / "log" / "syncd.log").read_text()
            or one["cause"]
        )


def test_a_moment_and_a_version(pair: Daemon):
    written(pair, "a", b"one")
    moment = time.time()
    written(pair, "a", b"two!", b"three")
    versions = history(pair, "a")
    assert [one["size"] for one in versions] == [4, 3]

    undo(pair, "a", at=moment)
    pair.arrives("A", "a", b"one")
    pair.converged()
    undo(pair, "a", version=versions[0]["version"], entry="B")
    pair.arrives("A", "a", b"two!")
    pair.converged()


def test_a_tree_that_was_deleted(pair: Daemon):
    for number in range(40):
        pair.write("A", f"photos/{number % 4}/{number}", content(1000, number))
    pair.write("A", "photos/kept", b"here")
    pair.write("A", "other", b"old")
    was = pair.converged()
    pair.write("A", "photos/kept", b"edited")
    pair.write("A", "other", b"edited")
    pair.converged()
    for number in range(40):
        pair.path("A", f"photos/{number % 4}/{number}").unlink()
    pair.path("A", "photos/3").rmdir()
    wait_for(lambda: not list(pair.folder("B").glob("photos/?/*")))
    pair.converged()

    dry = undo_below(pair, path="photos", dry_run=True)
    assert (dry["files"], dry["bytes"], dry["dry_run"]) == (40, 40_000, True)
    assert len(dry["examples"]) == 20
    assert not list(pair.folder("B").glob("photos/?/*"))
    done = undo_below(pair, path="photos")
    assert (done["files"], done["passed_over"], done["unheard"]) == (40, [], [])

    wait_for(lambda: len(list(pair.folder("A").glob("photos/?/*"))) == 40)
    tree = pair.converged()
    assert {name for name, _ in tree.items()} == set(was)
    assert pair.read("A", "photos/kept") == pair.read("A", "other") == b"edited"
    assert {k: v for k, v in tree.items() if b"/" in k and k != b"photos/kept"} == {
        k: v for k, v in was.items() if b"/" in k and k != b"photos/kept"
    }


def test_everything_since_a_moment(pair: Daemon):
    for name in ("a", "d/b", "d/c", "same"):
        pair.write("A", name, b"before")
    was = pair.converged()
    moment = time.time()
    written(pair, "a", b"once")
    written(pair, "a", b"twice")
    pair.write("B", "d/b", b"on B")
    pair.path("A", "d/c").unlink()
    pair.write("A", "new", b"stays")
    wait_for(lambda: pair.read("B", "d/c") is None)
    pair.arrives("A", "d/b", b"on B")
    pair.converged()

    assert undo_below(pair, since=moment, dry_run=True)["files"] == 3
    assert undo_below(pair, at=moment)["files"] == 3

    wait_for(lambda: pair.read("A", "d/c") and pair.read("B", "d/b") == b"before")
    tree = pair.converged()
    assert tree.pop(b"new")[0] == "file"
    assert tree == was


def test_an_edit_that_is_under_way_is_not_overwritten(pair: Daemon):
    written(pair, "a", b"old", b"newer")
    with pair.path("B", "a").open("r+b") as file:
        status, reason = refused(pair, f"/files/{fid('a')}/undo")
        assert (status, "open for writing" in reason) == (409, True)
        file.write(b"edits")
    pair.arrives("A", "a", b"edits")
    pair.converged()


def test_refusals_say_what_to_do(pair: Daemon):
    written(pair, "a", b"old", b"newer")
    written(pair, "never changed", b"x")
    [kept] = history(pair, "a")
    here = f"/files/{fid('a')}/undo"

    refusals: list[tuple[str, Any, int, str]] = [
        (f"/files/{fid('nothing')}/undo", None, 404, "not found"),
        (f"/files/{fid('never changed')}/undo", None, 404, "nothing is kept of never"),
        ("/undo", {"path": "nothing"}, 404, "nothing is kept of nothing"),
        ("/undo", {"path": "never changed"}, 404, "nothing is kept"),
        ("/undo", {}, 400, "say since when"),
        ("/undo", {"path": "../x"}, 400, "not a path"),
        ("/undo", {"since": 1, "at": 2}, 400, "mean the same"),
        ("/undo", {"since": -1}, 400, "seconds since 1970"),
        ("/undo", {"since": "yesterday"}, 400, "the body"),
        ("/undo", {"path": "a", "x": 1}, 400, "the body"),
        ("/undo", {"since": time.time()}, 409, "is as it was then"),
        (here, {"version": "1"}, 404, "no version 1 is kept of a"),
        (here, {"version": kept["version"], "entry": "A"}, 404, "nothing is kept"),
        (here, {"entry": "Z"}, 400, "entry Z not found"),
        (here, {"at": time.time()}, 409, "has not changed since then"),
        (here, {"at": 1, "version": "1"}, 400, "exclude each other"),
        (here, [], 400, "the body"),
    ]
    for path, wish, status, words in refusals:
        assert (path, wish, *refused(pair, path, wish)[:1]) == (path, wish, status)
        assert words in refused(pair, path, wish)[1]
    assert pair.http("GET", f"/files/{fid('nothing')}/history").status_code == 404
    assert pair.read("B", "a") == b"newer"


def test_a_stopped_entry_is_named(pair: Daemon):
    written(pair, "a", b"old", b"newer")
    pair.stop_entry("B")

    said = pair.get(f"/files/{fid('a')}/history")
    assert said["versions"] == []
    assert said["unheard"] == [{"entry": "B", "reason": "it is not running"}]
    status, reason = refused(pair, f"/files/{fid('a')}/undo")
    assert (status, "B: it is not running" in reason) == (404, True)
    pair.start_entry("B")
    wait_for(lambda: history(pair, "a"))


def test_the_trash_outlives_the_index(pair: Daemon):
    name = "d/" + "n" * 255
    written(pair, name, b"old", b"newer")
    pair.path("A", name).unlink()
    wait_for(lambda: pair.read("B", name) is None)
    before = history(pair, name)
    pair.stop()
    for file in (*pair.state.glob("index.db*"), *pair.state.glob("entries/*/ledger*")):
        file.unlink()
    pair.start()
    wait_for(lambda: not pair.get(f"/files/{fid(name)}/history")["unheard"])

    assert history(pair, name) == before
    assert [one["size"] for one in before] == [5, 3]
    assert undo(pair, name)["size"] == 5
    for entry in ("A", "B"):
        pair.arrives(entry, name, b"newer")
    pair.converged()


def test_names_that_are_not_utf_8(pair: Daemon):
    name = b"d/latin \xe9\xff"
    for data in (b"old", b"newer"):
        pair.write("A", name, data)
        pair.arrives("B", os.fsdecode(name), data)
    pair.converged()
    [kept] = history(pair, os.fsdecode(name))

    assert kept["filename"] == "d/latin \\xe9\\xff"
    done = pair.command_line("undo", os.fsdecode(name))
    assert (done.returncode, "came back" in done.stdout) == (0, True), done.stderr
    wait_for(lambda: pair.read("A", name) == b"old")
    pair.converged()


def test_copies_that_no_rule_wants_any_more_go_to_the_trash():
    everywhere = {"match": {"path": "/"}, "sync": ["A", "B"]}
    settings = {"B": {"on_unmatch": "trash"}}
    with Daemon("A", "B", rules=[everywhere], settings=settings) as daemon:
        written(daemon, "private/a", b"secret")
        written(daemon, "a", b"public")
        ban = {"match": {"path": "/private/"}, "ban": ["B"]}
        daemon.write_rules([everywhere, ban])
        daemon.put("/rules/reload")
        wait_for(lambda: daemon.read("B", "private/a") is None)

        [kept] = history(daemon, "private/a")
        assert (kept["entry"], kept["why"]) == ("B", "unmatched")
        [place] = trashed(daemon.folder("B"))
        assert place.read_bytes() == b"secret"
        assert daemon.read("A", "private/a") == b"secret"
        assert daemon.read("B", "a") == b"public"


def test_only_what_another_owner_holds_goes_to_the_trash():
    rules = [{"match": {"path": "/"}, "sync": ["A", "B"]}]
    settings = {"B": {"on_unmatch": "trash"}}
    with Daemon("A", "B", rules=rules, settings=settings) as daemon:
        daemon.stop_entry("A")
        daemon.write("B", "mine", b"only here")
        wait_for(lambda: daemon.file("mine"))
        ban = {"match": {"path": "/"}, "ban": ["B"]}
        daemon.write_rules([*rules, ban])
        daemon.put("/rules/reload")
        wait_for(lambda: daemon.file("mine").get("owners") == ["A"])
        time.sleep(1)
        assert daemon.read("B", "mine") == b"only here"

        daemon.start_entry("A")
        daemon.arrives("A", "mine", b"only here")
        wait_for(lambda: daemon.read("B", "mine") is None)
        [place] = trashed(daemon.folder("B"))
        assert place.read_bytes() == b"only here"


def test_old_versions_are_let_go_and_nothing_kept_where_that_is_not_wanted():
    settings: dict[str, dict[str, Any]] = {
        "B": {"keep": {"versions": 2}},
        "C": {"keep": False},
    }
    with Daemon("A", "B", "C", settings=settings) as daemon:
        for number in range(8):
            daemon.write("A", "a", b"x" * number)
            for entry in ("B", "C"):
                daemon.arrives(entry, "a", b"x" * number)
        wait_for(lambda: len(trashed(daemon.folder("B"))) <= 2, within=60)

        assert [one["size"] for one in history(daemon, "a")] == [6, 5]
        assert not (daemon.folder("C") / TRASH).exists()
        [day] = (daemon.folder("B") / TRASH).iterdir()
        day.rename(day.with_name("2001-01-01"))
        daemon.restart()
        wait_for(lambda: not (day.with_name("2001-01-01")).exists(), within=60)


def test_what_is_kept_is_never_news(pair: Daemon):
    written(pair, "a", b"old", b"newer")
    figures = pair.status()["files"]
    pair.restart()
    pair.converged()

    assert pair.status()["files"] == figures == 1
    assert not [f for f in pair.files() if "syncd" in f["filename"]]
    assert not (pair.folder("A") / TRASH).exists()


class Storm:
    """Two who keep replacing files of A, and one who looks at what comes to B."""

    def __init__(self, daemon: Daemon, names: list[str]) -> None:
        self._daemon = daemon
        self._names = names
        self._stop = threading.Event()
        self.seen: set[bytes] = set()
        """Every content that was ever seen on B."""
        self._threads = [
            threading.Thread(target=self._replace, args=[0]),
            threading.Thread(target=self._replace, args=[1]),
            threading.Thread(target=self._look),
        ]

    def __enter__(self) -> "Storm":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _replace(self, seed: int) -> None:
        chance, new = random.Random(seed), self._daemon.home / f"new {seed}"
        for number in count():
            if self._stop.is_set():
                return
            name = chance.choice(self._names)
            new.write_bytes(content(3000, (name, seed, number)))
            new.rename(self._daemon.folder("A") / name)
            time.sleep(0.002)

    def _look(self) -> None:
        while not self._stop.is_set():
            for name in self._names:
                if (data := self._daemon.read("B", name)) is not None:
                    self.seen.add(data)


@pytest.mark.parametrize("victim", ["everything", "B"])
def test_killed_in_a_storm_of_overwrites_no_version_is_gone(victim: str):
    """Every content that ever lay on B is there, or in its trash."""
    settings = {key: {"keep": {"versions": 10000}, **UNGUARDED} for key in "AB"}
    names = [f"{number % 5}/{number}" for number in range(100)]
    with Daemon("A", "B", settings=settings) as daemon:
        for name in names:
            daemon.write("A", name, content(3000, name))
        daemon.converged()
        with Storm(daemon, names) as storm:
            for round_ in range(4):
                time.sleep(0.5 + 0.3 * round_)
                if victim == "everything":
                    daemon.kill()
                    daemon.start()
                else:
                    killed = daemon.kill_child("B")
                    wait_for(partial(daemon.has_child, "B", but=killed))
        daemon.converged(within=90)

        kept = [place.read_bytes() for place in trashed(daemon.folder("B"))]
        gone = storm.seen - {*daemon.contents("B"), *kept}
        assert len(storm.seen) > 150
        assert len(kept) > 50
        assert not gone


def test_the_commands(pair: Daemon):
    written(pair, "docs/a", b"old", b"newer")
    [kept] = history(pair, "docs/a")

    listed = pair.command_line("history", "docs/a")
    assert listed.returncode == 0, listed.stderr
    assert kept["version"] in listed.stdout
    assert "replaced" in listed.stdout
    by_place = pair.command_line("history", str(pair.path("B", "docs/a")))
    assert by_place.stdout == listed.stdout
    dry = pair.command_line("undo", "docs", "--at", "1h", "--dry-run")
    assert (dry.returncode, "nothing" in dry.stdout + dry.stderr) == (0, True)
    assert pair.read("B", "docs/a") == b"newer"
    done = pair.command_line("undo", str(pair.path("A", "docs/a")))
    assert "1 file, 3 B, came back" in done.stdout, done.stderr
    pair.arrives("A", "docs/a", b"old")
    pair.converged()
    other = history(pair, "docs/a")[-1]
    one = pair.command_line(
        "undo", "docs/a", "--version", other["version"], "--entry", other["entry"]
    )
    assert one.returncode == 0, one.stderr
    for entry in ("A", "B"):
        pair.arrives(entry, "docs/a", b"newer")
    refusal = pair.command_line("undo", "none")
    assert (refusal.returncode, "nothing is kept of none" in refusal.stderr) == (
        66,
        True,
    )
    assert pair.command_line("history", "none").returncode == 66


def test_large_and_unusual_things_are_kept_too(pair: Daemon):
    big = pair.write("A", "big", content(20 * 2**20, 1))
    pair.path("A", "link").symlink_to("big")
    pair.converged(within=60)
    was = digest(big)
    pair.write("A", "big", content(9 * 2**20, 2))
    pair.path("A", "link").unlink()
    pair.path("A", "link").symlink_to("elsewhere")
    wait_for(lambda: pair.read_size("B", "big") == 9 * 2**20)
    wait_for(lambda: str(pair.path("B", "link").readlink()) == "elsewhere")
    pair.converged(within=60)

    undo(pair, "big")
    undo(pair, "link")
    wait_for(lambda: pair.read_size("A", "big") == 20 * 2**20)
    wait_for(lambda: str(pair.path("A", "link").readlink()) == "big")
    pair.converged(within=60)
    assert digest(pair.path("A", "big")) == was
