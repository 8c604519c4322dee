"""Renames that never destroy, and flushing a file system; through the C library."""

import ctypes
import errno
import os

from syncd.drivers.local_storage.failures import UNSUPPORTED

_NOREPLACE = 1
_EXCHANGE = 2
CANNOT_LINK = UNSUPPORTED | {errno.EPERM, errno.EMLINK}
"""The file system has no second names, or not for this."""

_libc = ctypes.CDLL(None, use_errno=True)


def rename_new(folder: int, name: bytes, to: int, to_name: bytes) -> bool:
    """Rename to a name that is free; raise FileExistsError when it is not.

    Return whether that was one rename; else the system tells of other steps.
    """
    number = _renameat2(folder, name, to, to_name, _NOREPLACE)
    if number in UNSUPPORTED:
        _link_new(folder, name, to, to_name)
        return False
    if number:
        raise OSError(number, os.strerror(number))
    return True


def rename_to_ours(folder: int, name: bytes, to: int, to_name: bytes) -> bool:
    """Do the same with a name that nobody else uses, where one step is never two.

    Whatever has the name at that moment comes along; nothing is unlinked unseen.
    """
    number = _renameat2(folder, name, to, to_name, _NOREPLACE)
    if number in UNSUPPORTED:
        _look_and_rename(folder, name, to, to_name)
    elif number:
        raise OSError(number, os.strerror(number))
    return True


def exchange(folder: int, name: bytes, to: int, to_name: bytes) -> bool:
    """Let two names swap what they stand for, at once; False where that is unknown."""
    number = _renameat2(folder, name, to, to_name, _EXCHANGE)
    if number in UNSUPPORTED:
        return False
    if number:
        raise OSError(number, os.strerror(number))
    return True


def flush(descriptor: int) -> None:
    """Make everything in the descriptor's file system survive a power cut."""
    if _libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _renameat2(folder: int, name: bytes, to: int, to_name: bytes, flags: int) -> int:
    call = getattr(_libc, "renameat2", None)
    if call is None:
        return errno.ENOSYS
    return ctypes.get_errno() if call(folder, name, to, to_name, flags) else 0


def _link_new(folder: int, name: bytes, to: int, to_name: bytes) -> None:
    try:
        os.link(name, to_name, src_dir_fd=folder, dst_dir_fd=to, follow_symlinks=False)
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
        _look_and_rename(folder, name, to, to_name)
    else:
        os.unlink(name, dir_fd=folder)


def _look_and_rename(folder: int, name: bytes, to: int, to_name: bytes) -> None:
    try:
        os.lstat(to_name, dir_fd=to)
    except FileNotFoundError:
        os.rename(name, to_name, src_dir_fd=folder, dst_dir_fd=to)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
