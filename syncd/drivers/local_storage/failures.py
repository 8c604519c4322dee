"""What the system refused, in syncd's words: the only place where OSErrors are read."""

import errno
from collections.abc import Callable
from typing import TypeVar

from syncd.core.path import readable
from syncd.errors import (
    StorageBusy,
    StorageChanged,
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUntrusted,
)

T = TypeVar("T")

NO_PATH = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""Nothing of ours lies at a path; a folder on the way is missing, a file or a link."""

UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})
"""The file system does not know the call, or not with these flags."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""There is no room."""

_CHANGED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
_BUSY = frozenset({errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ETXTBSY})
_ILLEGAL = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})


def failure(error: OSError, path: str) -> StorageError:
    """Return the StorageError for what the system refused at the path."""
    shown = readable(path) or "the root"
    if error.errno == errno.ELOOP:
        return StorageError(
            f"{shown}: a symbolic link is in the way, and is not followed"
        )
    if error.errno in _ILLEGAL:
        return StorageError(f"illegal name {shown}: {error.strerror}")
    return _kind(error.errno)(f"{shown}: {error.strerror}")


def attempt(work: Callable[[], T], path: str) -> T | StorageError:
    """Return what the work returns, or the StorageError it ended in."""
    try:
        return work()
    except StorageUntrusted:
        raise
    except StorageError as error:
        return error
    except OSError as error:
        return failure(error, path)


def _kind(number: int | None) -> type[StorageError]:
    if number in _CHANGED:
        return StorageChanged
    if number in FULL:
        return StorageFull
    if number == errno.EROFS:
        return StorageReadOnly
    return StorageBusy if number in _BUSY else StorageError
