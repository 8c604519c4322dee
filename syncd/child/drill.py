"""The restore drill: what a vault holds, written out and compared again."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from syncd.core.vault import Item, ItemKind
from syncd.errors import StorageError, StorageFull
from syncd.vaults.contract import Count, Vault

AT_ONCE = 1000
"""Items that are asked for together."""

PIECE = 1 << 20


def restored(vault: Vault, scratch: Path, count: Count) -> list[str]:
    """Write all of the vault below an empty folder, and return what came out wrong.

    What was written is read again from the disk. Raise StorageFull if the scratch
    space is too small: that proves nothing either way.
    """
    faults: list[str] = []
    root = scratch / "drill"
    items = vault.items()
    try:
        root.mkdir(parents=True)
        while some := list(islice(items, AT_ONCE)):
            faults += _part(vault, some, root, count)
    except StorageFull:
        raise
    except StorageError as error:
        faults.append(str(error))
    except OSError as error:
        raise StorageFull(f"the scratch space {scratch}: {error.strerror}") from None
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return faults


def _part(vault: Vault, items: list[Item], root: Path, count: Count) -> Iterator[str]:
    files = []
    for item in items:
        if not _is_inside(item.path):
            yield f"{item.path}: would lie outside"
        elif item.kind is ItemKind.FILE:
            files.append(item)
        else:
            # A link is not made: what the vault says to lie below could lie anywhere.
            count(0, 1)
    for item, content in vault.open(files):
        yield from _file(item, content, root, count)


def _file(item: Item, content: BinaryIO, root: Path, count: Count) -> Iterator[str]:
    target = root / item.path
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(target, flags, 0o600), "wb") as written:
        try:
            while piece := content.read(PIECE):
                written.write(piece)
                size += len(piece)
                count(len(piece), 0)
        except StorageError as error:
            yield f"{item.path}: {error}"
            return
    with target.open("rb") as read:
        digest = hashlib.file_digest(read, "sha256").digest()
    count(0, 1)
    if size != item.size:
        yield f"{item.path}: has {size} bytes, not {item.size}"
    elif item.sha256 is not None and digest != item.sha256:
        yield f"{item.path}: its content is another one"
    target.unlink()


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts
