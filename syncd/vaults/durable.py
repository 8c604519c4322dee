"""Writing so that it survives a power cut, and saying in our words why not."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncd.core.path import from_bytes
from syncd.drivers.local_storage.failures import failure

_CLONE = 0x40049409
"""FICLONE of linux/fs.h: let one file share the content of another."""
_CANNOT_SHARE = frozenset(
    {
        errno.EXDEV,
        errno.EOPNOTSUPP,
        errno.ENOTTY,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EPERM,
        errno.EMLINK,
        errno.EACCES,
    }
)
_START_WRITING = 2
"""SYNC_FILE_RANGE_WRITE."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def telling(place: object) -> Iterator[None]:
    """Raise what the system refuses within as the StorageError for the place."""
    try:
        yield
    except OSError as error:
        where = error.filename if error.filename else str(place)
        named = os.fsencode(where) if isinstance(where, str | bytes) else b"?"
        raise failure(error, from_bytes(named)) from error


def write_new(path: Path, content: bytes) -> None:
    """Write a new file, and have the disk begin with it; raise OSError."""
    descriptor = os.open(path, _NEW, 0o600)
    try:
        write_all(descriptor, content)
        begin_flush(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it, in as many calls as it takes."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def begin_flush(descriptor: int) -> None:
    """Have the disk begin to write, so that the flush at the end has little to do."""
    call = getattr(_libc, "sync_file_range", None)
    if call is not None:
        call(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _START_WRITING)


def replace(path: Path, content: bytes) -> None:
    """Write a file that is, after a power cut, either as before or like this."""
    fresh = path.with_name(f".syncd-{path.name}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, _NEW, 0o600)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Return when the names in the folder are safe."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def share(old: Path, new: Path, *, link: bool = True) -> bool:
    """Give a new name to an old content without copying; False where that cannot be.

    By reflink, else (``link``) by hard link.
    """
    if _clone(old, new):
        return True
    if not link:
        return False
    try:
        os.link(old, new, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return False
        raise
    return True


class _Clones:
    """Remembers the file systems that know no reflinks, so that each is asked once."""

    refused: set[int] = set()  # noqa: RUF012 - one for the process


def _clone(old: Path, new: Path) -> bool:
    try:
        source = os.open(old, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        status = os.fstat(source)
        if status.st_dev in _Clones.refused:
            return False
        target = os.open(new, _NEW, status.st_mode & 0o777)
        try:
            fcntl.ioctl(target, _CLONE, source)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            if error.errno not in _CANNOT_SHARE:
                raise
            _Clones.refused.add(status.st_dev)
            return False
        finally:
            os.close(target)
    finally:
        os.close(source)
    return True
