"""Figures of a running process, in the words of the 1.0 API."""

import threading
from typing import Any

import psutil

from syncd import clock
from syncd.errors import NotFound

_UNITS = ("B", "K", "M", "G", "T", "P")


class Stats:
    """Knows one process; its share of the processor is since the last asking."""

    def __init__(self, pid: int, started: float) -> None:
        self._started = started
        self._turn = threading.Lock()
        self._process: psutil.Process | None = None
        try:
            self._process = psutil.Process(pid)
            self._process.cpu_percent()
        except psutil.Error:
            return

    def read(self) -> dict[str, Any]:
        """Return the figures; may be called from any thread, as it reads files.

        Raise NotFound if the process is gone.
        """
        try:
            with self._turn:
                return self._read()
        except psutil.Error:
            raise NotFound("the process is gone") from None

    def _read(self) -> dict[str, Any]:
        if (process := self._process) is None or not process.is_running():
            raise NotFound("the process is gone")
        with process.oneshot():
            memory, times = process.memory_info(), process.cpu_times()
            return {
                "age": max(0.0, clock.timestamp() - self._started),
                "cpu": process.cpu_percent(),
                "create_time": process.create_time(),
                "ctime": minutes(times.user + times.system),
                "mem": round(process.memory_percent(), 3),
                "mem_info1": short(memory.rss),
                "mem_info2": short(memory.vms),
                "started": self._started,
            }


def minutes(seconds: float) -> str:
    """Return a processor time as minutes, seconds and hundredths: 0:00.19."""
    whole, hundredths = divmod(round(seconds * 100), 100)
    return f"{whole // 60}:{whole % 60:02}.{hundredths:02}"


def short(size: int) -> str:
    """Return bytes as people read them: 18M, 1.9G."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 1 if unit and value < 9.95 else 0
    return f"{value:.{digits}f}{_UNITS[unit]}"
