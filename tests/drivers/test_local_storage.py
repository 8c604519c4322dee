"""What only a folder of this machine has: links, races, descriptors, inotify."""

import asyncio
import fcntl
import os
import resource
import shutil
import signal
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from watchdog.observers.inotify_c import InotifyFD

from syncd import clock
from syncd.core.change import Amend, Delete, SetAside
from syncd.core.file import Kind, Stamp
from syncd.core.keeping import Promise
from syncd.core.path import from_bytes
from syncd.drivers.contract import Event, What, Writing, Written
from syncd.drivers.local_storage import renames, replacing
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.making import Durable
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.errors import (
    ConfigError,
    StorageChanged,
    StorageError,
    StorageFull,
    StorageUntrusted,
)
from tests.drivers.hands import (
    chunks,
    counts,
    folder,
    link,
    look,
    placed,
    put,
    read,
    stamp,
    tree,
    until,
    write,
)

MIB = 1 << 20


@pytest.fixture
def root(tmp_path) -> Path:
    path: Path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture(params=["destroys", "keeps"])
async def driver(root, request) -> AsyncIterator[LocalStorage]:
    local = LocalStorage(root)
    if request.param == "keeps":
        local.keep(Promise(7, 100))
    await local.open()
    yield local
    await local.close()
    names = [name for _, _, files, _ in os.fwalk(root.parent) for name in files]
    assert not [name for name in names if name.endswith(".tmp")]


@contextmanager
def descriptor(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


def lying(root: Path) -> dict[str, bytes]:
    """What lies at the top of the root, for people."""
    files = (path for path in root.iterdir() if not path.name.startswith(".syncd-"))
    return {path.name: path.read_bytes() for path in files}


def trashed(root: Path) -> list[bytes]:
    """The contents that the trash keeps."""
    trash = root / ".syncd-trash"
    return sorted(path.read_bytes() for path in trash.rglob("*~*"))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestTheRoot:
    async def test_a_missing_root(self, tmp_path):
        local = LocalStorage(tmp_path / "none")
        with pytest.raises(StorageUntrusted, match="none"):
            await local.open()

        (tmp_path / "none").mkdir()
        await local.open()
        await local.close()

    async def test_a_root_that_is_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        local = LocalStorage(tmp_path / "file")
        with pytest.raises(StorageUntrusted):
            await local.open()
        await local.close()

    async def test_a_swapped_root_is_noticed_even_with_the_same_marker(
        self, driver, root
    ):
        await driver.mark("id")
        marker = (root / ".syncd-marker").read_bytes()
        root.rename(root.with_name("old"))
        root.mkdir()
        (root / ".syncd-marker").write_bytes(marker)

        with pytest.raises(StorageUntrusted, match="not the folder it was"):
            await driver.look(["a"])
        await driver.open()
        assert await driver.look(["a"]) == [None]

    async def test_another_marker(self, driver, root):
        await driver.mark("id")
        (root / ".syncd-marker").write_text('{"entry": "another"}')

        with pytest.raises(StorageUntrusted, match="another id"):
            await driver.look(["a"])

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"entry": 1}', '{"x": "y"}'])
    async def test_an_unreadable_marker(self, driver, root, content):
        (root / ".syncd-marker").write_text(content)
        with pytest.raises(StorageUntrusted, match="unreadable"):
            await driver.marker()

        await driver.mark("id")
        assert await driver.marker() == "id"

    async def test_a_marker_that_is_a_link(self, driver, root, tmp_path):
        (tmp_path / "outside").write_text('{"entry": "id"}')
        (root / ".syncd-marker").symlink_to(tmp_path / "outside")
        with pytest.raises(StorageUntrusted):
            await driver.marker()

    async def test_the_marker_says_what_it_is(self, driver, root):
        await driver.mark("id")

        assert "Do not delete" in (root / ".syncd-marker").read_text()

    async def test_a_tree_taken_away_during_a_walk_is_not_an_empty_one(
        self, driver, root
    ):
        (root / "a").mkdir()
        with pytest.raises(StorageUntrusted):
            async for _ in driver.walk():
                if root.exists():
                    root.rename(root.with_name("gone"))

    async def test_a_root_behind_a_link(self, root, tmp_path):
        (tmp_path / "way").symlink_to(root)
        local = LocalStorage(tmp_path / "way")
        await local.open()
        await placed(local, "a", b"x")
        await local.close()

        assert (root / "a").read_bytes() == b"x"

    def test_a_pattern_that_cannot_be(self, root):
        with pytest.raises(ConfigError):
            LocalStorage(root, ["!"])

    async def test_a_closed_storage_says_so(self, driver):
        walk = driver.walk()
        await driver.close()
        with pytest.raises(StorageError, match="closed"):
            await anext(walk)
        with pytest.raises(StorageError, match="closed"):
            await driver.look(["a"])

    async def test_closing_calls_a_long_write_off(self, driver, root):
        begun = asyncio.Event()

        async def endless():
            yield b"x"
            begun.set()
            await asyncio.sleep(3600)

        order = put("a", size=5, digest=None)
        task = asyncio.create_task(write(driver, Writing(order, endless)))
        await begun.wait()
        await driver.close()

        with pytest.raises(StorageError, match="closed"):
            await task
        assert list(root.iterdir()) == []

    async def test_no_descriptor_is_left_open(self, root):
        before = open_files()
        local = LocalStorage(root)
        await local.open()
        await local.watch(lambda _: None)
        await placed(local, "a/b/c/d", os.urandom(3 * MIB))
        await read(local, "a/b/c/d")
        await tree(local)
        await local.close()

        assert open_files() == before


