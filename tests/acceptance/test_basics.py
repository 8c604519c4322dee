"""Files come, change, move and go: scenarios 1 to 13."""

import os
import shutil
from pathlib import Path

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import content, digest, leftovers

MIB = 2**20


def test_01_a_new_file_reaches_every_entry(three: Daemon):
    """Ten bytes appear on A; B and C get them, and the API knows it."""
    three.write("A", "toto", b"0123456789")

    three.converged()

    assert three.read("B", "toto") == three.read("C", "toto") == b"0123456789"
    file = three.file("toto")
    assert file["owners"] == file["uptodate"] == ["A", "B", "C"]
    assert file["size"] == 10
    assert file["fid"] == "91473751-8e49-5240-b03c-96547fcd86dc"


def test_02_empty_files(pair: Daemon):
    """An empty file is a file; it may grow, and may become empty again."""
    for data in (b"", b"0123456789", b""):
        pair.write("A", "empty", data)

        pair.arrives("B", "empty", data)
        pair.converged()


def test_03_folders_not_known_before(pair: Daemon):
    """A file deep in new folders brings the folders along."""
    pair.write("A", "a/b/c/d/file")

    assert b"a/b/c/d/file" in pair.converged()


def test_04_other_content_of_the_same_size(pair: Daemon):
    """A rewrite is noticed though the size stays."""
    pair.write("A", "file", b"one" * 100)
    pair.converged()

    pair.write("A", "file", b"two" * 100)

    pair.arrives("B", "file", b"two" * 100)
    pair.converged()


def test_05_files_shrink_and_grow(pair: Daemon):
    """Sizes follow exactly; no tail of old content stays."""
    for size in (10_000, 1_000, 10_000):
        data = content(size, seed=size)
        pair.write("A", "file", data)

        pair.arrives("B", "file", data)
        pair.converged()


def test_06_large_files_need_little_memory(pair: Daemon):
    """10 MB and 2 GiB arrive whole; no process grows by more than 64 MiB."""
    pair.write("A", "ten", content(10_000_000))
    pair.converged()
    before = {each.pid: each.memory_info().rss for each in pair.processes()}

    block = content(16 * MIB)
    with pair.path("A", "large").open("wb") as large:
        for number in range(128):
            large.write(number.to_bytes(16) + block[16:])

    wait_for(lambda: pair.read_size("B", "large") == 2048 * MIB, within=90)
    assert digest(pair.path("A", "large")) == digest(pair.path("B", "large"))
    wait_for(lambda: pair.file("large").get("uptodate") == ["A", "B"])
    for process in pair.processes():
        grown = process.memory_info().rss - before[process.pid]
        assert grown < 64 * MIB, process.cmdline()


@pytest.mark.parametrize(("where", "elsewhere"), [("A", "B"), ("B", "A")])
def test_07_deletions_go_both_ways(pair: Daemon, where: str, elsewhere: str):
    """What is deleted on one entry goes from the other, whichever made it."""
    pair.write("A", "file")
    pair.write("A", "stays")
    pair.converged()

    pair.path(where, "file").unlink()

    wait_for(lambda: pair.read(elsewhere, "file") is None)
    assert set(pair.converged()) == {b"stays"}
    assert [file["filename"] for file in pair.files()] == ["stays"]


def test_08_a_deep_tree_is_deleted_at_its_top(pair: Daemon):
    """50 levels with 100 files at the bottom go everywhere, empty folders too.

    They are less than a quarter of all, so that no guard holds them.
    """
    for number in range(400):
        pair.write("A", f"stays/{number}")
    stays = set(pair.converged())
    deep = "/".join(f"{level}" for level in range(50))
    for number in range(100):
        pair.write("A", f"{deep}/{number}")
    pair.converged()

    shutil.rmtree(pair.path("A", "0"))

    wait_for(lambda: not pair.path("B", "0").exists())
    assert set(pair.converged()) == stays


@pytest.mark.parametrize(
    ("old", "new", "made"),
    [
        ("file", "renamed", ["file"]),
        ("file", "new/sub/file", ["file"]),
        ("folder", "other", ["folder/one", "folder/two"]),
    ],
)
@pytest.mark.parametrize("where", ["A", "B"])
def test_09_a_rename_moves_no_content(
    pair: Daemon, where: str, old: str, new: str, made: list[str]
):
    """Old names go, new ones come, and not a byte is copied for it."""
    for number, name in enumerate(made):
        pair.write("A", name, content(1000, seed=number))
    pair.converged()
    before = pair.transferred_bytes()

    pair.path(where, new).parent.mkdir(parents=True, exist_ok=True)
    pair.path(where, old).rename(pair.path(where, new))

    wait_for(
        lambda: not pair.path("A", old).exists() and not pair.path("B", old).exists()
    )
    wait_for(lambda: pair.path("A", new).exists() and pair.path("B", new).exists())
    pair.converged()
    assert pair.transferred_bytes() == before
    expected = {name.replace(old, new, 1) for name in made}
    assert {f["filename"] for f in pair.files() if f["size"]} == expected


