"""What the system does not tell, for want of watches or room, is found all the same."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.lacking import lacking

FOLDERS = 12
FEW = 10
"""Watches, for the folders of both entries: not half of what they need."""

LIMIT = "/proc/sys/user/max_inotify_watches"


class FewWatches(Daemon):
    """A daemon in a user namespace of its own, where there are few watches."""

    def command(self) -> list[str]:
        limited = f'echo {FEW} > {LIMIT} && exec "$@"'
        own = ["unshare", "--user", "--map-root-user"]
        return [*own, "sh", "-c", limited, "sh", *super().command()]

    def raise_limit(self) -> None:
        """Let there be watches for everything."""
        assert self.process is not None
        inside = ["nsenter", "--user", "--preserve-credentials", "--target"]
        raised = ["sh", "-c", f"echo 10000 > {LIMIT}"]
        subprocess.run([*inside, str(self.process.pid), *raised], check=True)

    def unwatched(self) -> int:
        """Return how many folders are not watched, on all entries."""
        return sum(entry["unwatched"] for entry in self.status()["entries"])


@pytest.fixture
def few() -> Iterator[FewWatches]:
    """One with twelve folders on A, when it has found that not all can be watched."""
    probe = ["unshare", "--user", "--map-root-user", "sh", "-c", f"echo 9 > {LIMIT}"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        lacking("this system lends no user namespaces")
    with FewWatches("A", "B", started=False) as daemon:
        for number in range(FOLDERS):
            daemon.write("A", f"{number}/inside/file")
        daemon.start()
        daemon.converged(within=60)
        wait_for(daemon.unwatched, within=60)
        yield daemon


def test_beyond_the_limit_of_watches_every_change_is_found(few: FewWatches):
    for number in range(FOLDERS):
        few.write("A", f"{number}/inside/new", b"new")
        few.write("A", f"{number}/inside/file", b"changed")
        few.write("B", f"{number}/inside/made/here/deep", b"deep")
    few.converged(within=60)
    for number in range(FOLDERS):
        few.path("A", f"{number}/inside/new").unlink()
        shutil.rmtree(few.path("B", f"{number}/inside/made"))
    wait_for(lambda: len(few.contents("B")) == FOLDERS, within=60)
    few.converged(within=60)
    few.path("A", "0").rename(few.path("A", "renamed"))

    wait_for(lambda: few.path("B", "renamed/inside/file").exists(), within=60)
    few.converged(within=60)
    assert few.contents("A") == [b"changed"] * FOLDERS
    assert not few.path("B", "0").exists()


def test_it_says_how_much_is_not_watched(few: FewWatches):
    def told() -> list[dict[str, Any]]:
        return [e for e in few.status()["entries"] if e["watched_ratio"] is not None]

    wait_for(lambda: len(told()) == len(few.entries))
    worst = min(told(), key=lambda one: one["watched_ratio"])
    stats = few.get(f"/entries/{worst['name']}/stats")["info"]
    shown = few.command_line("status").stdout

    assert worst["watched_ratio"] < 1
    assert worst["oldest_unscanned_seconds"] is not None
    assert stats["watched_ratio"] < 1
    assert stats["unwatched"] > 0
    assert few.metric("syncd_entry_watched_ratio") < 2
    assert "cannot be watched" in shown.replace("\n", " ")
    assert "folders that cannot be watched" in few.log_text()


def test_when_there_are_more_watches_they_are_taken(few: FewWatches):
    few.raise_limit()

    wait_for(lambda: not few.unwatched(), within=60)
    assert few.metric("syncd_entry_watched_ratio") == 2
    assert few.metric("syncd_entry_oldest_unscanned_seconds") == 0
    few.write("A", "5/inside/after", b"after")
    few.arrives("B", "5/inside/after", b"after")
    few.converged()


def test_more_events_than_the_queue_holds(pair: Daemon):
    """What is done to A while its process stands still is not told, and yet found."""
    for number in range(40):
        pair.write("A", f"{number % 4}/{number}")
    pair.converged()
    before = {one["name"]: one["last_walk"] for one in pair.status()["entries"]}
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    child = pair.child("A").pid
    os.kill(child, signal.SIGSTOP)
    try:
        for number in range(max(most, 20_000)):
            os.utime(pair.path("A", f"0/{4 * (number % 2)}"))
        for number in range(40):
            pair.write("A", f"unseen/{number % 4}/{number}", b"unseen")
        for number in range(1, 40, 2):
            pair.path("A", f"{number % 4}/{number}").unlink()
        pair.write("A", "2/2", b"changed")
    finally:
        os.kill(child, signal.SIGCONT)

    wait_for(lambda: len(pair.contents("B")) == 60, within=60)
    assert len(pair.converged(within=60)) == len(pair.tree("A"))
    assert pair.read("B", "2/2") == b"changed"
    wait_for(lambda: pair.metric("syncd_entry_overflows_total") >= 1)
    after = {one["name"]: one["last_walk"] for one in pair.status()["entries"]}
    assert after["A"] > before["A"]
    assert after["B"] == before["B"]
    assert "events were lost" in pair.log_text()
