"""What happens on a storage, and what the index is told of it."""

import os

import pytest

from syncd import wire
from syncd.child.notice import EMPTY_DIGEST
from syncd.core.change import Found, Gone
from syncd.core.file import Kind


def old(path):
    """Let the file seem to be at rest for long."""
    os.utime(path, (1, 1))


@pytest.fixture
async def a(parent):
    """A running entry, and what it was asked to say so far is forgotten."""
    root = parent.entry("A")
    (root / "d" / "e").mkdir(parents=True)
    for name in ("one", "d/two", "d/e/three"):
        (root / name).write_text(name)
        old(root / name)
    parent.start("A")
    await parent.walked("A")
    parent.up["A"].clear()
    return root


async def told(parent, count):
    await parent.until(lambda: len(parent.changes("A")) >= count)
    return parent.changes("A")


async def test_a_new_file_is_found_with_its_stamp(parent, a):
    (a / "new").write_text("hello")

    (change,) = await told(parent, 1)

    status = (a / "new").stat()
    assert isinstance(change, Found)
    assert change.seen.path == "new"
    assert change.seen.stamp.size == 5
    assert change.seen.stamp.inode == status.st_ino
    assert change.digest is None
    assert len(change.cause) == 8


async def test_an_empty_file_comes_with_its_digest(parent, a):
    (a / "new").touch()

    (change,) = await told(parent, 1)

    assert change.digest == EMPTY_DIGEST


async def test_a_small_overwrite_of_the_same_size_comes_with_its_digest(parent, a):
    (a / "one").write_text("ONE")
    (same,) = await told(parent, 1)
    (a / "one").write_text("another size")
    _, other = await told(parent, 2)

    assert same.digest is not None
    assert other.digest is None


async def test_a_change_of_mode_is_told_at_once(parent, a):
    (a / "one").chmod(0o600)

    (change,) = await told(parent, 1)

    assert change.seen.mode == 0o600


async def test_a_deletion_is_told(parent, a):
    (a / "one").unlink()

    assert await told(parent, 1) == [Gone("one", parent.changes("A")[0].cause)]


async def test_links_and_folders_are_told(parent, a):
    (a / "link").symlink_to("one")
    (a / "folder").mkdir()

    found = {c.seen.path: c.seen for c in await told(parent, 2)}

    assert found["link"].kind is Kind.LINK
    assert found["link"].target == "one"
    assert found["folder"].kind is Kind.DIRECTORY


async def test_a_moved_file_is_found_with_its_old_path(parent, a):
    (a / "one").rename(a / "d" / "uno")

    found, gone = await told(parent, 2)

    assert (found.seen.path, found.old) == ("d/uno", "one")
    assert found.digest is None
    assert gone == Gone("one", found.cause)


async def test_a_moved_folder_moves_everything_below_it(parent, a):
    (a / "d").rename(a / "z")

    changes = await told(parent, 8)

    olds = {c.seen.path: c.old for c in changes if isinstance(c, Found)}
    assert olds == {"z": "d", "z/e": "d/e", "z/two": "d/two", "z/e/three": "d/e/three"}
    order = [
        (type(c), c.seen.path if isinstance(c, Found) else c.path) for c in changes
    ]
    assert order.index((Found, "z")) < order.index((Found, "z/two"))
    assert order.index((Found, "z/e")) < order.index((Found, "z/e/three"))
    assert order.index((Gone, "d/e/three")) < order.index((Gone, "d/e"))
    assert order[-1] == (Gone, "d")
    three = order.index((Found, "z/e/three"))
    assert order[three + 1] == (Gone, "d/e/three")


async def test_a_deleted_folder_goes_after_its_content(parent, a):
    for path in ("d/e/three", "d/two"):
        (a / path).unlink()
    (a / "d" / "e").rmdir()
    (a / "d").rmdir()

    changes = [c.path for c in await told(parent, 4)]

    assert sorted(changes) == ["d", "d/e", "d/e/three", "d/two"]
    assert changes.index("d/e/three") < changes.index("d/e") < changes.index("d")


async def test_a_folder_that_becomes_a_file_loses_its_content_first(parent, a):
    (a / "d").rename(a.parent / "away")
    (a / "d").write_text("a file now")

    changes = await told(parent, 4)

    assert {c.path for c in changes[:-1]} == {"d/e", "d/e/three", "d/two"}
    assert changes[-1].seen.kind is Kind.FILE


async def test_a_folder_moved_in_is_found_with_its_content(parent, a):
    outside = a.parent / "outside"
    (outside / "x").mkdir(parents=True)
    (outside / "x" / "f").write_text("f")
    old(outside / "x" / "f")

    outside.rename(a / "inside")

    assert [c.seen.path for c in await told(parent, 3)] == [
        "inside",
        "inside/x",
        "inside/x/f",
    ]


async def test_a_file_kept_open_is_not_told_until_it_is_closed(parent, a):
    with (a / "growing").open("wb", buffering=0) as file:
        file.write(b"half")
        (a / "other").write_text("x")
        await parent.seen("A", "other")
        assert "growing" not in parent.found("A")
        file.write(b" whole")

    assert (await parent.seen("A", "growing")).stamp.size == 10


async def test_a_file_that_is_only_touched_is_told_when_it_is_quiet(parent, a):
    descriptor = os.open(a / "one", os.O_RDWR)
    try:
        os.truncate(a / "one", 1)
        assert "one" not in parent.found("A")
    finally:
        os.close(descriptor)

    assert (await parent.seen("A", "one")).stamp.size == 1


async def test_many_changes_come_in_batches(parent, a):
    for number in range(700):
        (a / f"{number}").write_text("x")

    await told(parent, 700)

    assert len(parent.found("A")) == 700
    batches = [m for m in parent.up["A"] if isinstance(m, wire.Changes)]
    assert max(len(batch.changes) for batch in batches) <= 500
    numbers = [batch.number for batch in batches]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_mime_types_are_told_while_they_are_wanted(parent, a):
    welcome = wire.Welcome("index", parent.markers["A"], forget=False, mime=True)
    parent.send("A", welcome)
    told_type, number = None, 0
    while told_type is None:  # What was noticed before the wish came has none.
        number += 1
        (a / f"page {number}").write_text("<!DOCTYPE html><html></html>")
        told_type = (await told(parent, number))[-1].mime

    assert told_type == "text/html"


async def test_names_of_any_bytes_are_told(parent, a):
    name = b"\xff strange\n"
    (a / os.fsdecode(name)).write_bytes(b"x")

    (change,) = await told(parent, 1)

    assert change.seen.path == "\U0010feff strange\n"
