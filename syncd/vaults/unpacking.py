"""A vault's items as files in a folder."""

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from syncd.core.vault import Item, ItemKind
from syncd.drivers.local_storage.failures import FULL
from syncd.errors import StorageError
from syncd.vaults.coding import CHUNK
from syncd.vaults.contract import Count, Vault
from syncd.vaults.durable import share, telling


class Ways(Struct, frozen=True):
    """How the contents of a vault are brought into a folder."""

    lies: Callable[[Item], Path | None] = lambda _item: None
    """Where a file lies by itself in the vault, to be reflinked; None: nowhere."""
    whole: bool = True
    """Raise for what is damaged; otherwise it comes as it is, as far as it is."""
    link: bool = False
    """Where there is no room, link what lies by itself; so it must not be changed."""


def unpack(
    vault: Vault,
    target: Path,
    below: Sequence[str] = (),
    count: Count = lambda _bytes, _items: None,
    ways: Ways = Ways(),  # noqa: B008 - it never changes
) -> None:
    """Write a vault's items below an empty folder, with their modes and times.

    Raise StorageError for what cannot be written, or is damaged in the vault.
    """
    items = list(vault.items(below))
    with telling(target):
        for item in items:
            if item.kind is ItemKind.DIRECTORY:
                (target / item.path).mkdir(mode=0o700, parents=True, exist_ok=True)
                count(0, 1)
    left = deque(item for item in items if item.kind is ItemKind.FILE)
    contents = vault.open(list(left))
    while left:
        item = left.popleft()
        path = target / item.path
        with telling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write(path, item, contents, ways)
            except _Spoilt as spoilt:
                if ways.whole:
                    raise spoilt.error from None
                _write_spoilt(path, item, ways.lies(item))
                contents = vault.open(list(left))
        count(item.size, 1)
    # After all contents: what a link leads to is never written through it.
    with telling(target):
        _finish(target, items, count)


def _finish(target: Path, items: Sequence[Item], count: Count) -> None:
    for item in items:
        if item.kind is ItemKind.LINK:
            path = target / item.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(item.target or "")
            os.utime(path, ns=(item.mtime_ns,) * 2, follow_symlinks=False)
            count(0, 1)
    for item in reversed(items):  # what is in a folder before the folder
        if item.kind is ItemKind.DIRECTORY:
            _dress(target / item.path, item)


class _Spoilt(Exception):
    def __init__(self, error: StorageError) -> None:
        super().__init__(error)
        self.error = error


def _write(
    path: Path, item: Item, contents: Iterator[tuple[Item, BinaryIO]], ways: Ways
) -> None:
    """Write the next of the contents; raise OSError, or _Spoilt if it is damaged."""
    try:
        _, content = next(contents)
    except StorageError as error:
        raise _Spoilt(error) from None
    lies = ways.lies(item)
    cloned = lies is not None and share(lies, path, link=False)
    try:
        with path.open("r+b" if cloned else "xb") as file:
            for chunk in _chunks(content):
                if not cloned:  # otherwise it is read to be compared
                    file.write(chunk)
    except OSError as error:
        if error.errno not in FULL or not ways.link or lies is None:
            raise
        path.unlink(missing_ok=True)
        if not share(lies, path):
            raise
        return  # Its mode and time are those of the vault's file, and the right ones.
    _dress(path, item)


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            chunk = content.read(CHUNK)
        except StorageError as error:
            raise _Spoilt(error) from None
        if not chunk:
            return
        yield chunk


def _write_spoilt(path: Path, item: Item, lies: Path | None) -> None:
    """Write a damaged file as it is in the vault, if there is anything of it."""
    if lies is not None and lies.is_file() and not lies.is_symlink():
        path.unlink(missing_ok=True)
        shutil.copyfile(lies, path)
    if path.exists():
        _dress(path, item)


def _dress(path: Path, item: Item) -> None:
    path.chmod(item.mode & 0o7777)
    os.utime(path, ns=(item.mtime_ns, item.mtime_ns))
