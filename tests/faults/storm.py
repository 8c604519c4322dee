"""People who work on several entries at once, and a memory of what must not be lost."""

import os
import random
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import UNGUARDED, Daemon
from tests.acceptance.trees import leftovers

KEEPS_ALL = {"keep": {"days": 30, "versions": 100_000}, **UNGUARDED}
"""How an entry is configured whose trash is to tell of everything that is done."""


class Storm:
    """Creates, edits, deletes and moves files on the entries, until it is ended.

    Every content is written once, so that a lost one is noticed. What a person
    gives up is what lay there right before: all else must be somewhere.
    """

    def __init__(
        self, daemon: Daemon, seed: int, *, entries: Sequence[str] = (), names: int = 40
    ) -> None:
        """Work on those entries, or on all."""
        self.alive: set[bytes] = set()
        self.done = 0
        """How many things were done."""
        self._daemon = daemon
        self._entries = entries or daemon.entries
        self._random = random.Random(seed)
        self._names = [f"folder {n % 4}/{n}" if n % 3 else f"{n}" for n in range(names)]
        self._end = threading.Event()
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="storm")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self._trouble is not None:
            raise self._trouble

    def go_on(self, number: int) -> None:
        """Return when so many more things were done."""
        until = self.done + number
        wait_for(lambda: self.done >= until or self._trouble)

    def lost(self) -> set[bytes]:
        """Return the contents that are nowhere, not even in a trash."""
        found: set[bytes] = set()
        for entry in self._daemon.entries:
            for folder, _, files in os.walk(self._daemon.folder(entry)):
                for name in files:
                    with suppress(FileNotFoundError):
                        found.add(Path(folder, name).read_bytes())
        return self.alive - found

    def _work(self) -> None:
        try:
            while not self._end.wait(self._random.expovariate(300)):
                self._do_something()
                self.done += 1
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._trouble = error

    def _do_something(self) -> None:
        entry = self._random.choice(self._entries)
        path = self._path(entry)
        what = self._random.choices(
            [self._edit, self._replace, self._delete, self._move], [5, 5, 2, 2]
        )[0]
        with suppress(FileNotFoundError, FileExistsError, NotADirectoryError):
            path.parent.mkdir(exist_ok=True)
            what(path, entry)

    def _path(self, entry: str) -> Path:
        return self._daemon.path(entry, self._random.choice(self._names))

    def _content(self) -> bytes:
        size = int(self._random.paretovariate(0.7) * 20) % 300_000
        content = b"%d " % self.done + self._random.randbytes(size)
        self.alive.add(content)
        return content

    def _edit(self, path: Path, _entry: str) -> None:
        content = self._content()
        try:
            self._give_up(path)
            path.write_bytes(content)
        except OSError:
            self.alive.discard(content)
            raise

    def _replace(self, path: Path, entry: str) -> None:
        fresh = self._daemon.folder(entry) / "written meanwhile~"
        content = self._content()
        try:
            fresh.write_bytes(content)
            self._give_up(path)
            fresh.rename(path)
        except OSError:
            self.alive.discard(content)
            raise

    def _delete(self, path: Path, _entry: str) -> None:
        self._give_up(path)
        path.unlink()

    def _move(self, path: Path, entry: str) -> None:
        other = self._path(entry)
        if path.exists() and path != other:
            other.parent.mkdir(exist_ok=True)
            self._give_up(other)
            path.rename(other)

    def _give_up(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            self.alive.discard(path.read_bytes())


def temporary(daemon: Daemon) -> list[bytes]:
    """Return what is left of work that was killed, on all entries."""
    return [
        name for entry in daemon.entries for name in leftovers(daemon.folder(entry))
    ]
