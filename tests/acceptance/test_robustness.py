"""Power cuts, dying children, disks that vanish: scenarios 37, 39 and 42."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content, digest, leftovers
from tests.lacking import lacking

MIB = 2**20


@pytest.mark.parametrize(("source", "target"), [("A", "B"), ("B", "A")])
def test_42_everything_killed_in_mid_transfer(pair: Daemon, source: str, target: str):
    """SIGKILL for all in the middle of 100 chunks; the next start ends the work."""
    pair.write(source, "large", content(100 * MIB))
    wait_for(
        lambda: leftovers(pair.folder(target)) or pair.path(target, "large").exists()
    )
    pair.kill()
    assert pair.read_size(target, "large") in (-1, 100 * MIB)

    pair.start()

    wait_for(lambda: pair.read_size(target, "large") == 100 * MIB, within=60)
    pair.converged(within=60)
    assert digest(pair.path("A", "large")) == digest(pair.path("B", "large"))


def test_killed_in_a_storm(wild: Daemon):
    """SIGKILL among hundreds of changes of every kind: ends equal, nothing lost."""
    for index in range(200):
        wild.write("A", f"{index % 5}/{index}", content(5000, seed=index))
    wild.converged()
    for index in range(0, 200, 2):
        wild.write("A", f"{index % 5}/{index}", content(6000, seed=index))
    for index in range(1, 100, 2):
        wild.path("B", f"{index % 5}/{index}").unlink()
    wild.path("A", "0").rename(wild.path("A", "renamed"))
    wild.kill()

    wild.start()

    wild.converged(within=60)
    held = set(wild.contents("A"))
    for index in range(0, 200, 2):
        assert content(6000, seed=index) in held
    for index in range(101, 200, 2):
        assert content(5000, seed=index) in held


@pytest.mark.parametrize("entry", ["A", "B"])
def test_a_killed_child_comes_back_and_goes_on(pair: Daemon, entry: str):
    """kill -9 of one entry's process in the middle of work: back at once, work done."""
    for index in range(300):
        pair.write("A", f"{index % 5}/{index}", content(100_000, seed=index))
    wait_for(lambda: pair.tree("B"))

    killed = pair.kill_child(entry)

    wait_for(lambda: pair.has_child(entry, but=killed), within=60)
    assert sum(k == "file" for k, *_ in pair.converged(within=60).values()) == 300


def test_a_deletion_is_seen_though_the_ledger_never_knew(pair: Daemon):
    """What a ledger lost in a crash, no walk misses: it has to be asked for."""
    pair.write("A", "before")
    pair.converged()
    pair.stop()
    ledger = pair.state / "entries" / "0" / "ledger.db"
    before = ledger.read_bytes()
    pair.start()
    pair.write("A", "file")
    pair.converged()
    pair.kill()
    for lost in ledger.parent.glob("ledger.db-*"):
        lost.unlink()
    ledger.write_bytes(before)
    pair.path("A", "file").unlink()

    pair.start()

    wait_for(lambda: not pair.file("file"))
    pair.converged()
    assert pair.read("B", "file") is None
    assert pair.read("A", "before") == pair.read("B", "before") == b"0123456789"


def test_a_child_killed_again_and_again_disturbs_nobody(three: Daemon):
    """While C's process keeps dying, A and B go on; C is complete in the end."""
    for round_ in range(4):
        three.kill_child("C")
        three.write("A", f"{round_}")
        three.arrives("B", f"{round_}", within=60)
        wait_for(lambda: three.has_child("C"), within=60)

    assert len(three.converged(within=60)) == 4


def test_a_killed_daemon_takes_its_children_along(pair: Daemon):
    """SIGKILL for the supervising process alone: no child works on without it."""
    pair.kill_supervisor()

    wait_for(lambda: not pair.processes(), within=60)
    pair.start()
    pair.write("A", "file")
    pair.converged()


