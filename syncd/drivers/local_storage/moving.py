"""Renaming what people wrote: to where it was moved elsewhere, or out of the way."""

import errno
import os
from stat import S_IMODE

from syncd.core.change import Put, SetAside
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.path import from_bytes, parent, readable
from syncd.drivers.local_storage.folder import (
    Folders,
    Place,
    is_same,
    kind_of,
    seen_at,
    stamp_of,
)
from syncd.drivers.local_storage.making import Durable, Maker, dress_at
from syncd.drivers.local_storage.reading import changed
from syncd.drivers.local_storage.renames import exchange, rename_new
from syncd.drivers.local_storage.replacing import expect, remove, rename_free
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import Taking
from syncd.errors import StorageChanged, StorageError


def move_here(
    folders: Folders, put: Put, temps: Temps, durable: Durable, take: Taking | None
) -> Seen:
    """Rename the file the hint names; words begin with "hint" if that is of no use."""
    assert put.hint is not None
    old, stamp = put.hint
    to = folders.at(put.path)
    source = _source(folders, old, stamp, put)
    try:
        if put.replaces is None:
            _move_new(source, to, stamp, put)
        else:
            _move_over(source, to, put, temps, take)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise _no_use(old, "is on another file system") from error
        raise
    durable.touch(parent(old))
    durable.touch(parent(put.path))
    return _dressed(to, put, durable)


def set_aside(
    folders: Folders, order: SetAside, maker: Maker, durable: Durable
) -> Seen:
    """Rename what lies there to the wanted name, or the next free one like it."""
    source = folders.at(order.path)
    expect(*source, order.stamp, order.path)
    maker.parents(folders, order.to, durable)
    to, wanted = folders.at(order.to)
    name = rename_free(*source, to, wanted)
    if not is_same(os.lstat(name, dir_fd=to), order.stamp):
        rename_free(to, name, *source)
        raise changed(order.path)
    folders.forget(order.path)
    durable.touch(parent(order.path))
    durable.touch(parent(order.to))
    above = parent(order.to)
    path = f"{above}/{from_bytes(name)}" if above else from_bytes(name)
    seen = seen_at(to, name, path)
    if seen is None:
        raise changed(order.path)
    return seen


def _source(folders: Folders, old: str, stamp: Stamp, put: Put) -> Place:
    try:
        place = folders.at(old)
        status = os.lstat(place[1], dir_fd=place[0])
    except OSError as error:
        raise _no_use(old, f"cannot be found: {error.strerror}") from error
    if kind_of(status) is not Kind.FILE or stamp_of(status) != stamp:
        raise _no_use(old, "is not what it was")
    if status.st_size != put.size:
        raise _no_use(old, "has another size")
    return place


def _move_new(source: Place, to: Place, stamp: Stamp, put: Put) -> None:
    try:
        rename_new(*source, *to)
    except FileExistsError:
        raise StorageChanged(f"{readable(put.path)} is taken") from None
    if not is_same(os.lstat(to[1], dir_fd=to[0]), stamp):
        rename_free(*to, *source)
        raise _no_use(put.path, "changed while it was renamed")


def _move_over(
    source: Place, to: Place, put: Put, temps: Temps, take: Taking | None
) -> None:
    assert put.hint is not None
    assert put.replaces is not None
    status = expect(*to, put.replaces, put.path)
    if kind_of(status) is Kind.DIRECTORY:
        raise StorageChanged(f"{readable(put.path)} is a folder")
    if not exchange(*source, *to):
        raise _no_use(put.path, "cannot replace on this file system")
    if is_same(os.lstat(to[1], dir_fd=to[0]), put.hint[1]):
        try:
            remove(source, put.replaces, put.path, temps, take)
        except StorageChanged:
            pass
        except (StorageError, OSError):
            exchange(*source, *to)
            raise
        else:
            return
    exchange(*source, *to)
    raise changed(put.path)


def _dressed(to: Place, put: Put, durable: Durable) -> Seen:
    folder, name = to
    status = os.lstat(name, dir_fd=folder)
    if (status.st_mtime_ns, S_IMODE(status.st_mode)) != (put.mtime_ns, put.mode):
        dress_at(folder, name, put.mode, put.mtime_ns)
        durable.file_at(folder, name)
    seen = seen_at(folder, name, put.path)
    if seen is None:
        raise changed(put.path)
    return seen


def _no_use(path: str, what: str) -> StorageChanged:
    return StorageChanged(f"hint {readable(path)} {what}")
