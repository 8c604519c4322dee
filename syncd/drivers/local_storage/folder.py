"""From path to descriptor, one component at a time and never through a link."""

import errno
import os
import stat
from collections import OrderedDict
from types import TracebackType
from typing import Self

from syncd.core.file import Kind, Seen, Stamp
from syncd.core.path import from_bytes, is_reserved, name, parent, to_bytes

Place = tuple[int, bytes]
"""The descriptor of a folder, and a name in it."""

_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_READABLE_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = Kind.FILE  # to ask an enumeration for it takes longer than all else
_MODE = 0o7777
_MOST = 64
_MOST_ABOVE = 16

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.LINK,
}


class Folders:
    """Descriptors of folders below the root, kept for the time of one batch.

    A descriptor is good at least until the next but one is asked for. What is
    already open stays the folder it was, even if it is moved meanwhile.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: OrderedDict[str, int] = OrderedDict()
        self._called: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all that is open."""
        self._keep(0)

    def of(self, folder: str) -> int:
        """Return a descriptor that stands for the folder; raise OSError."""
        if not folder:
            return self._root
        known = self._open.get(folder)
        if known is None:
            return self._walk_to(folder)
        self._open.move_to_end(folder)
        return known

    def at(self, path: str) -> tuple[int, bytes]:
        """Return the descriptor of the folder the path lies in, and its name there.

        Raise OSError, also for names that are not to be touched.
        """
        if is_reserved(path):
            raise OSError(errno.EINVAL, "the name is reserved")
        return self.of(parent(path)), component(name(path))

    def reading(self, folder: str) -> int:
        """Return a new descriptor that the folder can be listed and flushed with."""
        return os.open(b".", _READABLE_FOLDER, dir_fd=self.of(folder))

    def beside(self) -> "Folders":
        """Return new ones below the same root, which find folders where these do."""
        others = Folders(self._root)
        others._called.update(self._called)
        return others

    def call(self, folder: str, name: bytes) -> None:
        """Find the folder under that name, in the folder it lies in, from now on."""
        self._called[folder] = name

    def call_no_more(self, folder: str) -> None:
        """Find the folder under its own name again; twice is no error."""
        if self._called.pop(folder, None) is not None:
            self.forget(folder)

    def forget(self, folder: str) -> None:
        """Look anew for the folder and what lies below it: it was moved or removed."""
        below = folder + "/"
        for path in [p for p in self._open if p == folder or p.startswith(below)]:
            os.close(self._open.pop(path))

    def _walk_to(self, folder: str) -> int:
        parts = folder.split("/")
        known = len(parts) - 1
        while known and "/".join(parts[:known]) not in self._open:
            known -= 1
        here = self._open["/".join(parts[:known])] if known else self._root
        passed = []
        try:
            for depth in range(known, len(parts)):
                folder = "/".join(parts[: depth + 1])
                here = _step(here, self._called.get(folder) or component(parts[depth]))
                passed.append((folder, here))
        finally:
            self._remember(passed)
        return here

    def _remember(self, passed: list[tuple[str, int]]) -> None:
        for _, descriptor in passed[:-_MOST_ABOVE]:
            os.close(descriptor)
        self._open.update(passed[-_MOST_ABOVE:])
        self._keep(_MOST)

    def _keep(self, most: int) -> None:
        while len(self._open) > most:
            os.close(self._open.popitem(last=False)[1])


def kind_of(status: os.stat_result) -> Kind | None:
    """Return what it is; None for what syncd leaves alone."""
    return _KINDS.get(stat.S_IFMT(status.st_mode))


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the evidence for what was found: a folder's is its inode alone."""
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        return Stamp(inode=status.st_ino)
    size = 0 if kind == stat.S_IFLNK else status.st_size
    return Stamp(size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def is_same(status: os.stat_result, stamp: Stamp) -> bool:
    """Tell whether it is what the stamp told, renamed perhaps (which sets ctime)."""
    now = stamp_of(status)
    return (now.inode, now.size, now.mtime_ns) == (
        stamp.inode,
        stamp.size,
        stamp.mtime_ns,
    )


def seen_at(folder: int, name: bytes, path: str) -> Seen | None:
    """Return what lies under the name; None for what syncd leaves alone."""
    return seen(path, os.lstat(name, dir_fd=folder), folder, name)


def seen_file(path: str, status: os.stat_result) -> Seen:
    """Return the regular file whose status this is."""
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return Seen(path, _FILE, stamp, status.st_mode & _MODE)


def seen(path: str, status: os.stat_result, folder: int, name: bytes) -> Seen | None:
    """Return what lies under the name, whose status is already known."""
    kind = kind_of(status)
    if kind is None:
        return None
    mode = stat.S_IMODE(status.st_mode)
    if kind is not Kind.LINK:
        return Seen(path, kind, stamp_of(status), mode)
    try:
        target = from_bytes(os.readlink(name, dir_fd=folder))
    except OSError as error:
        if error.errno == errno.EINVAL:  # no longer a link
            return seen_at(folder, name, path)
        raise
    return Seen(path, kind, stamp_of(status), mode, target)


def component(part: str) -> bytes:
    """Return the name of one file or folder as the disk has it; raise OSError."""
    if part in ("", ".", "..") or "\0" in part:
        raise OSError(errno.EINVAL, "it could leave the root")
    try:
        return to_bytes(part)
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ)) from error


def _step(here: int, part: bytes) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=here)
    except OSError as error:
        if error.errno == errno.ENOTDIR and _is_link(here, part):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
        raise


def _is_link(here: int, part: bytes) -> bool:
    return stat.S_ISLNK(os.lstat(part, dir_fd=here).st_mode)