class TestLinks:
    async def test_no_method_leaves_the_root(self, driver, root, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "a").write_text("safe")
        at = Stamp(4, *_times(outside / "a"))
        (root / "way").symlink_to(outside)

        answers = [
            *await write(driver, Writing(put("way/b", b"x"), chunks(b"x"))),
            *await driver.amend([Amend(1, "way/a", at, 0o600, 5)]),
            *await driver.set_aside([SetAside(1, "way/a", at, "stolen")]),
            *await driver.set_aside(
                [SetAside(1, "way", await stamp(driver, "way"), "way/in")]
            ),
            *driver.open_files([("way/a", at)]),
        ]
        assert [type(answer) for answer in answers] == [StorageError] * 5
        (root / "straight").symlink_to(outside / "a")
        [error] = driver.open_files([("straight", at)])
        assert isinstance(error, StorageChanged)
        assert await driver.delete([Delete(1, "way/a", Kind.FILE, at)]) == [None]
        assert await driver.prune(["way"]) == []
        assert await tree(driver, "way") == {}
        with pytest.raises(StorageError, match="link"):
            await anext(driver.read("way/a", at))
        assert not driver.is_written_to("way/a")
        assert (outside / "a").read_text() == "safe"
        assert [path.name for path in outside.iterdir()] == ["a"]

    async def test_a_folder_swapped_for_a_link_in_the_middle_of_a_batch(
        self, driver, root, tmp_path
    ):
        outside = tmp_path / "outside"
        outside.mkdir()
        (root / "d").mkdir()

        async def swapping():
            (root / "d").rename(root / "moved")
            (root / "d").symlink_to(outside)
            yield b"x"

        await write(
            driver,
            Writing(put("d/a", b"x"), swapping),
            Writing(put("d/b", b"x"), chunks(b"x")),
        )

        assert list(outside.iterdir()) == []

    async def test_amending_a_link_leaves_its_target(self, driver, root):
        (root / "file").write_text("x")
        (root / "file").chmod(0o600)
        before = (root / "file").stat()
        [made] = await write(driver, link("l", "file"))
        await driver.amend([Amend(1, "l", made.seen.stamp, 0o777, 5)])

        assert (root / "file").stat().st_mtime_ns == before.st_mtime_ns
        assert (root / "file").stat().st_mode == before.st_mode


class TestStrangers:
    async def test_they_are_counted_where_nothing_changed(self, driver, root):
        os.mkfifo(root / "fifo")
        known = {
            one.folder: one.fingerprint
            async for one in driver.glance(known=lambda _: b"")
        }

        assert [one.found async for one in driver.glance(known=known.get)] == [None]
        assert driver.left_alone() == 1

    async def test_what_is_neither_file_folder_nor_link(self, driver, root):
        os.mkfifo(root / "fifo")
        (root / "d").mkdir()
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(root / "d" / "socket"))

        assert await tree(driver) == {"d": Kind.DIRECTORY}
        assert driver.left_alone() == 2
        assert await driver.look(["fifo", "d/socket"]) == [None, None]
        answers = [
            *await write(driver, Writing(put("fifo", b"x"), chunks(b"x"))),
            *await driver.delete([Delete(1, "fifo", Kind.FILE, Stamp(1, 1, 1, 1))]),
            *driver.open_files([("fifo", Stamp(1, 1, 1, 1))]),
            *driver.open_files([("d/socket", Stamp(1, 1, 1, 1))]),
        ]
        assert [type(answer) for answer in answers] == [StorageChanged] * 4
        assert stat.S_ISFIFO((root / "fifo").stat().st_mode)

        (root / "fifo").unlink()
        await tree(driver)
        assert driver.left_alone() == 1

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    async def test_folders_that_cannot_be_read(self, driver, root):
        (root / "d").mkdir(0o000)

        assert await tree(driver) == {"d": Kind.DIRECTORY}
        assert list(driver.unreadable()) == ["d"]
        assert driver.unreadable() == {}

    async def test_a_folder_that_cannot_be_listed(self, driver, root, monkeypatch):
        (root / "d").mkdir()
        (root / "e").mkdir()
        scandir, broken = os.scandir, (root / "d").stat().st_ino

        def scan(handle):
            if os.fstat(handle).st_ino == broken:
                raise OSError(5, "Input/output error")
            return scandir(handle)

        monkeypatch.setattr(os, "scandir", scan)
        given = [folder async for folder, _ in driver.walk()]

        assert given == ["", "e"]
        assert driver.unreadable() == {"d": "d: Input/output error"}