def test_without_its_marker_a_root_is_not_trusted(pair: Daemon):
    """A root without marker may be another disk: suspended until approved."""
    for index in range(5):
        pair.write("A", f"{index}")
    expected = pair.converged()

    pair.path("B", ".syncd-marker").unlink()
    for index in range(5):
        pair.path("B", f"{index}").unlink()

    wait_for(lambda: pair.entry_state("B") == "suspended")
    assert pair.tree("A") == expected
    pair.tolerated += ["suspended"]
    wait_for(lambda: pair.http("PUT", "/entries/B/approve").status_code == 200)
    wait_for(lambda: pair.path("B", ".syncd-marker").exists())
    wait_for(lambda: pair.entry_state("B") == "active")
    pair.write("A", "after")
    pair.arrives("B", "after")
    pair.converged()


def test_a_vanished_root_deletes_nothing(pair: Daemon):
    """An unmounted disk: suspended, nothing deleted elsewhere; back when it is back."""
    for index in range(5):
        pair.write("A", f"{index}")
    expected = pair.converged()
    away = pair.home / "away"

    pair.folder("B").rename(away)

    wait_for(lambda: pair.entry_state("B") == "suspended")
    pair.write("A", "meanwhile")
    wait_for(lambda: pair.file("meanwhile"))
    assert {name: pair.tree("A")[name] for name in expected} == expected
    assert not pair.folder("B").exists()

    pair.tolerated += ["suspended", "vanished", "missing", "not there"]
    away.rename(pair.folder("B"))
    pair.arrives("B", "meanwhile", within=60)
    pair.converged()


def test_a_root_that_vanished_before_the_start(pair: Daemon):
    """Started without the disk: the entry waits, the others work."""
    pair.write("A", "file")
    pair.converged()
    pair.stop()
    away = pair.home / "away"
    pair.folder("B").rename(away)

    pair.tolerated += ["suspended", "vanished", "missing", "not there"]
    pair.start()
    wait_for(lambda: pair.entry_state("B") == "suspended")
    assert pair.read("A", "file") is not None

    away.rename(pair.folder("B"))
    pair.write("A", "after")
    pair.arrives("B", "after", within=60)
    pair.converged()


def test_a_file_that_cannot_be_written_hinders_no_other(pair: Daemon):
    """One folder of B takes nothing: all else goes on, and it heals by itself."""
    pair.write("A", "d/first")
    pair.converged()
    blocked = pair.path("B", "d")
    _immutable(blocked, on=True)
    try:
        pair.write("A", "d/blocked", b"waits")
        pair.write("A", "free", b"goes on")
        pair.arrives("B", "free", b"goes on")
        wait_for(lambda: pair.file("d/blocked").get("uptodate") == ["A"])
    finally:
        _immutable(blocked, on=False)
    pair.arrives("B", "d/blocked", b"waits", within=60)
    pair.tolerated += ["d/blocked"]
    pair.converged()


def test_37_a_file_being_written_is_not_sent_in_parts(pair: Daemon):
    """A slow writer keeps its file open: B never shows a part of it."""
    sizes = set()
    with pair.path("A", "slow").open("wb") as slow:
        for number in range(10):
            slow.write(content(100_000, seed=number))
            slow.flush()
            os.fsync(slow.fileno())
            deadline = time.monotonic() + 0.5
            while time.monotonic() < deadline:
                sizes.add(pair.read_size("B", "slow"))
                time.sleep(0.01)

    wait_for(lambda: pair.read_size("B", "slow") == 1_000_000)
    assert sizes == {-1}
    pair.converged()


def test_39_readers_never_see_a_gap(pair: Daemon):
    """15 replacements of 1 MiB read in a loop: always there, always whole."""
    pair.write("A", "file", b"\0" * MIB)
    pair.converged()
    seen = set()
    for number in range(1, 16):
        fresh = pair.path("A", "fresh~")
        fresh.write_bytes(bytes([number]) * MIB)
        fresh.rename(pair.path("A", "file"))
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            data = pair.read("B", "file")
            assert data is not None
            assert len(data) == MIB
            assert data == data[:1] * MIB
            seen.add(data[0])
    wait_for(lambda: (pair.read("B", "file") or b"")[:1] == bytes([15]))
    pair.converged()
    assert len(seen) > 1


def _immutable(folder: Path, *, on: bool) -> None:
    """Forbid, or allow again, any change in a folder; even root has to obey."""
    flag = "+i" if on else "-i"
    changed = subprocess.run(["chattr", flag, folder], capture_output=True, check=False)
    if changed.returncode:
        lacking("this filesystem has no immutable folders")
