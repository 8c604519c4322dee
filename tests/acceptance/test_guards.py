"""Too much at once is held until a person decides, and nothing of it is lost."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.acceptance.asking import API, wait_for
from tests.acceptance.daemon import Daemon

APPROVE, RESTORE = "approve", "restore"
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


@contextmanager
def at_once(daemon: Daemon, entry: str = "A") -> Iterator[None]:
    """Have an entry's process hear of what is done meanwhile only after it all."""
    child = daemon.child(entry)
    child.suspend()
    try:
        yield
    finally:
        child.resume()


def delete(daemon: Daemon, names: list[str]) -> None:
    """Delete files on A at once."""
    with at_once(daemon):
        for name in names:
            daemon.path("A", name).unlink()


def is_kept(daemon: Daemon, number: int) -> bool:
    """Tell whether of so many files something is kept from the others, held or not."""
    total: int = daemon.get("/files?state=held&limit=1")["total"]
    return total == number


def decide(daemon: Daemon, verb: str, entry: str = "A") -> None:
    answer = daemon.http("POST", f"/entries/{entry}/{verb}")
    assert answer.status_code == 200, answer.text


def ask_in_vain(daemon: Daemon, verb: str) -> None:
    """Decide, whether or not there comes an answer."""
    with (
        httpx.Client(base_url=daemon.url, timeout=30) as http,
        suppress(httpx.HTTPError),
    ):
        http.post(f"{API}/entries/A/{verb}")


def never_held(daemon: Daemon) -> None:
    """Check that no guard has held anything since the start."""
    assert [facts for kind, facts in daemon.events() if kind == "held"] == []


def files(daemon: Daemon, entry: str) -> int:
    kinds = [kind for kind, *_ in daemon.tree(entry).values()]
    return kinds.count("file")


@pytest.mark.parametrize("verb", [APPROVE, RESTORE])
def test_44_half_of_all_deleted_at_once_waits_for_a_word(verb: str):
    with guarded() as daemon:
        names = filled(daemon, 9)
        delete(daemon, names[:5])
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
        gone = set(names[:5]) if verb == APPROVE else set[str]()
        assert left == set(names) - gone - {names[7]}
        assert held(daemon) == {}
        again = daemon.http("POST", f"/entries/A/{verb}")
        assert again.status_code == 409
        assert "does not wait for a decision" in again.json()["reason"]


def test_thousands_deleted_in_ten_batches_are_held_as_one():
    with Daemon() as daemon:
        names = filled(daemon, 3000)
        for done in range(0, 3000, 300):
            delete(daemon, names[done : done + 300])
            wait_for(partial(is_kept, daemon, done + 300))
        is_held(daemon, deletions=3000)

        assert files(daemon, "B") == 3000
        assert "3,000 deletions at once are held" in daemon.log_text()

        daemon.restart()
        assert held(daemon) == {"deletions": 3000}
        decide(daemon, RESTORE)
        daemon.converged()
        assert files(daemon, "A") == 3000


@pytest.mark.parametrize("verb", [APPROVE, RESTORE])
def test_most_of_a_tree_removed_by_a_command_waits_for_a_word(verb: str):
    """The guards are on without a word about them; nothing at all goes to B."""
    with Daemon() as daemon:
        for number in range(1000):
            daemon.write("A", f"{number % 10}/{number}")
        before = daemon.converged()
        with at_once(daemon):
            doomed = [str(daemon.path("A", f"{folder}")) for folder in range(9)]
            subprocess.run(["rm", "-rf", *doomed], check=True)
        is_held(daemon, deletions=909)
        daemon.write("B", "9/9", b"by B")
        daemon.arrives("A", "9/9", b"by B")
        daemon.write("B", "9/9")
        daemon.arrives("A", "9/9")
        assert daemon.tree("B") == before

        decide(daemon, verb)

        tree = daemon.converged()
        assert (tree == before) == (verb == RESTORE)
        assert files(daemon, "B") == (1000 if verb == RESTORE else 100)
        assert held(daemon) == {}


