"""Making folders, setting modes and times, and letting it all survive a power cut."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from syncd.core.file import Seen
from syncd.core.path import parent, readable
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.flushing import Flusher
from syncd.drivers.local_storage.folder import Folders, component, seen_at
from syncd.errors import StorageChanged

FEW = 4
"""So many things are flushed one by one; for more that would take longer."""

PARENT_MODE = 0o755
"""What a folder gets that nobody ordered."""

_REFUSED = frozenset({errno.EPERM, errno.EOPNOTSUPP})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ANY = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_ITSELF = b"."


class Durable:
    """Makes what a batch did survive a power cut.

    A few things are flushed one by one; for more it is faster to flush their
    whole file system, once for the contents and once for the names.
    """

    def __init__(self, folders: Folders, things: int, flusher: Flusher) -> None:
        self._folders = folders
        self._few = things <= FEW
        self._flusher = flusher
        self._errors = flusher.errors()
        self._touched: set[str] = set()

    def touch(self, folder: str) -> None:
        """Note that names in the folder, or what they stand for, have changed."""
        self._touched.add(folder)

    def file(self, descriptor: int) -> None:
        """Flush the open file now if there are few; else with all the others."""
        if self._few:
            os.fsync(descriptor)

    def file_at(self, folder: int, name: bytes) -> None:
        """Do the same for the file of that name."""
        try:
            descriptor = os.open(name, _READ, dir_fd=folder)
        except PermissionError:
            self._few = False
            return
        try:
            self.file(descriptor)
        finally:
            os.close(descriptor)

    def contents(self) -> None:
        """Return when all contents are safe; their names may follow."""
        if not self._few:
            self._flush_systems()

    def names(self) -> None:
        """Return when everything is safe."""
        if not self._few:
            self._flush_systems()
            return
        for folder in self._touched:
            self._flush(folder, os.fsync)

    def _flush_systems(self) -> None:
        flushed = set()
        for folder in self._touched:
            try:
                system = os.fstat(self._folders.of(folder)).st_dev
            except OSError as error:
                if error.errno not in NO_PATH:
                    raise
                continue
            if system not in flushed:
                self._flush(folder, self._flush_system)
                flushed.add(system)

    def _flush_system(self, folder: int) -> None:
        self._flusher.flush(folder, self._errors)

    def _flush(self, folder: str, way: Callable[[int], None]) -> None:
        try:
            handle = self._folders.reading(folder)
        except PermissionError:
            os.sync()
            return
        except OSError as error:
            if error.errno in NO_PATH:  # its own end is made durable further up
                return
            raise
        try:
            way(handle)
        finally:
            os.close(handle)


Watch = Callable[[str, int], None]
"""Has the folder at a path, which is open, watched."""


def _alone(_folder: str) -> AbstractContextManager[None]:
    return nullcontext()


def _unwatched(_folder: str) -> AbstractContextManager[Watch]:
    return nullcontext(lambda _folder, _descriptor: None)


class Maker:
    """Makes folders, and remembers those that nobody ordered."""

    def __init__(self) -> None:
        self._made: list[Seen] = []
        self.born: Callable[[str], AbstractContextManager[None]] = _alone
        """Lends the time in which a folder is made; see watching.Watcher.born."""
        self.arriving: Callable[[str], AbstractContextManager[Watch]] = _unwatched
        """Lends the time in which a folder gets its name; see Watcher.arriving."""

    def made_parents(self) -> list[Seen]:
        """Return, and forget, the folders made on the way to others."""
        made, self._made = self._made, []
        return made

    def made(self, folder: Seen) -> None:
        """Remember a folder that was made on the way to others."""
        self._made.append(folder)

    def parents(self, folders: Folders, path: str, durable: Durable) -> None:
        """Make sure that there is a folder for the path to lie in."""
        for folder in missing_parents(folders, path):
            if self.folder(folders, folder, PARENT_MODE, durable):
                made = seen_at(*folders.at(folder), folder)
                self._made += [made] if made else []

    def folder(self, folders: Folders, path: str, mode: int, durable: Durable) -> bool:
        """Make a folder; return whether it was new.

        Raise StorageChanged if it cannot be one.
        """
        parent_folder, name = folders.at(path)
        try:
            with self.born(path):
                os.mkdir(name, mode & 0o777, dir_fd=parent_folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=parent_folder).st_mode):
                raise StorageChanged(f"{readable(path)} is not a folder") from None
            return False
        durable.touch(parent(path))
        set_folder_mode(folders, path, mode)
        return True


def missing_parents(folders: Folders, path: str) -> list[str]:
    """Return the folders that the path lies in and that are not there, topmost first.

    Raise OSError for a path that no file can have.
    """
    for part in path.split("/"):  # before anything is made
        component(part)
    missing: list[str] = []
    folder = parent(path)
    while not is_there(folders, folder):
        missing.append(folder)
        folder = parent(folder)
    return missing[::-1]


def is_there(folders: Folders, folder: str) -> bool:
    """Tell whether there is such a folder; raise OSError if something else is."""
    try:
        folders.of(folder)
    except FileNotFoundError:
        return False
    return True


def set_folder_mode(folders: Folders, path: str, mode: int) -> None:
    """Give a folder its mode, as far as the file system has modes."""
    set_mode(folders.of(path), mode)


def set_mode(folder: int, mode: int) -> None:
    """Do the same for an open folder."""
    if stat.S_IMODE(os.fstat(folder).st_mode) != mode:
        try:
            os.chmod(_ITSELF, mode, dir_fd=folder)
        except OSError as error:
            _unless_refused(error)


def dress(descriptor: int, mode: int, mtime_ns: int) -> os.stat_result:
    """Give an open file its mode and time, and return its status.

    Some file systems have no modes.
    """
    os.utime(descriptor, ns=(mtime_ns, mtime_ns))
    status = os.fstat(descriptor)
    if stat.S_IMODE(status.st_mode) == mode:  # as it was made with, nearly always
        return status
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        _unless_refused(error)
    return os.fstat(descriptor)


def dress_at(folder: int, name: bytes, mode: int, mtime_ns: int) -> None:
    """Give the file of that name, never what a link leads to, its mode and time."""
    descriptor = os.open(name, _ANY, dir_fd=folder)
    try:
        itself = f"/proc/self/fd/{descriptor}"  # works without leave to read it
        try:
            Path(itself).chmod(mode)
        except OSError as error:
            _unless_refused(error)
        os.utime(itself, ns=(mtime_ns, mtime_ns))
    finally:
        os.close(descriptor)


def _unless_refused(error: OSError) -> None:
    """Raise the error unless it says that the file system has no modes."""
    if error.errno not in _REFUSED:
        raise error
