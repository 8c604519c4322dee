"""What a worker says: lines into the job's log, and how far it is to the parent."""

import asyncio
import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from syncd.core.errand import Advance
from syncd.core.job import Progress
from syncd.hiding import hider

PAUSE = 0.2
"""Seconds between two times that anything is written or told."""

LOG_MOST = 64 << 20
"""Bytes of a log; what is said beyond is left out."""

CUT = b"(the log is too long; what follows is left out)\n"


class Telling:
    """Takes lines and progress from any thread; the loop writes and tells them.

    A log that cannot be written (a full disk) does not stop the work: what was
    said meanwhile is lost, and the log says so when it can be written again.
    """

    def __init__(
        self, log: Path, secrets: Collection[str], tell: Callable[[Advance], None]
    ) -> None:
        """Write there, on the running loop; raise OSError if it cannot be opened."""
        self._secrets = [*secrets]
        self._hide = hider(secrets)
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._path = log
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._logged = os.fstat(self._log).st_size
        self._also: int | None = None
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._lost = 0
        self._progress = Progress()
        self._changed = False
        self._timer: asyncio.TimerHandle | None = None
        self._awaited = False

    def hide(self, secrets: Collection[str]) -> None:
        """Let these, too, stand in no line from now on."""
        self.flush()
        self._secrets += secrets
        self._hide = hider(self._secrets)

    def line(self, text: str) -> None:
        """Add a line, or several."""
        with self._lock:
            self._lines += text.splitlines() or [""]
        self._soon()

    def progress(self, progress: Progress) -> None:
        """Say how far it is."""
        self._progress = progress
        self._changed = True
        self._soon()

    def also(self, log: Path | None) -> None:
        """Write what comes into that file, too; None: no more."""
        self.flush()
        if self._also is not None:
            os.close(self._also)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._also = None if log is None else os.open(log, flags, 0o600)

    def flush(self) -> None:
        """Write and tell now what there is; to be called on the loop."""
        self._awaited = False
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._write(lines)
        if lines or self._changed:
            self._changed = False
            self._tell(Advance(self._progress, self._logged))

    def tail(self, lines: int) -> list[str]:
        """Return the last lines of the log."""
        self.flush()
        start = max(0, self._logged - (16 << 10))
        with self._path.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace").splitlines()[-lines:]

    def close(self) -> None:
        """Write what is left and let go of the files."""
        self.also(None)
        os.close(self._log)

    def _soon(self) -> None:
        if not self._awaited:
            self._awaited = True
            self._loop.call_soon_threadsafe(self._loop.call_later, PAUSE, self.flush)

    def _write(self, lines: list[str]) -> None:
        if self._logged > LOG_MOST:
            return
        if self._lost:
            lines.insert(0, f"({self._lost} lines could not be written)")
        text = self._hide("\n".join(lines) + "\n").encode(errors="surrogateescape")
        if self._logged + len(text) > LOG_MOST:
            text = text[: LOG_MOST - self._logged] + b"\n" + CUT
        try:
            self._logged += _written(self._log, text)
            self._lost = 0
            if self._also is not None:
                _written(self._also, text)
        except OSError:
            self._lost += len(lines)


def _written(file: int, text: bytes) -> int:
    done = 0
    while done < len(text):
        done += os.write(file, text[done:])
    return done
