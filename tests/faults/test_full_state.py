"""The disk of syncd's own state is full: nothing is guessed, nothing lost."""

from collections.abc import Iterator

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content
from tests.faults.disks import Disk, small_disk

SIZE = 24 << 20


@pytest.fixture
def on_small_disk() -> Iterator[tuple[Daemon, Disk]]:
    """A daemon, not started, whose state is on a small disk."""
    with (
        Daemon("A", "B", started=False) as daemon,
        small_disk(daemon.state, SIZE) as disk,
    ):
        yield daemon, disk
        daemon.stop()


def is_usable(daemon: Daemon) -> bool:
    usable: bool = daemon.status()["state"]["usable"]
    return usable


def crowd(daemon: Daemon, name: str, number: int = 3000) -> None:
    """Make more files than what room is left in the index's journal can take."""
    for index in range(number):
        daemon.write("A", f"{name}/{index}", content(50, seed=index))


def pids(daemon: Daemon) -> list[int]:
    return [daemon.child(entry).pid for entry in daemon.entries]


def test_on_a_full_disk_nothing_changes_until_there_is_room(on_small_disk):
    daemon, disk = on_small_disk
    daemon.start()
    daemon.write("A", "before", b"old")
    daemon.write("A", "gone", b"old")
    daemon.write("B", "gone on B", b"old")
    daemon.converged()
    children = pids(daemon)
    disk.fill()

    crowd(daemon, "crowd")
    wait_for(lambda: not is_usable(daemon))
    daemon.write("A", "before", b"new")
    daemon.path("A", "gone").unlink()
    daemon.path("B", "gone on B").unlink()
    daemon.write("B", "from B", b"new")
    daemon.tolerated += ["nothing is changed", "ledger waits"]

    ready = daemon.http("GET", "/health/ready")
    assert ready.status_code == 503
    assert f"full; make room on the disk of {daemon.state}" in ready.json()["reason"]
    assert daemon.metric("syncd_state_usable") == 0
    stopped = daemon.http("PUT", "/entries/A/stop")
    assert stopped.status_code == 507
    assert daemon.entry_state("A") == "active"
    assert daemon.read("B", "before") == b"old"
    assert daemon.read("B", "gone") == b"old"
    assert daemon.read("A", "gone on B") == b"old"
    assert daemon.read("A", "from B") is None

    disk.free()
    wait_for(lambda: is_usable(daemon))
    wait_for(daemon.is_ready)
    daemon.converged(within=60)
    assert daemon.read("B", "before") == daemon.read("A", "before") == b"new"
    assert daemon.read("B", "gone") is daemon.read("A", "gone on B") is None
    assert daemon.read("A", "from B") == b"new"
    assert len(list(daemon.folder("B").glob("crowd/*"))) == 3000
    assert pids(daemon) == children
    told = daemon.log_text()
    assert told.count("nothing is changed for now") == 1
    assert told.count("the index takes changes again") == 1


def test_killed_while_the_disk_is_full(on_small_disk):
    """A start without room is refused in words; with room everything goes on."""
    daemon, disk = on_small_disk
    daemon.start()
    daemon.write("A", "before", b"old")
    daemon.converged()
    disk.fill()
    crowd(daemon, "crowd")
    wait_for(lambda: not is_usable(daemon))
    daemon.path("A", "before").unlink()
    daemon.kill()
    disk.fill()

    daemon.tolerated += ["nothing is changed", "ledger waits", "make room"]
    daemon.start(ready=False)
    process, daemon.process = daemon.process, None
    assert process is not None
    assert process.wait(30) == 69
    assert "make room on" in daemon.log_end()
    assert "Traceback" not in daemon.log_text()

    disk.free()
    daemon.start()
    daemon.converged(within=60)
    assert daemon.read("B", "before") is None
    assert len(list(daemon.folder("B").glob("crowd/*"))) == 3000


def test_new_rules_on_a_full_disk_are_refused_and_the_old_ones_stay(on_small_disk):
    daemon, disk = on_small_disk
    daemon.start()
    daemon.write("A", "before", b"old")
    daemon.converged()
    crowd(daemon, "crowd")
    daemon.converged(within=60)
    disk.fill()
    crowd(daemon, "more")
    wait_for(lambda: not is_usable(daemon))
    daemon.tolerated += ["nothing is changed", "ledger waits"]

    accepted = None
    long = "/".join(["long" * 50] * 10)
    for number in range(
        8
    ):  # Small ones may fit into the journal's old room; large never.
        disk.fill()
        paths = [f"/{number}/{index}/{long}/" for index in range(50 << number)]
        rules = [{"match": {"path": path}, "sync": ["B"]} for path in paths]
        daemon.put("/rules", {"rules": rules})
        refused = daemon.http("PUT", "/rules/reload")
        if refused.status_code != 200:
            break
        accepted = paths
    assert refused.status_code == 507
    assert "make room" in refused.json()["reason"]
    fid = daemon.file("before")["fid"]
    said = daemon.get(f"/files/{fid}/explain")["rules"]
    assert bool(said) == (accepted is None)

    disk.free()
    wait_for(lambda: is_usable(daemon))
    daemon.put("/rules/reload")
    wait_for(lambda: daemon.file("before")["owners"] == ["A"])


def test_a_rules_file_that_finds_no_room_is_left_as_it_was():
    with (
        Daemon("A", "B", started=False) as daemon,
        small_disk(daemon.home / "etc", 1 << 20) as disk,
    ):
        rules = daemon.home / "etc" / "rules.yaml"
        rules.write_bytes(daemon.rules.read_bytes())
        text = daemon.config.read_text().replace("rules.yaml", str(rules))
        daemon.config.write_text(text)
        daemon.start()
        daemon.put("/rules", {"rules": []})
        disk.fill()
        kept = {file.name: file.read_bytes() for file in rules.parent.iterdir()}

        many = [{"match": {"path": f"/{n}/"}, "sync": ["A"]} for n in range(2000)]
        answer = daemon.http("PUT", "/rules", {"rules": many})

        assert answer.status_code == 507
        assert "make room" in answer.json()["reason"]
        now = {file.name: file.read_bytes() for file in rules.parent.iterdir()}
        assert now == kept
        assert daemon.get("/rules") == {"rules": []}
        disk.free()
        daemon.put("/rules", {"rules": many})
        daemon.stop()
