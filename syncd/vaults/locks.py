"""Locks between processes, by flock: the system lets go of them when a holder dies."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Lock:
    """A lock on a file that is ours; it is held until ``release``."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def say(self, text: bytes) -> None:
        """Write into the file who holds it."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)

    def release(self, *, remove: bool = False) -> None:
        """Let go of it; twice is no error. ``remove``: nobody will want it again."""
        if self._descriptor is None:
            return
        if remove:
            with suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None


def take(path: Path, *, shared: bool = False, wait: bool = False) -> Lock:
    """Return the lock; raise BlockingIOError if it is held and we do not wait.

    The file is made if there is none.
    """
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
            if _is_still(descriptor, path):
                return Lock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # who held it has removed it: it is no lock any more


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Wait for a lock and lend it.

    Where nothing can be written nobody can take anything away: then without.
    """
    try:
        lock = take(path, shared=shared, wait=True)
    except OSError as error:
        if error.errno not in _READ_ONLY or not shared:
            raise
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _is_still(descriptor: int, path: Path) -> bool:
    mine = os.fstat(descriptor)
    try:
        theirs = path.stat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)
