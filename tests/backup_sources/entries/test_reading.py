"""What of an entry comes into a vault, whatever happens to it meanwhile."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from syncd.backup_sources.entries import contents
from syncd.core.backup import Wanted
from syncd.core.file import Kind
from syncd.core.path import from_bytes
from syncd.core.vault import Item, ItemKind
from syncd.drivers.memory import Thing
from syncd.errors import NotFound, StorageChanged, StorageError, StorageFull
from tests.backup_sources.fakes import FolderStaging, Listener

LARGE = contents.SMALL + 1


class BusyStaging(FolderStaging):
    """Somebody is at work on the entry at certain moments."""

    after_walk: Callable[[], None] = staticmethod(lambda: None)
    after_add: Callable[[str], None] = staticmethod(lambda path: None)

    def unchanged(self, items: Sequence[Item]) -> list[Item]:
        self.after_walk()
        return super().unchanged(items)

    def add(self, item, content):
        taken = super().add(item, content)
        self.after_add(item.path)
        return taken


class FullStaging(FolderStaging):
    def add(self, item, content):
        raise StorageFull("no room for a vault")


@pytest.fixture
def busy(tmp_path) -> BusyStaging:
    return BusyStaging(tmp_path / "busy")


@pytest.fixture
def meddle(monkeypatch) -> Callable[[Callable[[], None]], None]:
    """Have something be done whenever a small file was read, before it is checked."""

    def meddle(do: Callable[[], None]) -> None:
        really = contents._read

        def read(descriptor: int, size: int) -> bytes:
            data = really(descriptor, size)
            do()
            return data

        monkeypatch.setattr(contents, "_read", read)

    return meddle


def data(staging: FolderStaging) -> dict[str, bytes]:
    return {
        path: data
        for path, (item, data) in staging.held.items()
        if item.kind is ItemKind.FILE
    }


class TestWhat:
    async def test_everything_of_people_is_in_it(self, home):
        root = home.local("A")
        (root / "folder" / "bare").mkdir(parents=True, mode=0o750)
        (root / "folder" / "file").write_bytes(b"content")
        (root / "folder" / "file").chmod(0o4640)
        os.utime(root / "folder" / "file", ns=(1, 123_456_789))
        (root / "link").symlink_to(os.fsdecode(b"to/\xff"))
        os.close(os.open(os.fsencode(root) + b"/\xfe", os.O_CREAT))
        (root / "\U0010fefe").touch()
        into = home.stage()
        await home.back_up(into)

        held = {path: item for path, (item, _) in into.held.items()}
        assert sorted(held) == sorted(
            [
                "A/folder",
                "A/folder/bare",
                "A/folder/file",
                "A/link",
                "A/\udcfe",
                "A/\U0010fefe",
            ]
        )
        file = held["A/folder/file"]
        assert (file.kind, file.size) == (ItemKind.FILE, 7)
        assert (file.mode, file.mtime_ns) == (0o4640, 123_456_789)
        assert data(into)["A/folder/file"] == b"content"
        assert held["A/link"].kind is ItemKind.LINK
        assert held["A/link"].target == "to/\udcff"
        assert held["A/folder/bare"].kind is ItemKind.DIRECTORY

    async def test_nothing_of_syncds_own_is_and_nothing_ignored(self, home):
        root = home.local("A", "*.o", "build/")
        (root / "build").mkdir()
        for name in ("a.o", "a.c", "build/b", ".syncd-1-1.tmp"):
            (root / name).touch()
        (root / ".syncd-trash" / "2026-11-21").mkdir(parents=True)
        (root / ".syncd-trash" / "2026-11-21" / "gone~1").touch()
        into = home.stage()
        await home.back_up(into)

        assert sorted(into.held) == ["A/a.c"]

    async def test_what_another_is_just_writing_is_left_to_it(self, home):
        temp = home.local("A") / ".syncd-0123456789abcdef-1.tmp"
        temp.write_text("half of it")
        await home.back_up()

        assert temp.read_text() == "half of it"

    async def test_special_files_are_counted(self, home):
        os.mkfifo(home.local("A") / "fifo")
        _, report = await home.back_up()

        assert report.origin == {"kind": "entries", "left_alone": 1}

    async def test_chosen_entries_only(self, home):
        for name in ("A", "B", "C"):
            (home.local(name) / "file").touch()
        into = home.stage()
        source = home.source("A", "C")
        await source.back_up(Wanted(), into, Listener())

        assert await source.databases() == ["A", "C"]
        assert sorted(into.held) == ["A/file", "C/file"]
        with pytest.raises(NotFound, match="no entry 'B'; known: A, C"):
            await source.back_up(Wanted(databases=["B"]), into, Listener())

    async def test_a_storage_without_descriptors_is_read_as_well(self, home):
        memory = home.memory("M")
        memory.set("small", Thing(Kind.FILE, b"content", mtime_ns=5))
        memory.set("large", Thing(Kind.FILE, b"x" * LARGE, mtime_ns=5))
        memory.set("folder", Thing(Kind.DIRECTORY, mode=0o755))
        into = home.stage()
        _, report = await home.back_up(into)

        assert report.failed == {}
        assert data(into) == {"M/small": b"content", "M/large": b"x" * LARGE}
        assert "M/folder" in into.held


class TestAgain:
    async def test_what_is_unchanged_is_not_read(self, home):
        root = home.local("A")
        for name in ("a", "b", "c"):
            (root / name).write_text(name)
        (root / "link").symlink_to("a")
        first, _ = await home.back_up()
        (root / "b").write_text("more")
        (root / "d").write_text("d")
        into = home.stage(first)
        await home.back_up(into)

        assert sorted(into.reads) == ["A/b", "A/d"]
        assert data(into)["A/a"] == b"a"
        assert data(into)["A/b"] == b"more"

    async def test_what_is_unchanged_is_not_even_opened(self, home, monkeypatch):
        root = home.local("A")
        (root / "a").write_text("a")
        first, _ = await home.back_up()
        opened: list[object] = []
        monkeypatch.setattr(
            contents.Contents, "read", lambda *said: opened.append(said)
        )
        await home.back_up(home.stage(first))

        assert opened == []


class TestMeanwhile:
    async def test_a_file_that_changes_is_read_again(self, home, meddle):
        file = home.local("A") / "file"
        file.write_text("then")
        times = iter(["now, and longer"])
        meddle(lambda: [file.write_text(words) for words in times])
        into = home.stage()
        _, report = await home.back_up(into)

        assert data(into) == {"A/file": b"now, and longer"}
        assert into.reads == ["A/file"]
        assert into.held["A/file"][0].mtime_ns == file.stat().st_mtime_ns
        assert (report.torn, report.failed) == ([], {})

    @pytest.mark.parametrize("size", [10, LARGE])
    async def test_one_that_keeps_changing_is_named_and_in_it(
        self, home, meddle, busy, size
    ):
        file = home.local("A") / "file"
        file.write_bytes(b"x" * size)

        def grow() -> None:
            with file.open("ab") as more:
                more.write(b"y")

        meddle(grow)
        busy.after_add = lambda path: grow()
        _, report = await home.back_up(busy)

        assert report.torn == ["A/file"]
        assert report.failed == {}
        item, taken = busy.held["A/file"]
        assert taken.startswith(b"x" * size)
        assert item.size == len(taken)

    async def test_one_that_changed_once_while_large_is_whole(self, home, busy):
        file = home.local("A") / "file"
        file.write_bytes(b"x" * LARGE)
        times = iter([b"y" * (LARGE + 9)])
        busy.after_add = lambda path: (
            [file.write_bytes(more) for more in times] and None
        )
        _, report = await home.back_up(busy)

        assert data(busy) == {"A/file": b"y" * (LARGE + 9)}
        assert report.torn == []

    async def test_one_that_never_rests_is_still_read(self, home, busy):
        file = home.local("A") / "file"
        file.write_text("0")
        stop = False

        def write() -> None:
            number = 0
            while not stop:
                number += 1
                file.write_text(str(number))

        writing = asyncio.ensure_future(asyncio.to_thread(write))
        try:
            _, report = await home.back_up(busy)
        finally:
            stop = True
            await writing

        assert report.failed == {}
        assert set(busy.held) == {"A/file"}

    async def test_one_that_goes_is_gone(self, home, busy):
        root = home.local("A")
        (root / "stays").touch()
        (root / "goes").touch()
        busy.after_walk = lambda: (root / "goes").unlink(missing_ok=True)
        _, report = await home.back_up(busy)

        assert set(busy.held) == {"A/stays"}
        assert (report.torn, report.failed) == ([], {})

    async def test_one_that_goes_half_read_is_named(self, home, busy):
        file = home.local("A") / "large"
        file.write_bytes(b"x" * LARGE)
        busy.after_add = lambda path: file.unlink()
        _, report = await home.back_up(busy)

        assert report.torn == ["A/large"]

    @pytest.mark.parametrize("size", [10, LARGE])
    async def test_names_that_are_not_utf8_are_told_in_words(
        self, home, meddle, busy, size
    ):
        file = home.local("A") / os.fsdecode(b"bad\xff")
        file.write_bytes(b"x" * size)

        def grow() -> None:
            with file.open("ab") as more:
                more.write(b"y")

        meddle(grow)
        busy.after_add = lambda path: grow()
        _, report = await home.back_up(busy)

        assert report.torn == [r"A/bad\xff"]
        assert os.fsdecode(b"A/bad\xff") in busy.held

    async def test_what_is_moved_is_not_missed(self, home, busy):
        root = home.local("A")
        for name in ("a", "z"):
            (root / name).mkdir()
        (root / "z" / "file").write_text("content")

        def move() -> None:
            if (root / "z" / "file").exists():
                (root / "z" / "file").rename(root / "a" / "file")

        busy.after_walk = move
        (root / "other").touch()
        _, report = await home.back_up(busy)

        assert data(busy)["A/a/file"] == b"content"
        assert report.failed == {}

    async def test_a_file_that_becomes_a_folder_comes_with_what_is_in_it(
        self, home, busy
    ):
        place = home.local("A") / "place"
        place.touch()

        def become() -> None:
            if place.is_file():
                place.unlink()
                place.mkdir()
                (place / "file").write_text("in it")

        busy.after_walk = become
        await home.back_up(busy)

        assert busy.held["A/place"][0].kind is ItemKind.DIRECTORY
        assert data(busy) == {"A/place/file": b"in it"}


class TestTroubles:
    async def test_a_file_that_cannot_be_read_is_named(self, home):
        memory = home.memory("M")
        memory.set("good", Thing(Kind.FILE, b"good"))
        memory.set("bad", Thing(Kind.FILE, b"bad"))
        memory.faults["bad"] = StorageError("bad: the disk says no")
        into = home.stage()
        _, report = await home.back_up(into)

        assert report.failed == {"M/bad": "bad: the disk says no"}
        assert data(into) == {"M/good": b"good"}

    async def test_one_whose_name_is_not_utf8_is_told_in_words(self, home):
        path = from_bytes(b"bad\xff")
        memory = home.memory("M")
        memory.set(path, Thing(Kind.FILE, b"bad"))
        memory.faults[path] = StorageError("the disk says no")
        _, report = await home.back_up()

        assert report.failed == {r"M/bad\xff": "the disk says no"}

    async def test_one_that_never_rests_is_told_in_words(self, home):
        path = from_bytes(b"bad\xff")
        memory = home.memory("M")
        memory.set(path, Thing(Kind.FILE, b"bad"))
        memory.faults[path] = StorageChanged("it changed")
        _, report = await home.back_up()

        assert list(report.failed) == [r"M/bad\xff"]

    async def test_a_folder_that_cannot_be_read_is_told_in_words(
        self, home, monkeypatch
    ):
        why = {from_bytes(b"bad\xff"): "it is not for us"}
        monkeypatch.setattr(home.memory("M"), "unreadable", lambda: why)
        _, report = await home.back_up()

        assert report.failed == {r"M/bad\xff": "it is not for us"}

    @pytest.mark.parametrize("size", [10, LARGE])
    async def test_one_whose_disk_fails_is_named(self, home, monkeypatch, size):
        (home.local("A") / "file").write_bytes(b"x" * size)

        def fail(*_) -> bytes:
            raise OSError(5, os.strerror(5))

        if size < LARGE:
            monkeypatch.setattr(contents, "_read", fail)
        else:
            monkeypatch.setattr(os, "readv", fail)
        _, report = await home.back_up()

        assert list(report.failed) == ["A/file"]
        assert "Input/output error" in report.failed["A/file"]

    async def test_a_staging_that_takes_no_more_ends_it_all(self, home, tmp_path):
        (home.local("A") / "file").touch()
        home.local("B")
        with pytest.raises(StorageFull, match="no room for a vault"):
            await home.back_up(FullStaging(tmp_path / "full"))

    @pytest.mark.parametrize("marker", [None, "of A"])
    async def test_a_storage_that_is_not_mounted_fails_and_is_not_marked(
        self, home, marker
    ):
        root: Path = home.local("A", marker=marker)
        (home.local("B") / "file").touch()
        (root / ".syncd-marker").unlink()
        into = home.stage()
        _, report = await home.back_up(into)

        assert report.failed["A"].startswith("its storage carries no marker")
        assert list(into.held) == ["B/file"]
        assert list(root.iterdir()) == []
        health = await home.source().health()
        assert health.detail.startswith("A: its storage carries no marker")
        assert (health.reachable, health.figures["missing"]) == (True, 1)
        assert not (await home.source("A").health()).reachable

    async def test_a_storage_that_is_another_fails(self, home):
        home.local("A", marker="of another")
        _, report = await home.back_up()

        assert "marker of another" in report.failed["A"]

    async def test_one_that_goes_away_meanwhile_fails(self, home, busy):
        root = home.local("A")
        (root / "file").touch()
        (home.local("B") / "file").touch()
        busy.after_walk = lambda: (root / ".syncd-marker").unlink(missing_ok=True)
        _, report = await home.back_up(busy)

        assert "marker" in report.failed["A"]
        assert set(busy.held) == {"B/file"}

    async def test_being_called_off_ends_a_long_read(self, home, busy):
        (home.local("A") / "large").write_bytes(b"x" * (64 << 20))
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        reads = 0

        class Slow(FolderStaging):
            def add(self, item, content):
                nonlocal reads
                while content.read(1024):
                    reads += 1
                    loop.call_soon_threadsafe(begun.set)
                    if reads < 3:
                        asyncio.run_coroutine_threadsafe(begun.wait(), loop).result()
                return item

        work = home.back_up(Slow(busy.folder / "slow"))
        task = asyncio.ensure_future(work)
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert reads < 64 << 10
