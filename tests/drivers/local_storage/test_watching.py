"""What cannot be watched is admitted, polled in turn, and watched once it can be."""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from watchdog.observers import inotify_c
from watchdog.observers.inotify_c import InotifyFD

from syncd.core import polling
from syncd.drivers.contract import Event, What
from syncd.drivers.local_storage import watching
from syncd.drivers.local_storage.storage import LocalStorage
from tests.drivers.hands import counts, until


class Limit:
    """The system's limit of watches, which can be raised."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._add = InotifyFD._get_or_create_watch

    def __call__(self, reader, path, mask):
        known = set(reader._watch_for_wd)
        if not self.left:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        watch = self._add(reader, path, mask)
        self.left -= watch.wd not in known
        return watch


@pytest.fixture
def root(tmp_path) -> Path:
    path: Path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def limit(monkeypatch) -> Limit:
    """No watch is left, and whatever is polled is due at once."""
    limit = Limit(0)

    def add(reader, path, mask):
        return limit(reader, path, mask)

    monkeypatch.setattr(InotifyFD, "_get_or_create_watch", add)
    monkeypatch.setattr(polling, "EVERY", 0.0)
    return limit


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
async def watched(root, told) -> AsyncIterator[LocalStorage]:
    """A storage that is not watched yet."""
    driver = LocalStorage(root)
    await driver.open()
    yield driver
    await driver.close()


async def test_what_is_below_an_unwatched_folder_is_polled_too(
    limit, root, watched, told
):
    (root / "a/b/c").mkdir(parents=True)
    limit.left = 2
    await watched.watch(told.extend)

    assert counts(watched) == (2, 2)
    assert await watched.poll() == ["a/b", "a/b/c"]
    assert watched.watched().oldest < 30


async def test_a_storage_that_is_watched_polls_nothing(root, watched, told):
    (root / "a").mkdir()
    await watched.watch(told.extend)

    assert await watched.poll() == []
    assert watched.watched().oldest is None


async def test_new_folders_in_unwatched_ones_are_told_and_polled(
    limit, root, watched, told
):
    (root / "a").mkdir()
    await watched.watch(told.extend)
    assert counts(watched) == (0, 2)
    (root / "a/new/deep").mkdir(parents=True)

    assert await watched.poll() == ["", "a"]

    await until(lambda: told == [Event("a/new", What.TREE)])
    assert counts(watched) == (0, 4)
    assert await watched.poll() == ["", "a", "a/new", "a/new/deep"]


async def test_ignored_folders_are_not_polled(limit, root, told):
    (root / ".git/objects").mkdir(parents=True)
    driver = LocalStorage(root, [".git/"])
    await driver.open()
    await driver.watch(told.extend)

    assert await driver.poll() == [""]
    assert told == []
    await driver.close()


async def test_folders_that_are_gone_are_polled_no_more(limit, root, watched, told):
    (root / "a/b").mkdir(parents=True)
    await watched.watch(told.extend)
    shutil.rmtree(root / "a")

    assert await watched.poll() == [""]
    assert counts(watched) == (0, 1)


async def test_a_tree_that_is_moved_away_is_polled_no_more(
    limit, root, watched, told, tmp_path
):
    (root / "a/b/c").mkdir(parents=True)
    limit.left = 2
    await watched.watch(told.extend)
    assert counts(watched) == (2, 2)

    (root / "a").rename(tmp_path / "elsewhere")

    await until(lambda: counts(watched) == (1, 0))


async def test_when_the_limit_is_raised_all_is_watched(limit, root, watched, told):
    (root / "a/b").mkdir(parents=True)
    await watched.watch(told.extend)
    limit.left = 9

    assert await watched.poll() == ["", "a", "a/b"]  # One last time: it was not told.

    assert counts(watched) == (3, 0)
    assert await watched.poll() == []
    (root / "a/b/file").touch()
    await until(lambda: any(event.path == "a/b/file" for event in told))


async def test_without_any_watcher_all_is_polled_until_there_is_one(
    root, watched, told, monkeypatch
):
    def refuse():
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    (root / "a").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(InotifyFD, "_create_inotify_fd", staticmethod(refuse))
        patch.setattr(polling, "EVERY", 0.0)
        await watched.watch(told.extend)
        assert counts(watched) == (0, 2)
        assert await watched.poll() == ["", "a"]
    monkeypatch.setattr(polling, "EVERY", 0.0)

    await watched.poll()

    assert counts(watched) == (2, 0)
    (root / "a/file").touch()
    await until(lambda: any(event.path == "a/file" for event in told))


async def test_a_networks_folder_is_listened_to_and_polled(
    root, watched, told, monkeypatch
):
    (root / "mounted").mkdir()
    remote = (root / "mounted").stat().st_ino
    monkeypatch.setattr(polling, "EVERY", 0.0)
    monkeypatch.setattr(
        watching, "is_remote", lambda handle: os.fstat(handle).st_ino == remote
    )
    await watched.watch(told.extend)

    assert counts(watched) == (1, 1)
    assert await watched.poll() == ["mounted"]
    (root / "mounted/file").touch()
    await until(lambda: any(event.path == "mounted/file" for event in told))


async def test_an_overflow_unwatches_only_what_is_gone(
    root, watched, told, tmp_path, monkeypatch
):
    """Each watch that ends is an event: many would overflow the queue again."""
    for number in range(20):
        (root / f"{number}").mkdir()
    await watched.watch(told.extend)
    assert counts(watched) == (21, 0)
    ended = []

    def end(reader, wd):
        ended.append(wd)
        return remove(reader, wd)

    remove = inotify_c.inotify_rm_watch
    monkeypatch.setattr(inotify_c, "inotify_rm_watch", end)
    lost = []
    monkeypatch.setattr(
        watching.Watcher, "on_event", lambda _, event: lost.append(event.name)
    )
    (root / "5").rename(tmp_path / "elsewhere")
    (root / "7").rename(root / "renamed")
    (root / "new").mkdir()
    await until(lambda: b"new" in lost)

    watched._watcher.on_queue_overflow()

    assert len(ended) == 1
    assert counts(watched) == (21, 0)
    assert watched.watched().overflows == 1
    monkeypatch.undo()
    for name in ("renamed", "new", "8"):
        (root / name / "file").touch()
    (tmp_path / "elsewhere/file").touch()
    await until(lambda: len({event.path for event in told if event.path}) == 3)
    assert {event.path for event in told if event.path} == {
        "renamed/file",
        "new/file",
        "8/file",
    }


async def test_a_tree_larger_than_the_queue_overflows_once(
    root, watched, told, monkeypatch
):
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 20_000:
        pytest.skip("this queue is too long to be filled")
    for number in range(most + 100):
        (root / f"{number}").mkdir()
    (root / "0/a").touch()
    (root / "0/b").touch()
    await watched.watch(told.extend)
    on_hold, go = threading.Event(), threading.Event()
    handle = InotifyFD.handle_event

    def hold(self, event):
        on_hold.set()
        go.wait()
        handle(self, event)

    monkeypatch.setattr(InotifyFD, "handle_event", hold)
    (root / "0/a").touch()
    await asyncio.to_thread(on_hold.wait)
    for number in range(most + 100):
        os.utime(root / f"0/{'ab'[number % 2]}")
    go.set()

    await until(lambda: Event("", What.LOST) in told, 60)
    (root / "1/after").touch()
    await until(lambda: any(event.path == "1/after" for event in told), 60)
    assert watched.watched().overflows == 1
    assert counts(watched) == (most + 101, 0)


async def test_a_walk_looks_into_everything(limit, root, watched, told):
    await watched.watch(told.extend)
    loop = asyncio.get_running_loop()
    before = watched.watched().oldest

    watched.walked(loop.time() + 1000)

    assert watched.watched().oldest < before