@pytest.mark.parametrize("verb", [APPROVE, RESTORE])
def test_a_decision_survives_being_killed_in_the_middle(verb: str):
    with Daemon() as daemon:
        names = filled(daemon, 2000)
        delete(daemon, names[100:])
        is_held(daemon, deletions=1900)
        there, number = ("B", 2000) if verb == APPROVE else ("A", 100)
        asking = threading.Thread(target=ask_in_vain, args=(daemon, verb))
        asking.start()
        wait_for(lambda: files(daemon, there) != number)
        daemon.kill()
        asking.join()
        daemon.start()

        daemon.converged()
        assert files(daemon, "B") == (100 if verb == APPROVE else 2000)
        assert held(daemon) == {}


def test_a_file_that_returns_is_held_no_more():
    with guarded() as daemon:
        names = filled(daemon, 9)
        delete(daemon, names[:5])
        is_held(daemon, deletions=5)
        daemon.write("A", names[0], b"one")
        is_held(daemon, deletions=4)
        daemon.write("A", names[1], b"another")
        daemon.arrives("B", names[1], b"another")
        is_held(daemon, deletions=3)
        for name in names[2:5]:
            daemon.write("A", name, b"one")
        is_held(daemon)

        assert daemon.entry_state("A") == "active"
        daemon.converged()
        assert files(daemon, "B") == 9


def test_as_much_as_may_always_be_deleted_and_overwritten_is_never_held():
    with Daemon() as daemon:
        names = filled(daemon, 160)
        scramble(daemon, names[:100])
        for name in names[100:140]:
            daemon.path("A", name).unlink()
        daemon.converged()

        assert files(daemon, "B") == 120
        never_held(daemon)


def test_what_went_before_it_was_clear_is_told_and_can_be_undone():
    with guarded(deletions=10, deletions_percent=20) as daemon:
        names = filled(daemon, 100)
        before = daemon.tree("B")
        delete(daemon, names[:10])
        wait_for(lambda: files(daemon, "B") == 90)
        delete(daemon, names[10:50])
        is_held(daemon, deletions=40)

        (told,) = daemon.get("/entries/A/status")["held"]["changes"]
        assert told["passed"] == 10
        daemon.restart()
        (told,) = daemon.get("/entries/A/status")["held"]["changes"]
        assert told["passed"] == 10
        done = daemon.command_line("entries", "restore", "A")
        assert "10 more files have been passed on before" in done.stdout
        daemon.converged()
        assert files(daemon, "A") == 90
        said = done.stdout.split("syncd undo / --at '")[1].split("'")[0]
        undone = daemon.command_line("undo", "/", "--at", said)
        assert "10 files" in undone.stdout
        assert daemon.converged() == before


def test_whatever_a_person_has_undone_is_not_held():
    """Of old contents that come back by order, no guard asks whether it is meant."""
    with Daemon() as daemon:
        names = filled(daemon, 150)
        before = daemon.tree("B")
        moment = time.time()
        with at_once(daemon):
            scramble(daemon, names)
        is_held(daemon, overwrites=150)
        decide(daemon, APPROVE)
        daemon.converged()

        answer = daemon.http("POST", "/undo", {"path": "/", "at": moment})
        assert answer.json()["files"] == 150
        assert daemon.converged() == before
        told = [facts for kind, facts in daemon.events() if kind == "held"]
        assert [facts["state"] for facts in told] == ["held", "approved"]

        # Nor does it count with what people do themselves after that.
        daemon.write("A", names[0], b"scrambled " + names[0].encode())
        daemon.arrives("B", names[0], b"scrambled " + names[0].encode())


def test_whatever_is_decided_of_conflicts_is_not_held():
    limits = {"conflict": "manual", "guard": LOW}
    with Daemon(settings={"A": limits, "B": limits}, started=False) as daemon:
        for entry in "AB":
            for number in range(20):
                daemon.write(entry, str(number), f"by {entry}".encode())
        daemon.start()
        wait_for(lambda: len(daemon.conflicts()) == 20)
        for one in daemon.conflicts():
            where = f"/conflicts/{one['fid']}/resolve"
            assert daemon.http("POST", where, {"keep": "B"}).status_code == 200

        daemon.converged()
        assert daemon.contents("A") == [b"by B"] * 20
        never_held(daemon)


