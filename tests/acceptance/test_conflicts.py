"""Two people change one thing: scenarios 29 to 36. Nothing anyone wrote is lost."""

import shutil
import threading

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content, leftovers

MIB = 2**20


def test_29_different_edits_are_both_kept(pair: Daemon):
    """Edited on A and, while B was stopped, differently on B: two files, everywhere."""
    pair.write("A", "notes.txt", b"common")
    pair.converged()
    pair.stop_entry("B")

    pair.write("A", "notes.txt", b"A's edit")
    pair.write("B", "notes.txt", b"B's edit!")
    wait_for(lambda: pair.file("notes.txt")["size"] == 8)
    pair.start_entry("B")

    wait_for(lambda: len(pair.tree("A")) == 2)
    found = pair.converged()
    assert sorted(pair.contents("A")) == [b"A's edit", b"B's edit!"]
    assert b"notes.txt" in found
    [aside] = set(found) - {b"notes.txt"}
    assert aside.startswith(b"notes.sync-conflict-")
    assert aside.endswith(b".txt")
    assert aside.decode() in str(pair.conflicts())
    assert pair.conflicts() != []


def test_30_the_same_edit_is_no_conflict(pair: Daemon):
    """Both made the same change: no copy kept aside, nothing transferred."""
    pair.write("A", "file", b"common")
    pair.converged()
    pair.stop_entry("B")
    before = pair.transferred_bytes()

    pair.write("A", "file", b"the same")
    pair.write("B", "file", b"the same")
    wait_for(lambda: pair.file("file")["size"] == 8)
    pair.start_entry("B")

    wait_for(lambda: pair.file("file")["uptodate"] == ["A", "B"])
    assert set(pair.converged()) == {b"file"}
    assert pair.transferred_bytes() == before
    assert pair.conflicts() == []


def test_31_deleted_on_both(pair: Daemon):
    """Gone here, gone there: gone, and nobody complains."""
    pair.write("A", "file")
    pair.write("A", "stays")
    pair.converged()
    pair.stop_entry("B")

    pair.path("A", "file").unlink()
    pair.path("B", "file").unlink()
    wait_for(lambda: not pair.file("file"))
    pair.start_entry("B")

    assert set(pair.converged()) == {b"stays"}
    assert pair.conflicts() == []
    assert [file["filename"] for file in pair.files()] == ["stays"]


def test_32_an_edit_survives_a_deletion(pair: Daemon):
    """Deleted on A, edited on B: the edit comes back to A."""
    pair.write("A", "file", b"common")
    pair.write("A", "stays")
    pair.converged()
    pair.stop_entry("B")

    pair.path("A", "file").unlink()
    pair.write("B", "file", b"edited on B")
    wait_for(lambda: not pair.file("file"))
    pair.start_entry("B")

    pair.arrives("A", "file", b"edited on B")
    assert set(pair.converged()) == {b"file", b"stays"}


def test_33_writing_to_the_target_of_a_transfer(pair: Daemon):
    """Written to on B while A's comes in: nobody's content is lost or mixed."""
    pair.write("A", "file", b"common")
    pair.converged()
    sent = content(200 * MIB)
    pair.write("A", "file", sent)
    wait_for(lambda: leftovers(pair.folder("B")))

    pair.write("B", "file", b"a person's own words")

    def is_settled() -> bool:
        return pair.read("A", "file") == pair.read("B", "file") != b"common"

    wait_for(is_settled, within=60)
    pair.converged(within=60)
    held = pair.contents("A")
    assert b"a person's own words" in held
    assert all(data in (sent, b"a person's own words") for data in held)
    assert sent in held


