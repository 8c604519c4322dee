"""Where the output of jobs lies, and what else they have for themselves."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

PIECE = 1 << 20
"""Bytes of a log that are read at once."""


class Logs:
    """A folder with a log for every job; workers write, we read.

    The archives of uploads wait there, too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def prepare(self) -> None:
        """Make the folder, and clear what killed workers left; raise OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self._folder / "scratch", ignore_errors=True)

    def path(self, id: str) -> Path:
        """Return where the job's log is; there may be none yet."""
        return self._folder / f"{id}.log"

    def scratch(self, id: str) -> Path:
        """Return a folder of the job's own; its worker makes and removes it."""
        return self._folder / "scratch" / id

    def archive(self, id: str) -> Path:
        """Return where the archive of an upload waits for its worker."""
        return self._folder / f"{id}.zip"

    def clear(self, waiting: Iterable[str]) -> None:
        """Delete the archives of all but these jobs; raise OSError."""
        kept = {self.archive(id) for id in waiting}
        for path in self._folder.glob("*.zip"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def keep(self, store: str, source: str) -> Path:
        """Return a folder of the source's own, which outlives jobs; it makes it."""
        return self._folder / "sources" / store / quote(source, safe=" ")

    def read(self, id: str, start: int) -> bytes:
        """Return some of a log, from that byte on; nothing where there is none."""
        try:
            with self.path(id).open("rb") as log:
                log.seek(start)
                return log.read(PIECE)
        except FileNotFoundError:
            return b""

    def size(self, id: str) -> int:
        """Return the bytes of a log by now; 0 where there is none."""
        try:
            return self.path(id).stat().st_size
        except FileNotFoundError:
            return 0

    def forget(self, ids: Iterable[str]) -> None:
        """Delete logs."""
        for id in ids:
            self.path(id).unlink(missing_ok=True)
