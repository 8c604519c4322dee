"""Starting, stopping and starting again: scenarios 14 to 20 and life itself."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import OURS, content, leftovers


@pytest.fixture
def unstarted() -> Iterator[Daemon]:
    """Entries A and B, and a daemon that the test starts itself."""
    with Daemon("A", "B", started=False) as daemon:
        yield daemon


@pytest.mark.parametrize("number", [1, 10, 100])
def test_14_files_that_were_there_before(unstarted: Daemon, number: int):
    """What lay on A before the first start is on B after it."""
    for index in range(number):
        unstarted.write("A", f"d/{index}", content(100, seed=index))

    unstarted.start()

    assert len(unstarted.converged()) == number + 1


def test_15_equal_trees_are_recognised(unstarted: Daemon):
    """The same tree on both sides: nothing is copied, nothing conflicts."""
    for index in range(50):
        unstarted.write("A", f"d/{index}", content(1000, seed=index))
    shutil.copytree(unstarted.folder("A"), unstarted.folder("B"), dirs_exist_ok=True)

    unstarted.start()

    assert len(unstarted.converged()) == 51
    told = [facts["action"] for kind, facts in unstarted.events() if kind == "change"]
    assert set(told) <= {"created", "adopted"}
    assert unstarted.transferred_bytes() == 0
    assert unstarted.conflicts() == []


def test_15_equal_trees_with_other_times(unstarted: Daemon):
    """Equal content is equal, whenever it was written."""
    for index in range(20):
        unstarted.write("A", f"d/{index}", content(1000, seed=index))
        path = unstarted.write("B", f"d/{index}", content(1000, seed=index))
        os.utime(path, (1_000_000, 1_000_000))

    unstarted.start()

    assert len(unstarted.converged()) == 21
    assert unstarted.transferred_bytes() == 0
    assert unstarted.conflicts() == []


def test_16_two_full_sides_are_merged(unstarted: Daemon):
    """One name, two contents: both are kept on both; single files are copied."""
    unstarted.write("A", "both.txt", b"A's")
    unstarted.write("B", "both.txt", b"B's")
    unstarted.write("A", "only a", b"a")
    unstarted.write("B", "only b", b"b")

    unstarted.start()

    found = unstarted.converged()
    assert len(found) == 4
    assert sorted(unstarted.contents("A")) == [b"A's", b"B's", b"a", b"b"]
    assert {b"only a", b"only b", b"both.txt"} < set(found)
    [conflict] = unstarted.conflicts()
    assert "both.txt" in str(conflict)


def test_17_changes_made_while_it_was_stopped(pair: Daemon):
    """New, changed and deleted files of the meantime go their way after the start."""
    pair.write("A", "changed", b"old")
    pair.write("A", "deleted")
    pair.write("B", "deleted on B")
    pair.converged()
    pair.stop()

    pair.write("A", "changed", b"new content")
    pair.write("B", "new")
    pair.path("A", "deleted").unlink()
    pair.path("B", "deleted on B").unlink()
    pair.start()

    pair.arrives("B", "changed", b"new content")
    assert set(pair.converged()) == {b"changed", b"new"}
    assert pair.read("A", "new") == b"0123456789"


def test_18_a_restart_without_changes_reads_nothing(pair: Daemon):
    """Nothing changed meanwhile: not a byte is copied, not a file opened."""
    for index in range(200):
        pair.write("A", f"{index % 10}/{index}", content(1000, seed=index))
    pair.converged()
    pair.stop()

    with opened_files(pair.folder("A"), pair.folder("B")) as opened:
        begin = time.time()
        pair.start()
        wait_for(lambda: pair.walked(since=begin))

    assert pair.transferred_bytes() == 0
    assert opened.paths == []


@pytest.mark.parametrize("lost", ["the index", "everything"])
def test_19_a_lost_index_loses_no_file(pair: Daemon, lost: str):
    """Without memory it recognises what is there; nothing is copied or deleted."""
    for index in range(20):
        pair.write("A", f"d/{index}", content(1000, seed=index))
    expected = pair.converged()
    pair.stop()

    if lost == "everything":
        shutil.rmtree(pair.state)
    for path in pair.state.glob("index.db*"):
        path.unlink()
    pair.start()

    assert pair.converged() == expected
    assert pair.transferred_bytes() == 0
    assert pair.conflicts() == []


def test_19_a_lost_index_and_a_deletion(pair: Daemon):
    """A file deleted on A only, before the index went, comes back: nothing is lost."""
    pair.write("A", "deleted", b"content")
    pair.write("A", "stays")
    pair.converged()
    pair.stop()

    shutil.rmtree(pair.state)
    pair.path("A", "deleted").unlink()
    pair.start()

    assert set(pair.converged()) == {b"deleted", b"stays"}
    assert pair.read("A", "deleted") == b"content"


def test_20_nothing_made_during_the_start_is_missed(unstarted: Daemon):
    """Folders and files that appear while the watches are being set up arrive."""
    enough = threading.Event()

    def make() -> None:
        for index in range(300):
            if enough.wait(0.01):
                return
            unstarted.write("A", f"{index}/{index}/file", b"%d" % index)

    maker = threading.Thread(target=make)
    maker.start()
    try:
        unstarted.start()
    finally:
        enough.set()
        maker.join()

    found = unstarted.converged(within=60)
    assert sum(kind == "file" for kind, *_ in found.values()) > 10


def test_a_stopped_entry_stays_stopped(pair: Daemon):
    """The daemon's own restart does not start what a person stopped."""
    pair.stop_entry("B")

    pair.restart()

    assert pair.get("/entries/B/status")["status"] == "stopped"
    pair.write("A", "file")
    wait_for(lambda: pair.file("file").get("uptodate") == ["A"])
    pair.start_entry("B")
    assert set(pair.converged()) == {b"file"}


