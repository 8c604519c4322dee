"""Reading what the trash keeps, and destroying what it need keep no longer."""

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress

from msgspec import Struct

from syncd.core.file import Kind
from syncd.core.keeping import Kept, Promise, superfluous
from syncd.core.path import from_bytes, name, parent, to_bytes
from syncd.drivers.local_storage import labels
from syncd.drivers.local_storage.failures import NO_PATH
from syncd.drivers.local_storage.folder import Folders, kind_of
from syncd.drivers.local_storage.labels import Label
from syncd.drivers.local_storage.trash import TRASH, below

_AT_ONCE = 100
"""Contents destroyed in one step."""

_SHORT = 16
"""Bytes of a name that surely has room for what is put behind it."""


class _Level(Struct):
    """What is kept in the folders of all days that repeat one folder."""

    kept: dict[str, list[Kept]]
    """By path; what is kept of a path is all here."""
    folders: set[str]
    """The folders in them, relative to the base."""


def kept(folders: Folders, path: str) -> list[Kept]:
    """Return what is kept of a path."""
    found: list[Kept] = []
    for base in _above(path):
        inside = _relative(path, base)
        for day in _days(folders, base):
            top = below(base, TRASH, day)
            own = to_bytes(name(inside))
            found += _listed(folders, below(top, parent(inside)), day, path, own)
            found += _listed(folders, below(top, inside), day, path, b"")
    return found


def kept_below(
    folders: Folders, folder: str, bases: Collection[str]
) -> Iterator[list[Kept]]:
    """Give what is kept below a folder, in the trashes of those bases."""
    for base in bases:
        if not folder or base == folder or base.startswith(f"{folder}/"):
            start = ""
        elif not base or folder.startswith(f"{base}/"):
            start = _relative(folder, base)
        else:
            continue
        for _, level in _levels(folders, base, start, _days(folders, base)):
            some = [
                one
                for path, versions in level.kept.items()
                if path != folder
                for one in versions
            ]
            if some:
                yield some


def forget(
    folders: Folders, bases: Collection[str], promise: Promise, now_ns: int
) -> Iterator[int]:
    """Destroy what is promised no longer, in small steps; give how many each."""
    for base in bases:
        days = _days(folders, base)
        walked: list[str] = []
        for folder, level in _levels(folders, base, "", days):
            walked.append(folder)
            yield from _forget_of(folders, level.kept, promise, now_ns)
        over = [day for day in days if labels.is_over(day, now_ns)]
        for folder in reversed(walked):
            _remove_empty(folders, base, over, folder)
            yield 0


def forget_of_crowded(
    folders: Folders,
    bases: Collection[str],
    paths: Collection[str],
    promise: Promise,
    now_ns: int,
) -> Iterator[int]:
    """Destroy what is promised no longer beside some paths, in small steps."""
    crowded = {parent(path) for path in paths}
    crowded |= {path for path in paths if len(to_bytes(name(path))) > _SHORT}
    for base in bases:
        days = _days(folders, base)
        for folder in sorted(crowded):
            if not base or f"{folder}/".startswith(f"{base}/"):
                level = _level(folders, base, _relative(folder, base), days)
                yield from _forget_of(folders, level.kept, promise, now_ns)


def _forget_of(
    folders: Folders, by_path: dict[str, list[Kept]], promise: Promise, now_ns: int
) -> Iterator[int]:
    gone = 0
    for versions in by_path.values():
        places = {one.at_ns: one.place for one in versions}
        for at_ns in superfluous(places, promise, now_ns):
            gone += _destroyed(folders, places[at_ns])
            if gone >= _AT_ONCE:
                yield gone
                gone = 0
    yield gone


def _above(path: str) -> Iterator[str]:
    """Give the folders at whose top the trash for the path may be."""
    parts = path.split("/")
    for depth in range(len(parts)):
        yield "/".join(parts[:depth])


def _relative(path: str, base: str) -> str:
    return path[len(base) + 1 :] if base else path


def _days(folders: Folders, base: str) -> list[str]:
    """Return the folders in a trash that are named after days, newest first."""
    return sorted(
        (day for day, _ in _entries(folders, below(base, TRASH)) if labels.is_day(day)),
        reverse=True,
    )


def _levels(
    folders: Folders, base: str, start: str, days: Collection[str]
) -> Iterator[tuple[str, _Level]]:
    """Give each folder that is repeated in the trash, before the folders in it."""
    todo = [start]
    while todo:
        folder = todo.pop()
        level = _level(folders, base, folder, days)
        yield folder, level
        todo.extend(sorted(level.folders, reverse=True))


def _level(folders: Folders, base: str, folder: str, days: Collection[str]) -> _Level:
    level = _Level(defaultdict(list), set())
    for day in days:
        place = below(base, TRASH, day, folder)
        for entry, status in _entries(folders, place):
            kind = kind_of(status)
            if kind is Kind.DIRECTORY:
                level.folders.add(below(folder, entry))
            elif kind is not None and (label := labels.read(day, to_bytes(entry))):
                path = below(base, folder, from_bytes(label.name))
                one = _kept(path, below(place, entry), status, label, kind)
                level.kept[path].append(one)
    return level


def _listed(
    folders: Folders, folder: str, day: str, path: str, own: bytes
) -> Iterator[Kept]:
    """Give what is kept in the folder under that name."""
    start = own + b"~"
    for entry, status in _entries(folders, folder, from_bytes(start)):
        label = labels.read(day, to_bytes(entry))
        kind = kind_of(status)
        if label and label.name == own and kind not in (None, Kind.DIRECTORY):
            assert kind is not None
            yield _kept(path, below(folder, entry), status, label, kind)


def _entries(
    folders: Folders, folder: str, start: str = ""
) -> Iterator[tuple[str, os.stat_result]]:
    """Give what lies in a folder under names that begin so; nothing if it is gone."""
    try:
        handle = folders.reading(folder)
    except OSError as error:
        if error.errno in NO_PATH:
            return
        raise
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                text = from_bytes(os.fsencode(entry.name))
                if text.startswith(start):
                    with suppress(FileNotFoundError):
                        yield text, entry.stat(follow_symlinks=False)
    finally:
        os.close(handle)


def _kept(
    path: str, place: str, status: os.stat_result, label: Label, kind: Kind
) -> Kept:
    sound = labels.mtime(status.st_mtime_ns) == label.mtime
    return Kept(
        path=path,
        place=place,
        at_ns=label.at_ns,
        kind=kind,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        loss=label.loss,
        cause=label.cause,
        digest=label.digest if sound else None,
        sound=sound,
    )


def _destroyed(folders: Folders, place: str) -> int:
    with suppress(OSError):  # brought back, or to be tried again
        os.unlink(to_bytes(name(place)), dir_fd=folders.of(parent(place)))
        return 1
    return 0


def _remove_empty(
    folders: Folders, base: str, days: Collection[str], folder: str
) -> None:
    for day in days:
        place = below(base, TRASH, day, folder)
        with suppress(OSError):
            os.rmdir(to_bytes(name(place)), dir_fd=folders.of(parent(place)))
            folders.forget(place)