class TestLeftovers:
    async def test_what_cannot_be_cleared_does_no_harm(self, root):
        (root / ".syncd-0123456789abcdef.tmp").mkdir()
        (root / "a").touch()
        local = LocalStorage(root)
        await local.open()

        assert await tree(local) == {"a": Kind.FILE}
        assert local.unreadable() == {}
        await local.close()

    async def test_a_walk_clears_what_a_crash_left(self, root):
        (root / "d").mkdir()
        (root / "d" / ".syncd-0123456789abcdef.tmp").write_text("half")
        (root / ".syncd-0123456789abcdef.tmp").symlink_to("nowhere")
        (root / ".syncd-mine").write_text("kept")
        local = LocalStorage(root)
        await local.open()

        assert await tree(local) == {"d": Kind.DIRECTORY}
        assert {p.name for p in root.rglob("*")} == {"d", ".syncd-mine"}
        await local.close()

    async def test_but_not_beside_others_who_may_be_writing_it(self, root):
        (root / "d").mkdir()
        (root / "d" / ".syncd-0123456789abcdef.tmp").write_text("half")
        local = LocalStorage(root)
        local.share()
        await local.open()

        assert await tree(local) == {"d": Kind.DIRECTORY}
        assert (root / "d" / ".syncd-0123456789abcdef.tmp").exists()
        await local.close()
        (root / "d" / ".syncd-0123456789abcdef.tmp").unlink()

    async def test_a_walk_leaves_what_is_being_written(self, root, monkeypatch):
        monkeypatch.setattr(clock, "nanoseconds", lambda: 1 << 62)  # another clock
        driver = LocalStorage(root)
        await driver.open()
        during: list[str] = []

        async def slow():
            yield b"o"
            await tree(driver)
            during.extend(path.name for path in root.rglob("*"))
            yield b"k"

        [written] = await write(driver, Writing(put("a", b"ok"), slow))

        await driver.close()
        assert isinstance(written, Written)
        assert len(during) == 1
        assert during[0].startswith(".syncd-")
        assert "a" not in during[0].removeprefix(".syncd-").split(".")


class TestContent:
    async def test_holes_stay_holes(self, driver, root, tmp_path):
        source = tmp_path / "source"
        with source.open("wb") as file:
            file.seek(30 * MIB)
            file.write(b"middle")
            file.truncate(64 * MIB)
        with descriptor(source) as content:
            order = put("a", size=64 * MIB, digest=None)
            [written] = await write(driver, Writing(order, content))

        assert (root / "a").stat().st_blocks * 512 < MIB
        assert (root / "a").read_bytes() == source.read_bytes()
        assert written.digest == blake3(source.read_bytes()).digest()

    @pytest.mark.parametrize("size", [100, 3 * MIB])
    async def test_without_copying_in_the_kernel(
        self, driver, root, tmp_path, monkeypatch, size
    ):
        def refuse(*_: int) -> int:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refuse)
        content = os.urandom(size)
        (tmp_path / "source").write_bytes(content)
        with descriptor(tmp_path / "source") as source:
            await write(driver, Writing(put("a", content), source))

        assert (root / "a").read_bytes() == content

    async def test_a_source_that_changes_while_it_is_copied(
        self, driver, root, tmp_path, monkeypatch
    ):
        copy = os.copy_file_range

        def change_then_copy(source: int, *others: int) -> int:
            os.utime(tmp_path / "source")
            return copy(source, *others)

        monkeypatch.setattr(os, "copy_file_range", change_then_copy)
        (tmp_path / "source").write_bytes(bytes(2 * MIB))
        with descriptor(tmp_path / "source") as source:
            order = put("a", size=2 * MIB, digest=None)
            [error] = await write(driver, Writing(order, source))

        assert isinstance(error, StorageChanged)
        assert str(error).startswith("source")
        assert list(root.iterdir()) == []

    async def test_progress_is_told_during_long_writes(self, driver):
        told: list[tuple[int, int]] = []

        async def slow():
            for _ in range(5):
                yield b"x" * 100
                await asyncio.sleep(0.06)

        item = Writing(put("a", b"x" * 500), slow)
        await driver.write([item], lambda *now: told.append(now))

        assert 1 <= len(told) <= 4
        assert told == sorted(told)
        assert {order for order, _ in told} == {7}

    async def test_a_cancelled_copy_ends_soon(self, driver, root, tmp_path):
        with (tmp_path / "source").open("wb") as file:
            file.truncate(1 << 40)  # hours to read, if it were read
        with descriptor(tmp_path / "source") as source:
            order = put("a", size=1 << 40, digest=None)
            task = asyncio.create_task(write(driver, Writing(order, source)))
            await until(lambda: bool(list(root.iterdir())))
            task.cancel()
            async with asyncio.timeout(30):
                with pytest.raises(asyncio.CancelledError):
                    await task

        assert list(root.iterdir()) == []

    async def test_a_failed_item_frees_its_room_at_once(self, driver, root):
        during: list[Path] = []

        async def second():
            during.extend(root.iterdir())
            yield b"y"

        wrong = put("a", b"x", digest=bytes(32))
        await write(
            driver,
            Writing(wrong, chunks(b"x")),
            Writing(put("b", b"y"), second),
        )

        assert len(during) == 1

    async def test_no_room(self, driver, root, monkeypatch):
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        [error] = await write(driver, Writing(put("a", b"x"), chunks(b"x")))
        monkeypatch.undo()

        assert isinstance(error, StorageFull)
        assert list(root.iterdir()) == []

    async def test_more_files_than_descriptors(self, driver, root):
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 100, limits[1]))
        try:
            items = [
                Writing(put(f"{n % 300}/{n}", b"x"), chunks(b"x")) for n in range(1200)
            ]
            answers = await write(driver, *items)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

        assert all(isinstance(answer, Written) for answer in answers), answers
        assert len(await tree(driver)) == 1500

    async def test_a_mode_without_leave_to_read(self, driver, root):
        seen = await placed(driver, "a", b"x", mode=0o200)
        [after] = await driver.amend([Amend(1, "a", seen.stamp, 0o000, 5)])

        assert stat.S_IMODE((root / "a").stat().st_mode) == after.mode == 0

    async def test_inspecting_a_large_content(self, driver):
        content = os.urandom(9 * MIB + 1)
        seen = await placed(driver, "a", content)
        facts = await driver.inspect("a", seen.stamp, digest=True, mime=False)

        assert facts.digest == blake3(content).digest()