def test_10_a_folder_moves_into_a_deep_one(pair: Daemon):
    """Ten files of 1 MB change their place without being copied or lost."""
    for number in range(10):
        pair.write("A", f"album/{number}", content(1_000_000, seed=number))
    pair.write("A", "x/y/z/other")
    before_move = pair.converged()
    before = pair.transferred_bytes()

    pair.path("A", "album").rename(pair.path("A", "x/y/z/album"))

    wait_for(lambda: pair.path("B", "x/y/z/album/9").exists())
    wait_for(lambda: not pair.path("B", "album").exists())
    after_move = pair.converged()
    assert pair.transferred_bytes() == before
    for number in range(10):
        moved = after_move[b"x/y/z/album/%d" % number]
        assert moved == before_move[b"album/%d" % number]


def test_a_move_is_told_as_one(pair: Daemon):
    """Events and explain say where a moved file was before; the listing stays as is."""
    pair.write("A", "old", b"content")
    pair.converged()

    pair.path("A", "old").rename(pair.path("A", "new"))

    pair.arrives("B", "new", b"content")
    pair.converged()
    told = {
        (facts["filename"], facts["action"], facts.get("from"))
        for kind, facts in pair.events()
        if kind == "change"
    }
    assert {("new", "moved", "old"), ("old", "deleted", None)} <= told
    file = pair.file("new")
    assert "moved_from" not in file
    assert pair.get(f"/files/{file['fid']}/explain")["moved_from"] == "old"


def test_11_moved_in_is_made_and_moved_out_is_deleted(pair: Daemon):
    """Crossing the root's border is a creation, or a deletion."""
    outside = pair.home / "outside"
    (outside / "in").mkdir(parents=True)
    (outside / "in" / "file").write_bytes(b"from outside")
    pair.write("A", "stays")
    pair.converged()

    (outside / "in").rename(pair.path("A", "in"))
    pair.arrives("B", "in/file", b"from outside")
    pair.converged()

    pair.path("A", "in").rename(outside / "out")
    wait_for(lambda: not pair.path("B", "in").exists())
    assert set(pair.converged()) == {b"stays"}
    assert (outside / "out" / "file").read_bytes() == b"from outside"


@pytest.mark.parametrize("size", [10, 64 * MIB])
def test_12_renamed_at_once(pair: Daemon, size: int):
    """A file renamed right after it was made ends under its new name only."""
    data = content(size)
    pair.write("A", "old", data)
    pair.path("A", "old").rename(pair.path("A", "new"))

    wait_for(lambda: pair.read_size("B", "new") == size)
    assert set(pair.converged()) == {b"new"}
    assert pair.read("B", "new") == data


def test_12_renamed_while_it_is_copied(pair: Daemon):
    """A rename in mid-transfer leaves the new name, the content and nothing else."""
    data = content(256 * MIB)
    pair.write("A", "old", data)
    wait_for(lambda: leftovers(pair.folder("B")) or pair.path("B", "old").exists())

    pair.path("A", "old").rename(pair.path("A", "new"))

    wait_for(lambda: pair.read_size("B", "new") == len(data))
    assert set(pair.converged(within=60)) == {b"new"}
    assert digest(pair.path("B", "new")) == digest(pair.path("A", "new"))


@pytest.mark.parametrize("number", [1, 99, 100, 101])
def test_13_both_sides_are_full_at_the_first_start(number: int):
    """Many small files on both sides, all different: each side gets the union."""
    with Daemon("A", "B", started=False) as daemon:
        for index in range(number):
            daemon.write("A", f"a/{index}", content(100, seed=("a", index)))
            daemon.write("B", f"b/{index}", content(100, seed=("b", index)))
        daemon.start()

        files = [n for n, (kind, *_) in daemon.converged().items() if kind == "file"]

        assert len(files) == 2 * number
        assert daemon.conflicts() == []


def test_modes_times_links_holes_and_folders_come_along(pair: Daemon):
    """A copy has mode, mtime to the nanosecond, links as links, holes as holes."""
    script = pair.write("A", "bin/script", b"#!/bin/sh\n")
    script.chmod(0o754)
    os.utime(script, ns=(1, 1_234_567_890_123_456_789))
    pair.path("A", "link").symlink_to("bin/script")
    pair.path("A", "astray").symlink_to("/nowhere/at/all")
    pair.path("A", "to-folder").symlink_to("bin")
    pair.path("A", "empty/inside").mkdir(parents=True)
    _sparse(pair.path("A", "sparse"))

    found = pair.converged(metadata=True)

    assert found[b"link"] == ("link", b"bin/script")
    assert found[b"astray"] == ("link", b"/nowhere/at/all")
    assert found[b"to-folder"] == ("link", b"bin")
    assert found[b"empty/inside"] == ("folder",)
    assert found[b"bin/script"][3:] == (0o754, 1_234_567_890_123_456_789)
    assert pair.path("B", "sparse").stat().st_blocks * 512 < 4 * MIB


