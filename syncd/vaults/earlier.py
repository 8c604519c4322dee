"""What earlier vaults of a source hold, and need not be stored again."""

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from stat import S_IMODE
from zlib import crc32

from msgspec import Struct

from syncd.core.vault import Item, ItemKind
from syncd.vaults import listing
from syncd.vaults.durable import share
from syncd.vaults.grouping import LARGE, MOST_THINGS, grouped, is_complete
from syncd.vaults.listing import Line
from syncd.vaults.reading import DATA, DIGITS, PACKS
from syncd.vaults.tar import END, padding

TAR = ".tar"

ONE_OF = 32
"""Packs of which one is read before it is shared."""

SAMPLE = 16 << 20
"""Bytes that are read so for one vault, at most."""

_DOUBTFUL = 2_000_000_000
"""Nanoseconds before a backup in which a file may have been written to twice without
its time telling: some file systems count in steps of two seconds.
"""


_FILE = ItemKind.FILE  # to ask an enumeration for it takes longer than all else
_pack = attrgetter("pack")
_time = attrgetter("mtime_ns")


class Pack(Struct, gc=False):
    """A pack of an earlier vault."""

    path: Path
    lines: list[Line]
    before_ns: int
    """A time after this tells nothing of whether the file is the same."""


class Earlier:
    """Packs and files by their paths; newer vaults win."""

    def __init__(self) -> None:
        self._packs: dict[str, Pack] = {}
        self._files: dict[tuple[str | None, int], Path] = {}
        self._known: list[Sequence[Line]] = []
        self._lines: dict[str, Line] | None = None
        self._listing: tuple[Path, bytes] | None = None

    def know(
        self,
        folder: Path,
        lines: Sequence[Line],
        *,
        path: Path | None,
        text: bytes,
        made: float,
        damaged: Collection[str],
    ) -> None:
        """Add a vault: its folder, its listing (parsed, as file and text) and time.

        Packs that are known to be damaged are left out.
        """
        before = int(made * 1_000_000_000) - _DOUBTFUL
        packs: dict[str | None, list[Line]] = {}
        for name, some in groupby(lines, _pack):  # mostly, one lies behind the other
            packs.setdefault(name, []).extend(some)
        for line in packs.pop(None, ()):
            if line.kind is ItemKind.FILE and line.size:
                file = folder / DATA / listing.path(line)
                self._files[line.sha256, line.mode] = file
        for name, members in packs.items():
            if name is not None and name not in damaged:
                pack = Pack(folder / PACKS / name, members, before)
                self._packs[members[0].path] = pack
        self._known.append(lines)
        self._listing = None if path is None else (path, text)

    def unread(
        self, items: Sequence[Item]
    ) -> Iterator[tuple[Sequence[Item], Pack | None]]:
        """Give items, which come in order of path, as they lie together.

        With each the pack that holds just these, as far as can be told unread. Where
        there is one, its lines tell how far it goes, and no rule is asked.
        """
        if not self._packs:
            yield from ((group, None) for group in grouped(items))
            return
        small = [one for one in items if one.size <= LARGE or one.kind is not _FILE]
        at = 0
        while at < len(small):
            pack = self._same(small, at)
            if pack is None:
                group = next(grouped(small[at : at + MOST_THINGS + 1]))
            else:
                group = small[at : at + len(pack.lines)]
            yield group, pack
            at += len(group)
        if len(small) < len(items):
            for one in items:
                if one.size > LARGE and one.kind is _FILE:
                    yield [one], self._same([one], 0)

    def _same(self, items: Sequence[Item], at: int) -> Pack | None:
        """Return the pack that holds just what begins there."""
        pack = self._packs.get(listing.order(items[at]))
        if pack is None:
            return None
        end = at + len(pack.lines)
        group, before = items[at:end], pack.before_ns
        if not listing.alike(pack.lines, group):
            return None
        if max(map(_time, group)) > before and any(
            one.mtime_ns > before for one in group if one.kind is _FILE
        ):
            return None
        following = items[end] if end < len(items) else None
        return pack if is_complete(group, following) else None

    def read(self, group: Sequence[Item]) -> Pack | None:
        """Return the pack that holds just these; all were read and have digests."""
        pack = self._packs.get(listing.order(group[0]))
        if pack is None or len(pack.lines) != len(group):
            return None
        pairs = zip(pack.lines, group, strict=True)
        return pack if all(listing.equal(line, item) for line, item in pairs) else None

    def file(self, sha256: str, mode: int, size: int) -> Path | None:
        """Return a file of that content and mode that lies by itself, and is sound."""
        path = self._files.get((sha256, mode))
        if path is None or not is_sound(path, sha256, size, mode):
            return None
        return path

    def time(self, item: Item) -> int:
        """Return the time of a file of the same content at the same path, else its own.

        A command writes anew what has not changed; then the time tells nothing.
        """
        if self._lines is None:
            self._lines = {line.path: line for lines in self._known for line in lines}
        line = self._lines.get(listing.order(item))
        if line is None or item.sha256 is None or line.sha256 != item.sha256.hex():
            return item.mtime_ns
        return line.mtime_ns

    def listing(self, lines: Sequence[Line]) -> tuple[Path, bytes] | None:
        """Return the file that lists just these, and its text."""
        return self._listing if self._listing and self._known[-1] == lines else None


class Sample:
    """Which packs are read before they are shared: few, others for each vault.

    So what rots in a store where nobody verifies is found sooner or later, and stored
    anew, for the price of a moment.
    """

    def __init__(self, vault: str) -> None:
        self._vault = vault
        self._left = SAMPLE

    def takes(self, pack: Pack) -> bool:
        """Tell whether this one is to be read."""
        if crc32(f"{self._vault}{pack.path.name}".encode()) % ONE_OF:
            return False
        last = pack.lines[-1]
        size = last.offset + last.size
        if size > self._left:
            return False
        self._left -= size
        return True


def reuse(pack: Pack, folder: Path, *, compare: bool) -> bool:
    """Put a pack of an earlier vault into the folder as well; False if it cannot be.

    ``compare``: only if it still is what it was, which is read. Otherwise its size
    alone is looked at, which is all that can be told unread.
    """
    last = pack.lines[-1]
    expected = last.offset + last.size + len(padding(last.size)) + len(END)
    try:
        size = pack.path.stat().st_size
    except OSError:
        return False
    if pack.path.suffix == TAR and size != expected:
        return False  # It was cut short: what is stored anew heals it.
    if compare and not is_sound(pack.path, pack.path.name[:DIGITS], size):
        return False
    try:
        return share(pack.path, folder / pack.path.name)
    except FileExistsError:
        return True  # The very same things were added twice.


def is_sound(path: Path, sha256: str, size: int, mode: int | None = None) -> bool:
    """Tell whether a file is what it was, by reading it; its mode too, if told."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if status.st_size != size or mode not in (None, S_IMODE(status.st_mode)):
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False  # What cannot be read is not to be relied on.
