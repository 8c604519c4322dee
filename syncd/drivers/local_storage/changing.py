"""Carrying out Amends and Deletes, and removing folders that nobody wanted."""

import errno
import os
import stat
from collections.abc import Sequence

from syncd.core.change import Amend, Delete
from syncd.core.file import Kind, Seen
from syncd.core.path import parent
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import (
    Folders,
    Place,
    kind_of,
    seen_at,
    stamp_of,
)
from syncd.drivers.local_storage.making import Durable, dress_at, set_folder_mode
from syncd.drivers.local_storage.reading import changed
from syncd.drivers.local_storage.replacing import expect, remove
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import Bin, Lost

_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST})


def amend(folders: Folders, order: Amend, durable: Durable) -> Seen:
    """Give what lies there its mode and mtime: folders have no mtime, links no mode."""
    folder, name = folders.at(order.path)
    status = expect(folder, name, order.stamp, order.path)
    if stat.S_ISDIR(status.st_mode):
        set_folder_mode(folders, order.path, order.mode)
        durable.touch(order.path)
    elif stat.S_ISLNK(status.st_mode):
        times = (order.mtime_ns, order.mtime_ns)
        os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
    else:
        dress_at(folder, name, order.mode, order.mtime_ns)
        durable.file_at(folder, name)
    durable.touch(parent(order.path))
    seen = seen_at(folder, name, order.path)
    if seen is None:
        raise changed(order.path)
    return seen


def delete(
    folders: Folders, order: Delete, temps: Temps, durable: Durable, bin_: Bin | None
) -> None:
    """Remove what lies there if it is what the order says; gone already is fine."""
    try:
        folder, name = folders.at(order.path)
        status = os.lstat(name, dir_fd=folder)
    except OSError as error:
        if error.errno in NO_PATH:
            return
        raise
    if kind_of(status) is not order.kind or stamp_of(status) != order.stamp:
        raise changed(order.path)
    if order.kind is Kind.DIRECTORY:
        _remove_folder(folders, order.path, durable)
    else:
        _remove(folders.at(order.path), order, temps, durable, bin_)
        durable.touch(parent(order.path))


def prune(folders: Folders, paths: Sequence[str], durable: Durable) -> list[str]:
    """Remove those of the folders that are empty, deepest first; return them."""
    removed = []
    for path in sorted(set(paths), key=_depth, reverse=True):
        try:
            if _remove_folder(folders, path, durable):
                removed.append(path)
        except OSError:
            continue  # gone, something else by now, or not ours to remove: it stays
    return removed


def _remove(
    place: Place, order: Delete, temps: Temps, durable: Durable, bin_: Bin | None
) -> None:
    if bin_ is None:
        remove(place, order.stamp, order.path, temps, None)
        return
    take = bin_.taking(Lost.by(order), durable)
    with take.unheard(order.path) as heard:
        remove(place, order.stamp, order.path, temps, take)
        if not take.renamed:
            heard()


def _remove_folder(folders: Folders, path: str, durable: Durable) -> bool:
    folder, name = folders.at(path)
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_EMPTY:
            return False
        raise
    folders.forget(path)
    durable.touch(parent(path))
    return True


def _depth(path: str) -> int:
    return path.count("/")
