"""Putting items into packs: read once, digested, grouped, written by threads."""

import hashlib
import io
import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from msgspec import Struct
from msgspec.structs import replace

from syncd.core.vault import Item, ItemKind, path_trouble
from syncd.errors import StorageError
from syncd.vaults import listing
from syncd.vaults.coding import Coder
from syncd.vaults.durable import telling, write_new
from syncd.vaults.earlier import TAR, Earlier, Sample, reuse
from syncd.vaults.grouping import LARGE, Rule
from syncd.vaults.large import write_large
from syncd.vaults.listing import Line
from syncd.vaults.tar import END, header, padding

_THREADS = 2
_WAITING = 4
"""Packs that may wait to be written, before reading has to wait."""
_OPEN = 16
"""Packs in the making, each a few MiB of memory."""


_path = attrgetter("path")
_time = attrgetter("mtime_ns")


class _Member(Struct, gc=False):
    item: Item
    crc32: int | None
    content: bytes
    turn: int


class _Open(Struct):
    """A pack in the making; ``awaited``: how many planned ones are still to come."""

    members: dict[str, _Member]
    awaited: int


class _Written(Struct, gc=False):
    lines: list[Line]
    turns: list[int]
    """When each was added; of two with one path the later counts."""
    size: int
    """Bytes on the disk; 0 where an earlier pack was used again."""


