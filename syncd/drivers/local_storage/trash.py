"""Where what is taken away goes: a folder at the top of the root.

A rename cannot leave a file system, so where another one is mounted below the
root, what lies there is kept at the top of that one.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from threading import Lock
from typing import Protocol, TypeVar

from msgspec import Struct

from syncd import clock
from syncd.core.change import Delete, Put
from syncd.core.file import Stamp
from syncd.core.keeping import Loss, Promise, Return
from syncd.core.path import RESERVED, name, parent, readable
from syncd.drivers.local_storage import labels
from syncd.drivers.local_storage.failures import FULL
from syncd.drivers.local_storage.folder import Folders, Place, component
from syncd.drivers.local_storage.making import Durable
from syncd.drivers.local_storage.renames import rename_to_ours
from syncd.errors import StorageError, StorageFull

TRASH = f"{RESERVED}trash"

Answer = TypeVar("Answer")

_MODE = 0o700
_LONGEST = 255
_MOST = 10_000


Quiet = AbstractContextManager[Callable[[], None]]


class Unheard(Protocol):
    """See watching.Watcher.unheard."""

    def __call__(self, path: str, *, comes: bool = False) -> Quiet:
        """Return what lets no event be told of our own renames of the path."""
        ...


def _heard(path: str, *, comes: bool = False) -> Quiet:
    del path, comes
    return nullcontext(lambda: None)


class Trash:
    """What one storage keeps; for any thread."""

    def __init__(self) -> None:
        self.promise: Promise | None = None
        self.unheard: Unheard = _heard
        self._mounted: set[str] = set()
        self._taken: dict[str, int] = {}
        self._again: set[str] = set()
        self._turn = Lock()

    @contextmanager
    def bin(self, root: int) -> "Iterator[Bin | None]":
        """Lend what one batch puts into the trash with; None if nothing is kept."""
        if self.promise is None:
            yield None
            return
        with Folders(root) as folders:
            yield Bin(folders, self._note, self.unheard)

    def met(self, folder: str) -> None:
        """Take in that a walk came by a trash in that folder."""
        with self._turn:
            self._mounted.add(folder)

    def bases(self) -> list[str]:
        """Return the folders that have a trash, as far as known."""
        with self._turn:
            return ["", *sorted(self._mounted - {""})]

    def crowded(self) -> list[str]:
        """Return, and forget, the paths of which much was taken since the last time."""
        with self._turn:
            again, self._again = self._again, set()
            return sorted(again)

    def blamed(self, answers: list[Answer]) -> list[Answer]:
        """Return the answers; where there was no room, they tell what takes some."""
        if self.promise is None:
            return answers
        words = (
            f"; {TRASH} keeps what was replaced or deleted for {self.promise.days:g}"
            " days, and nothing of that goes before: shorten keep if it takes too much"
        )
        return [
            type(one)(f"{one}{words}") if isinstance(one, StorageFull) else one
            for one in answers
        ]

    def _note(self, path: str, base: str) -> None:
        with self._turn:
            if base:
                self._mounted.add(base)
            if len(self._taken) >= _MOST:
                self._taken.clear()
            times = self._taken[path] = self._taken.get(path, 0) + 1
            if times > 1:
                self._again.add(path)


class Lost(Struct, frozen=True):
    """What is about to be taken from a path, and why."""

    path: str
    mtime_ns: int
    loss: Loss
    cause: str
    digest: bytes | None

    @classmethod
    def by(cls, order: Put | Delete | Return) -> "Lost":
        """Return what carrying the order out takes away."""
        if isinstance(order, Put):
            told = (Loss.REPLACED, order.cause, order.was)
            return cls(order.path, _mtime(order.replaces), *told)
        if isinstance(order, Delete):
            told = (order.why, order.cause, order.was)
            return cls(order.path, order.stamp.mtime_ns, *told)
        told = (Loss.UNDONE, order.cause, order.digest)
        return cls(order.path, _mtime(order.there), *told)


class Bin:
    """Puts what one batch takes away into the trash."""

    def __init__(
        self,
        folders: Folders,
        note: Callable[[str, str], None],
        unheard: Unheard,
    ) -> None:
        """``folders`` are for nothing else, so that what others hold stays open."""
        self._folders = folders
        self._note = note
        self.unheard = unheard
        self._lengths: dict[str, int] = {}

    def taking(self, lost: Lost, durable: Durable) -> "Taking":
        """Return what gives the lost, or what is to change places with it, its name."""
        return Taking(self, lost, durable)

    def take(self, lost: Lost, durable: Durable, place: Place) -> tuple[Place, bool]:
        """Rename what has the place to one for the lost.

        Return that, and whether it was one rename. Raise OSError or StorageError.
        """
        for base in self._bases(parent(lost.path)):
            try:
                return self._put(lost, durable, place, base)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
        raise StorageError(
            f"{readable(lost.path)} cannot be kept: its file system takes no {TRASH};"
            " write keep: false for this entry if nothing need be kept"
        )

    def _put(
        self, lost: Lost, durable: Durable, place: Place, base: str
    ) -> tuple[Place, bool]:
        for last_try in (False, True):
            at_ns = clock.nanoseconds()
            folder, own = self._named(lost, at_ns, base)
            try:
                to = self._made(folder, lost.path, durable)
                taken = _renamed(place, to, own, lost, at_ns)
            except FileNotFoundError:
                # Somebody removed the trash while we held it open, or ``place``.
                if last_try:
                    raise
                self._folders.forget(below(base, TRASH))
            else:
                durable.touch(folder)
                self._note(lost.path, base)
                return taken
        raise AssertionError("the last try returns or raises")

    def _bases(self, folder: str) -> Iterator[str]:
        """Give the folders above that may have the trash: of one device, from the top.

        A device that is mounted twice may still refuse the first.
        """
        device = os.fstat(self._folders.of(folder)).st_dev
        parts = folder.split("/") if folder else []
        for depth in range(len(parts) + 1):
            base = "/".join(parts[:depth])
            if os.fstat(self._folders.of(base)).st_dev == device:
                yield base

    def _named(self, lost: Lost, at_ns: int, base: str) -> tuple[str, bytes]:
        """Return the folder that repeats the path's, and the name to begin with."""
        inside = lost.path[len(base) + 1 :] if base else lost.path
        top = below(base, TRASH, labels.day(at_ns))
        own = component(name(inside))
        if len(own) + labels.LONGEST > self._longest(base):
            return below(top, inside), b""
        return below(top, parent(inside)), own

    def _longest(self, base: str) -> int:
        """Return how many bytes a name may have there."""
        if base not in self._lengths:
            try:
                longest = os.fpathconf(self._folders.of(base), "PC_NAME_MAX")
            except OSError:  # not every file system tells
                longest = _LONGEST
            self._lengths[base] = longest
        return self._lengths[base]

    def _made(self, folder: str, path: str, durable: Durable) -> int:
        """Return the folder, made if need be; raise StorageError if it cannot be."""
        missing: list[str] = []
        try:
            while (found := self._found(folder)) is None:
                missing.append(folder)
                folder = parent(folder)
            for one in reversed(missing):
                with suppress(FileExistsError):
                    os.mkdir(component(name(one)), _MODE, dir_fd=found)
                durable.touch(parent(one))
                found = self._folders.of(one)
        except FileNotFoundError:
            raise  # Somebody removes it at this moment.
        except OSError as error:
            if error.errno == errno.EROFS:
                raise  # Nothing can be written there at all.
            raise _refused(error, path) from error
        return found

    def _found(self, folder: str) -> int | None:
        try:
            return self._folders.of(folder)
        except FileNotFoundError:
            return None