def test_a_second_daemon_is_refused(pair: Daemon):
    """Two daemons on one state folder would tear each other apart."""
    second = subprocess.run(
        pair.command(),
        cwd=pair.home,
        env=pair.environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert second.returncode == 75
    assert str(pair.state) in second.stderr
    assert "Traceback" not in second.stderr
    pair.write("A", "file")
    pair.converged()


def test_sighup_reads_the_rules_again(pair: Daemon):
    """A new rules file counts after SIGHUP; a broken one changes nothing."""
    pair.write_rules([{"match": {"path": "/shared"}, "sync": ["A", "B"]}])
    pair.signal(signal.SIGHUP)
    wait_for(lambda: pair.get("/rules")["rules"][0]["match"] == {"path": "/shared"})

    pair.write("A", "alone")
    pair.write("A", "shared/file")
    pair.arrives("B", "shared/file")
    assert pair.read("B", "alone") is None

    pair.tolerated += ["rules"]
    pair.rules.write_text("rules: [{match: {path: /, sync: [nobody")
    pair.signal(signal.SIGHUP)
    pair.write("A", "shared/second")
    pair.arrives("B", "shared/second")
    assert pair.get("/rules")["rules"][0]["match"] == {"path": "/shared"}


def test_a_stop_in_a_storm_leaves_nothing_half_written(pair: Daemon):
    """SIGTERM with hundreds of files under way: whole files or none, no temp files."""
    sizes = {f"{index % 7}/{index}": 200_000 + index for index in range(400)}
    for name, size in sizes.items():
        pair.write("A", name, content(size, seed=name))
    wait_for(lambda: pair.tree("B"))

    pair.stop()

    assert leftovers(pair.folder("B")) == []
    whole = pair.tree("A")
    for relative, described in pair.tree("B").items():
        assert described == whole[relative]
    pair.start()
    assert sum(k == "file" for k, *_ in pair.converged(within=60).values()) == 400


class opened_files(FileSystemEventHandler):  # noqa: N801 - used like a function
    """Notes which user's files are opened meanwhile."""

    def __init__(self, *roots: Path) -> None:
        self.paths: list[str] = []
        self._observer = Observer()
        for root in roots:
            self._observer.schedule(
                self, str(root), recursive=True, event_filter=[FileOpenedEvent]
            )

    def __enter__(self) -> "opened_files":
        self._observer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note it, unless it is syncd's own marker."""
        path = os.fsencode(event.src_path)
        if not os.path.basename(path).startswith(OURS):  # noqa: PTH119 - bytes
            self.paths.append(os.fsdecode(path))
