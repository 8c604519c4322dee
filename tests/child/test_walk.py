import time

import pytest
from blake3 import blake3
from msgspec.structs import replace

from syncd.child import walk
from syncd.child.ledger import Known, Ledger
from syncd.core.file import Kind, Seen, Stamp
from syncd.drivers.memory import Memory
from tests.child.rig import FOLDER, Half, Rig, file


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
async def rig(ledger):
    """A storage of one file and a folder with two, all of it known."""
    rig = Rig(Half(), ledger)
    rig.driver.set("a", file(b"a"))
    rig.driver.set("d", FOLDER)
    rig.driver.set("d/b", file(b"b"))
    rig.driver.set("d/c", file(b"c"))
    assert await rig.walk() == ["+a", "+d", "+d/b", "+d/c"]
    return rig


async def test_a_walk_over_what_is_known_tells_nothing(rig):
    assert await rig.walk() == []


async def test_a_walk_tells_what_differs(rig):
    rig.driver.set("a", file(b"other"))
    rig.driver.set("d/n", file())
    rig.driver.remove("d/b")

    assert await rig.walk() == ["+a", "+d/n", "-d/b"]


async def test_a_file_moved_to_a_folder_walked_earlier_or_later_is_a_move(rig):
    rig.driver.set("0/x", rig.driver.remove("d/b"))
    rig.driver.set("0", FOLDER)
    rig.driver.set("z", rig.driver.remove("a"))

    told = await rig.walk()

    assert "0/x<d/b" in told
    assert told[told.index("0/x<d/b") + 1] == "-d/b"
    assert told[told.index("z<a") + 1] == "-a"
    assert len(told) == 5


async def test_a_copy_with_the_same_inode_is_no_move(rig):
    rig.driver.set("hard", rig.driver.things["a"])

    assert await rig.walk() == ["+hard"]


async def test_a_folder_that_is_gone_goes_with_its_content(rig):
    for path in ("d/b", "d/c", "d"):
        rig.driver.remove(path)

    assert await rig.walk() == ["-d/c", "-d/b", "-d"]


async def test_a_folder_replaced_by_a_file_loses_its_content_first(rig):
    for path in ("d/b", "d/c", "d"):
        rig.driver.remove(path)
    rig.driver.set("d", file(b"x"))

    assert await rig.walk() == ["-d/c", "-d/b", "+d"]


async def test_nothing_below_a_folder_that_cannot_be_read_is_said_gone(rig):
    own = rig.driver.set("d/own", file())
    rig.picture.note("d/own", own)
    rig.driver.closed.add("d")
    rig.driver.remove("a")
    assert await rig.walk() == ["-a"]

    rig.driver.closed.clear()
    rig.driver.remove("d/b")
    assert await rig.walk() == ["-d/b"]


async def test_what_was_just_written_is_left_to_settle(rig, monkeypatch):
    touched: list[str] = []
    rig.walker._touched = touched.append
    monkeypatch.setattr("syncd.clock.nanoseconds", lambda: 10_000_000_000)
    rig.driver.set("young", file(b"x", mtime_ns=9_000_000_000))
    rig.driver.set("old", file(b"x", mtime_ns=7_000_000_000))
    rig.driver.set("future", file(b"x", mtime_ns=11_000_000_000))

    assert await rig.walk() == ["+future", "+old"]
    assert touched == ["young"]


async def test_large_folders_are_compared_page_by_page(ledger, monkeypatch):
    monkeypatch.setattr(walk, "PAGE", 3)
    rig = Rig(Memory(), ledger)
    for number in range(10):
        rig.driver.set(f"{number}", file(b"x"))
    assert len(await rig.walk()) == 10

    for number in (0, 2, 3, 9):
        rig.driver.remove(f"{number}")
    rig.driver.set("5x", file(b"x"))

    assert sorted(await rig.walk()) == ["+5x", "-0", "-2", "-3", "-9"]
    assert await rig.walk() == []


async def test_implicit_folders_are_never_told(rig):
    rig.driver.set("i", FOLDER)
    (seen,) = await rig.driver.look(["i"])
    rig.picture.note("i", seen, implicit=True)
    assert await rig.walk() == []

    rig.driver.remove("i")
    assert await rig.walk() == []
    assert rig.picture.get("i") is None


async def test_an_implicit_folder_that_was_replaced_is_told(rig):
    rig.driver.set("i", FOLDER)
    (seen,) = await rig.driver.look(["i"])
    rig.picture.note("i", seen, implicit=True)
    rig.driver.set("i", FOLDER)

    assert await rig.walk() == ["+i"]