class Taking:
    """Takes one thing from one path into the trash."""

    def __init__(self, bin_: Bin, lost: Lost, durable: Durable) -> None:
        self._bin = bin_
        self._lost = lost
        self._durable = durable
        self.renamed = False
        """Whether the last one was renamed in one step, with one event."""

    def __call__(self, place: Place) -> Place:
        """Rename what has the place to one in the trash, and return that.

        Raise OSError, and StorageError if nothing can be kept there.
        """
        taken, self.renamed = self._bin.take(self._lost, self._durable, place)
        return taken

    def unheard(self, path: str, *, comes: bool = False) -> Quiet:
        """Have no event told of what is done to the name meanwhile; see Watcher."""
        return self._bin.unheard(path, comes=comes)


def _renamed(
    place: Place, to: int, own: bytes, lost: Lost, at_ns: int
) -> tuple[Place, bool]:
    while True:
        label = labels.written(at_ns, lost.loss, lost.cause, lost.mtime_ns, lost.digest)
        try:
            renamed = rename_to_ours(*place, to, own + label)
        except FileExistsError:
            at_ns += 1
        else:
            return (to, own + label), renamed


def _refused(error: OSError, path: str) -> StorageError:
    kind = StorageFull if error.errno in FULL else StorageError
    return kind(
        f"{readable(path)} cannot be kept in {TRASH}: {error.strerror}; mend that, or"
        " write keep: false for this entry if nothing need be kept"
    )


def below(folder: str, *names: str) -> str:
    """Return the path of what lies so below a folder; empty names stand for nothing."""
    return "/".join(part for part in (folder, *names) if part)


def _mtime(stamp: Stamp | None) -> int:
    return stamp.mtime_ns if stamp is not None else 0
