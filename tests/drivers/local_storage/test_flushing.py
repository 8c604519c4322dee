"""One flush for all who wait; a write that failed concerns every batch begun before."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncd.drivers.local_storage import flushing
from syncd.drivers.local_storage.flushing import Flusher


class Disk:
    """Stands for the system: counts flushes, which take as long as is wanted."""

    def __init__(self) -> None:
        self.flushes = 0
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.fails = False

    def flush(self, _descriptor: int) -> None:
        self.flushes += 1
        self.begun.release()
        self.go_on.acquire()
        if self.fails:
            self.fails = False  # The system tells it once.
            raise OSError(5, "a write failed")


class Turn:
    """A lock that counts who has asked for it."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.asked += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(flushing, "flush", disk.flush)
    return disk


@pytest.fixture
def folder(tmp_path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def flusher() -> Iterator[Flusher]:
    flusher = Flusher()
    yield flusher
    flusher.close()


def test_who_asks_during_a_flush_is_served_by_the_next_with_all_others(
    disk, folder, flusher
):
    turn = flusher._system(folder).turn = Turn()
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(flusher.flush, folder, 0)
        disk.begun.acquire()
        late = [threads.submit(flusher.flush, folder, 0) for _ in range(8)]
        while turn.asked < 9:
            time.sleep(0.001)
        disk.go_on.release()
        first.result()
        disk.begun.acquire()
        assert not any(one.done() for one in late)  # What came first does not count.
        disk.go_on.release()
        for one in late:
            one.result()

    assert disk.flushes == 2


def test_one_after_another_each_has_its_own(disk, folder, flusher):
    disk.go_on.release(2)
    flusher.flush(folder, 0)
    flusher.flush(folder, 0)

    assert disk.flushes == 2


def test_a_failed_write_concerns_every_batch_begun_before(disk, folder, flusher):
    disk.go_on.release(9)
    other = flusher.errors()
    disk.fails = True
    with pytest.raises(OSError, match="a write failed"):
        flusher.flush(folder, flusher.errors())

    with pytest.raises(OSError, match="Input/output error"):
        flusher.flush(folder, other)
    flusher.flush(folder, flusher.errors())  # One that has begun since.
