"""New folders get their names when they are complete, and never over another's."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.core.file import Kind
from syncd.core.keeping import Promise
from syncd.core.path import RESERVED
from syncd.drivers.contract import Event, Writing, Written
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.errors import StorageChanged, StorageError
from tests.drivers.hands import chunks, counts, folder, link, look, put, until, write


@pytest.fixture
def root(tmp_path) -> Path:
    path: Path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
async def driver(root) -> AsyncIterator[LocalStorage]:
    local = LocalStorage(root)
    local.keep(Promise(7, 10))
    await local.open()
    yield local
    await local.close()
    assert hidden(root) == []


def hidden(root: Path) -> list[str]:
    """Return what has a temporary name, at any depth."""
    found = root.rglob(f"{RESERVED}*.tmp")
    return sorted(str(path.relative_to(root)) for path in found)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def file(path: str, content: bytes = b"x", **others: object) -> Writing:
    return Writing(put(path, content, **others), chunks(content))


def many(below: str, number: int = 8) -> list[Writing]:
    return [file(f"{below}/{n}", b"%d" % n) for n in range(number)]


def meanwhile(path: str, act) -> Writing:
    """Return a file during whose writing something happens."""

    async def give():
        act()
        yield b"x"

    return Writing(put(path, b"x"), give)


async def test_nobody_sees_a_folder_before_it_is_complete(driver, root):
    seen: list[list[str]] = []
    last = meanwhile("new/z", lambda: seen.append(names(root)))

    answers = await write(driver, folder("new"), *many("new"), last)

    assert all(isinstance(answer, Written) for answer in answers)
    [shown] = seen
    assert "new" not in shown
    assert [name for name in shown if name.startswith(RESERVED)]
    assert len(list((root / "new").iterdir())) == 9


async def test_nobody_else_comes_in_before_it_has_its_mode(driver, root):
    modes: list[int] = []

    def note() -> None:
        [name] = hidden(root)
        modes.append(stat.S_IMODE((root / name).stat().st_mode))

    await write(driver, folder("new", 0o2755), *many("new"), meanwhile("new/z", note))

    assert modes == [0o700]
    assert stat.S_IMODE((root / "new").stat().st_mode) == 0o2755


async def test_what_is_answered_is_what_lies_there(driver):
    items = [
        folder("a", 0o700),
        folder("a/b", 0o555),
        *many("a/b/c"),
        link("a/b/link", "c"),
        file("a/empty", b""),
    ]

    answers = await write(driver, *items)

    for item, answer in zip(items, answers, strict=True):
        assert await look(driver, item.put.path) == answer.seen
    [made] = driver.made_parents()
    assert made == await look(driver, "a/b/c")
    assert driver.made_parents() == []


async def test_a_folder_that_is_ordered_after_what_lies_in_it(driver, root):
    answers = await write(driver, *many("a"), folder("a", 0o711))

    assert isinstance(answers[-1], Written)
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o711


async def test_one_that_somebody_makes_meanwhile_is_filled(driver, root):
    def make() -> None:
        (root / "a/b").mkdir(parents=True)
        (root / "a/theirs").write_text("theirs")
        (root / "a/b/3").write_text("theirs")

    items = [
        folder("a", 0o755),
        folder("a/b", 0o750),
        *many("a/b"),
        meanwhile("a/z", make),
    ]

    answers = await write(driver, *items)

    refused = [a for a in answers if not isinstance(a, Written)]
    assert [type(one) for one in refused] == [StorageChanged]
    assert "a/b/3 is taken" in str(refused[0])
    assert (root / "a/theirs").read_text() == "theirs"
    assert (root / "a/b/3").read_text() == "theirs"
    assert (root / "a/b/4").read_text() == "4"
    assert (root / "a/z").read_text() == "x"
    assert stat.S_IMODE((root / "a/b").stat().st_mode) == 0o750
    for item, answer in zip(items, answers, strict=True):
        if isinstance(answer, Written):
            assert await look(driver, item.put.path) == answer.seen


async def test_a_file_that_takes_the_name_meanwhile_stays(driver, root):
    items = [*many("a"), meanwhile("a/z", lambda: (root / "a").write_text("theirs"))]

    answers = await write(driver, *items)

    assert all(isinstance(answer, StorageError) for answer in answers)
    assert (root / "a").read_text() == "theirs"


async def test_a_source_that_fails_takes_only_its_own_file_along(driver, root):
    broken = Writing(put("a/broken", b"yx"), chunks(b"y", then=StorageChanged("gone")))
    other = Writing(put("a/other", b"right"), chunks(b"wrong"))

    answers = await write(driver, *many("a"), broken, other)

    assert [isinstance(answer, Written) for answer in answers] == [True] * 8 + [
        False,
        False,
    ]
    assert names(root / "a") == [f"{n}" for n in range(8)]


async def test_a_folder_that_cannot_be_begun_fails_with_what_is_in_it(driver, root):
    (root / "a").write_text("a file")

    answers = await write(driver, *many("a/b"), *many("c"))

    assert [isinstance(answer, Written) for answer in answers] == [False] * 8 + [
        True
    ] * 8


async def test_no_room_for_a_folder(driver, root, monkeypatch):
    mkdir, refused = os.mkdir, [True]

    def full(name, *args, **kwargs):
        if refused.pop() if refused else False:
            raise OSError(28, "No space left on device")
        mkdir(name, *args, **kwargs)

    monkeypatch.setattr(os, "mkdir", full)
    answers = await write(driver, *many("a"))

    assert [isinstance(answer, Written) for answer in answers] == [False] + [True] * 7
    assert len(names(root / "a")) == 7


async def test_what_is_called_off_leaves_nothing(driver, root):
    begun = asyncio.Event()

    async def for_ever():
        begun.set()
        await asyncio.Event().wait()
        yield b""

    endless = Writing(put("a/z", b"x"), for_ever)
    task = asyncio.create_task(write(driver, *many("a"), endless))
    await begun.wait()
    assert hidden(root)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until(lambda: not hidden(root))
    assert "a" not in names(root)


async def test_a_walk_clears_what_a_crash_left(root):
    left = root / f"{RESERVED}0123456789abcdef-1.tmp"
    (left / "a/b").mkdir(parents=True)
    (left / "a/b/c").write_text("half")
    (left / "a/link").symlink_to(root.parent)
    driver = LocalStorage(root)
    await driver.open()

    assert [found async for _, found in driver.walk()] == [[]]

    assert hidden(root) == []
    assert root.parent.exists()
    await driver.close()


class TestWatched:
    @pytest.fixture
    async def told(self, driver) -> list[Event]:
        told: list[Event] = []
        await driver.watch(told.extend)
        return told

    async def test_our_own_is_not_told_and_what_follows_is(self, driver, root, told):
        await write(driver, folder("a"), folder("a/b"), *many("a/b"), *many("c/d/e"))

        assert counts(driver) == (6, 0)
        (root / "a/b/theirs").touch()
        (root / "c/d/e/0").write_text("changed")
        paths = {"a/b/theirs", "c/d/e/0"}
        await until(lambda: paths <= {event.path for event in told})
        assert {event.path for event in told} == paths

    async def test_one_that_somebody_makes_meanwhile_is_watched(
        self, driver, root, told
    ):
        def make() -> None:
            (root / "a/b").mkdir(parents=True)

        await write(driver, *many("a/b"), meanwhile("a/b/z", make))

        assert counts(driver) == (3, 0)
        await until(lambda: any(event.path == "a" for event in told))
        told.clear()
        (root / "a/b/after").touch()
        await until(lambda: any(event.path == "a/b/after" for event in told))
        assert (await look(driver, "a/b/z")).kind is Kind.FILE

    async def test_where_nobody_watches_the_folder_above(self, driver, root, told):
        (root / "a").mkdir()
        await until(lambda: counts(driver)[0] == 2)
        driver._watcher._drop_tree("a")

        await write(driver, *many("a/b"))

        assert counts(driver) == (1, 0)
        assert len(names(root / "a/b")) == 8
