"""Reading contents: digest, MIME type, descriptors, and who else has them open."""

import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from blake3 import blake3

from syncd.core.file import Kind, Stamp
from syncd.core.path import readable
from syncd.drivers.contract import Facts
from syncd.drivers.local_storage.folder import Folders, kind_of, stamp_of
from syncd.drivers.mime import ENOUGH
from syncd.drivers.mime import mime as mime_of
from syncd.errors import StorageChanged

STEP = 1 << 20
_LARGE = 8 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_file(folders: Folders, path: str, stamp: Stamp | None) -> int:
    """Return a descriptor of the file; StorageChanged unless it has the stamp."""
    folder, name = folders.at(path)
    descriptor = _opened(folder, name, path)
    if stamp is None:
        if kind_of(os.fstat(descriptor)) is Kind.FILE:
            return descriptor
    elif is_unchanged(descriptor, stamp):
        return descriptor
    os.close(descriptor)
    raise changed(path)


def is_unchanged(descriptor: int, stamp: Stamp) -> bool:
    """Tell whether the open file is one of content and has the stamp."""
    status = os.fstat(descriptor)
    return kind_of(status) is Kind.FILE and stamp_of(status) == stamp


def changed(path: str) -> StorageChanged:
    """Return the error for a path that holds something else than expected."""
    return StorageChanged(f"{readable(path)} is not what it was")


@contextmanager
def opened(folders: Folders, path: str, stamp: Stamp) -> Iterator[int]:
    """Lend a descriptor of the file; StorageChanged unless it has the stamp."""
    descriptor = open_file(folders, path, stamp)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def facts(
    descriptor: int,
    path: str,
    stamp: Stamp,
    *,
    digest: bool,
    mime: bool,
    go_on: Callable[[], None],
) -> Facts:
    """Read an open content; StorageChanged unless it still has the stamp afterwards."""
    told = Facts(
        digest=_digest(descriptor, stamp.size, go_on) if digest else None,
        mime=mime_of(os.pread(descriptor, ENOUGH, 0)) if mime else None,
    )
    if not is_unchanged(descriptor, stamp):
        raise changed(path)
    return told


def is_open_for_writing(folder: int, name: bytes) -> bool:
    """Tell whether some process may be writing to the file right now.

    The kernel refuses a read lease while a file is open for writing. Where
    there are no leases (or the file is not ours) nothing is known: False. Who
    opens the file for writing during the probe waits for it to end, and the
    kernel tells us so by a signal, which must not be the deadly default SIGIO.
    """
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        with suppress(OSError):
            os.close(descriptor)
    return False


def _opened(folder: int, name: bytes, path: str) -> int:
    try:
        return os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        # A link (ELOOP) or a socket (ENXIO) now lies where the file was.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise changed(path) from error
        raise


def _digest(descriptor: int, size: int, go_on: Callable[[], None]) -> bytes:
    """Return the digest of the content, made by all cores when it is large.

    It is never mapped into memory: a file cut short meanwhile would kill us.
    """
    large = size >= _LARGE
    hasher = blake3(max_threads=blake3.AUTO) if large else blake3()
    buffer = memoryview(bytearray(_LARGE if large else min(STEP, size + 1)))
    start = 0
    while count := os.preadv(descriptor, [buffer], start):
        hasher.update(buffer[:count])
        start += count
        go_on()
    return hasher.digest()