def test_a_changed_mode_is_carried_without_content(pair: Daemon):
    """chmod alone reaches the other entry and copies nothing."""
    pair.write("A", "file", content(100_000)).chmod(0o644)
    pair.converged(metadata=True)
    before = pair.transferred_bytes()

    pair.path("A", "file").chmod(0o600)

    wait_for(lambda: pair.path("B", "file").stat().st_mode & 0o777 == 0o600)
    pair.converged(metadata=True)
    assert pair.transferred_bytes() == before


def test_45_a_touch_moves_no_content(pair: Daemon):
    """New time stamps on a whole tree: nothing is copied, nothing conflicts."""
    for number in range(20):
        pair.write("A", f"d/{number}", content(1000, seed=number))
    pair.converged()
    before = pair.transferred_bytes()

    for number in range(20):
        pair.path("A", f"d/{number}").touch()

    pair.converged(metadata=True)
    assert pair.transferred_bytes() == before
    assert pair.conflicts() == []


def test_ignored_names_stay_where_they_are():
    """Patterns in the grammar of gitignore, per entry."""
    ignore = {"A": {"ignore": [".git/", "*.tmp"]}, "B": {"ignore": [".git/", "*.tmp"]}}
    with Daemon("A", "B", settings=ignore) as daemon:
        daemon.write("A", ".git/config")
        daemon.write("A", "draft.tmp")
        daemon.write("A", "deep/draft.tmp")
        daemon.write("A", "deep/kept")

        daemon.arrives("B", "deep/kept")

        assert set(daemon.tree("B")) == {b"deep", b"deep/kept"}
        assert all(".tmp" not in file["filename"] for file in daemon.files())


def test_a_deletion_that_stays_with_its_entry_leaves_nothing_pending():
    """B keeps deletions to itself: it is no owner until the next version comes."""
    settings = {"B": {"on_delete": "ignore"}}
    with Daemon("A", "B", settings=settings) as daemon:
        daemon.write("A", "file", b"one")
        daemon.arrives("B", "file", b"one")
        daemon.converged()

        daemon.path("B", "file").unlink()

        wait_for(lambda: daemon.file("file")["owners"] == ["A"])
        file = daemon.file("file")
        assert (file["uptodate"], file["state"]) == (["A"], "uptodate")
        assert daemon.files(state="pending") == []
        told = daemon.get(f"/files/{file['fid']}/explain")["entries"][1]
        assert told["state"] == "deleted here only"
        assert "on_delete: ignore" in told["because"]
        daemon.restart()
        assert daemon.read("B", "file") is None

        daemon.write("A", "file", b"another")
        daemon.arrives("B", "file", b"another")
        wait_for(lambda: daemon.file("file")["uptodate"] == ["A", "B"])


def test_fifos_and_sockets_are_left_alone(pair: Daemon):
    """What is neither file, folder nor link neither travels nor hinders."""
    os.mkfifo(pair.path("A", "pipe"))
    pair.write("A", "after")

    pair.arrives("B", "after")

    assert set(pair.tree("B")) == {b"after"}
    assert pair.path("A", "pipe").is_fifo()


NAMES = [
    b"with blanks in it",
    b"quotes ' and \"",
    b"100%25.txt",
    b"#;&?=+:*|<>$\\",
    b"new\nline",
    b"tab\there",
    b".leading",
    b"trailing.",
    b"~tilde",
    "party \N{PARTY POPPER}".encode(),
    "\u202eright to left".encode(),
    ("\N{GRINNING FACE}" * 50).encode(),
    b"x" * 255,
    b"not utf-8: \xff\xfe\x80",
    "stand-in \U0010feff".encode(),
    "caf\u00e9 one way".encode(),
    "cafe\u0301 the other way".encode(),
    b"-rf",
]


def test_46_names_survive_to_the_byte(pair: Daemon):
    """Every name a disk allows travels unchanged, and the API tells them apart."""
    for name in NAMES:
        pair.write("A", name, name)
        pair.write("A", b"folder " + name[:240] + b"/" + name, name)

    found = pair.converged(within=60)

    assert {
        name for name in found if b"/" not in name and found[name][0] == "file"
    } == set(NAMES)
    for name in NAMES:
        assert pair.read("B", name) == name
    known = [file["filename"] for file in pair.files()]
    assert len(known) == len(set(known))


def test_46_names_are_found_by_the_command_line(pair: Daemon):
    """syncd explain takes a name as the shell has it."""
    for name in NAMES:
        pair.write("A", name, name)
    pair.converged(within=60)

    for name in (b"new\nline", b"100%25.txt", b"not utf-8: \xff\xfe\x80"):
        answer = pair.command_line("explain", os.fsdecode(name))
        assert answer.returncode == 0, answer.stderr


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(content(4096))
        file.seek(64 * MIB)
        file.write(content(4096, seed=1))