class TestRaces:
    async def test_readers_see_old_or_new_and_nothing_else(self, driver, root):
        seen = await placed(driver, "a", b"0" * MIB)
        stop, faults, reads = threading.Event(), [], [0]

        def keep_reading() -> None:
            while not stop.is_set():
                try:
                    content = (root / "a").read_bytes()
                except OSError as error:
                    faults.append(repr(error))
                    continue
                reads[0] += 1
                if len(content) != MIB or content.count(content[:1]) != MIB:
                    faults.append("mixed")

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            for number in range(1, 15):
                content = b"%x" % number * MIB
                seen = await placed(driver, "a", content, replaces=seen.stamp)
        finally:
            stop.set()
            reader.join()

        assert faults == []
        assert reads[0] > 0

    @pytest.mark.parametrize("way", ["in place", "rename", "remove"])
    async def test_an_edit_in_the_last_moment_is_kept(
        self, driver, root, monkeypatch, way
    ):
        seen = await placed(driver, "a", b"old")
        exchange = renames.exchange

        def edit_then_exchange(*names: Any) -> bool:
            monkeypatch.setattr(replacing, "exchange", exchange)
            match way:
                case "in place":
                    (root / "a").write_bytes(b"edit")
                case "rename":
                    (root / "new").write_bytes(b"edit")
                    (root / "new").rename(root / "a")
                case "remove":
                    (root / "a").unlink()
            return bool(exchange(*names))

        monkeypatch.setattr(replacing, "exchange", edit_then_exchange)
        order = put("a", b"ordered", replaces=seen.stamp)
        [error] = await write(driver, Writing(order, chunks(b"ordered")))

        assert isinstance(error, StorageChanged)
        assert lying(root) == ({} if way == "remove" else {"a": b"edit"})
        assert trashed(root) == []

    async def test_two_edits_in_the_last_moments_are_kept(
        self, driver, root, monkeypatch
    ):
        seen = await placed(driver, "a", b"old")
        exchange, edits = renames.exchange, [b"edit 1", b"edit 2", b"edit 3"]

        def edit_then_exchange(*names: Any) -> bool:
            if edits:
                (root / "new").write_bytes(edits.pop(0))
                (root / "new").rename(root / "a")
            return bool(exchange(*names))

        monkeypatch.setattr(replacing, "exchange", edit_then_exchange)
        order = put("a", b"ordered", replaces=seen.stamp)
        [error] = await write(driver, Writing(order, chunks(b"ordered")))

        assert isinstance(error, StorageChanged)
        assert lying(root) == {"a": b"edit 3", "a-2": b"edit 2"}
        assert trashed(root) == []

    async def test_an_edit_that_cannot_go_back_is_kept_beside(
        self, driver, root, monkeypatch
    ):
        seen = await placed(driver, "a", b"old")
        exchange, calls = renames.exchange, [1]

        def edit_then_exchange_once(*names: Any) -> bool:
            if not calls:
                raise OSError(5, "Input/output error")
            calls.pop()
            (root / "a").write_bytes(b"edit")
            return exchange(*names)

        monkeypatch.setattr(replacing, "exchange", edit_then_exchange_once)
        order = put("a", b"ordered", replaces=seen.stamp)
        [error] = await write(driver, Writing(order, chunks(b"ordered")))

        assert isinstance(error, StorageChanged)
        assert (root / "a-2").read_bytes() == b"edit"

    async def test_an_edit_is_not_thrown_away_even_if_nothing_works(
        self, driver, root, monkeypatch
    ):
        seen = await placed(driver, "a", b"old")
        exchange = renames.exchange

        def broken(*_: Any) -> Any:
            raise OSError(5, "Input/output error")

        def edit_then_break(*names: Any) -> bool:
            (root / "a").write_bytes(b"edit")
            monkeypatch.setattr(replacing, "exchange", broken)
            monkeypatch.setattr(replacing, "rename_new", broken)
            return exchange(*names)

        monkeypatch.setattr(replacing, "exchange", edit_then_break)
        order = put("a", b"ordered", replaces=seen.stamp)
        await write(driver, Writing(order, chunks(b"ordered")))

        kept = [*root.glob(".syncd-*.tmp"), *root.glob(".syncd-trash/*/*~*")]
        assert [path.read_bytes() for path in kept] == [b"edit"]
        kept[0].unlink()

    async def test_what_is_open_for_writing_is_not_replaced(self, driver, root):
        seen = await placed(driver, "a", b"old")
        with (root / "a").open("r+b") as file:
            order = put("a", b"ordered", replaces=seen.stamp)
            [error] = await write(driver, Writing(order, chunks(b"ordered")))
            at = await stamp(driver, "a")
            [other] = await driver.delete([Delete(1, "a", Kind.FILE, at)])
            file.write(b"edited")

        assert isinstance(error, StorageChanged)
        assert isinstance(other, StorageChanged)
        assert (root / "a").read_bytes() == b"edited"

    @pytest.mark.parametrize("way", ["delete", "set_aside", "hint", "hint over"])
    async def test_a_file_swapped_in_the_last_moment_goes_back(
        self, driver, root, monkeypatch, way
    ):
        seen = await placed(driver, "a", b"old")
        over = await placed(driver, "over", b"over")
        call = renames._renameat2

        def swap_then_rename(*names: Any) -> int:
            monkeypatch.setattr(renames, "_renameat2", call)
            (root / "new").write_bytes(b"mine")
            (root / "new").rename(root / "a")
            return call(*names)

        monkeypatch.setattr(renames, "_renameat2", swap_then_rename)
        replaces = over.stamp if way == "hint over" else None
        path = "over" if replaces else "b"
        order = put(path, b"old", hint=("a", seen.stamp), replaces=replaces)
        match way:
            case "delete":
                [error] = await driver.delete([Delete(1, "a", Kind.FILE, seen.stamp)])
            case "set_aside":
                [error] = await driver.set_aside([SetAside(1, "a", seen.stamp, "b")])
            case _:
                [error] = await write(driver, Writing(order, None))

        assert isinstance(error, StorageChanged)
        assert lying(root) == {"a": b"mine", "over": b"over"}
        assert trashed(root) == []

    async def test_someone_else_takes_a_free_name(self, driver, root):
        async def slow():
            (root / "a").write_bytes(b"mine")
            yield b"x"

        [error] = await write(driver, Writing(put("a", b"x"), slow))

        assert isinstance(error, StorageChanged)
        assert (root / "a").read_bytes() == b"mine"

    async def test_who_writes_at_once_leaves_a_stamp_that_equals_nothing(
        self, driver, root, monkeypatch
    ):
        rename_new = renames._renameat2

        def rename_then_write(*names: Any) -> int:
            result = rename_new(*names)
            with (root / "a").open("ab") as file:
                file.write(b"more")
            return result

        monkeypatch.setattr(renames, "_renameat2", rename_then_write)
        seen = await placed(driver, "a", b"x")

        assert seen.stamp.ctime_ns == 0
        assert await stamp(driver, "a") != seen.stamp

    async def test_storms_of_edits_and_replacements_lose_no_edit(self, driver, root):
        """Each edit is either replaced as the known version, or still there."""
        for number in range(100):
            seen = await look(driver, "a")
            known = (root / "a").read_bytes() if seen else b""
            edit = b"edit %d" % number
            order = put("a", b"ours", replaces=seen.stamp if seen else None)
            editor = threading.Thread(target=(root / "a").write_bytes, args=[edit])
            editor.start()
            [answer] = await write(driver, Writing(order, chunks(b"ours")))
            editor.join()
            if isinstance(answer, Written):
                assert (root / "a").read_bytes() in (b"ours", edit), known
            else:
                assert (root / "a").read_bytes() == edit


