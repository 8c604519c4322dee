"""Carrying out Puts: contents under temporary names first, then all names at once."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from stat import S_IMODE

from msgspec import Struct
from msgspec.structs import replace as but

from syncd.core.change import Put
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.ignoring import Ignored
from syncd.core.path import parent, readable, to_bytes
from syncd.drivers.contract import Writing, Written
from syncd.drivers.local_storage.assembling import Assembly
from syncd.drivers.local_storage.content import fill
from syncd.drivers.local_storage.failures import attempt
from syncd.drivers.local_storage.folder import Folders, is_same, stamp_of
from syncd.drivers.local_storage.making import (
    FEW,
    PARENT_MODE,
    Durable,
    Maker,
    dress,
    missing_parents,
    set_folder_mode,
)
from syncd.drivers.local_storage.moving import move_here
from syncd.drivers.local_storage.renames import rename_new
from syncd.drivers.local_storage.replacing import replace
from syncd.drivers.local_storage.stopping import Work
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import Bin, Lost, Taking
from syncd.errors import StorageChanged, StorageError

MOST = 1000
"""So many contents wait under temporary names for one flush."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Staged(Struct, frozen=True):
    """A file or link, finished but for its name."""

    put: Put
    temp: bytes
    status: os.stat_result
    digest: bytes | None
    inside: bool = False
    """It has its own name, in a folder that has not."""


class _Begun(Struct, frozen=True):
    """A folder that is filled before it gets its name."""

    put: Put


class _Moving(Struct, frozen=True):
    """A file that only has to be renamed."""

    put: Put


Answer = Written | StorageError


