"""A staging and a vault that are plain folders in memory and on disk, and a listener.

They keep to vaults/contract.py to the letter, and to nothing more.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from msgspec.structs import replace

from syncd.core.job import Progress
from syncd.core.vault import Fault, Item, ItemKind, Summary
from syncd.errors import StorageError
from syncd.vaults.contract import Count


class Listener:
    """Hears what a source tells; ``on`` is called each time."""

    def __init__(self, on: Callable[[], None] = lambda: None) -> None:
        self.lines: list[str] = []
        self.told: list[Progress] = []
        self._on = on

    def line(self, text: str) -> None:
        self.lines.append(text)
        self._on()

    def progress(self, progress: Progress) -> None:
        self.told.append(progress)
        self._on()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class FolderStaging:
    """A staging whose items are in memory, and whose folder is a folder."""

    def __init__(self, home: Path, last: "FolderVault | None" = None) -> None:
        self.folder = home / "data"
        self.folder.mkdir(parents=True)
        self.log = home / "log"
        self.held: dict[str, tuple[Item, bytes]] = {}
        self.reads: list[str] = []
        """The paths whose contents were given to it, in order."""
        self._last = last
        self._lock = Lock()

    def add(self, item: Item, content: BinaryIO | int | None) -> Item:
        data = b"" if content is None else _read(content)
        digest = hashlib.sha256(data).digest() if item.kind is ItemKind.FILE else None
        taken = replace(item, sha256=digest)
        if item.kind is ItemKind.FILE:
            taken = replace(taken, size=len(data))
        with self._lock:
            self.held[item.path] = (taken, data)
            if item.kind is ItemKind.FILE:
                self.reads.append(item.path)
        return taken

    def unchanged(self, items: Sequence[Item]) -> list[Item]:
        left = []
        for item in sorted(items, key=lambda item: item.path):
            known = self._last.held.get(item.path) if self._last else None
            if known is None or replace(known[0], sha256=None) != item:
                left.append(item)
            else:
                self.held[item.path] = known
        return left

    def seal(self, summary: Summary) -> Summary:
        raise AssertionError("a source does not seal")

    def sealed(self, name: str = "20261121T080000", **said) -> "FolderVault":
        """Play the worker: make a vault of it."""
        held = dict(self.held)
        top = os.fsencode(self.folder)
        for folder, folders, files in os.walk(top):
            for one in [*folders, *files]:
                path = os.path.join(folder, one)  # noqa: PTH118 - bytes
                item, data = _item(path, os.fsdecode(path[len(top) + 1 :]))
                held[item.path] = (item, data)
        summary = Summary(name=name, source="test", made=0.0, **said)
        return FolderVault(self.folder, summary, held)


class FolderVault:
    """A vault of what a staging held."""

    def __init__(
        self, data: Path, summary: Summary, held: dict[str, tuple[Item, bytes]]
    ) -> None:
        self.name = summary.name
        self.held = held
        self.damaged: set[str] = set()
        """The paths whose contents are not what they were."""
        self.lost: set[str] = set()
        """The paths that nothing can be read of."""
        self._data = data
        self._summary = summary

    def summary(self) -> Summary:
        return self._summary

    def items(self, below: Sequence[str] = ()) -> Iterator[Item]:
        for path in sorted(self.held, key=lambda path: path.split("/")):
            if not below or any(f"{path}/".startswith(f"{top}/") for top in below):
                yield self.held[path][0]

    def open(self, items: Sequence[Item]) -> Iterator[tuple[Item, BinaryIO]]:
        for item in items:
            _, data = self.held[item.path]
            if item.path in self.lost:
                raise StorageError("this cannot be read")
            yield item, _Content(data, damaged=item.path in self.damaged)

    def folder(
        self, scratch: Path, *, whole: bool = True, link: bool = False
    ) -> AbstractContextManager[Path]:
        assert scratch.is_dir()
        return nullcontext(self._data)

    def verify(self, count: Count) -> list[Fault]:
        raise AssertionError("a source does not verify")

    def damage(self) -> list[Fault]:
        raise AssertionError("a source does not judge a vault")

    def log(self) -> bytes:
        raise AssertionError("a source does not look into the log")

    def size(self) -> int:
        raise AssertionError("a source does not ask for the size")

    def destroy(self) -> None:
        """Play the store: delete it."""
        shutil.rmtree(self._data)


class _Content(BytesIO):
    """Tells at its end whether it was sound."""

    def __init__(self, data: bytes, *, damaged: bool) -> None:
        super().__init__(data[:-1] + b"?" if damaged else data)
        self._damaged = damaged

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._damaged and not super().read(1):
            raise StorageError("this is not what was stored")
        if self._damaged:
            self.seek(-1, os.SEEK_CUR)
        return data


def _read(content: BinaryIO | int) -> bytes:
    if not isinstance(content, int):
        return content.read()
    data = b""
    while some := os.read(content, 1 << 20):
        data += some
    return data


def _item(path: bytes, name: str) -> tuple[Item, bytes]:
    status = os.lstat(path)
    mode, mtime = stat.S_IMODE(status.st_mode), status.st_mtime_ns
    if stat.S_ISDIR(status.st_mode):
        return Item(path=name, kind=ItemKind.DIRECTORY, mode=mode, mtime_ns=mtime), b""
    if stat.S_ISLNK(status.st_mode):
        target = os.fsdecode(os.readlink(path))  # noqa: PTH115 - bytes
        return Item(path=name, kind=ItemKind.LINK, target=target), b""
    with open(path, "rb") as file:  # noqa: PTH123 - bytes
        data = file.read() if status.st_size < 1 << 27 else b""
    digest = hashlib.sha256(data).digest()
    item = Item(
        path=name, size=status.st_size, mode=mode, mtime_ns=mtime, sha256=digest
    )
    return item, data