@pytest.mark.parametrize("number", [22, 38, 95])
class TestOldFileSystems:
    """Those that lack the flags of renameat2."""

    @pytest.fixture(autouse=True)
    def _without_flags(self, monkeypatch, number):
        monkeypatch.setattr(renames, "_renameat2", lambda *_: number)

    async def test_everything_still_works(self, driver, root):
        seen = await placed(driver, "a", b"one")
        seen = await placed(driver, "a", b"two", replaces=seen.stamp)
        [taken] = await write(driver, Writing(put("a", b"x"), chunks(b"x")))
        order = put("b", b"two", hint=("a", seen.stamp))
        [moved] = await write(driver, Writing(order, None))
        [aside] = await driver.set_aside([SetAside(1, "b", moved.seen.stamp, "c")])

        assert isinstance(taken, StorageChanged)
        assert (root / "c").read_bytes() == b"two"
        assert await driver.delete([Delete(1, "c", Kind.FILE, aside.stamp)]) == [None]
        assert lying(root) == {}
        keeps = (root / ".syncd-trash").exists()
        assert trashed(root) == ([b"one", b"two"] if keeps else [])

    async def test_folders_are_set_aside_without_links(self, driver, root):
        (root / "d").mkdir()
        (root / "e").mkdir()
        [aside] = await driver.set_aside(
            [SetAside(1, "d", await stamp(driver, "d"), "e")]
        )

        assert aside.path == "e-2"
        assert sorted(path.name for path in root.iterdir()) == ["e", "e-2"]

    async def test_a_moved_file_over_another_asks_for_content(self, driver):
        old = await placed(driver, "old", b"x")
        new = await placed(driver, "new", b"y")
        order = put("new", b"x", hint=("old", old.stamp), replaces=new.stamp)
        [error] = await write(driver, Writing(order, None))

        assert str(error).startswith("hint")


