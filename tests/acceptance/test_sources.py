"""A source is read once, and one that stops in the middle is followed by another."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.gated import CHUNKS, gate, install
from tests.acceptance.trees import content, digest

MIB = 1 << 20
SIZE = 24 * MIB


class Plugged(Daemon):
    """A daemon that finds the gated driver installed."""

    def environment(self) -> dict[str, str]:
        ours = super().environment()
        return {**ours, "PYTHONPATH": f"{self.home / 'packages'}:{ours['PYTHONPATH']}"}

    def received(self, entry: str) -> int:
        """Return how much of a file has come that has not its name yet."""
        temps = self.folder(entry).glob(".syncd-*.tmp*")
        return sum(temp.stat().st_size for temp in temps)


@pytest.fixture
def half() -> Iterator[Plugged]:
    """A and C have a large file, and B is getting it from A, which has come to rest."""
    settings = {"A": {"driver": "gated"}}
    with Plugged("A", "B", "C", settings=settings, started=False) as daemon:
        install(daemon.home / "packages")
        daemon.start()
        daemon.stop_entry("B")
        daemon.write("C", "large", content(SIZE))
        wait_for(lambda: daemon.read_size("A", "large") == SIZE, within=60)
        wait_for(lambda: daemon.file("large")["uptodate"] == ["A", "C"], within=60)
        gate(daemon.folder("A")).touch()
        daemon.start_entry("B")
        wait_for(lambda: daemon.received("B") >= CHUNKS * MIB, 60, daemon.log_end)
        yield daemon


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_another_owner_goes_on_where_a_source_died(half: Plugged, number: int):
    source = half.child("A").pid
    read_before = half.child("C").io_counters().read_chars
    os.kill(source, number)
    half.tolerated += ["silent", "killed"]

    # A source that only stands still counts as lost after half a minute.
    wait_for(lambda: half.read_size("B", "large") == SIZE, within=120)

    assert digest(half.path("B", "large")) == digest(half.path("C", "large"))
    assert re.search(
        rf"another source goes on.*offset={CHUNKS * MIB}\b.*source=C\b",
        re.sub(r"\x1b\[[0-9;]*m", "", half.log_text()),
    )
    read = half.child("C").io_counters().read_chars - read_before
    assert read < SIZE - (CHUNKS - 1) * MIB
    assert (
        'transfers_total{entry="B",state="failed"} 0'
        in half.http("GET", "/metrics").text
    )
    gate(half.folder("A")).unlink()
    with suppress(ProcessLookupError):
        os.kill(source, signal.SIGCONT)
    half.converged(within=60)


def test_a_source_that_changes_in_the_middle_gives_nothing(half: Plugged):
    with half.path("A", "large").open("r+b") as large:
        large.write(b"changed")

    gate(half.folder("A")).unlink()

    half.converged(within=60)
    assert (half.read("B", "large") or b"")[:7] == b"changed"
    assert half.conflicts() == []


def test_a_child_killed_in_the_middle_does_not_stop_who_has_its_file(three: Daemon):
    """A descriptor outlives who opened it: the kernel goes on with the copy."""
    three.stop_entry("B")
    three.write("A", "large", content(300 * MIB))
    wait_for(lambda: three.file("large").get("uptodate") == ["A", "C"], within=60)
    three.start_entry("B")
    wait_for(lambda: any(three.folder("B").glob(".syncd-*.tmp*")), 60, every=0.001)
    target, source = three.child("B"), three.child("A")
    target.suspend()
    assert three.read_size("B", "large") == -1, "this is not the middle any more"
    source.kill()
    target.resume()

    wait_for(lambda: three.read_size("B", "large") == 300 * MIB, within=60)

    assert digest(three.path("A", "large")) == digest(three.path("B", "large"))
    assert (
        'transfers_total{entry="B",state="failed"} 0'
        in three.http("GET", "/metrics").text
    )
    wait_for(lambda: three.has_child("A", but=source.pid), within=60)
    three.converged(within=60)


def test_a_disk_is_read_once_however_many_want_it():
    """One large file and a batch of small ones, none of them in memory at the start."""
    with Daemon("A", "B", "C", "D", started=False) as four:
        sizes = {"large": 64 * MIB} | {f"d{n % 5}/{n}": 50_000 for n in range(300)}
        for seed, (name, size) in enumerate(sizes.items()):
            path = four.write("A", name, content(size, seed=seed))
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

        four.start()
        four.converged(within=120)

        children = [four.child(entry) for entry in four.entries]
        read = sum(child.io_counters().read_bytes for child in children)
        whole = sum(sizes.values())
        if read < whole / 2:
            pytest.skip("this file system keeps everything in memory")
        assert read < 1.5 * whole
        assert four.transferred_bytes() == 3 * whole
