"""Conflicts that wait for a person (conflict: manual): nothing moves until then."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon

MANUAL = {"A": {"conflict": "manual"}}
OURS, THEIRS = b"A's edit", b"B's edit, longer"


@pytest.fixture
def asking() -> Iterator[Daemon]:
    """A daemon where A leaves conflicts to people, and A and B differ over notes.txt.

    C holds what both edits were made from.
    """
    with Daemon("A", "B", "C", settings=MANUAL) as daemon:
        daemon.write("A", "notes.txt", b"common")
        daemon.converged()
        daemon.stop_entry("C")
        daemon.stop_entry("B")
        daemon.write("A", "notes.txt", OURS)
        daemon.write("B", "notes.txt", THEIRS)
        wait_for(lambda: daemon.file("notes.txt")["size"] == len(OURS))
        daemon.start_entry("B")
        wait_for(lambda: disputed(daemon))
        daemon.start_entry("C")
        wait_for(lambda: daemon.entry_state("C") == "active")
        yield daemon


def disputed(daemon: Daemon) -> dict[str, Any]:
    """Return what waits for a person; empty when nothing does."""
    waiting = [one for one in daemon.conflicts() if one["state"] == "disputed"]
    return waiting[0] if waiting else {}


def sides(daemon: Daemon) -> dict[str, int]:
    """Return who holds a side of it, and the sizes."""
    return {s["entry"]: s["size"] for s in disputed(daemon).get("sides", [])}


def all_stays(daemon: Daemon, *contents: bytes) -> None:
    """Check that every entry has its own content, and nothing beside it."""
    for entry, data in zip("ABC", contents, strict=False):
        assert daemon.read(entry, "notes.txt") == data
        assert set(daemon.tree(entry)) == {b"notes.txt"}


def power_cut(daemon: Daemon) -> None:
    daemon.kill()
    daemon.start()


def resolve(daemon: Daemon, keep: str, name: str = "notes.txt") -> None:
    fid = daemon.file(name)["fid"]
    answer = daemon.http("POST", f"/conflicts/{fid}/resolve", {"keep": keep})
    assert (answer.status_code, answer.json()) == (200, {"fid": fid, "status": "ok"})


def settled(daemon: Daemon, *contents: bytes) -> None:
    """Check that all entries come to hold exactly these contents, and nothing waits."""
    expected = sorted(contents)
    wait_for(
        lambda: all(sorted(daemon.contents(e)) == expected for e in daemon.entries)
    )
    daemon.converged()
    assert not disputed(daemon)


def test_both_stay_and_the_third_waits(asking: Daemon):
    """Both sides are shown; nothing is pending, and nothing changes over restarts."""
    assert sides(asking) == {"A": len(OURS), "B": len(THEIRS)}
    for again in (asking.total_pending, asking.restart, lambda: power_cut(asking)):
        again()
        wait_for(lambda: asking.total_pending() == 0)
        all_stays(asking, OURS, THEIRS, b"common")
        assert sides(asking) == {"A": len(OURS), "B": len(THEIRS)}
    file = asking.file("notes.txt")
    assert (file["state"], file["uptodate"]) == ("conflict", ["A"])
    assert [f["filename"] for f in asking.files(state="conflict")] == ["notes.txt"]
    assert asking.files(state="pending") == []
    told = asking.get(f"/files/{file['fid']}/explain")["entries"]
    assert [one["state"] for one in told] == [
        "disputed: a person has to choose",
        "disputed: a person has to choose",
        "waits for a decision",
    ]


@pytest.mark.parametrize(
    ("keep", "then"),
    [("A", [OURS]), ("B", [THEIRS]), ("both", [OURS, THEIRS])],
)
def test_a_person_decides(asking: Daemon, keep: str, then: list[bytes]):
    """What was chosen is everywhere; with both, one lies beside the other."""
    resolve(asking, keep)

    settled(asking, *then)
    kept = [one["conflict_of"] for one in asking.conflicts()]
    assert kept == ["notes.txt"] * (len(then) - 1)
    states = [f.get("state") for kind, f in asking.events() if kind == "conflict"]
    assert {"disputed", "settled"} <= set(states)


def test_decisions_that_are_refused(asking: Daemon):
    """In words, and changing nothing."""
    fid = asking.file("notes.txt")["fid"]
    nobody = "91473751-8e49-5240-b03c-96547fcd86dc"
    for where, keep, status, reason in (
        (fid, "C", 409, "entry C holds no side of it; choose from A, B"),
        (fid, "Z", 400, "keep: entry Z not found"),
        (nobody, "A", 404, f"file {nobody} not found"),
    ):
        answer = asking.http("POST", f"/conflicts/{where}/resolve", {"keep": keep})
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    all_stays(asking, OURS, THEIRS)
    resolve(asking, "A")
    again = asking.http("POST", f"/conflicts/{fid}/resolve", {"keep": "B"})
    assert again.status_code == 409
    settled(asking, OURS)


def test_by_the_command(asking: Daemon):
    """syncd conflicts list, then resolve, by the place on the disk."""
    listed = asking.command_line("conflicts", "list")
    assert listed.returncode == 0, listed.stderr
    assert "A holds this" in listed.stdout
    assert "B holds this" in listed.stdout

    place = str(asking.path("B", "notes.txt"))
    decided = asking.command_line("conflicts", "resolve", place, "--keep", "B")

    assert decided.returncode == 0, decided.stderr
    settled(asking, THEIRS)
    refused = asking.command_line("conflicts", "resolve", "notes.txt", "--keep", "A")
    assert refused.returncode == 75
    assert "nothing about notes.txt waits" in refused.stderr


@pytest.mark.parametrize(("entry", "then"), [("A", THEIRS), ("B", OURS)])
def test_deleting_one_side_settles_it(asking: Daemon, entry: str, then: bytes):
    """The other side it is, for everybody."""
    asking.path(entry, "notes.txt").unlink()

    settled(asking, then)


@pytest.mark.parametrize("entry", ["A", "B"])
def test_making_both_equal_settles_it(asking: Daemon, entry: str):
    """One takes over what the other wrote, by hand."""
    theirs = {"A": THEIRS, "B": OURS}[entry]
    asking.write(entry, "notes.txt", theirs)

    settled(asking, theirs)


def test_renaming_one_side_settles_it(asking: Daemon):
    """The side that was renamed is a file of its own."""
    asking.path("B", "notes.txt").rename(asking.path("B", "mine.txt"))

    settled(asking, OURS, THEIRS)
    assert asking.read("C", "mine.txt") == THEIRS


def test_either_side_may_be_edited_meanwhile(asking: Daemon):
    """Also while its entry, or the whole daemon, is stopped; C has its say, too."""
    asking.write("B", "notes.txt", b"B again")
    wait_for(lambda: sides(asking).get("B") == len(b"B again"))
    asking.write("A", "notes.txt", b"A again, of any length")
    wait_for(lambda: sides(asking).get("A") == len(b"A again, of any length"))
    asking.stop_entry("A")
    asking.write("A", "notes.txt", b"A, stopped")
    asking.start_entry("A")
    wait_for(lambda: sides(asking).get("A") == len(b"A, stopped"))
    asking.stop()
    asking.write("B", "notes.txt", b"B, and all stopped")
    asking.write("C", "notes.txt", b"C's")
    asking.start()
    wait_for(lambda: len(sides(asking)) == 3)

    all_stays(asking, b"A, stopped", b"B, and all stopped", b"C's")
    resolve(asking, "C")
    settled(asking, b"C's")


def test_what_was_edited_behind_a_decision_is_not_replaced(asking: Daemon):
    """B is stopped and edited; deciding for A does not cost B that edit."""
    asking.stop_entry("B")
    asking.write("B", "notes.txt", b"nobody knows of this")
    resolve(asking, "A")
    asking.arrives("C", "notes.txt", OURS)

    asking.start_entry("B")

    wait_for(lambda: disputed(asking))
    all_stays(asking, OURS, b"nobody knows of this", OURS)
    resolve(asking, "both")
    settled(asking, OURS, b"nobody knows of this")


def test_a_deletion_is_no_side(asking: Daemon):
    """Deleted on C, which only had what both were made from: that changes nothing."""
    asking.path("C", "notes.txt").unlink()
    asking.write("C", "other")
    wait_for(lambda: asking.file("other"))
    assert sides(asking) == {"A": len(OURS), "B": len(THEIRS)}

    asking.path("A", "notes.txt").unlink()
    asking.path("B", "notes.txt").unlink()

    wait_for(lambda: not asking.file("notes.txt"))
    assert set(asking.converged()) == {b"other"}


def test_when_nobody_wants_to_be_asked_any_more(asking: Daemon):
    """Configured otherwise and started again: decided as for everybody."""
    asking.stop()
    asking.write_config({})
    asking.start()

    settled(asking, OURS, THEIRS)


def test_the_index_is_lost(asking: Daemon):
    """Everything is found anew: three contents wait, and none is touched."""
    asking.stop()
    shutil.rmtree(asking.state)
    asking.write_config(dict.fromkeys("ABC", MANUAL["A"]))
    asking.start()

    wait_for(lambda: len(sides(asking)) == 3)
    all_stays(asking, OURS, THEIRS, b"common")
    resolve(asking, "both")
    settled(asking, OURS, THEIRS, b"common")


def test_different_from_the_first_start_on():
    """Nobody's content is first: both wait; what is equal or single goes its way."""
    with Daemon("A", "B", settings=MANUAL, started=False) as daemon:
        for entry in "AB":
            daemon.write(entry, "differs", b"same size " + entry.encode())
            daemon.write(entry, "equal", b"equal")
            daemon.write(entry, entry, b"single")
        daemon.start()

        wait_for(lambda: len(sides(daemon)) == 2)
        wait_for(lambda: daemon.read("A", "B") and daemon.read("B", "A"))
        wait_for(lambda: daemon.total_pending() == 0)
        assert daemon.read("A", "differs") == b"same size A"
        assert daemon.read("B", "differs") == b"same size B"
        digests = {side.get("digest") for side in disputed(daemon)["sides"]}
        assert len(digests - {None}) == 2


def test_a_folder_does_not_wait():
    """A file against a folder: the folder keeps the name, as ever."""
    with Daemon("A", "B", settings=MANUAL, started=False) as daemon:
        daemon.write("A", "x", b"a file")
        daemon.write("B", "x/y", b"in a folder")
        daemon.start()

        settled(daemon, b"a file", b"in a folder")
        assert daemon.read("A", "x/y") == b"in a folder"