class Writer:
    """Carries out one batch of Puts."""

    def __init__(
        self,
        folders: Folders,
        *,
        ignored: Ignored,
        temps: Temps,
        maker: Maker,
        durable: Durable,
        work: Work,
        bin_: Bin | None,
    ) -> None:
        self._folders = folders
        self._ignored = ignored
        self._temps = temps
        self._maker = maker
        self._durable = durable
        self._work = work
        self._bin = bin_
        self._waiting: dict[bytes, str] = {}
        self._assembly = Assembly(folders, temps, maker, durable)
        self._assembling = False
        self._implicit: list[str] = []

    def write(self, items: Sequence[Writing]) -> list[Answer]:
        """Return what came of each item; names change when all contents are safe."""
        try:
            self._assembling = len(items) > FEW
            steps = [
                attempt(partial(self._stage, item), item.put.path) for item in items
            ]
            unsafe = attempt(self._durable.contents, "")
            self._work.go_on()
            if unsafe is None:
                self._place_folders()
            answers = [unsafe or self._finish(step) for step in steps]
            unsafe = attempt(self._durable.names, "")
            return [unsafe or answer for answer in answers]
        finally:
            for temp in list(self._waiting):
                self._discard(temp)
            self._assembly.end()

    def _stage(self, item: Writing) -> _Staged | _Begun | _Moving | Written:
        self._work.go_on()
        put = item.put
        if self._ignored.has(put.path, folder=put.kind is Kind.DIRECTORY):
            raise StorageError(f"{readable(put.path)} is ignored on this entry")
        self._stage_parents(put)
        if put.kind is Kind.DIRECTORY:
            return self._stage_folder(put)
        if put.kind is Kind.LINK:
            return self._stage_link(put)
        if item.content is None and put.hint is not None:
            return _Moving(put)
        return self._stage_file(item)

    def _stage_parents(self, put: Put) -> None:
        if not self._assembling:
            self._maker.parents(self._folders, put.path, self._durable)
            return
        for folder in missing_parents(self._folders, put.path):
            self._assembly.begin(folder, PARENT_MODE)
            self._implicit.append(folder)

    def _stage_folder(self, put: Put) -> _Begun | Written:
        if put.path in self._assembly:
            self._assembly.set_mode(put.path, put.mode)
        elif self._assembling and not _is_taken(*self._folders.at(put.path)):
            self._assembly.begin(put.path, put.mode)
        else:
            return self._folder(put)
        return _Begun(put)

    def _folder(self, put: Put) -> Written:
        if not self._maker.folder(self._folders, put.path, put.mode, self._durable):
            set_folder_mode(self._folders, put.path, put.mode)
            self._durable.touch(put.path)
        status = os.fstat(self._folders.of(put.path))
        seen = Seen(put.path, put.kind, stamp_of(status), S_IMODE(status.st_mode))
        return Written(seen, None, 0)

    def _stage_link(self, put: Put) -> _Staged:
        with self._temp(put) as (folder, temp):
            os.symlink(to_bytes(put.target or ""), temp, dir_fd=folder)
            times = (put.mtime_ns, put.mtime_ns)
            os.utime(temp, ns=times, dir_fd=folder, follow_symlinks=False)
            status = os.lstat(temp, dir_fd=folder)
            return _Staged(put, temp, status, None, self._is_inside(put))

    def _stage_file(self, item: Writing) -> _Staged:
        put = item.put
        if item.content is None and put.size:
            raise StorageError(f"no content was given for {readable(put.path)}")
        with self._temp(put) as (folder, temp):
            descriptor = os.open(temp, _NEW, put.mode & 0o777, dir_fd=folder)
            try:
                digest = fill(descriptor, item, self._work)
                status = dress(descriptor, put.mode, put.mtime_ns)
                self._durable.file(descriptor)
                return _Staged(put, temp, status, digest, self._is_inside(put))
            finally:
                os.close(descriptor)

    @contextmanager
    def _temp(self, put: Put) -> Iterator[tuple[int, bytes]]:
        """Lend a temporary name, which waits for its place unless staging fails.

        In a new folder that nobody sees yet, it is the file's own.
        """
        folder, name = self._folders.at(put.path)
        if self._is_inside(put):
            try:
                yield folder, name
            except FileExistsError:
                raise _taken(put) from None
            except BaseException:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise
            return
        temp = self._temps.new()
        self._waiting[temp] = parent(put.path)
        try:
            yield folder, temp
        except BaseException:
            self._discard(temp)
            raise
        self._durable.touch(parent(put.path))

    def _is_inside(self, put: Put) -> bool:
        return put.replaces is None and parent(put.path) in self._assembly

    def _place_folders(self) -> None:
        """Show the new folders; those nobody ordered are told as made on the way."""
        self._assembly.place()
        for folder in self._implicit:
            if self._assembly.is_placed(folder):
                self._maker.made(self._assembly.seen(folder))

    def _finish(
        self, step: _Staged | _Begun | _Moving | Written | StorageError
    ) -> Answer:
        if isinstance(step, _Staged):
            place = self._place_inside if step.inside else self._place
            return attempt(partial(place, step), step.put.path)
        if isinstance(step, _Begun):
            return attempt(partial(self._finish_folder, step.put), step.put.path)
        if isinstance(step, _Moving):
            return attempt(partial(self._move, step.put), step.put.path)
        return step

    def _place(self, staged: _Staged) -> Written:
        put, temp = staged.put, staged.temp
        folder, name = self._folders.at(put.path)
        # From here on the temporary name may stand for what was replaced.
        del self._waiting[temp]
        try:
            if put.replaces is None:
                self._rename_new(folder, temp, name, put)
            else:
                to = (folder, name)
                replace((folder, temp), to, put.replaces, put.path, self._taking(put))
        except BaseException:
            self._discard_own(folder, staged)
            raise
        finally:
            self._temps.done(temp)
        return Written(_result(folder, name, staged), staged.digest, _copied(put))

    def _finish_folder(self, put: Put) -> Written:
        if self._assembly.is_placed(put.path):
            return Written(self._assembly.seen(put.path), None, 0)
        self._maker.parents(self._folders, put.path, self._durable)
        return self._folder(put)

    def _place_inside(self, staged: _Staged) -> Written:
        put, inside = staged.put, parent(staged.put.path)
        if self._assembly.is_placed(inside):
            mode = S_IMODE(staged.status.st_mode)
            seen = Seen(put.path, put.kind, stamp_of(staged.status), mode, put.target)
            return Written(seen, staged.digest, _copied(put))
        # There is such a folder by now, or it cannot be: one by one, then.
        self._maker.parents(self._folders, put.path, self._durable)
        folder, name = self._folders.at(put.path)
        self._durable.touch(inside)
        try:
            rename_new(self._assembly.unplaced(inside), staged.temp, folder, name)
        except FileExistsError:
            raise _taken(put) from None
        return Written(_result(folder, name, staged), staged.digest, _copied(put))

    def _move(self, put: Put) -> Written:
        take = self._taking(put)
        seen = move_here(self._folders, put, self._temps, self._durable, take)
        return Written(seen, put.digest, 0)

    def _taking(self, put: Put) -> Taking | None:
        return self._bin.taking(Lost.by(put), self._durable) if self._bin else None

    def _rename_new(self, folder: int, temp: bytes, name: bytes, put: Put) -> None:
        try:
            rename_new(folder, temp, folder, name)
        except FileExistsError:
            raise _taken(put) from None

    def _discard_own(self, folder: int, staged: _Staged) -> None:
        with suppress(OSError):
            status = os.lstat(staged.temp, dir_fd=folder)
            if is_same(status, stamp_of(staged.status)):
                os.unlink(staged.temp, dir_fd=folder)

    def _discard(self, temp: bytes) -> None:
        with suppress(OSError):
            os.unlink(temp, dir_fd=self._folders.of(self._waiting.pop(temp)))
        self._temps.done(temp)


def _result(folder: int, name: bytes, staged: _Staged) -> Seen:
    """Return what lies at the path now.

    If somebody has been there since, the stamp has no ctime: so it equals
    nothing, and the next look finds the difference.
    """
    put, ours = staged.put, stamp_of(staged.status)
    try:
        now = stamp_of(os.lstat(name, dir_fd=folder))
    except FileNotFoundError:
        now = Stamp()
    stamp = but(ours, ctime_ns=now.ctime_ns)
    if stamp != now:
        stamp = but(ours, ctime_ns=0)
    return Seen(put.path, put.kind, stamp, S_IMODE(staged.status.st_mode), put.target)


def _is_taken(folder: int, name: bytes) -> bool:
    try:
        os.lstat(name, dir_fd=folder)
    except FileNotFoundError:
        return False
    return True


def _taken(put: Put) -> StorageChanged:
    return StorageChanged(f"{readable(put.path)} is taken")


def _copied(put: Put) -> int:
    return put.size if put.kind is Kind.FILE else 0