async def test_what_a_crash_left_without_a_folder_is_found_gone(rig, ledger):
    orphan = Seen("lost/f", Kind.FILE, Stamp(1, 1, 1, 1))
    await ledger.write([("lost/f", Known(orphan))])
    rig.sent.clear()

    await rig.walker.walk_first([])

    assert rig.told() == ["-lost/f"]


async def test_what_is_missing_since_other_things_are_ignored_is_not_told(rig):
    await rig.walker.walk_first([])
    rig.driver.remove("a")
    rig.sent.clear()
    await rig.walker.walk_first(["a"])
    assert rig.told() == []

    rig.driver.remove("d/b")
    await rig.walker.walk_first(["a"])
    assert rig.told() == ["-d/b"]


async def test_what_is_doubted_is_read_and_told_once(rig):
    """After a power cut: every content changed since then, known or not."""
    rig.driver.set("old", file(b"x" * (3 << 20)))
    before = rig.driver.things["old"]
    rig.driver.things["old"] = replace(before, ctime_ns=5)
    await rig.walk()
    rig.driver.set("large", file(b"x" * (3 << 20)))
    await rig.walk()

    rig.notice.doubted = 6
    rig.sent.clear()
    await rig.walker.walk_first([])

    assert rig.told() == ["+a", "+d/b", "+d/c", "+large"]
    assert all(change.digest for change in rig.changes())
    rig.sent.clear()
    await rig.walker.walk_first([])
    assert rig.told() == []


async def test_what_differs_is_read_while_anything_is_doubted(rig):
    """A power cut may bring back an old file: whether it is one, its content tells."""
    content = b"x" * (3 << 20)
    rig.driver.set("large", file(content))
    await rig.walk()

    rig.notice.doubted = time.time_ns() + 10**12
    thing = rig.driver.things["large"]
    rig.driver.things["large"] = replace(thing, ctime_ns=5)
    rig.sent.clear()
    await rig.walker.walk_first([])

    assert [change.digest for change in rig.changes()] == [blake3(content).digest()]


@pytest.fixture
async def asked(rig, monkeypatch):
    """The folders whose rows a walk read, once all are known by fingerprints."""
    await rig.walk()  # The first one had nothing to compare with.
    folders = []
    inside = rig.picture.inside

    def reading(folder, after, upto):
        folders.append(folder)
        return inside(folder, after, upto)

    monkeypatch.setattr(rig.picture, "inside", reading)
    return folders


async def test_only_folders_that_changed_are_compared(rig, asked):
    assert await rig.walker.walk() == 4
    assert asked == []

    rig.driver.set("d/b", file(b"other"))
    assert await rig.walk() == ["+d/b"]
    assert asked == ["d"]
    assert await rig.walk() == []
    assert await rig.walk() == []
    assert asked == ["d", "d"], "known by a new fingerprint after the walk that saw it"


async def test_what_is_known_but_not_noted_is_compared_with_what_lies_there(rig, asked):
    """The fingerprint says what the ledger holds; a later version may be on its way."""
    rig.picture.say(99, "d/b", None)

    assert await rig.walk() == ["+d/b"]
    assert asked == ["d"]


async def test_what_only_the_picture_holds_is_found_again_after_a_crash(
    rig, asked, ledger
):
    rig.driver.set("d/b", file(b"other"))
    [seen] = await rig.driver.look(["d/b"])
    rig.picture.say(99, "d/b", seen)
    assert await rig.walk() == []

    again = Rig(rig.driver, ledger)

    assert await again.walk() == ["+d/b"]


async def test_what_is_left_to_settle_is_found_by_the_next_walk(
    rig, asked, monkeypatch
):
    rig.driver.set("d/b", file(b"in the middle", time.time_ns()))
    assert await rig.walk() == []

    monkeypatch.setattr(walk, "RECENT", 0)

    assert await rig.walk() == ["+d/b"]


async def test_a_folder_that_cannot_be_looked_into_again_is_not_said_empty(rig, asked):
    rig.picture.say(99, "d/b", None)
    rig.driver.closed.add("d")

    assert await rig.walk() == []


async def test_all_is_compared_while_anything_is_doubted(rig, asked):
    rig.notice.doubted = time.time_ns() + 10**12

    await rig.walker.walk()

    assert asked == ["", "d"]


async def test_all_is_compared_when_other_things_are_ignored(rig, asked, ledger):
    await rig.walker.walk_first(["x"])
    asked.clear()

    await rig.walker.walk_first(["y"])

    assert asked == ["", "d"]
    asked.clear()
    await rig.walker.walk_first(["y"])
    assert asked == []
