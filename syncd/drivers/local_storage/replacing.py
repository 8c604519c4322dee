"""Taking content out of a name without ever destroying what was not expected.

Looking first and acting then leaves a moment for someone else. So what is to go
is renamed to a temporary name, looked at there, and only then removed; if it is
not what was expected, it goes back.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from syncd.core.file import Stamp
from syncd.core.path import readable
from syncd.drivers.local_storage.folder import is_same, stamp_of
from syncd.drivers.local_storage.reading import changed, is_open_for_writing
from syncd.drivers.local_storage.renames import exchange, rename_new
from syncd.drivers.local_storage.temps import Temps
from syncd.errors import StorageChanged

_LONGEST = 255
_PATIENCE = 5


def expect(folder: int, name: bytes, stamp: Stamp, path: str) -> os.stat_result:
    """Return the status of what lies there; StorageChanged unless it has the stamp."""
    try:
        status = os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        raise StorageChanged(f"{readable(path)} is gone") from None
    if stamp_of(status) != stamp:
        raise changed(path)
    return status


def replace(folder: int, temp: bytes, name: bytes, expected: Stamp, path: str) -> None:
    """Put what has the temporary name in the place of what is expected there.

    Nobody ever finds the name missing. If something else lay there, everything
    is as it was before, and StorageChanged is raised.
    """
    if stat.S_ISDIR(expect(folder, name, expected, path).st_mode):
        raise StorageChanged(f"{readable(path)} is a folder")
    # Not the inode alone: it may be free, and someone else's, sooner than one thinks.
    ours = stamp_of(os.lstat(temp, dir_fd=folder))
    if not exchange(folder, temp, folder, name):
        os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    elif _may_go(folder, temp, expected):
        os.unlink(temp, dir_fd=folder)
    else:
        _give_back(folder, temp, name, ours)
        raise changed(path)


def remove(folder: int, name: bytes, expected: Stamp, path: str, temps: Temps) -> None:
    """Remove a file or link if it is what is expected, else raise StorageChanged."""
    temp = temps.new()
    try:
        rename_new(folder, name, folder, temp)
        if not _may_go(folder, temp, expected):
            rename_free(folder, temp, folder, name)
            raise changed(path)
        os.unlink(temp, dir_fd=folder)
    finally:
        temps.done(temp)


def rename_free(folder: int, name: bytes, to: int, to_name: bytes) -> bytes:
    """Rename to the name, or to the next free one like it; return which it was."""
    for candidate in _like(to_name):
        with suppress(FileExistsError):
            rename_new(folder, name, to, candidate)
            return candidate
    raise AssertionError("names never run out")


def _may_go(folder: int, temp: bytes, expected: Stamp) -> bool:
    status = os.lstat(temp, dir_fd=folder)
    if not is_same(status, expected):
        return False
    return not (stat.S_ISREG(status.st_mode) and is_open_for_writing(folder, temp))


def _give_back(folder: int, temp: bytes, name: bytes, ours: Stamp) -> None:
    """Swap until nobody has come in between; who came last has the name.

    What had the name for a moment only, and is not ours, is kept under another.
    """
    there = ours
    for _ in range(_PATIENCE):
        coming = stamp_of(os.lstat(temp, dir_fd=folder))
        try:
            exchange(folder, temp, folder, name)
        except OSError:  # our content was renamed away or deleted, or worse
            break
        if is_same(os.lstat(temp, dir_fd=folder), there):
            break
        there = coming
    if not is_same(os.lstat(temp, dir_fd=folder), ours):
        rename_free(folder, temp, folder, name)


def _like(name: bytes) -> Iterator[bytes]:
    """Give the name, then the names that are used when it is taken."""
    yield name
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > _LONGEST // 2:
        stem, dot, extension = name, b"", b""
    number = 2
    while True:
        end = b"-%d%s%s" % (number, dot, extension)
        yield _shortened(stem, _LONGEST - len(end)) + end
        number += 1


def _shortened(name: bytes, most: int) -> bytes:
    """Return the beginning of the name that fits, cut between two characters."""
    if len(name) <= most:
        return name
    while name[most] & 0xC0 == 0x80:  # inside a character, as UTF-8 has it
        most -= 1
    return name[:most]
