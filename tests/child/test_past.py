"""What an entry keeps: told, brought back and let go by real children."""

import asyncio

import pytest

from syncd import wire
from syncd.child import past
from syncd.core.change import Delete, Done, Found
from syncd.core.file import Kind
from syncd.core.keeping import Kept, Loss, Promise, Wish
from syncd.core.path import fid
from syncd.drivers.contract import Can
from syncd.drivers.memory import Memory
from tests.child.test_pull import Two, copy

PROMISE = Promise(7, 10)


@pytest.fixture
async def two(parent):
    parent.keep = PROMISE
    two = Two(parent, parent.entry("A"), parent.entry("B"))
    for name in ("A", "B"):
        parent.start(name)
        await parent.walked(name)
    return two


def wish(kept: Kept, **others) -> Wish:
    return Wish(kept.path, kept.place, **others)


async def replaced(two: Two, path: str, *contents: bytes, number: int = 1) -> None:
    """Have B hold one content after the other."""
    seen = None
    for content in contents:
        stamp = await two.made(path, content)
        done = await two.put(number, path, stamp, replaces=seen and seen.stamp)
        assert isinstance(done, Done), done
        seen, number = done.seen, number + 1


async def test_what_an_order_replaces_is_kept_and_told(two):
    await replaced(two, "d/a", b"old", b"newer")

    [kept] = await two.parent.recalled("B", "d/a")
    assert (kept.path, kept.size, kept.loss) == ("d/a", 3, Loss.REPLACED)
    assert await two.parent.recalled("B", "d", below=True) == [kept]
    assert await two.parent.recalled("B", "e", below=True) == []
    assert await two.parent.recalled("B", fid=fid("d/a")) == [kept]
    assert await two.parent.recalled("B", fid=fid("x")) == []
    assert await two.parent.recalled("A", "d/a") == []


async def test_what_is_brought_back_is_news_like_any_other(two):
    await replaced(two, "a", b"old", b"newer")
    [kept] = await two.parent.recalled("B", "a")

    assert await two.parent.undone("B", wish(kept, digest=b"n" * 32), cause="u") == [
        None
    ]

    found = two.parent.found("B")["a"]
    assert isinstance(found, Found)
    assert (found.seen.stamp.size, found.old) == (3, None)
    assert (two.b / "a").read_bytes() == b"old"
    [other] = await two.parent.recalled("B", "a")
    assert (other.loss, other.digest, other.cause) == (Loss.UNDONE, b"n" * 32, "u")


async def test_what_was_deleted_comes_back_with_its_folders(two):
    await replaced(two, "d/e/a", b"old")
    seen = two.parent.outcomes("B")[1].seen
    two.parent.order("B", Delete(2, "d/e/a", Kind.FILE, seen.stamp))
    assert await two.parent.outcome("B", 2) == Done(2, None)
    assert not (two.b / "d").exists()
    [kept] = await two.parent.recalled("B", "d/e/a")

    assert await two.parent.undone("B", wish(kept, gone=True)) == [None]

    assert (two.b / "d/e/a").read_bytes() == b"old"
    assert list(two.parent.found("B")) == ["d", "d/e", "d/e/a"]
    assert await two.parent.recalled("B", "d/e/a") == []


async def test_what_is_there_again_is_left_when_only_the_gone_is_wanted(two):
    await replaced(two, "a", b"old", b"newer")
    [kept] = await two.parent.recalled("B", "a")

    [trouble] = await two.parent.undone("B", wish(kept, gone=True))
    assert "a is there again" in trouble
    assert (two.b / "a").read_bytes() == b"newer"


async def test_an_edit_under_way_is_never_overwritten(two):
    await replaced(two, "a", b"old", b"newer")
    [kept] = await two.parent.recalled("B", "a")
    with (two.b / "a").open("r+b") as file:
        [open_] = await two.parent.undone("B", wish(kept))
        file.write(b"edit!")
        file.flush()
        [edited] = await two.parent.undone("B", wish(kept))

    assert "open for writing" in open_
    assert "changed" in edited or "open" in edited
    assert (two.b / "a").read_bytes() == b"edit!"
    assert await two.parent.recalled("B", "a") == [kept]


async def test_a_folder_in_the_way_and_what_is_kept_no_longer(two):
    await replaced(two, "a", b"old", b"newer")
    [kept] = await two.parent.recalled("B", "a")
    (two.b / "a").rename(two.b / "b")
    (two.b / "a").mkdir()
    await two.parent.until(
        lambda: (
            two.parent.found("B").get("a")
            and two.parent.found("B")["a"].seen.kind is Kind.DIRECTORY
        )
    )

    [taken] = await two.parent.undone("B", wish(kept))
    assert "a is a folder now" in taken
    (two.b / kept.place).unlink()
    (two.b / "a").rmdir()
    await two.parent.until(lambda: "a" not in two.parent.found("B"))
    [gone] = await two.parent.undone("B", wish(kept))
    assert "no longer kept" in gone


