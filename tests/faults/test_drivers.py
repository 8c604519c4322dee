"""Storages that fail in every way a driver can: nothing is lost, others go on."""

from collections.abc import Iterator

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.trees import content, digest, leftovers
from tests.faults.faulty import FaultyDaemon

MIB = 1 << 20
LARGE = 9 * MIB
"""More than is copied together with others."""


@pytest.fixture
def three() -> Iterator[FaultyDaemon]:
    """A running daemon with entries A, B and C, of which A and B can fail."""
    with FaultyDaemon("A", "B", "C", faulty="AB") as daemon:
        daemon.tolerated += ["Input/output error", "No space left", "full"]
        yield daemon


def begins(daemon: FaultyDaemon, entry: str) -> None:
    """Wait until a content is on its way to an entry."""
    wait_for(lambda: leftovers(daemon.folder(entry)))


def descriptors(daemon: FaultyDaemon) -> int:
    """Return how many descriptors all of its processes have."""
    return sum(process.num_fds() for process in daemon.processes())


def trouble(daemon: FaultyDaemon, name: str, entry: str) -> str:
    """Return why a copy cannot be made; empty if that is not said."""
    if not (file := daemon.file(name)):
        return ""
    copies = daemon.get(f"/files/{file['fid']}/explain")["entries"]
    return str(next(c for c in copies if c["entry"] == entry).get("reason") or "")


@pytest.mark.parametrize("what", ["error", "short"])
@pytest.mark.parametrize("size", [MIB, LARGE])
def test_a_source_that_fails_in_mid_content(three: FaultyDaemon, what: str, size: int):
    """Nobody gets a part; another source gives it, or it waits until this one can."""
    three.fail("A", read=what)
    three.write("A", "only", content(size))
    wait_for(lambda: trouble(three, "only", "C"), within=60)
    assert three.read("B", "only") is three.read("C", "only") is None

    three.stop_entry("C")
    three.fail("A")
    three.arrives("B", "only", content(size), within=60)
    three.fail("A", read=what)
    three.start_entry("C")

    three.arrives("C", "only", content(size), within=60)
    three.fail("A")
    three.converged(within=60)


@pytest.mark.parametrize("what", ["error", "full"])
def test_a_target_that_takes_nothing(three: FaultyDaemon, what: str):
    """It waits, is tried again, and heals; what people do there meanwhile is kept."""
    three.write("A", "edited", b"old")
    three.write("A", "deleted", b"old")
    three.converged()
    before = descriptors(three)

    three.fail("B", write=what, delete=what)
    for number in range(30):
        three.write("A", f"new/{number}", content(2000, seed=number))
    three.write("A", "edited", b"new")
    three.path("A", "deleted").unlink()
    three.write("B", "theirs", b"B's own")
    for number in range(30):
        three.arrives("C", f"new/{number}", content(2000, seed=number))
    three.arrives("C", "theirs", b"B's own")
    wait_for(lambda: trouble(three, "edited", "B"))
    assert three.read("B", "edited") == three.read("B", "deleted") == b"old"
    assert len(list(three.folder("B").glob("new/*"))) == 0
    three.write("B", "new/3", b"B's, too")
    three.fail("B")

    three.converged(within=120)
    assert three.read("C", "deleted") is None
    assert b"B's, too" in three.contents("C")
    wait_for(lambda: descriptors(three) <= before + 8, within=60)


def test_a_target_that_is_stuck_can_be_stopped_and_hinders_nobody(three: FaultyDaemon):
    """A write that never ends: others go on; stopping the entry ends it, cleanly."""
    three.fail("B", write="stuck", of="stuck")
    three.write("A", "stuck", b"one")
    wait_for(lambda: three.file("stuck").get("uptodate") == ["A", "C"])
    three.write("A", "other", b"two")
    three.arrives("B", "other", b"two")
    three.arrives("C", "other", b"two")

    three.stop_entry("B")
    three.write("A", "stuck", b"newer")
    three.arrives("C", "stuck", b"newer")
    three.fail("B")
    three.start_entry("B")

    three.arrives("B", "stuck", b"newer")
    three.converged()


def test_a_storage_that_cannot_be_looked_at_for_a_while(three: FaultyDaemon):
    """What happened meanwhile is found when it can be, without waiting for a walk."""
    three.write("B", "edited", b"old")
    three.write("B", "deleted", b"old")
    three.converged()

    three.fail("B", look="error")
    three.write("B", "edited", b"B's edit")
    three.path("B", "deleted").unlink()
    three.write("B", "new", b"B's new")
    three.write("A", "from A", b"A's")
    wait_for(lambda: "cannot look" in three.log_text())
    three.arrives("C", "from A", b"A's")
    assert three.read("A", "deleted") == b"old"
    three.fail("B")

    three.arrives("C", "edited", b"B's edit", within=60)
    three.arrives("C", "new", b"B's new", within=60)
    three.converged(within=60)
    assert three.read("C", "deleted") is None


def test_a_storage_that_cannot_be_walked(three: FaultyDaemon):
    """Nothing is concluded from half a walk: the entry waits until it can be walked."""
    for number in range(20):
        three.write("B", f"{number % 4}/{number}", content(100, seed=number))
    expected = three.converged()
    three.fail("B", walk="error", of="2")
    three.stop_entry("B")
    three.write("A", "meanwhile", b"A's")
    three.start_entry("B")

    wait_for(lambda: "Input/output error" in three.log_text())
    three.arrives("C", "meanwhile", b"A's")
    assert {name: three.tree("A")[name] for name in expected} == expected
    three.fail("B")

    three.arrives("B", "meanwhile", b"A's", within=60)
    three.converged(within=60)


def test_38_rewritten_again_and_again_while_it_is_copied():
    """Ten rewrites in a slow transfer: the last content, transferred once."""
    with FaultyDaemon("A", "B", faulty="A") as daemon:
        daemon.fail("A", read="slow")
        daemon.write("A", "file", content(LARGE))
        begins(daemon, "B")
        for number in range(10):
            daemon.write("A", "file", content(LARGE, seed=number))
            wait_for(lambda: daemon.file("file"))
        daemon.fail("A")

        daemon.arrives("B", "file", content(LARGE, seed=9), within=60)
        daemon.converged(within=60)
        done = [facts for kind, facts in daemon.events() if kind == "transfer"]
        assert [one["bytes"] for one in done if one["state"] == "done"] == [LARGE]


def test_40_the_only_source_deletes_what_is_copied():
    """The transfer ends, no part of it is ever seen, nothing is left behind."""
    with FaultyDaemon("A", "B", faulty="A") as daemon:
        daemon.fail("A", read="slow")
        daemon.write("A", "file", content(LARGE))
        begins(daemon, "B")
        daemon.path("A", "file").unlink()
        daemon.fail("A")

        wait_for(lambda: not daemon.file("file"), within=60)
        assert daemon.converged(within=60) == {}
        done = [facts for kind, facts in daemon.events() if kind == "transfer"]
        assert [one for one in done if one["state"] == "done"] == []


def test_41_the_source_is_stopped_in_mid_transfer():
    """C has the file, too: from there it comes."""
    with FaultyDaemon("A", "B", "C", faulty="A") as daemon:
        daemon.stop_entry("B")
        daemon.write("A", "file", content(LARGE))
        daemon.arrives("C", "file", content(LARGE))
        daemon.fail("A", read="slow")
        daemon.start_entry("B")
        begins(daemon, "B")

        daemon.stop_entry("A")

        wait_for(lambda: daemon.read_size("B", "file") == LARGE, within=60)
        assert digest(daemon.path("B", "file")) == digest(daemon.path("C", "file"))
        daemon.fail("A")
        daemon.start_entry("A")
        daemon.converged(within=60)