class TestHints:
    async def test_even_a_changed_mode_makes_a_hint_useless(self, driver, root):
        old = await placed(driver, "old", b"x")
        (root / "old").chmod(0o600)
        order = put("new", b"x", hint=("old", old.stamp))
        [error] = await write(driver, Writing(order, None))

        assert str(error).startswith("hint")
        assert [path.name for path in root.iterdir()] == ["old"]


class TestNames:
    async def test_the_next_free_name_is_never_too_long(self, driver, root):
        wanted = "\u00e9" * 125 + ".txt"
        (root / wanted).touch()
        seen = await placed(driver, "a", b"x")
        [after] = await driver.set_aside([SetAside(1, "a", seen.stamp, wanted)])

        assert after.path == "\u00e9" * 124 + "-2.txt"

    async def test_a_name_that_is_too_long(self, driver):
        [error] = await write(driver, Writing(put("n" * 256, b"x"), chunks(b"x")))

        assert str(error).startswith("illegal name")

    async def test_a_tree_deeper_than_a_path_may_be_long(self, driver, root):
        path = "/".join(["n" * 200] * 50)
        await placed(driver, path, b"x")
        told: list[Event] = []
        await driver.watch(told.extend)
        await placed(driver, path + "2", b"x")
        (order,) = [seen for seen in await driver.look([path]) if seen]
        await driver.amend([Amend(1, path, order.stamp, 0o600, 5)])

        assert await read(driver, path + "2") == b"x"
        assert len(await tree(driver)) == 51
        await until(lambda: any(event.path == path for event in told))
        shutil.rmtree(root / path.partition("/")[0])  # who else could?


class TestDescriptors:
    async def test_files_are_opened_by_their_stamp(self, driver, root):
        seen = await placed(driver, "a", b"x")
        [good, bad, gone] = driver.open_files(
            [("a", seen.stamp), ("a", Stamp(1, 1, 1, 1)), ("b", seen.stamp)]
        )
        assert os.pread(good, 9, 0) == b"x"
        assert driver.is_unchanged(good, seen.stamp)
        (root / "a").chmod(0o600)
        assert not driver.is_unchanged(good, seen.stamp)
        os.close(good)

        assert isinstance(bad, StorageChanged)
        assert isinstance(gone, StorageChanged)

    async def test_without_a_stamp_a_file_is_opened_as_it_is(self, driver, root):
        (root / "a").write_bytes(b"x")
        (root / "d").mkdir()
        [good, folder, gone] = driver.open_files(
            [("a", None), ("d", None), ("b", None)]
        )
        assert os.pread(good, 9, 0) == b"x"
        os.close(good)

        assert isinstance(folder, StorageChanged)
        assert isinstance(gone, StorageChanged)

    async def test_who_writes_is_known(self, driver, root):
        (root / "a").touch()
        with (root / "a").open("rb"):
            assert not driver.is_written_to("a")
        with (root / "a").open("ab"):
            assert driver.is_written_to("a")

        assert not driver.is_written_to("a")
        assert not driver.is_written_to("none")
        assert not driver.is_written_to("")

    async def test_a_writer_that_comes_during_the_probe_does_no_harm(
        self, driver, root, monkeypatch
    ):
        """The kernel then sends a signal: by default SIGIO, which would end us."""
        (root / "a").touch()
        heard: list[int] = []
        numbers = (signal.SIGIO, signal.SIGURG)
        old = [signal.signal(n, lambda n, _: heard.append(n)) for n in numbers]
        real = fcntl.fcntl

        def come_in_between(handle: int, command: int, argument: int) -> Any:
            result = real(handle, command, argument)
            if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
                with pytest.raises(BlockingIOError):
                    os.open(root / "a", os.O_WRONLY | os.O_NONBLOCK)
            return result

        monkeypatch.setattr(fcntl, "fcntl", come_in_between)
        try:
            assert not driver.is_written_to("a")
        finally:
            for number, handler in zip(numbers, old, strict=True):
                signal.signal(number, handler)

        assert heard == [signal.SIGURG]

    async def test_asking_who_writes_while_others_open_and_close(self, driver, root):
        (root / "a").touch()
        stop = threading.Event()

        def keep_opening() -> None:
            while not stop.is_set():
                with (root / "a").open("r+b"):
                    pass

        writer = threading.Thread(target=keep_opening)
        writer.start()
        for _ in range(300):
            driver.is_written_to("a")
        stop.set()
        writer.join()

        assert not driver.is_written_to("a")


@pytest.fixture
async def told(driver) -> list[Event]:
    events: list[Event] = []
    await driver.watch(events.extend)
    return events


def about(events: list[Event], path: str) -> list[What]:
    return [event.what for event in events if event.path == path]


def missing_once(late: Path, of: Callable[..., int]) -> Callable[..., int]:
    """Say that the folder is not there, while somebody makes it."""

    def missing(folders: Folders, path: str) -> int:
        if path == late.name and not late.exists():
            late.mkdir()
            raise FileNotFoundError
        return of(folders, path)

    return missing