async def test_many_at_once_and_each_for_itself(two):
    number = past.AT_ONCE + 50
    paths = [f"d{n % 9}/{n}" for n in range(number)]
    stamps = [await two.made(path, b"old") for path in paths]
    orders = [
        copy(n, p, s) for n, (p, s) in enumerate(zip(paths, stamps, strict=True), 1)
    ]
    two.parent.order("B", *orders)
    await two.parent.until(lambda: len(two.parent.outcomes("B")) == number)
    done = two.parent.outcomes("B")
    two.parent.order(
        "B",
        *[Delete(-o.id, o.path, Kind.FILE, done[o.id].seen.stamp) for o in orders],
    )
    await two.parent.until(lambda: len(two.parent.outcomes("B")) == 2 * number)
    assert not list(two.b.glob("d*/*"))
    (two.b / "d1").mkdir()
    (two.b / "d1" / "1").write_bytes(b"mine")
    await two.parent.seen("B", "d1/1")

    kept = await two.parent.recalled("B", "", below=True)
    trouble = await two.parent.undone("B", *(wish(one, gone=True) for one in kept))

    assert len(kept) == number
    refused = [one.path for one, why in zip(kept, trouble, strict=True) if why]
    assert refused == ["d1/1"]
    assert (two.b / "d1" / "1").read_bytes() == b"mine"
    assert (
        len([p for p in two.b.glob("d*/*") if p.read_bytes() == b"old"]) == number - 1
    )


async def test_a_child_that_keeps_nothing_destroys_as_before(parent):
    two = Two(parent, parent.entry("A"), parent.entry("B"))
    for name in ("A", "B"):
        parent.start(name)
        await parent.walked(name)
    await replaced(two, "a", b"old", b"newer")

    assert await parent.recalled("B", "a") == []
    assert not (two.b / ".syncd-trash").exists()


async def test_a_storage_that_rests_says_so(two):
    welcome = wire.Welcome("index", "id of B", forget=False, suspended="because")
    two.parent.send("B", welcome)
    two.parent.send("B", wire.Recall(1, "a"))
    two.parent.send("B", wire.Undo(2, [Wish("a", "x"), Wish("b", "y")]))

    recalled = await two.parent.got("B", wire.Recalled)
    undone = await two.parent.got("B", wire.Undone)
    assert recalled == wire.Recalled(1, [], last=True, trouble=past.AT_REST)
    assert undone == wire.Undone(2, [past.AT_REST, past.AT_REST])


async def test_too_many_versions_are_let_go(two, parent):
    await parent.stop("B")
    parent.keep = Promise(7, 3)
    parent.start("B")
    await parent.walked("B")
    await replaced(two, "a", *(b"x" * n for n in range(9)))

    async with asyncio.timeout(60):
        while len(await parent.recalled("B", "a")) > 3:
            await asyncio.sleep(0.1)
    assert {k.size for k in await parent.recalled("B", "a")} == {5, 6, 7}


async def test_what_is_too_old_goes_at_the_start(two, parent):
    await replaced(two, "a", b"old", b"new")
    [day] = (two.b / ".syncd-trash").iterdir()
    day.rename(day.with_name("2001-01-01"))
    await parent.stop("B")
    parent.start("B")
    await parent.walked("B")

    async with asyncio.timeout(60):
        while (two.b / ".syncd-trash" / "2001-01-01").exists():
            await asyncio.sleep(0.1)


class Plain(Memory):
    """A storage that cannot keep what it loses."""

    can = Memory.can & ~Can.KEEP_LOST


def test_a_driver_without_a_trash_is_not_asked_to_keep():
    driver = Plain()
    past.keep(driver, PROMISE)
    assert driver._promise is None

    able = Memory()
    past.keep(able, None)
    assert able._promise is None
    past.keep(able, PROMISE)
    assert able._promise == PROMISE


async def test_a_driver_without_a_trash_says_so():
    sent: list[wire.Up] = []

    class Line:
        send = staticmethod(sent.append)

    one = past.Past(Plain(), None, None, None, Line(), log=None)  # type: ignore[arg-type]
    one.take(wire.Recall(1, "a"))
    one.take(wire.Undo(2, [Wish("a", "x")]))
    task = asyncio.create_task(one.answer())
    while len(sent) < 2:
        await asyncio.sleep(0)
    task.cancel()
    await one.forget()

    assert sent == [
        wire.Recalled(1, [], last=True, trouble=past.NOTHING),
        wire.Undone(2, [past.NOTHING]),
    ]