def test_34_both_overwritten_at_once_again_and_again(pair: Daemon):
    """20 rounds of two writers on one large file: equal in the end, nothing lost.

    Each round overwrites the winner of the one before, and only that.
    """
    pair.write("A", "file", b"common")
    pair.converged()
    kept: set[bytes] = set()
    for number in range(20):
        ours = {entry: content(4 * MIB, seed=(entry, number)) for entry in ("A", "B")}
        kept |= set(ours.values())
        replaced: set[bytes] = set()

        def write(entry: str, data: bytes, replaced: set[bytes] = replaced) -> None:
            # Who comes late may find the other's there already: that is no conflict.
            replaced.add(pair.path(entry, "file").read_bytes())
            pair.write(entry, "file", data)

        writers = [
            threading.Thread(target=write, args=(entry, data))
            for entry, data in ours.items()
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        kept -= replaced & set(ours.values())
        _holds(pair, kept)
        pair.converged(within=60)
        kept.remove(pair.path("A", "file").read_bytes())


@pytest.mark.parametrize("apart", [True, False], ids=["B stopped", "both running"])
def test_35_moved_here_and_edited_there(pair: Daemon, apart: bool):
    """Moved on A, edited on B: the edit is not lost."""
    pair.write("A", "old", b"common content")
    pair.converged()
    if apart:
        pair.stop_entry("B")

    pair.path("A", "old").rename(pair.path("A", "new"))
    pair.write("B", "old", b"edited on B")
    if apart:
        wait_for(lambda: pair.file("new"))
        pair.start_entry("B")

    wait_for(lambda: b"edited on B" in pair.contents("A"))
    pair.converged()
    assert b"edited on B" in pair.contents("B")


def test_36_two_conflicts_on_one_file(pair: Daemon):
    """The second conflict's copy gets a name of its own; nothing is overwritten."""
    pair.write("A", "file.txt", b"common")
    pair.converged()
    for number in (1, 2):
        pair.stop_entry("B")
        pair.write("A", "file.txt", b"A, round %d" % number)
        pair.write("B", "file.txt", b"B, other, round %d" % number)
        pair.start_entry("B")
        _holds(pair, {b"A, round %d" % number, b"B, other, round %d" % number})
        pair.converged()

    expected = {b"A, round %d" % n for n in (1, 2)}
    expected |= {b"B, other, round %d" % n for n in (1, 2)}
    assert len(pair.tree("A")) == 3
    assert len(set(pair.contents("A"))) == 3
    assert set(pair.contents("A")) < expected


def test_three_different_edits_are_all_kept(three: Daemon):
    """Everywhere the same three contents, under the same three names."""
    three.write("A", "file.txt", b"common")
    three.converged()
    for entry in "BC":
        three.stop_entry(entry)
    edits = {entry: f"{entry} was here".encode() for entry in "ABC"}
    for entry, data in edits.items():
        three.write(entry, "file.txt", data)
    for entry in "BC":
        three.start_entry(entry)

    wait_for(lambda: set(three.contents("A")) == set(edits.values()))
    assert b"file.txt" in three.converged()
    assert {one["conflict_of"] for one in three.conflicts()} == {"file.txt"}
    assert len(three.conflicts()) == 2


def test_a_folder_deleted_against_changes_inside(pair: Daemon):
    """What was edited or made in it survives, with its folders; the rest goes."""
    for name in ("d/e/edited", "d/e/f/other", "d/other", "stays"):
        pair.write("A", name, b"common")
    pair.converged()
    pair.stop_entry("B")
    shutil.rmtree(pair.path("A", "d"))
    pair.write("B", "d/e/edited", b"edited")
    pair.write("B", "d/new", b"new")
    wait_for(lambda: len(pair.files()) == 1)
    pair.start_entry("B")

    pair.arrives("A", "d/new", b"new")
    pair.arrives("A", "d/e/edited", b"edited")
    wait_for(lambda: not pair.path("B", "d/e/f").exists())
    assert set(pair.converged()) == {b"d", b"d/e", b"d/e/edited", b"d/new", b"stays"}
    assert pair.conflicts() == []


def test_a_file_against_a_folder(pair: Daemon):
    """The folder keeps the name, the file is kept beside it."""
    pair.write("A", "x.txt", b"common")
    pair.converged()
    pair.stop_entry("B")
    pair.write("A", "x.txt", b"edited")
    pair.path("B", "x.txt").unlink()
    pair.write("B", "x.txt/inside", b"inside")
    pair.start_entry("B")

    wait_for(lambda: sorted(pair.contents("A")) == [b"edited", b"inside"])
    assert {b"x.txt", b"x.txt/inside"} < set(pair.converged())
    [kept] = pair.conflicts()
    assert (kept["conflict_of"], kept["filename"][-4:]) == ("x.txt", ".txt")


def test_a_conflict_that_was_dealt_with_is_listed_no_more(pair: Daemon):
    """Deleting the loser ends it; the name is then like any other."""
    pair.stop_entry("B")
    for entry in "AB":
        pair.write(entry, "file", f"by {entry}".encode())
    pair.start_entry("B")
    kept = wait_for(pair.conflicts)[0]["filename"]
    pair.converged()

    pair.path("A", kept).unlink()
    wait_for(lambda: not pair.path("B", kept).exists())
    assert pair.conflicts() == []
    pair.write("A", kept, b"something else")
    pair.arrives("B", kept, b"something else")

    pair.converged()
    assert pair.conflicts() == []


def _holds(daemon: Daemon, contents: set[bytes]) -> None:
    """Wait until A holds all of the contents, under whatever names."""
    wait_for(
        lambda: _held(daemon, "A") >= contents,
        within=60,
        what=lambda: {
            entry: {name: thing[:2] for name, thing in daemon.tree(entry).items()}
            for entry in daemon.entries
        },
    )


def _held(daemon: Daemon, entry: str) -> set[bytes]:
    return {data for data in daemon.contents(entry) if data != b"common"}