def test_whatever_rules_take_away_is_not_held():
    prune = {"on_unmatch": "trash", "guard": LOW}
    with Daemon("A", "B", "C", settings=dict.fromkeys("ABC", prune)) as daemon:
        filled(daemon, 30)
        rule = {"match": {"path": "/"}, "sync": ["A", "C"]}
        daemon.put("/rules", {"rules": [rule]})
        daemon.put("/rules/reload")

        wait_for(lambda: files(daemon, "B") == 0)
        daemon.converged("A", "C")
        assert files(daemon, "C") == 30
        never_held(daemon)


def test_a_folder_deleted_at_once_comes_back_with_all_that_was_in_it():
    with guarded() as daemon:
        names = filled(daemon, 21)
        daemon.write("A", "b/other")
        before = daemon.converged()
        with at_once(daemon):
            for folder in range(7):
                shutil.rmtree(daemon.path("A", str(folder)))
        # All but what is in b, folders included.
        is_held(daemon, deletions=len(names) + 7)

        assert daemon.tree("B") == before
        daemon.kill()
        daemon.start()
        wait_for(lambda: daemon.entry_state("A") == "held")
        assert daemon.tree("B") == before
        decide(daemon, RESTORE)
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
        decide(daemon, APPROVE)
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


@pytest.mark.parametrize("verb", [APPROVE, RESTORE])
def test_everything_overwritten_at_once_waits_for_a_word(verb: str):
    with guarded() as daemon:
        names = filled(daemon, 200)
        passed = names[:5]  # So many can never be too many.
        scramble(daemon, passed)
        for name in passed:
            daemon.arrives("B", name, b"scrambled " + name.encode())
        with at_once(daemon):
            scramble(daemon, names[5:])
        is_held(daemon, overwrites=195)
        assert all(daemon.read("B", name) == b"one" for name in names[5:])
        daemon.write("A", "new")
        daemon.arrives("B", "new")

        decide(daemon, verb)
        daemon.converged()
        changed = [name for name in names if daemon.read("B", name) != b"one"]
        assert changed == (names if verb == APPROVE else passed)


def test_what_was_overwritten_while_the_daemon_was_away_is_held_as_a_whole():
    with guarded() as daemon:
        names = filled(daemon, 200)
        daemon.stop()
        scramble(daemon, names)
        daemon.start()
        is_held(daemon, overwrites=200)

        assert all(daemon.read("B", name) == b"one" for name in names)
        decide(daemon, RESTORE)
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
        decide(daemon, RESTORE)
        assert daemon.converged() == before


def test_an_old_backup_is_recognised_after_a_restart_and_without_reading_all(
    tmp_path: Path,
):
    with guarded(overwrites=0, rollbacks=50) as daemon:
        names = filled(daemon, 200, b"monday")
        backup = tmp_path / "backup"
        subprocess.run(["cp", "-a", daemon.folder("A"), backup], check=True)
        for name in names[:120]:
            daemon.write("A", name, b"tuesday")
        daemon.converged()
        daemon.restart()
        (backup / ".syncd-marker").unlink()
        with at_once(daemon):
            subprocess.run(["cp", "-a", f"{backup}/.", daemon.folder("A")], check=True)
        wait_for(lambda: held(daemon), what=lambda: held(daemon))

        (told,) = daemon.get("/entries/A/status")["held"]["changes"]
        assert told["changes"] == "rollbacks"
        assert told["files"] + told.get("passed", 0) == 120
        assert told.get("passed", 0) <= 50
        decide(daemon, RESTORE)
        daemon.converged()
        contents = [daemon.read("A", name) for name in names[:120]]
        assert contents.count(b"monday") == told.get("passed", 0)


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
