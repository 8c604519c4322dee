"""Where on a disk the lost is kept: whatever happens in the middle, nothing is gone."""

import asyncio
import errno
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd import clock
from syncd.core.change import Delete
from syncd.core.file import Kind
from syncd.core.keeping import Loss, Promise
from syncd.drivers.contract import Event, Writing, Written
from syncd.drivers.local_storage import labels, renames, replacing
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.errors import StorageError, StorageFull, StorageReadOnly
from tests.drivers.hands import chunks, counts, link, look, placed, put, until, write
from tests.lacking import lacking

FOREVER = Promise(100, 100)
TRASH = ".syncd-trash"


@pytest.fixture
def mounted(root) -> Iterator[Path]:
    """Another file system in a folder below the root."""
    place = root / "deep" / "mounted"
    place.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
        lacking("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def today() -> str:
    return labels.day(clock.nanoseconds())


def files(root: Path) -> dict[str, bytes]:
    """The contents in the trash, by path and without what is put behind it."""
    return {
        str(path.relative_to(root)).rpartition("~")[0]: path.read_bytes()
        for path in root.rglob("*~*")
    }


async def overwritten(driver: LocalStorage, path: str, *contents: bytes) -> None:
    seen = await look(driver, path)
    for content in contents:
        stamp = seen.stamp if seen else None
        seen = await placed(driver, path, content, replaces=stamp)


async def remove(driver: LocalStorage, path: str) -> Any:
    seen = await look(driver, path)
    [answer] = await driver.delete([Delete(1, path, seen.kind, seen.stamp)])
    return answer


async def test_a_person_can_find_it_without_us(driver, root):
    await overwritten(driver, "photos/a.jpg", b"old", b"new")

    assert files(root / TRASH) == {f"{today()}/photos/a.jpg": b"old"}
    assert stat.S_IMODE((root / TRASH).stat().st_mode) == 0o700


async def test_it_is_renamed_and_never_copied(driver, root):
    await overwritten(driver, "a", b"old")
    before = (root / "a").stat()
    await overwritten(driver, "a", b"new")
    [kept] = root.glob(f"{TRASH}/*/a~*")

    assert kept.stat().st_ino == before.st_ino
    assert kept.stat().st_mtime_ns == before.st_mtime_ns


async def test_it_is_not_watched(driver, root):
    events: list[Event] = []
    await overwritten(driver, "d/a", b"old", b"new")
    await driver.watch(events.extend)
    assert counts(driver) == (2, 0)  # the root, and d
    await overwritten(driver, "d/a", b"newer")
    await remove(driver, "d/a")
    (root / "end").touch()
    await until(lambda: any(event.path == "end" for event in events))

    assert {event.path for event in events} <= {"d", "d/a", "end"}


async def test_two_moments_that_are_one(driver, root, monkeypatch):
    now = clock.nanoseconds()
    monkeypatch.setattr(clock, "nanoseconds", lambda: now)
    await overwritten(driver, "a", b"1", b"22", b"333")

    assert {one.at_ns: one.size for one in await driver.kept("a")} == {
        now: 1,
        now + 1: 2,
    }


@pytest.mark.parametrize("way", ["file", "link", "folder that is full"])
async def test_what_cannot_be_kept_stays(driver, root, way, monkeypatch):
    await overwritten(driver, "a", b"old")
    if way == "file":
        (root / TRASH).touch()
    elif way == "link":
        (root / TRASH).symlink_to(root.parent)
    else:

        def full(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "mkdir", full)
    seen = await look(driver, "a")
    order = put("a", b"new", replaces=seen.stamp)
    [one] = await write(driver, Writing(order, chunks(b"new")))
    other = await remove(driver, "a")
    monkeypatch.undo()

    for error in (one, other):
        assert isinstance(error, StorageFull if "full" in way else StorageError)
        assert "a cannot be kept in .syncd-trash" in str(error)
        assert "keep: false" in str(error)
    assert (root / "a").read_bytes() == b"old"
    assert not list(root.glob("*.tmp"))
    assert not list(root.parent.glob("20*"))


async def test_where_nothing_can_be_written(driver, root, monkeypatch):
    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    await overwritten(driver, "a", b"old")
    monkeypatch.setattr(os, "mkdir", read_only)

    assert isinstance(await remove(driver, "a"), StorageReadOnly)
    assert (root / "a").read_bytes() == b"old"


async def test_a_move_that_cannot_keep_what_it_replaces_moves_nothing(driver, root):
    await overwritten(driver, "a", b"here!")
    await overwritten(driver, "b", b"there")
    (root / TRASH).touch()
    hint = ("a", (await look(driver, "a")).stamp)
    order = put("b", b"here!", hint=hint, replaces=(await look(driver, "b")).stamp)
    [error] = await write(driver, Writing(order, None))

    assert isinstance(error, StorageError)
    assert (root / "a").read_bytes() == b"here!"
    assert (root / "b").read_bytes() == b"there"


async def test_no_room_is_told_with_what_takes_some(driver, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    [error] = await write(driver, Writing(put("a", b"x"), chunks(b"x")))
    monkeypatch.undo()

    assert isinstance(error, StorageFull)
    assert "100 days, and nothing of that goes before: shorten keep" in str(error)


async def test_somebody_removes_the_trash(driver, root, monkeypatch):
    for path in ("a", "b"):
        await overwritten(driver, path, b"old")
    replace = renames.exchange

    def remove_then_replace(*names: Any) -> bool:
        monkeypatch.setattr(replacing, "exchange", replace)
        done = bool(replace(*names))
        subprocess.run(["rm", "-r", root / TRASH], check=True)
        return done

    items = [
        Writing(put(path, b"new", replaces=(await look(driver, path)).stamp), None)
        for path in ("a", "b")
    ]
    items = [Writing(item.put, chunks(b"new")) for item in items]
    monkeypatch.setattr(replacing, "exchange", remove_then_replace)
    answers = await write(driver, *items)

    # What came out for the first is gone with the trash; the second finds a new one.
    assert isinstance(answers[1], Written)
    assert files(root / TRASH) == {f"{today()}/b": b"old"}


async def test_another_file_system_below_the_root(driver, root, mounted):
    await overwritten(driver, "deep/mounted/d/a", b"old", b"new")
    await overwritten(driver, "deep/b", b"old", b"new")

    assert files(mounted / TRASH) == {f"{today()}/d/a": b"old"}
    assert files(root / TRASH) == {f"{today()}/deep/b": b"old"}
    [one] = await driver.kept("deep/mounted/d/a")
    assert (one.path, one.size) == ("deep/mounted/d/a", 3)

    # Who starts anew learns of it by walking.
    other = LocalStorage(root)
    other.keep(Promise(100, 1))
    await other.open()
    assert [folder async for folder, _ in other.walk()][-1] == "deep/mounted/d"
    below = [one async for page in other.kept_below("deep") for one in page]
    assert sorted(one.path for one in below) == ["deep/b", "deep/mounted/d/a"]
    await overwritten(other, "deep/mounted/d/a", b"newer")
    assert sum([n async for n in other.forget_kept(everywhere=True)]) == 1
    await other.close()
    assert files(mounted / TRASH) == {f"{today()}/d/a": b"new"}


async def test_one_file_system_that_is_mounted_twice(driver, root, tmp_path):
    (tmp_path / "other").mkdir()
    place = root / "bound"
    place.mkdir()
    done = subprocess.run(["mount", "--bind", tmp_path / "other", place], check=False)
    if done.returncode:
        lacking("nothing can be mounted here")
    try:
        await overwritten(driver, "bound/a", b"old", b"new")
        assert files(place / TRASH) == {f"{today()}/a": b"old"}
        [one] = await driver.kept("bound/a")
        assert one.size == 3
    finally:
        subprocess.run(["umount", place], check=True)


def in_a_child_that_dies(root: Path, do: Callable[[], None]) -> None:
    """Have a process of its own do it, and be killed by SIGKILL while at it."""
    pid = os.fork()
    if not pid:
        try:
            do()
        finally:
            os._exit(9)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["exchange", "rename"])
@pytest.mark.parametrize("way", ["replace", "delete"])
def test_killed_at_any_step_nothing_is_gone(root, way, call, moment):
    (root / "a").write_bytes(b"old")
    flags = {"exchange": renames._EXCHANGE, "rename": renames._NOREPLACE}
    if (way, call) == ("delete", "exchange"):
        pytest.skip("a deletion is one rename")
    original = renames._renameat2

    def deadly(*arguments: Any) -> int:
        if arguments[-1] != flags[call]:
            return original(*arguments)
        if moment == "after":
            original(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    async def work() -> None:
        local = LocalStorage(root)
        local.keep(FOREVER)
        await local.open()
        seen = await look(local, "a")
        renames._renameat2 = deadly  # type: ignore[assignment]
        if way == "delete":
            await local.delete([Delete(1, "a", Kind.FILE, seen.stamp)])
        else:
            await placed(local, "a", b"newer", replaces=seen.stamp)

    in_a_child_that_dies(root, lambda: asyncio.run(work()))

    asyncio.run(nothing_is_gone(root, deleted=way == "delete"))


async def nothing_is_gone(root: Path, *, deleted: bool) -> None:
    """What is there is whole, the old content somewhere, and no other taken for it."""
    local = LocalStorage(root)
    local.keep(FOREVER)
    await local.open()
    _ = [found async for found in local.walk()]
    assert not list(root.glob("*.tmp"))
    there = [(root / "a").read_bytes()] if (root / "a").exists() else []
    assert there in ([b"old"], [b"newer"]) or deleted
    kept = {(root / one.place).read_bytes(): one for one in await local.kept("a")}
    assert b"old" in [*there, *kept]
    assert all(one.sound == (content == b"old") for content, one in kept.items())
    await local.close()


class TestWithoutLinksAndExchange:
    """A file system that has neither."""

    @pytest.fixture(autouse=True)
    def _poor(self, monkeypatch):
        def refused(*_: Any, **__: Any) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(renames, "_renameat2", lambda *_: errno.EINVAL)
        monkeypatch.setattr(os, "link", refused)

    async def test_it_works_all_the_same(self, driver, root):
        await overwritten(driver, "a", b"1", b"22")
        await write(driver, link("l", "x"))
        assert await remove(driver, "a") is None
        assert await remove(driver, "l") is None

        kept = {one.loss: one.size for one in await driver.kept("a")}
        assert kept == {Loss.REPLACED: 1, Loss.DELETED: 2}
        assert [path.name for path in root.iterdir()] == [TRASH]

    async def test_what_was_not_expected_goes_back(self, driver, root, monkeypatch):
        await overwritten(driver, "a", b"old")
        seen = await look(driver, "a")
        expect = replacing.expect

        def expect_then_edit(*arguments: Any) -> Any:
            found = expect(*arguments)
            (root / "a").write_bytes(b"edit")
            return found

        monkeypatch.setattr(replacing, "expect", expect_then_edit)
        order = put("a", b"new", replaces=seen.stamp)
        [error] = await write(driver, Writing(order, chunks(b"new")))

        assert isinstance(error, StorageError)
        assert (root / "a").read_bytes() == b"edit"
        assert files(root / TRASH) == {}
        assert not list(root.glob("*.tmp"))


async def test_what_was_not_expected_goes_back_where_names_cannot_swap(
    driver, root, monkeypatch
):
    await overwritten(driver, "a", b"old")
    seen = await look(driver, "a")
    expect = replacing.expect

    def expect_then_edit(*arguments: Any) -> Any:
        found = expect(*arguments)
        (root / "a").write_bytes(b"edit")
        return found

    monkeypatch.setattr(renames, "_renameat2", lambda *_: errno.EINVAL)
    monkeypatch.setattr(replacing, "expect", expect_then_edit)
    order = put("a", b"new", replaces=seen.stamp)
    [error] = await write(driver, Writing(order, chunks(b"new")))

    assert isinstance(error, StorageError)
    assert (root / "a").read_bytes() == b"edit"
    assert files(root / TRASH) == {}


async def test_a_folder_too_deep_for_a_path_of_the_system(driver, root):
    path = "/".join(["deep" * 50] * 30) + "/a"
    await overwritten(driver, path, b"old", b"new")

    assert [one.size for one in await driver.kept(path)] == [3]


async def test_old_folders_go_when_they_are_empty(driver, root, monkeypatch):
    await overwritten(driver, "d/e/a", b"old", b"new")
    days_later = clock.nanoseconds() + 101 * 86_400 * 10**9
    monkeypatch.setattr(clock, "nanoseconds", lambda: days_later)
    (root / TRASH / "notes").mkdir()
    (root / TRASH / "notes" / "mine").touch()

    assert sum([gone async for gone in driver.forget_kept(everywhere=True)]) == 1
    assert [path.name for path in (root / TRASH).iterdir()] == ["notes"]


async def test_what_is_not_ours_in_the_trash_is_left_and_not_told(driver, root):
    await overwritten(driver, "a", b"old", b"new")
    mine = root / TRASH / today() / "mine"
    mine.touch()
    _ = [gone async for gone in driver.forget_kept(everywhere=True)]

    assert mine.exists()
    told = [one.path async for page in driver.kept_below("") for one in page]
    assert told == ["a"]


async def test_a_link_is_kept_as_a_link_where_names_cannot_swap(
    driver, root, tmp_path, monkeypatch
):
    monkeypatch.setattr(renames, "_renameat2", lambda *_: errno.EINVAL)
    (tmp_path / "outside").write_bytes(b"outside")
    (root / "a").symlink_to(tmp_path / "outside")
    there = await look(driver, "a")
    assert there is not None
    await placed(driver, "a", b"new", replaces=there.stamp)

    assert (root / "a").read_bytes() == b"new"
    [kept] = await driver.kept("a")
    assert (root / kept.place).is_symlink()
    assert (tmp_path / "outside").stat().st_nlink == 1