class Packing:
    """The packs of one vault in the making; its calls are thread-safe.

    ``folder`` is where packs go; ``earlier`` what need not be stored again.
    """

    def __init__(self, folder: Path, coder: Coder, earlier: Earlier) -> None:
        self._folder = folder
        self._coder = coder
        self._earlier = earlier
        self._lock = threading.Lock()
        self._turns = itertools.count()
        self._plan: dict[str, _Open] = {}
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._loose = _Open({}, -1)
        self._rule = Rule()
        self._pool = ThreadPoolExecutor(_THREADS, "pack")
        self._room = threading.Semaphore(_WAITING)
        self._writing: list[Future[_Written]] = []
        self._written: list[_Written] = []
        self._failure: StorageError | None = None
        self._sample = Sample(folder.parent.name)

    def close(self) -> None:
        """End the threads; what waits is not written any more."""
        self._pool.shutdown(cancel_futures=True)

    def wait(self) -> None:
        """Return when nothing is being written, however it went."""
        wait(self._writing)

    def unchanged(self, items: Sequence[Item]) -> list[Item]:
        """Take whole packs from earlier vaults; return the items that must be added."""
        left: list[Item] = []
        for group, pack in self._earlier.unread(sorted(items, key=listing.order)):
            if pack is not None:
                with telling(self._folder):
                    compare = self._sample.takes(pack)
                    taken = reuse(pack, self._folder, compare=compare)
                if taken:
                    self._take(pack.lines, group)
                    continue
            for item in group:
                _check(item.path)
            planned = _Open({}, len(group))
            self._plan.update((item.path, planned) for item in group)
            left += group
        return left

    def add(
        self, item: Item, content: BinaryIO | int | None, *, settled: bool = False
    ) -> Item:
        """Take one item, and return it as it was read; see contract.Staging.

        ``settled``: keep the time of an earlier vault if the content is the same.
        """
        if self._failure is not None:
            raise self._failure
        _check(item.path)
        turn = next(self._turns)
        if item.kind is not ItemKind.FILE or content is None:
            member = _Member(item, None, b"", turn)
            if item.kind is ItemKind.FILE:
                raise StorageError(f"{item.path!r} is a file, and came without content")
        else:
            source = _opened(content)
            with telling(item.path):
                first = _read(source, item.size)
            if len(first) > LARGE:
                return self._add_large(item, first, source, turn, settled)
            digest = hashlib.sha256(first).digest()
            item = replace(item, sha256=digest, size=len(first))
            if settled:
                item = replace(item, mtime_ns=self._earlier.time(item))
            member = _Member(item, crc32(first), first, turn)
        self._put(member)
        return item

    def finish(self) -> tuple[list[Line], int]:
        """Return all lines in order of path, and how many bytes the packs take anew.

        Raise StorageError if anything could not be written.
        """
        with self._lock:
            rest = [*self._open.values(), self._loose]
            self._open.clear()
            self._loose = _Open({}, -1)
        for one in rest:
            self._write(one)
        self._collect()
        lines = self._without_stale()
        lines.sort(key=_path)
        return lines, sum(one.size for one in self._written)

    def _put(self, member: _Member) -> None:
        path = member.item.path
        full: list[_Open] = []
        with self._lock:
            planned = self._plan.pop(path, None)
            if planned is None:
                full += self._put_loosely(member)
            else:
                planned.members[path] = member
                planned.awaited -= 1
                self._open[id(planned)] = planned
                self._open.move_to_end(id(planned))
                if not planned.awaited:
                    full.append(self._open.pop(id(planned)))
                elif len(self._open) > _OPEN:
                    full.append(self._let_go())
        for one in full:
            self._write(one)

    def _put_loosely(self, member: _Member) -> list[_Open]:
        full = []
        if self._rule.begins(member.item.path, len(member.content)):
            full.append(self._loose)
            self._loose = _Open({}, -1)
        self._loose.members[member.item.path] = member
        return full

    def _let_go(self) -> _Open:
        """Return the pack that waits longest; what comes for it later makes another."""
        _, oldest = self._open.popitem(last=False)
        return oldest

    def _take(self, lines: Sequence[Line], group: Sequence[Item]) -> None:
        turn = next(self._turns)
        self._written.append(_Written(_as_now(lines, group), [turn] * len(group), 0))

    def _write(self, pack: _Open) -> None:
        if not pack.members:
            return
        # A planned pack whose rest went elsewhere is written once more if it comes.
        members, pack.members = pack.members, {}
        ordered = sorted(members.values(), key=lambda one: listing.order(one.item))
        self._room.acquire()
        future = self._pool.submit(self._store, ordered)
        future.add_done_callback(self._done)
        self._writing.append(future)

    def _done(self, future: Future[_Written]) -> None:
        self._room.release()
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, StorageError) and self._failure is None:
            self._failure = error

    def _store(self, members: Sequence[_Member]) -> _Written:
        """Write one pack, in a thread of the pool."""
        items = [member.item for member in members]
        turns = [member.turn for member in members]
        with telling(self._folder):
            earlier = self._earlier.read(items)
            if earlier is not None and reuse(earlier, self._folder, compare=True):
                return _Written(_as_now(earlier.lines, items), turns, 0)
            parts: list[bytes] = []
            offsets = []
            position = 0
            for member in members:
                content = member.content
                before = header(member.item)
                offsets.append(position + len(before))
                filling = padding(len(content))
                position = offsets[-1] + len(content) + len(filling)
                parts += (before, content, filling)
            stored = self._coder.encode(b"".join((*parts, END)))
            name = f"{hashlib.sha256(stored).hexdigest()}{TAR}{self._coder.suffix}"
            self._keep(name, stored)
        lines = [
            listing.line(member.item, crc32=member.crc32, pack=name, offset=offset)
            for member, offset in zip(members, offsets, strict=True)
        ]
        return _Written(lines, turns, len(stored))

    def _keep(self, name: str, stored: bytes) -> None:
        with suppress(FileExistsError):  # The very same things were added twice.
            write_new(self._folder / name, stored)

    def _add_large(
        self, item: Item, first: bytes, rest: BinaryIO, turn: int, settled: bool
    ) -> Item:
        with self._lock:
            self._plan.pop(item.path, None)
        temp = self._folder / f".syncd-{turn}"
        with telling(item.path):
            item, stored, line = write_large(temp, item, first, rest, self._coder)
            known = item
            if settled:
                known = replace(item, mtime_ns=self._earlier.time(item))
            earlier = self._earlier.read([known])
            if earlier is not None and reuse(earlier, self._folder, compare=True):
                temp.unlink()
                item = known
                lines, size = earlier.lines, 0
            else:
                assert line.pack is not None
                temp.rename(self._folder / line.pack)
                lines, size = [line], stored
        with self._lock:
            self._written.append(_Written(lines, [turn], size))
        return item

    def _collect(self) -> None:
        self.wait()
        for future in self._writing:
            self._written.append(future.result())
        self._writing.clear()

    def _without_stale(self) -> list[Line]:
        """Return all lines; a pack that holds what was added again is made anew."""
        lines = [line for pack in self._written for line in pack.lines]
        if len(set(map(_path, lines))) == len(lines):
            return lines
        latest: dict[str, int] = {}
        for pack in self._written:
            for line, turn in zip(pack.lines, pack.turns, strict=True):
                if turn > latest.get(line.path, -1):
                    latest[line.path] = turn
        stale = [
            pack
            for pack in self._written
            if any(
                latest[line.path] != turn
                for line, turn in zip(pack.lines, pack.turns, strict=True)
            )
        ]
        for pack in stale:
            self._written.remove(pack)
            self._renew(pack, latest)
        self._collect()
        return [line for pack in self._written for line in pack.lines]

    def _renew(self, pack: _Written, latest: dict[str, int]) -> None:
        name = pack.lines[0].pack
        assert name is not None
        file = self._folder / name
        tar = b""
        if len(pack.lines) > 1:
            with telling(file):
                tar = self._coder.decode(file.read_bytes(), name)
        members = {}
        for line, turn in zip(pack.lines, pack.turns, strict=True):
            if latest[line.path] == turn:
                item = listing.located(line)
                content = tar[line.offset : line.offset + line.size]
                members[item.path] = _Member(item, line.crc32, content, turn)
        if not any(one.lines[0].pack == name for one in self._written):
            with telling(file):
                file.unlink()
        self._write(_Open(members, -1))


def _as_now(lines: Sequence[Line], items: Sequence[Item]) -> list[Line]:
    """Return the lines of an earlier pack with the times of folders as they are now."""
    if list(map(_time, lines)) == list(map(_time, items)):
        return list(lines)
    return [
        line
        if line.mtime_ns == item.mtime_ns
        else replace(line, mtime_ns=item.mtime_ns)
        for line, item in zip(lines, items, strict=True)
    ]


def _check(path: str) -> None:
    if trouble := path_trouble(path):
        raise StorageError(
            f"{path!r} cannot be the path of anything in a vault: {trouble}"
        )


def _opened(content: BinaryIO | int) -> BinaryIO:
    if isinstance(content, int):
        return io.FileIO(content, "rb", closefd=False)
    return content


def _read(source: BinaryIO, expected: int) -> bytes:
    """Return the content; if it is large, somewhat more than its first part."""
    content = source.read(min(expected, LARGE) + 1) or b""
    parts = [content]
    size = len(content)
    while size <= LARGE and (more := source.read(LARGE + 1 - size)):
        parts.append(more)
        size += len(more)
    return b"".join(parts) if len(parts) > 1 else content
