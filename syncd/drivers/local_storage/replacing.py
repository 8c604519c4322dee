"""Taking content out of a name without ever destroying what was not expected.

Looking first and acting then leaves a moment for someone else. So what is to go
is renamed, to a temporary name or into the trash, and looked at there; only then
it is removed, or stays there. If it is not what was expected, it goes back.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from syncd.core.file import Stamp
from syncd.core.path import readable
from syncd.drivers.local_storage.folder import Place, is_same, stamp_of
from syncd.drivers.local_storage.reading import changed, is_open_for_writing
from syncd.drivers.local_storage.renames import (
    CANNOT_LINK,
    exchange,
    rename_new,
    rename_to_ours,
)
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import Taking
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


def replace(
    new: Place, to: Place, expected: Stamp, path: str, take: Taking | None
) -> None:
    """Put what lies at the new place where something is expected, which goes.

    With ``take`` it goes to the place that this finds. Nobody ever finds the name
    missing. If something else lay there, everything is as it was before, and
    StorageChanged is raised.
    """
    if stat.S_ISDIR(expect(*to, expected, path).st_mode):
        raise StorageChanged(f"{readable(path)} is a folder")
    # Not the inode alone: it may be free, and someone else's, sooner than one thinks.
    ours = stamp_of(os.lstat(new[1], dir_fd=new[0]))
    if take is None:
        if _swapped(new, to, expected, ours, path):
            os.unlink(new[1], dir_fd=new[0])
        else:
            _rename_over(new, to)
        return
    # Ours goes first to where what is replaced is to be: so one exchange does it all.
    spare = take(new)
    swapped = False
    try:
        with take.unheard(path, comes=True) as heard:
            swapped = _swapped(spare, to, expected, ours, path)
            if not swapped:
                heard()
    finally:
        if not swapped:
            _return_own(spare, new, ours)
    if not swapped:
        _replace_in_steps(new, to, expected, path, spare)


def remove(
    place: Place, expected: Stamp, path: str, temps: Temps, take: Taking | None
) -> None:
    """Remove a file or link if it is what is expected, else raise StorageChanged."""
    if take is not None:
        _check_taken(take(place), place, expected, path)
        return
    temp = temps.new()
    try:
        rename_to_ours(*place, place[0], temp)
        _check_taken((place[0], temp), place, expected, path)
        os.unlink(temp, dir_fd=place[0])
    finally:
        temps.done(temp)


def rename_free(folder: int, name: bytes, to: int, to_name: bytes) -> bytes:
    """Rename to the name, or to the next free one like it; return which it was."""
    for candidate in _like(to_name):
        with suppress(FileExistsError):
            rename_new(folder, name, to, candidate)
            return candidate
    raise AssertionError("names never run out")


def _may_go(place: Place, expected: Stamp) -> bool:
    folder, name = place
    status = os.lstat(name, dir_fd=folder)
    if not is_same(status, expected):
        return False
    return not (stat.S_ISREG(status.st_mode) and is_open_for_writing(folder, name))


def _check_taken(taken: Place, place: Place, expected: Stamp, path: str) -> None:
    if not _may_go(taken, expected):
        rename_free(*taken, *place)
        raise changed(path)


def _swapped(spare: Place, to: Place, expected: Stamp, ours: Stamp, path: str) -> bool:
    """Let the two swap, if it was what is expected; False where that is unknown."""
    if not exchange(*spare, *to):
        return False
    if not _may_go(spare, expected):
        _give_back(spare, to, ours)
        raise changed(path)
    return True


def _give_back(spare: Place, to: Place, ours: Stamp) -> None:
    """Swap until nobody has come in between; who came last has the name.

    What had the name for a moment only, and is not ours, is kept under another.
    """
    there = ours
    for _ in range(_PATIENCE):
        coming = stamp_of(os.lstat(spare[1], dir_fd=spare[0]))
        try:
            exchange(*spare, *to)
        except OSError:  # our content was renamed away or deleted, or worse
            break
        if is_same(os.lstat(spare[1], dir_fd=spare[0]), there):
            break
        there = coming
    if not is_same(os.lstat(spare[1], dir_fd=spare[0]), ours):
        rename_free(*spare, *to)


def _return_own(spare: Place, new: Place, ours: Stamp) -> None:
    """Bring what could not be placed to where it was before; only if it is ours."""
    with suppress(OSError):
        if is_same(os.lstat(spare[1], dir_fd=spare[0]), ours):
            rename_new(*spare, *new)


def _replace_in_steps(
    new: Place, to: Place, expected: Stamp, path: str, spare: Place
) -> None:
    """Replace where names cannot swap: a second name first, if there can be one."""
    try:
        os.link(
            to[1],
            spare[1],
            src_dir_fd=to[0],
            dst_dir_fd=spare[0],
            follow_symlinks=False,
        )
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
        rename_to_ours(*to, *spare)
        _check_taken(spare, to, expected, path)
        try:
            rename_new(*new, *to)
        except BaseException:
            rename_free(*spare, *to)
            raise
        return
    if not _may_go(spare, expected):
        os.unlink(spare[1], dir_fd=spare[0])
        raise changed(path)
    _rename_over(new, to)


def _rename_over(new: Place, to: Place) -> None:
    os.rename(new[1], to[1], src_dir_fd=new[0], dst_dir_fd=to[0])


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
