"""What a power cut leaves: damaged contents, a damaged index, a damaged ledger.

The system's memory cannot be made to forget here. So everything is killed, what
a disk could have lost is taken away by hand, and the flag that the daemon leaves
is given the id of another boot.
"""

import json
import os
from pathlib import Path

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content

GOOD = content(40_000)
LARGE = content(3 << 20)


def cut_power(daemon: Daemon) -> None:
    """Kill everything, and have the next start find that the system went down."""
    daemon.kill()
    flag = daemon.state / "running"
    said = json.loads(flag.read_text())
    assert said["running"]
    alive = flag.stat()
    flag.write_text(json.dumps(said | {"boot": "another"}))
    os.utime(flag, ns=(alive.st_atime_ns, alive.st_mtime_ns))


def spoil(path: Path, data: bytes) -> None:
    """Leave that of a file, under the time that it had."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate(len(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def damages(daemon: Daemon) -> list[str]:
    lines = daemon.log_text().splitlines()
    return [line for line in lines if "damaged copy" in line]


@pytest.mark.parametrize("entry", ["A", "B"])
def test_short_and_zeroed_copies_are_fetched_anew(pair: Daemon, entry: str):
    """Wherever they are: where the file was made, or where syncd had put it."""
    pair.write("A", "short", GOOD)
    pair.write("A", "empty", GOOD)
    pair.write("A", "zeroed", GOOD)
    pair.write("A", "large", LARGE)
    pair.write("A", "whole", GOOD)
    expected = pair.converged()

    cut_power(pair)
    spoil(pair.path(entry, "short"), GOOD[:4096])
    spoil(pair.path(entry, "empty"), b"")
    spoil(pair.path(entry, "zeroed"), bytes(len(GOOD)))
    spoil(pair.path(entry, "large"), LARGE[: 1 << 20] + bytes(2 << 20))
    pair.tolerated += ["damaged copy"]
    pair.start()

    wait_for(lambda: pair.tree(entry) == expected)
    assert pair.converged() == expected
    assert len(damages(pair)) == 4
    assert pair.status()["state"]["last_stop"] == "power cut"


def test_the_only_copy_is_kept_and_told_and_spreads_nowhere(pair: Daemon):
    pair.write("A", "first", GOOD)
    pair.converged()
    pair.http("PUT", "/entries/B/stop")
    pair.write("A", "only", GOOD)
    wait_for(lambda: pair.file("only"))

    cut_power(pair)
    spoil(pair.path("A", "only"), GOOD[:10])
    pair.tolerated += ["damaged copy"]
    pair.start()
    pair.http("PUT", "/entries/B/start")
    pair.write("A", "later")
    pair.arrives("B", "later")

    story = pair.get(f"/files/{pair.file('only')['fid']}/explain")["entries"]
    on_a = next(copy for copy in story if copy["entry"] == "A")
    assert "no other entry has it" in on_a["reason"]
    assert on_a["state"] == "blocked"
    assert pair.read("A", "only") == GOOD[:10]
    assert pair.read("B", "only") is None

    pair.path("A", "only").touch()
    pair.arrives("B", "only", GOOD[:10])
    pair.converged()


def test_a_file_whose_name_did_not_reach_the_disk_is_not_deleted(pair: Daemon):
    pair.write("A", "d/file", GOOD)
    pair.write("A", "other", GOOD)
    expected = pair.converged()

    cut_power(pair)
    pair.path("A", "d/file").unlink()
    pair.path("A", "d").rmdir()
    pair.start()

    wait_for(lambda: pair.tree("A") == expected)
    assert pair.converged() == expected


def test_edits_and_deletions_after_the_first_walk_are_believed(pair: Daemon):
    pair.write("A", "edited", GOOD)
    pair.write("A", "emptied", GOOD)
    pair.write("A", "deleted", GOOD)
    pair.converged()

    cut_power(pair)
    pair.write("A", "edited", b"new")
    pair.write("A", "emptied", b"")
    pair.start()
    pair.arrives("B", "edited", b"new")
    pair.arrives("B", "emptied", b"")
    pair.path("A", "deleted").unlink()
    wait_for(lambda: pair.read("B", "deleted") is None)

    pair.converged()
    assert damages(pair) == []


def test_what_was_killed_alone_is_believed(pair: Daemon):
    """kill -9 loses nothing that was written: a short file was made short."""
    pair.write("A", "file", GOOD)
    pair.converged()

    pair.kill()
    spoil(pair.path("A", "file"), b"short")
    pair.start()

    pair.arrives("B", "file", b"short")
    pair.converged()
    assert pair.status()["state"]["last_stop"] == "killed"


def test_doubts_outlive_another_crash(pair: Daemon):
    """Killed again before it has looked at everything: still nothing is believed."""
    pair.write("A", "file", GOOD)
    expected = pair.converged()
    pair.http("PUT", "/entries/A/stop")

    cut_power(pair)
    spoil(pair.path("A", "file"), b"")
    pair.tolerated += ["damaged copy"]
    pair.start()
    pair.kill()
    pair.start()
    pair.http("PUT", "/entries/A/start")

    wait_for(lambda: pair.tree("A") == expected)
    assert pair.converged() == expected


def test_an_orderly_end_is_told_as_one(pair: Daemon):
    pair.write("A", "file")
    pair.converged()

    pair.restart()

    assert pair.status()["state"] == {"usable": True, "last_stop": "clean"}
    assert 'syncd_last_stop{how="clean"} 1.0' in pair.http("GET", "/metrics").text


# The index and the ledgers ----------------------------------------------------


def garble(file: Path, start: int = 4096) -> None:
    """Write over everything after the first page, as a dying disk may."""
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(os.urandom(max(4096, file.stat().st_size - start)))


def settled(daemon: Daemon) -> Path:
    """Return the index, with everything in the file itself."""
    daemon.stop()
    return daemon.state / "index.db"


def test_a_broken_index_is_kept_and_made_anew(pair: Daemon):
    """Nothing is deleted anywhere, equal files are adopted, both edits are kept."""
    for number in range(50):
        pair.write("A", f"{number % 5}/{number}", content(2000, seed=number))
    expected = pair.converged()
    index = settled(pair)
    pair.start()
    pair.kill()
    garble(index)
    broken = index.read_bytes()
    pair.write("A", "0/0", b"edited on A")
    pair.path("A", "1/1").unlink()

    pair.tolerated += ["the index is damaged"]
    pair.start()
    pair.converged()

    assert set(expected) <= set(pair.tree("B"))
    assert {b"edited on A", content(2000, seed=0)} <= set(pair.contents("B"))
    (kept,) = pair.state.glob("index.broken-*[0-9]")
    assert kept.read_bytes() == broken
    assert pair.status()["state"]["replaced"] == str(kept)
    assert pair.metric("syncd_transferred_bytes_total") < 10_000


def ended(daemon: Daemon) -> int:
    """Wait until the daemon has ended by itself, and return its exit code."""
    process, daemon.process = daemon.process, None
    assert process is not None
    return process.wait(30)


def test_an_index_that_breaks_at_work_ends_the_daemon_in_words():
    """Exit code 65, no traceback; the next start finds out and begins anew."""
    with Daemon("A", "B", rules=[], started=False) as daemon:
        for number in range(12_000):  # More than SQLite keeps in its memory.
            daemon.write("A", f"{number % 100}/{number}", b"")
        daemon.start()
        wait_for(lambda: not daemon.total_pending())
        index = settled(daemon)
        daemon.start()
        garble(index, start=20 * 4096)

        wait_for(lambda: _asked_until_ended(daemon))
        assert ended(daemon) == 65
        assert "Traceback" not in daemon.log_text()
        assert "moved aside; a new one is made" in daemon.log_text()

        daemon.tolerated += ["damaged", "action=http"]
        daemon.start()
        assert list(daemon.state.glob("index.broken-*"))
        assert len(daemon.files()) == 12_000


def test_an_index_that_broke_at_rest_is_found_sooner_or_later(pair: Daemon):
    """After an orderly end nothing is looked through: it is found when it is met."""
    # So many that what is read at the start lies before the middle.
    for number in range(1500):
        pair.write("A", f"{number}", content(300, seed=number))
    expected = pair.converged()
    index = settled(pair)
    garble(index, start=index.stat().st_size // 2)
    pair.tolerated += ["damaged"]

    pair.start(ready=False)
    assert ended(pair) == 65
    assert "Traceback" not in pair.log_text()

    pair.start()
    assert pair.converged() == expected
    assert list(pair.state.glob("index.broken-*"))


def _asked_until_ended(daemon: Daemon) -> bool:
    """Ask for something that the broken part tells; say whether the daemon is gone."""
    assert daemon.process is not None
    if daemon.process.poll() is not None:
        return True
    try:
        daemon.http("GET", "/files?limit=1000&state=pending")
        daemon.http("GET", "/files?limit=1000")
    except OSError:
        pass
    except Exception as error:
        if "httpx" not in type(error).__module__:
            raise
    return False


def test_a_broken_ledger_is_kept_and_made_anew(pair: Daemon):
    """And what is not there any more may never have reached the disk."""
    for number in range(50):
        pair.write("A", f"{number % 5}/{number}", content(2000, seed=number))
    expected = pair.converged()
    pair.stop()
    (ledger,) = (pair.state / "entries").glob("0/ledger.db")
    pair.start()
    cut_power(pair)
    garble(ledger)
    pair.path("A", "1/1").unlink()

    pair.tolerated += ["ledger"]
    pair.start()

    assert pair.converged() == expected
    assert list(ledger.parent.glob("ledger.broken-*"))
