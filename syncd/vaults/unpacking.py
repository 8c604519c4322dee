"""A vault's items as files in a folder."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from syncd.core.vault import Item, ItemKind
from syncd.vaults.coding import CHUNK
from syncd.vaults.contract import Count, Vault
from syncd.vaults.durable import telling


def unpack(
    vault: Vault,
    target: Path,
    below: Sequence[str] = (),
    count: Count = lambda _bytes, _items: None,
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
    files = [item for item in items if item.kind is ItemKind.FILE]
    for item, content in vault.open(files):
        with telling(target / item.path):
            path = target / item.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                shutil.copyfileobj(content, file, CHUNK)
            _dress(path, item)
        count(item.size, 1)
    # After all contents: what a link leads to is never written through it.
    with telling(target):
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


def _dress(path: Path, item: Item) -> None:
    path.chmod(item.mode & 0o7777)
    os.utime(path, ns=(item.mtime_ns, item.mtime_ns))
