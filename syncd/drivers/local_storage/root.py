"""The root folder, held open, and the evidence that it is still the one we know."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from syncd.core.file import Stamp
from syncd.core.path import RESERVED
from syncd.core.room import PLENTY, Room
from syncd.drivers.local_storage.folder import stamp_of
from syncd.drivers.local_storage.temps import Temps
from syncd.errors import StorageUntrusted

MARKER = f"{RESERVED}marker"

_ABOUT = (
    "syncd keeps this folder in step with others and knows it by this file. "
    "Do not delete, change or copy it."
)
_LONGEST_MARKER = 4096
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Root:
    """One root: opened once, checked before every batch of work.

    A link at the root's own path is followed: where it leads is the root.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle = -1
        self._identity = (0, 0)
        self._marker: str | None = None
        self._marker_stamp: Stamp | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether there is a handle."""
        return self.handle >= 0

    def open(self) -> None:
        """Open the folder; raise StorageUntrusted when it is not there."""
        self.close()
        self._marker = None
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            handle = os.open(self.path, flags)
        except OSError as error:
            raise self._untrusted(f"cannot be opened: {error.strerror}") from error
        status = os.fstat(handle)
        self.handle, self._identity = handle, (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Let go of the handle."""
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)

    def check(self) -> None:
        """Raise StorageUntrusted unless this is the root as it was, with its marker."""
        self._check_identity()
        if self._marker is not None:
            self._check_marker(self._marker)

    def _check_identity(self) -> None:
        if not self.is_open:
            raise self._untrusted("is not open")
        try:
            status = self.path.stat()
        except OSError as error:
            raise self._untrusted(f"cannot be found: {error.strerror}") from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise self._untrusted("is not the folder it was: another was put there")

    def room(self) -> Room:
        """Return what the file system that the root lies on would take now."""
        told = os.fstatvfs(self.handle)
        root = os.geteuid() == 0  # It may use what is kept back for it.
        blocks, names = told.f_bavail, told.f_favail
        if root:
            blocks, names = told.f_bfree, told.f_ffree
        return Room(
            free=blocks * told.f_frsize,
            names=names if told.f_files else PLENTY,
            read_only=bool(told.f_flag & os.ST_RDONLY),
        )

    def marker(self) -> str | None:
        """Return the id the root carries; StorageUntrusted if it cannot be made out."""
        self._check_identity()
        try:
            handle = self._open_marker()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._untrusted(f"has no {MARKER}: {error.strerror}") from error
        try:
            return self._read(handle)
        finally:
            os.close(handle)

    def mark(self, marker: str, temps: Temps) -> None:
        """Carry the id, durably, and insist on it from now on.

        What marker is there already is written over, even an unreadable one.
        """
        self._check_identity()
        with suppress(StorageUntrusted):
            if self.marker() == marker:
                self._insist(marker)
                return
        temp = temps.new()
        try:
            self._write(marker, temp)
        finally:
            temps.done(temp)
        self._insist(marker)

    def _insist(self, marker: str) -> None:
        self._marker, self._marker_stamp = marker, self._look_at_marker()

    def _check_marker(self, marker: str) -> None:
        stamp = self._look_at_marker()
        if stamp is not None and stamp == self._marker_stamp:
            return
        found = self.marker()
        if found != marker:
            what = f"has lost its {MARKER}" if found is None else "carries another id"
            raise self._untrusted(what)
        self._marker_stamp = stamp

    def _look_at_marker(self) -> Stamp | None:
        try:
            return stamp_of(os.lstat(MARKER, dir_fd=self.handle))
        except OSError:
            return None

    def _open_marker(self) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(MARKER, flags, dir_fd=self.handle)

    def _read(self, handle: int) -> str:
        try:
            if stat.S_ISREG(os.fstat(handle).st_mode):
                entry = json.loads(os.read(handle, _LONGEST_MARKER))["entry"]
                if entry and isinstance(entry, str):
                    return entry
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise self._untrusted(f"has an unreadable {MARKER}") from error
        raise self._untrusted(f"has an unreadable {MARKER}")

    def _write(self, marker: str, temp: bytes) -> None:
        content = json.dumps({"entry": marker, "about": _ABOUT}, indent=2) + "\n"
        handle = os.open(temp, _NEW, 0o644, dir_fd=self.handle)
        try:
            os.write(handle, content.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temp, MARKER, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        os.fsync(self.handle)

    def _untrusted(self, what: str) -> StorageUntrusted:
        return StorageUntrusted(
            f"{self.path} {what}; nothing is done there. Bring the folder back "
            "(is it mounted?), or make the one that is to take its place and approve it"
        )
