"""New folders, filled under a temporary name and given their own when complete.

What lies in a folder that nobody watches yet, under a name that nobody looks at,
needs no temporary name of its own: no rename for each file, and no events.
"""

import os
import shutil
from contextlib import suppress

from msgspec import Struct, field

from syncd.core.file import Kind, Seen, Stamp
from syncd.core.path import parent
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.making import Durable, Maker, set_mode
from syncd.drivers.local_storage.renames import rename_new
from syncd.drivers.local_storage.temps import Temps

_PRIVATE = 0o700
"""Nobody else comes in before the folder has its own mode."""


class _Folder(Struct):
    mode: int
    """What it is to have."""
    inode: int


class _Top(Struct):
    """A new folder, and those in it."""

    path: str
    temp: bytes
    folders: dict[str, _Folder] = field(default_factory=dict)
    """By path, each after the one it lies in."""
    placed: bool = False


class Assembly:
    """The new folders of one batch, which Folders meanwhile finds at their paths."""

    def __init__(
        self, folders: Folders, temps: Temps, maker: Maker, durable: Durable
    ) -> None:
        self._folders = folders
        self._temps = temps
        self._maker = maker
        self._durable = durable
        self._tops: list[_Top] = []
        self._top_of: dict[str, _Top] = {}
        self._unplaced: Folders | None = None

    def __contains__(self, folder: str) -> bool:
        """Tell whether the folder is one of these."""
        return folder in self._top_of

    def begin(self, folder: str, mode: int) -> None:
        """Make a folder; the one that it lies in is there, or was begun before."""
        above, name = self._folders.at(folder)
        top = self._top_of.get(parent(folder))
        if top is None:
            top = self._begin(folder, above)
        else:
            os.mkdir(name, _PRIVATE, dir_fd=above)
        self._top_of[folder] = top
        inode = os.fstat(self._folders.of(folder)).st_ino
        top.folders[folder] = _Folder(mode, inode)

    def set_mode(self, folder: str, mode: int) -> None:
        """Note the mode that the folder is to have."""
        self._top_of[folder].folders[folder].mode = mode

    def place(self) -> None:
        """Give each its mode and its name, if that is free: see ``is_placed``."""
        self._unplaced = self._folders.beside()
        for top in self._tops:
            with suppress(OSError):
                self._place(top)
            self._folders.call_no_more(top.path)

    def is_placed(self, folder: str) -> bool:
        """Tell whether the folder now has its name."""
        return self._top_of[folder].placed

    def unplaced(self, folder: str) -> int:
        """Return a descriptor of a folder that did not get its name."""
        assert self._unplaced is not None
        return self._unplaced.of(folder)

    def seen(self, folder: str) -> Seen:
        """Return what lies at the path of a folder that was placed."""
        one = self._top_of[folder].folders[folder]
        return Seen(folder, Kind.DIRECTORY, Stamp(inode=one.inode), one.mode)

    def end(self) -> None:
        """Let go of all of them; those that have no name of their own are no more."""
        if self._unplaced is not None:
            self._unplaced.close()
        for top in self._tops:
            self._folders.call_no_more(top.path)
            if not top.placed:
                with suppress(OSError):
                    above = self._folders.of(parent(top.path))
                    shutil.rmtree(os.fsdecode(top.temp), dir_fd=above)
            self._temps.done(top.temp)

    def _begin(self, folder: str, above: int) -> _Top:
        top = _Top(folder, self._temps.new())
        try:
            os.mkdir(top.temp, _PRIVATE, dir_fd=above)
        except BaseException:
            self._temps.done(top.temp)
            raise
        self._tops.append(top)
        self._folders.call(folder, top.temp)
        self._durable.touch(parent(folder))
        return top

    def _place(self, top: _Top) -> None:
        inside = top.folders
        try:
            with self._maker.arriving(top.path) as watch:
                for folder in reversed(inside):  # A mode may bar the way to the next.
                    descriptor = self._folders.of(folder)
                    set_mode(descriptor, inside[folder].mode)
                    watch(folder, descriptor)
                above, name = self._folders.at(top.path)
                rename_new(above, top.temp, above, name)
        except BaseException:
            for folder in inside:  # What is in it will be taken out again.
                set_mode(self._folders.of(folder), _PRIVATE)
            raise
        top.placed = True
