"""Bringing back what the trash keeps."""

import errno
import os

from syncd.core.keeping import Return
from syncd.core.path import name, parent, readable, to_bytes
from syncd.drivers.contract import Returned
from syncd.drivers.local_storage import labels
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import Folders, Place, component, seen_at
from syncd.drivers.local_storage.making import Durable, Maker
from syncd.drivers.local_storage.reading import changed
from syncd.drivers.local_storage.renames import rename_new
from syncd.drivers.local_storage.replacing import replace
from syncd.drivers.local_storage.trash import TRASH, Bin, Lost
from syncd.errors import StorageChanged, StorageError


def bring_back(
    folders: Folders, order: Return, bin_: Bin | None, durable: Durable
) -> Returned:
    """Rename what is kept to its path; what lies there takes a place in the trash."""
    maker = Maker()
    kept = _found(folders, order)
    try:
        maker.parents(folders, order.path, durable)
        _place(folders, kept, order, bin_, durable)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise StorageError(
                f"{readable(order.path)} is on another file system than what is kept"
            ) from error
        raise
    finally:
        os.close(kept[0])
    durable.touch(parent(order.place))
    durable.touch(parent(order.path))
    seen = seen_at(*folders.at(order.path), order.path)
    if seen is None:
        raise changed(order.path)
    return Returned(seen, maker.made_parents())


def _found(folders: Folders, order: Return) -> Place:
    """Return the kept content's place, with a descriptor of its own to be closed."""
    if not _is_of(order.place, order.path):
        raise StorageError(f"{readable(order.place)} keeps no {readable(order.path)}")
    gone = StorageChanged(f"{readable(order.path)}: that content is no longer kept")
    try:
        folder = folders.reading(parent(order.place))
    except OSError as error:
        if error.errno in NO_PATH:
            raise gone from error
        raise
    try:
        os.lstat(component(name(order.place)), dir_fd=folder)
    except OSError as error:
        os.close(folder)
        raise gone from error
    return folder, component(name(order.place))


def _is_of(place: str, path: str) -> bool:
    """Tell whether a place in the trash is one for the path."""
    base, found, inside = f"/{place}".partition(f"/{TRASH}/")
    day, _, below = inside.partition("/")
    label = labels.read(day, to_bytes(name(below))) if labels.is_day(day) else None
    if not found or label is None:
        return False
    own = label.name or to_bytes(name(parent(below)))
    folder = parent(below) if label.name else parent(parent(below))
    whole = [part for part in (base[1:], folder) if part]
    return "/".join(whole) == parent(path) and own == to_bytes(name(path))


def _place(
    folders: Folders, kept: Place, order: Return, bin_: Bin | None, durable: Durable
) -> None:
    to = folders.at(order.path)
    if order.there is not None:
        if bin_ is None:
            raise StorageError(
                f"{readable(order.path)} would be replaced and, with keep: false, lost;"
                " move it away first, or let this entry keep what is replaced"
            )
        take = bin_.taking(Lost.by(order), durable)
        replace(kept, to, order.there, order.path, take)
        return
    try:
        rename_new(*kept, *to)
    except FileExistsError:
        raise StorageChanged(f"{readable(order.path)} is taken") from None
