"""Too much at once is held until a person decides, and nothing of it is lost."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon

LOW = {"deletions": 1, "deletions_percent": 50, "overwrites": 5, "rollbacks": 3}


def guarded(*entries: str, **limits: float) -> Daemon:
    """Return a daemon whose entries hold early."""
    guard = {"guard": {**LOW, **limits}}
    names = entries or ("A", "B")
    return Daemon(*names, settings=dict.fromkeys(names, guard))


def filled(daemon: Daemon, number: int, data: bytes = b"one") -> list[str]:
    """Put so many files on A, and return their names when they are everywhere."""
    names = [f"{index % 7}/{index}" for index in range(number)]
    for name in names:
        daemon.write("A", name, data)
    daemon.converged()
    return names


def held(daemon: Daemon, entry: str = "A") -> dict[str, int]:
    """Return what of an entry is held."""
    document = daemon.get(f"/entries/{entry}/status").get("held") or {"changes": []}
    return {one["changes"]: one["files"] for one in document["changes"]}


def is_held(daemon: Daemon, **changes: int) -> None:
    wait_for(lambda: held(daemon) == changes, what=lambda: held(daemon))


def files(daemon: Daemon, entry: str) -> int:
    kinds = [kind for kind, *_ in daemon.tree(entry).values()]
    return kinds.count("file")


@pytest.mark.parametrize("verb", ["approve", "restore"])
def test_44_half_of_all_deleted_at_once_waits_for_a_word(verb: str):
    with guarded() as daemon:
        names = filled(daemon, 9)
        for name in names[:5]:
            daemon.path("A", name).unlink()
        is_held(daemon, deletions=5)
        daemon.write("A", "new")
        daemon.write("A", names[8], b"edited")
        daemon.path("B", names[7]).unlink()
        daemon.arrives("B", "new")
        daemon.arrives("B", names[8], b"edited")
        wait_for(lambda: daemon.read("A", names[7]) is None)

        assert all(daemon.read("B", name) == b"one" for name in names[:5])
        assert daemon.entry_state("A") == "held"
        listed = daemon.get("/entries/A/status?limit=2&offset=1")["held"]
        assert listed["total"] == 5
        assert [one["change"] for one in listed["files"]] == ["deletions"] * 2
        assert {file["filename"] for file in daemon.files(state="held")} == {*names[:5]}
        assert daemon.metric("syncd_entry_held") == 5
        fid = daemon.file(names[0])["fid"]
        (said, _) = daemon.get(f"/files/{fid}/explain")["entries"]
        assert said["state"] == "held"
        assert "its deletion here is not passed on" in said["reason"]
        shown = daemon.command_line("status").stdout
        assert "syncd entries approve A" in " ".join(shown.split())
        assert "5 of 5 files" in daemon.command_line("entries", "held", "A").stdout

        done = daemon.command_line("entries", verb, "A")

        assert done.returncode == 0, done.stderr
        tree = daemon.converged()
        left = {name for name in names if name.encode() in tree}
        gone = set(names[:5]) if verb == "approve" else set[str]()
        assert left == set(names) - gone - {names[7]}
        assert held(daemon) == {}
        again = daemon.http("POST", f"/entries/A/{verb}")
        assert again.status_code == 409
        assert "does not wait for a decision" in again.json()["reason"]


def test_thousands_deleted_in_ten_batches_are_held_as_one():
    with Daemon() as daemon:
        names = filled(daemon, 3000)
        for batch in range(10):
            for name in names[batch * 300 : batch * 300 + 300]:
                daemon.path("A", name).unlink()
            time.sleep(0.4)
        is_held(daemon, deletions=3000)

        assert files(daemon, "B") == 3000
        assert "3,000 deletions at once are held" in daemon.log_text()

        daemon.restart()
        assert held(daemon) == {"deletions": 3000}
        assert daemon.http("POST", "/entries/A/restore").status_code == 200
        daemon.converged()
        assert files(daemon, "A") == 3000


def test_a_folder_deleted_at_once_comes_back_with_all_that_was_in_it():
    with guarded() as daemon:
        names = filled(daemon, 21)
        daemon.write("A", "b/other")
        before = daemon.converged()
        for folder in range(7):
            shutil.rmtree(daemon.path("A", str(folder)))
        wait_for(lambda: held(daemon).get("deletions", 0) >= len(names))
        time.sleep(3)

        assert daemon.tree("B") == before
        daemon.kill()
        daemon.start()
        wait_for(lambda: daemon.entry_state("A") == "held")
        assert daemon.tree("B") == before
        assert daemon.http("POST", "/entries/A/restore").status_code == 200
        assert daemon.converged() == before


def test_what_was_deleted_while_the_daemon_was_away_is_held():
    with guarded() as daemon:
        names = filled(daemon, 9)
        daemon.stop()
        for name in names[:6]:
            daemon.path("A", name).unlink()
        daemon.start()
        is_held(daemon, deletions=6)

        assert files(daemon, "B") == 9
        assert daemon.http("POST", "/entries/A/approve").status_code == 200
        daemon.converged()
        assert files(daemon, "B") == 3


def test_a_folder_renamed_is_no_deletion():
    with guarded() as daemon:
        filled(daemon, 21)
        for folder in range(7):
            daemon.path("A", str(folder)).rename(daemon.path("A", f"to {folder}"))

        tree = daemon.converged()
        assert {name[:3] for name in tree} == {b"to "}
        assert held(daemon) == {}


def scramble(daemon: Daemon, names: list[str]) -> None:
    """Overwrite files as fast as malware would."""
    for name in names:
        daemon.path("A", name).write_bytes(b"scrambled " + name.encode())


@pytest.mark.parametrize("verb", ["approve", "restore"])
def test_everything_overwritten_at_once_waits_for_a_word(verb: str):
    with guarded() as daemon:
        names = filled(daemon, 200)
        scramble(daemon, names)
        wait_for(lambda: held(daemon).get("overwrites", 0) > 100)
        time.sleep(1)
        passed = [name for name in names if daemon.read("B", name) != b"one"]
        assert len(passed) <= 50  # A quarter may change before bulk is waited for.
        daemon.write("A", "new")
        daemon.arrives("B", "new")

        assert daemon.http("POST", f"/entries/A/{verb}").status_code == 200
        daemon.converged()
        changed = [name for name in names if daemon.read("B", name) != b"one"]
        assert changed == (names if verb == "approve" else passed)


def test_what_was_overwritten_while_the_daemon_was_away_is_held_as_a_whole():
    with guarded() as daemon:
        names = filled(daemon, 200)
        daemon.stop()
        scramble(daemon, names)
        daemon.start()
        is_held(daemon, overwrites=200)

        assert all(daemon.read("B", name) == b"one" for name in names)
        assert daemon.http("POST", "/entries/A/restore").status_code == 200
        daemon.converged()
        assert all(daemon.read("A", name) == b"one" for name in names)


def test_an_old_backup_copied_over_an_entry_is_held(tmp_path: Path):
    with guarded(overwrites=0) as daemon:
        names = filled(daemon, 40, b"the content of monday")
        backup = tmp_path / "backup"
        subprocess.run(["cp", "-a", daemon.folder("A"), backup], check=True)
        for name in names:
            daemon.write("A", name, f"the content of tuesday in {name}".encode())
        before = daemon.converged()
        (backup / ".syncd-marker").unlink()
        subprocess.run(["cp", "-a", f"{backup}/.", daemon.folder("A")], check=True)
        is_held(daemon, rollbacks=40)

        assert daemon.tree("B") == before
        assert daemon.http("POST", "/entries/A/restore").status_code == 200
        assert daemon.converged() == before


def test_a_guard_that_is_off_lets_everything_through():
    with guarded(deletions=0, overwrites=0, rollbacks=0) as daemon:
        names = filled(daemon, 30)
        scramble(daemon, names)
        daemon.converged()
        assert daemon.read("B", names[0]) == f"scrambled {names[0]}".encode()
        for folder in range(7):
            shutil.rmtree(daemon.path("A", str(folder)))
        daemon.converged()

        assert daemon.tree("B") == {}