class TestWatching:
    @pytest.fixture
    def _able(self, request, monkeypatch) -> None:
        """A file system that lacks the flags of renameat2, unless it is able."""
        if not request.param:
            monkeypatch.setattr(renames, "_renameat2", lambda *_: 22)

    async def test_one_event_for_each_file_written(self, driver, root, told):
        (root / "a").write_bytes(b"x")
        await until(lambda: What.CLOSED in about(told, "a"))
        with (root / "a").open("ab") as file:
            for _ in range(5):
                file.write(b"x" * 10_000)
                file.flush()
        (root / "end").touch()
        await until(lambda: bool(about(told, "end")))

        assert about(told, "a") == [What.TOUCHED, What.CLOSED, What.CLOSED]

    async def test_our_own_writing_and_deleting_make_no_event(self, driver, root, told):
        first = await placed(driver, "a", b"x")
        second = await placed(driver, "a", b"yy", replaces=first.stamp)
        await driver.delete([Delete(1, "a", Kind.FILE, second.stamp)])
        (root / "end").touch()
        await until(lambda: bool(about(told, "end")))

        assert {event.path for event in told} == {"end"}

    async def test_folders_of_our_own_making_are_watched_and_not_told(
        self, driver, root, told
    ):
        await placed(driver, "a/b/c", b"x")
        await write(driver, folder("d"))
        (root / "end").touch()
        await until(lambda: bool(about(told, "end")))
        assert {event.path for event in told} == {"end"}
        assert counts(driver) == (4, 0)

        (root / "a/b/mine").touch()
        (root / "d/mine").touch()
        await until(lambda: bool(about(told, "a/b/mine") and about(told, "d/mine")))
        (root / "d/mine").unlink()
        (root / "d").rmdir()
        await until(lambda: What.GONE in about(told, "d"))
        (root / "d").mkdir()
        await until(lambda: What.TREE in about(told, "d"))

    async def test_who_is_quicker_than_our_watch_is_told(
        self, driver, root, told, monkeypatch
    ):
        mkdir = os.mkdir

        def raced(name: bytes, mode: int, *, dir_fd: int) -> None:
            mkdir(name, mode, dir_fd=dir_fd)
            (root / "a/mine").touch()

        monkeypatch.setattr(os, "mkdir", raced)
        await placed(driver, "a/theirs", b"x")

        await until(lambda: What.TREE in about(told, "a"))

    async def test_a_folder_that_was_there_already_is_told_of(
        self, driver, root, told, monkeypatch
    ):
        monkeypatch.setattr(Folders, "of", missing_once(root / "a", Folders.of))
        await placed(driver, "a/b", b"x")

        await until(lambda: What.TREE in about(told, "a"))

    @pytest.mark.parametrize("mode", [0o444, 0o604, 0o666, 0o4711])
    async def test_modes_beyond_the_mask_are_given(self, driver, root, mode):
        before = os.umask(0o077)
        try:
            [written] = await write(
                driver, Writing(put("a", b"x", mode=mode), chunks(b"x"))
            )
        finally:
            os.umask(before)

        assert stat.S_IMODE((root / "a").stat().st_mode) == mode == written.seen.mode

    @pytest.mark.parametrize("way", ["replace", "delete", "hint over", "refused"])
    @pytest.mark.parametrize("_able", [True, False], indirect=True)
    async def test_what_a_person_renames_afterwards_is_told(
        self, driver, root, told, way, _able
    ):
        seen = await placed(driver, "a", b"x")
        other = await placed(driver, "other", b"yy")
        match way:
            case "replace":
                await placed(driver, "a", b"yy", replaces=seen.stamp)
            case "delete":
                await driver.delete([Delete(1, "a", Kind.FILE, seen.stamp)])
            case "hint over":
                hint = ("other", other.stamp)
                order = put("a", b"yy", hint=hint, replaces=seen.stamp)
                await write(driver, Writing(order, None))
            case "refused":
                with (root / "a").open("r+b"):
                    await driver.delete([Delete(1, "a", Kind.FILE, seen.stamp)])
                    order = put("a", b"yy", replaces=seen.stamp)
                    await write(driver, Writing(order, chunks(b"yy")))
        (root / "first").touch()
        await until(lambda: bool(about(told, "first")))
        told.clear()
        (root / "new").write_bytes(b"mine")
        (root / "new").rename(root / "a")
        await until(lambda: What.CLOSED in about(told, "a"))
        told.clear()
        (root / "a").rename(root / "b")
        await until(lambda: What.GONE in about(told, "a"))

    async def test_what_is_done_to_our_own_writing_afterwards_is_told(
        self, driver, root, told
    ):
        await placed(driver, "a", b"x")
        (root / "a").write_bytes(b"yy")
        await until(lambda: What.CLOSED in about(told, "a"))
        await placed(driver, "b", b"x")
        (root / "b").rename(root / "c")
        await until(lambda: What.CLOSED in about(told, "c"))

        assert about(told, "b") == [What.GONE]

    async def test_what_was_written_before_it_was_called_off_is_told(
        self, driver, root, told, monkeypatch
    ):
        names = Durable.names

        def slowly(durable: Durable) -> None:
            placing.set()
            time.sleep(0.2)
            names(durable)

        placing = threading.Event()
        monkeypatch.setattr(Durable, "names", slowly)
        writing = asyncio.ensure_future(placed(driver, "a", b"x"))
        await asyncio.to_thread(placing.wait)
        writing.cancel()
        await asyncio.wait([writing])

        assert (root / "a").read_bytes() == b"x"
        await until(lambda: about(told, "a") == [What.CLOSED])

    async def test_a_file_moved_out_holds_nothing_back(self, root, tmp_path, told):
        (root / "a").touch()
        await until(lambda: bool(about(told, "a")))
        loop = asyncio.get_running_loop()
        begin = loop.time()
        (root / "a").rename(tmp_path / "a")
        (root / "b").touch()
        await until(lambda: What.CLOSED in about(told, "b"))

        assert loop.time() - begin < 0.4
        assert about(told, "a")[-1] == What.GONE

    async def test_names_that_are_not_utf8(self, root, told):
        Path(os.fsdecode(os.fsencode(root) + b"/\xff")).touch()
        await until(lambda: bool(about(told, from_bytes(b"\xff"))))

    async def test_links_and_modes(self, root, told):
        (root / "l").symlink_to("nowhere")
        await until(lambda: about(told, "l") == [What.TOUCHED])
        (root / "a").touch()
        (root / "d").mkdir()
        await until(lambda: bool(about(told, "d")))
        (root / "a").chmod(0o600)
        (root / "d").chmod(0o700)
        await until(lambda: about(told, "d") == [What.TREE, What.CLOSED])

        assert about(told, "a")[-1] == What.CLOSED

    async def test_new_folders_are_watched_at_any_depth(self, driver, root, told):
        (root / "a/b/c").mkdir(parents=True)
        await until(lambda: counts(driver) == (4, 0))
        (root / "a/b/c/file").touch()
        await until(lambda: What.CLOSED in about(told, "a/b/c/file"))

        (root / "a").rename(root / "z")
        await until(lambda: What.TREE in about(told, "z"))
        (root / "z/b/c/other").touch()
        await until(lambda: bool(about(told, "z/b/c/other")))
        assert about(told, "a")[-1] == What.GONE | What.TREE
        assert counts(driver) == (4, 0)

    async def test_a_folder_moved_out_and_in_again(self, driver, root, tmp_path, told):
        (root / "a/b").mkdir(parents=True)
        await until(lambda: counts(driver) == (3, 0))
        (root / "a").rename(tmp_path / "a")
        await until(lambda: counts(driver) == (1, 0))
        (tmp_path / "a/b/outside").touch()
        (tmp_path / "a").rename(root / "c")
        await until(lambda: counts(driver) == (3, 0))
        (root / "c/b/inside").touch()
        await until(lambda: bool(about(told, "c/b/inside")))

        assert not any("outside" in event.path for event in told)

    async def test_ignored_folders_are_not_watched(self, root):
        (root / ".git/objects").mkdir(parents=True)
        (root / "src").mkdir()
        local = LocalStorage(root, [".git/"])
        await local.open()
        await local.watch(lambda _: None)

        assert counts(local) == (2, 0)
        await local.close()

    async def test_folders_behind_links_are_not_watched(self, driver, root, tmp_path):
        (root / "l").symlink_to(tmp_path)
        await driver.watch(lambda _: None)

        assert counts(driver) == (1, 0)

    async def test_a_lost_marker_or_root_is_told(self, driver, root, told):
        await driver.mark("id")
        assert told == []
        (root / ".syncd-marker").unlink()
        await until(lambda: told == [Event("", What.LOST)])
        root.rename(root.with_name("gone"))
        await until(lambda: told == [Event("", What.LOST)] * 2)
        root.with_name("gone").rename(root)

    async def test_overflow_is_told_and_new_folders_are_watched(
        self, driver, root, told, monkeypatch
    ):
        most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        on_hold, go = threading.Event(), threading.Event()
        handle = InotifyFD.handle_event

        def hold(self, event):
            on_hold.set()
            go.wait()
            handle(self, event)

        monkeypatch.setattr(InotifyFD, "handle_event", hold)
        (root / "first").touch()
        await asyncio.to_thread(on_hold.wait)
        (root / "second").touch()
        names = [root / "first", root / "second"]
        for number in range(most):
            os.utime(names[number % 2])
        (root / "unseen").mkdir()
        go.set()
        await until(lambda: What.LOST in about(told, ""), 30)
        (root / "unseen/file").touch()
        await until(lambda: bool(about(told, "unseen/file")))

    async def test_too_few_watches_are_counted(self, root, monkeypatch):
        for name in ("a", "b", "c"):
            (root / name).mkdir()
        add, left = InotifyFD._get_or_create_watch, [3]

        def add_few(self, path, mask):
            if not left[0]:
                raise OSError(28, "inotify watch limit reached")
            left[0] -= 1
            return add(self, path, mask)

        monkeypatch.setattr(InotifyFD, "_get_or_create_watch", add_few)
        local = LocalStorage(root)
        await local.open()
        await local.watch(lambda _: None)
        assert counts(local) == (3, 1)

        left[0] = 9
        (root / "d").mkdir()
        await until(lambda: counts(local) == (4, 1))
        await local.close()


def _times(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino
