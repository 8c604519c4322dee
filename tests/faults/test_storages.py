"""Full, read-only, partly closed and failing storages: only what is there waits."""

from collections.abc import Iterator

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content
from tests.faults.disks import Disk, FailingDisk, failing_disk, frozen, small_disk
from tests.faults.storm import KEEPS_ALL, Storm

MIB = 1 << 20
KEEPS_NOTHING = {"B": {"keep": False}}
"""What is deleted on the small disk makes room at once."""


@pytest.fixture
def three() -> Iterator[tuple[Daemon, Disk]]:
    """A running daemon with entries A, B and C, of which B is on a small disk."""
    with (
        Daemon("A", "B", "C", started=False, settings=KEEPS_NOTHING) as daemon,
        small_disk(daemon.folder("B"), 8 * MIB) as disk,
    ):
        daemon.start()
        yield daemon, disk
        daemon.stop()


def copy_on(daemon: Daemon, name: str, entry: str) -> dict[str, object]:
    """Return what explain tells of one copy."""
    fid = daemon.file(name)["fid"]
    copies = daemon.get(f"/files/{fid}/explain")["entries"]
    found: dict[str, object] = next(c for c in copies if c["entry"] == entry)
    return found


def entry(daemon: Daemon, name: str) -> dict[str, object]:
    entries = daemon.status()["entries"]
    found: dict[str, object] = next(e for e in entries if e["name"] == name)
    return found


def is_blocked(daemon: Daemon, name: str, on: str) -> bool:
    return bool(daemon.file(name)) and copy_on(daemon, name, on)["state"] == "blocked"


def test_on_a_full_disk_only_what_finds_no_room_waits(three):
    daemon, disk = three
    daemon.write("A", "deletable", content(MIB))
    daemon.write("A", "replaced", b"old")
    daemon.write("B", "from B", b"old")
    daemon.converged()
    disk.fill(but=256 << 10)
    daemon.tolerated += ["No space left", "full"]

    daemon.write("A", "large", content(2 * MIB))
    daemon.write("A", "more/large", content(2 * MIB))
    daemon.write("A", "replaced", content(MIB))
    wait_for(lambda: is_blocked(daemon, "large", "B"))
    wait_for(lambda: is_blocked(daemon, "more/large", "B"))
    wait_for(lambda: is_blocked(daemon, "replaced", "B"))
    daemon.arrives("C", "large", content(2 * MIB))
    daemon.write("A", "small", b"fits")
    daemon.arrives("B", "small", b"fits")
    daemon.write("B", "from B", b"new")
    daemon.arrives("A", "from B", b"new")

    assert daemon.read("B", "replaced") == b"old"
    assert daemon.read("B", "large") is None
    assert "No space left" in str(copy_on(daemon, "large", "B")["reason"])
    wait_for(lambda: "the storage is full" in str(entry(daemon, "B").get("reason")))
    assert entry(daemon, "B")["blocked"] == 3
    assert entry(daemon, "C")["blocked"] == 0
    assert {file["filename"] for file in daemon.files(state="blocked")} == {
        "large",
        "more/large",
        "replaced",
    }

    disk.free()
    daemon.converged(within=60)
    wait_for(lambda: not entry(daemon, "B")["reason"])
    assert daemon.read("B", "replaced") == content(MIB)


def test_deletions_make_room_by_themselves(three):
    """What waits for room gets it when a person deletes something elsewhere."""
    daemon, disk = three
    daemon.write("A", "old", content(4 * MIB))
    daemon.converged()
    disk.fill(but=256 << 10)
    daemon.tolerated += ["No space left", "full"]
    daemon.write("A", "new", content(3 * MIB))
    wait_for(lambda: is_blocked(daemon, "new", "B"))

    daemon.path("C", "old").unlink()

    daemon.converged(within=60)


def test_a_disk_that_takes_no_more_names():
    with (
        Daemon("A", "B", started=False, settings=KEEPS_NOTHING) as daemon,
        small_disk(daemon.folder("B"), 8 * MIB, names=12) as _,
    ):
        daemon.start()
        daemon.tolerated += ["No space left", "full"]
        for number in range(20):
            daemon.write("A", f"{number:02}", b"")
        wait_for(lambda: entry(daemon, "B")["blocked"])
        wait_for(lambda: "takes no more files" in str(entry(daemon, "B").get("reason")))

        for number in range(20):
            if (there := daemon.path("B", f"{number:02}")).exists() and number % 2:
                there.unlink()

        wait_for(lambda: len(list(daemon.folder("B").glob("[0-9]*"))) <= 10)
        for number in range(0, 20, 2):
            daemon.path("A", f"{number:02}").unlink(missing_ok=True)
        daemon.converged(within=60)
        daemon.stop()


def test_a_disk_mounted_read_only_is_a_source_and_takes_what_it_missed(three):
    daemon, disk = three
    daemon.write("A", "deleted", b"old")
    daemon.write("A", "edited", b"old")
    daemon.write("B", "only read", b"source")
    daemon.converged()
    disk.be_read_only()
    daemon.tolerated += ["Read-only", "read-only"]

    daemon.path("A", "deleted").unlink()
    daemon.write("A", "edited", b"new")
    daemon.write("A", "made", b"new")
    wait_for(lambda: is_blocked(daemon, "edited", "B"))
    wait_for(lambda: is_blocked(daemon, "made", "B"))
    daemon.path("C", "only read").unlink()
    daemon.arrives("C", "edited", b"new")
    wait_for(lambda: "mounted read-only" in str(entry(daemon, "B").get("reason")))
    assert entry(daemon, "B")["state"] == "active"
    assert daemon.read("B", "deleted") == b"old"

    disk.be_read_only(read_only=False)
    daemon.converged(within=60)
    assert daemon.read("B", "deleted") is None
    assert daemon.read("B", "edited") == b"new"


def test_49_what_cannot_be_written_waits_alone_and_heals(three):
    """A folder that takes nothing, not even from root: error shown, others go on."""
    daemon, _ = three
    daemon.write("A", "closed/first", b"old")
    daemon.converged()
    daemon.tolerated += ["closed/"]

    with frozen(daemon.path("C", "closed")):
        daemon.write("A", "closed/first", b"new")
        daemon.write("A", "closed/made", b"new")
        for number in range(50):
            daemon.write("A", f"open/{number}", content(1000, seed=number))
        daemon.arrives("B", "closed/made", b"new")
        for number in range(50):
            daemon.arrives("C", f"open/{number}", content(1000, seed=number))
        wait_for(lambda: is_blocked(daemon, "closed/made", "C"))
        story = copy_on(daemon, "closed/made", "C")
        assert story["reason"]
        assert story["attempts"]
        assert story["retry_at"]
        first = story["attempts"]
        wait_for(lambda: copy_on(daemon, "closed/made", "C")["attempts"] != first)
        assert daemon.read("C", "closed/first") == b"old"

    daemon.converged(within=120)
    assert daemon.read("C", "closed/first") == b"new"


@pytest.fixture
def failing() -> Iterator[tuple[Daemon, FailingDisk]]:
    """A running daemon whose entry A is on a disk that can be broken."""
    with (
        Daemon("A", "B", "C", started=False) as daemon,
        failing_disk(daemon.home / "image", daemon.folder("A"), 64 * MIB) as disk,
    ):
        daemon.start()
        yield daemon, disk
        daemon.stop()


@pytest.mark.parametrize("size", [10_000, 3 * MIB])
def test_a_copy_that_cannot_be_read_is_no_deletion_and_another_is_the_source(
    failing, size: int
):
    """EIO on one file: another owner gives it; nobody loses theirs."""
    daemon, disk = failing
    daemon.tolerated += ["Input/output error"]
    daemon.stop_entry("C")
    for number, name in enumerate(["good", "bad"]):
        daemon.write("A", name, content(size, seed=number))
        daemon.arrives("B", name, content(size, seed=number))
    disk.break_content(daemon.path("A", "bad"))
    with pytest.raises(OSError, match="Input/output"):
        daemon.read("A", "bad")

    daemon.start_entry("C")

    for number, name in enumerate(["good", "bad"]):
        daemon.arrives("C", name, content(size, seed=number), within=60)
    assert daemon.read("B", "bad") == content(size, seed=1)
    assert daemon.path("A", "bad").stat().st_size == size


def test_what_nobody_can_read_waits_and_says_so(failing):
    daemon, disk = failing
    daemon.tolerated += ["Input/output error"]
    for entry_ in ("B", "C"):
        daemon.stop_entry(entry_)
    daemon.write("A", "good", content(10_000, seed=1))
    wait_for(lambda: daemon.file("good"))
    daemon.write("A", "bad", content(10_000))
    wait_for(lambda: daemon.file("bad"))
    disk.break_content(daemon.path("A", "bad"))

    daemon.start_entry("B")

    daemon.arrives("B", "good", content(10_000, seed=1))
    wait_for(lambda: "reason" in copy_on(daemon, "bad", "B"))
    assert "Input/output error" in str(copy_on(daemon, "bad", "B")["reason"])
    assert daemon.read("B", "bad") is None


def test_a_root_that_vanishes_and_returns_in_a_storm():
    """An unmounted disk, five times, with work on both sides: nothing is lost."""
    settings = {"A": KEEPS_ALL, "B": KEEPS_ALL}
    with Daemon("A", "B", settings=settings) as daemon:
        daemon.tolerated += ["suspended", "vanished", "missing", "not there"]
        with Storm(daemon, 1, entries=["A"]) as storm:
            for number in range(5):
                away = daemon.folder("B").rename(daemon.home / "away")
                wait_for(lambda: daemon.entry_state("B") == "suspended")
                (away / f"made on the disk {number}").write_bytes(b"%d" % number)
                storm.go_on(50)
                away.rename(daemon.folder("B"))
                wait_for(lambda: daemon.entry_state("B") == "active", within=60)
        daemon.converged(within=60)
        assert not storm.lost()
        assert len(list(daemon.folder("A").glob("made on*"))) == 5
