"""Looking at a whole tree, folder by folder, and at single paths."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from operator import attrgetter
from stat import S_ISREG

from syncd.core.file import Kind, Seen
from syncd.core.ignoring import Ignored
from syncd.core.path import RESERVED, from_bytes, is_reserved, readable
from syncd.drivers.contract import Glance
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import Folders, seen, seen_at, seen_file
from syncd.drivers.local_storage.glancing import Summary, summary
from syncd.drivers.local_storage.temps import Temps
from syncd.drivers.local_storage.trash import TRASH

Found = tuple[str, list[Seen]]

Known = Callable[[str], bytes | None]
"""Tells the fingerprint of a folder; empty: there is none, None: none is wanted."""

_by_path = attrgetter("path")


class Walker:
    """Walks trees, and remembers what could not be read and what is left alone."""

    def __init__(
        self,
        ignored: Ignored,
        temps: Temps,
        met_trash: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``met_trash`` is told of each folder that a trash lies in."""
        self._met_trash = met_trash
        self._ignored = ignored
        self._temps = temps
        self._left_alone: dict[str, int] = {}
        self._unreadable: dict[str, str] = {}

    @property
    def left_alone(self) -> int:
        """Return how many sockets, FIFOs and devices lie in the folders walked."""
        return sum(list(self._left_alone.values()))  # a walk may be under way

    def unreadable(self) -> dict[str, str]:
        """Return, and forget, the folders that could not be read, and why."""
        told, self._unreadable = self._unreadable, {}
        return told

    def walk(
        self, root: int, below: str, *, deep: bool = True
    ) -> Generator[Found, None, None]:
        """Give each folder with what lies in it, before the folders in it.

        Not ``deep`` gives only the first of them.
        """
        for folder, found, _ in self.glance(root, below, lambda _: None, deep=deep):
            assert found is not None
            yield folder, found

    def glance(
        self, root: int, below: str, known: Known, *, deep: bool = True
    ) -> Generator[Glance, None, None]:
        """Do the same, but tell only fingerprints of folders that are known by them."""
        if not below and deep:
            self._left_alone.clear()
        elif self._ignored.has(below, folder=True):
            return
        todo = [below]
        with Folders(root) as folders:
            while todo:
                listed = self._list(folders, todo.pop(), known)
                if listed is None:
                    continue
                glance, inside = listed
                yield glance
                if deep:
                    todo.extend(reversed(inside))

    def look(self, folders: Folders, path: str) -> Seen | None:
        """Return what lies at the path, None for nothing or nothing we keep."""
        if is_reserved(path):
            return None
        try:
            found = seen_at(*folders.at(path), path)
        except OSError as error:
            if error.errno in NO_PATH:
                return None
            raise
        if found is None:
            return None
        return None if self._ignored.has(path, folder=_is_folder(found)) else found

    def _list(
        self, folders: Folders, folder: str, known: Known
    ) -> tuple[Glance, list[str]] | None:
        """Return what lies in a folder, and which folders; None: it is not there."""
        try:
            handle = folders.reading(folder)
        except OSError as error:
            self._failed(folder, error)
            return None
        try:
            with os.scandir(handle) as lying:
                entries = list(lying)
            wanted, taken = known(folder), None
            if wanted is not None:
                taken = _summary(entries)
            if taken is not None and taken.fingerprint == wanted:
                inside = self._same(handle, folder, taken)
                return Glance(folder, None, taken.fingerprint), inside
            found = list(self._entries(handle, folder, entries))
        except OSError as error:
            self._failed(folder, error)
            return None
        finally:
            os.close(handle)
        found.sort(key=_by_path)
        inside = [one.path for one in found if one.kind is Kind.DIRECTORY]
        return Glance(folder, found, taken.fingerprint if taken else None), inside

    def _same(self, handle: int, folder: str, taken: Summary) -> list[str]:
        """Do what is to be done in a folder that did not change; return those in it."""
        before = folder + "/" if folder else ""
        for entry in taken.reserved:
            self._meet(handle, before, entry.name)
        self._count(folder, taken.special)
        inside = sorted(before + _text(name) for name in taken.folders)
        return [one for one in inside if not self._ignored.has_name(one, folder=True)]

    def _failed(self, folder: str, error: OSError) -> None:
        if error.errno not in NO_PATH:
            self._unreadable[folder] = f"{readable(folder) or '/'}: {error.strerror}"

    def _entries(
        self, handle: int, folder: str, entries: Iterable["os.DirEntry[str]"]
    ) -> Iterator[Seen]:
        before = folder + "/" if folder else ""
        strangers = 0
        for entry in entries:
            try:
                found = self._entry(handle, before, entry)
            except FileNotFoundError:
                continue
            if found is None:
                strangers += _is_special(entry)
            else:
                yield found
        self._count(folder, strangers)

    def _count(self, folder: str, strangers: int) -> None:
        self._left_alone.pop(folder, None)
        if strangers:
            self._left_alone[folder] = strangers

    def _meet(self, handle: int, before: str, name: str) -> None:
        """Deal with what has a name of ours."""
        if name == TRASH:
            self._met_trash(before.removesuffix("/"))
        self._temps.clear(handle, name)

    def _entry(
        self, handle: int, before: str, entry: "os.DirEntry[str]"
    ) -> Seen | None:
        name = entry.name
        if name.startswith(RESERVED):
            self._meet(handle, before, name)
            return None
        path = before + _text(name)
        status = entry.stat(follow_symlinks=False)
        if S_ISREG(status.st_mode):  # as almost all is; the rest takes twice as long
            file = seen_file(path, status)
            return None if self._ignored.has_name(path, folder=False) else file
        found = seen(path, status, handle, os.fsencode(name))
        if found is None or self._ignored.has_name(path, folder=_is_folder(found)):
            return None
        return found


def _summary(entries: Iterable["os.DirEntry[str]"]) -> Summary | None:
    try:
        return summary(entries)
    except FileNotFoundError:  # Something goes just now.
        return None


def _text(name: str) -> str:
    return name if name.isascii() else from_bytes(os.fsencode(name))


def is_empty(root: int) -> bool:
    """Tell whether nothing but what is syncd's own lies in the folder."""
    with os.scandir(root) as entries:
        return all(entry.name.startswith(RESERVED) for entry in entries)


def _is_special(entry: "os.DirEntry[str]") -> bool:
    return not (
        entry.is_file(follow_symlinks=False)
        or entry.is_dir(follow_symlinks=False)
        or entry.is_symlink()
    )


def _is_folder(found: Seen) -> bool:
    return found.kind is Kind.DIRECTORY
