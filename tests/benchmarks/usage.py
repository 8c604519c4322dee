"""What processes use: CPU seconds, and memory while they run."""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil

LOOK_EVERY = 0.02
"""Seconds between two looks at the memory."""
PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1e6


class Usage(NamedTuple):
    """What one run took; memory is the peak of the sum over all its processes."""

    seconds: float
    cpu: float
    megabytes: float


def family(roots: Iterable[int]) -> list[int]:
    """Return the ids of processes and of all below them, that are still there."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):
            waiting += _children(pid)
            found.append(pid)
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return what processes have used, with children that ended."""
    used = 0.0
    for pid in family(roots):
        with suppress(psutil.NoSuchProcess):
            used += sum(psutil.Process(pid).cpu_times()[:4])
    return used


def megabytes(roots: Iterable[int]) -> float:
    """Return the memory (RSS) that processes hold now; shared pages count each time."""
    held = 0
    for pid in family(roots):
        with suppress(OSError):
            statm = Path(f"/proc/{pid}/statm").read_text()
            held += int(statm.split()[1]) * PAGE
    return held / MEGABYTE


def proportional_megabytes(roots: Iterable[int]) -> float:
    """Return the memory (PSS) that processes hold now; shared pages count once."""
    held = 0
    for pid in family(roots):
        with suppress(psutil.NoSuchProcess):
            held += psutil.Process(pid).memory_full_info().pss
    return held / MEGABYTE


class PeakMemory:
    """Looks at processes while they run; ``megabytes`` is the most that was seen."""

    def __init__(self, roots: Iterable[int]) -> None:
        self.megabytes = 0.0
        self._roots = list(roots)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="peak memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.megabytes = max(self.megabytes, megabytes(self._roots))
            if self._over.wait(LOOK_EVERY):
                return


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - ids, not paths
        with suppress(OSError):
            words = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += map(int, words.split())
    return found
