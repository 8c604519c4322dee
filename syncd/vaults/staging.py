"""A vault in the making, in a local folder."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import BinaryIO
from zlib import crc32

import msgspec
from msgspec.structs import replace

from syncd.core.path import from_bytes, readable
from syncd.core.vault import Item, ItemKind, Summary
from syncd.drivers.local_storage.renames import flush
from syncd.errors import StorageChanged, StorageError
from syncd.vaults import listing, manifest
from syncd.vaults.coding import CHUNK, Coder
from syncd.vaults.durable import replace as replace_file
from syncd.vaults.durable import share, telling, write_new
from syncd.vaults.earlier import Earlier
from syncd.vaults.listing import Line
from syncd.vaults.packing import Packing
from syncd.vaults.reading import DATA, DIGITS, PACKS
from syncd.vaults.tar import encoded
from syncd.vaults.vault import DETAILS, LOG, SUMMARY

_THREADS = 2
_FILE = ItemKind.FILE  # to ask an enumeration for it takes longer than all else
_pack = attrgetter("pack")


class LocalStaging:
    """See contract.Staging; ``publish`` gives the finished folder its place."""

    def __init__(
        self,
        place: Path,
        source: str,
        coder: Coder,
        earlier: Earlier,
        publish: Callable[[], None],
    ) -> None:
        self._place = place
        self._source = source
        self._coder = coder
        self._earlier = earlier
        self._publish = publish
        self.folder = place / DATA
        self.log = place / LOG
        self.sealed = False
        with telling(place):
            self.folder.mkdir(mode=0o700)
            (place / PACKS).mkdir(mode=0o700)
            write_new(self.log, b"")
            # A failed write is told only to who had a file open before it.
            self._system = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._packing = Packing(place / PACKS, coder, earlier)

    def close(self) -> None:
        """End its threads."""
        self._packing.close()
        os.close(self._system)

    def unchanged(self, items: Sequence[Item]) -> list[Item]:
        """Take what can be taken unread from earlier vaults; return the rest."""
        return self._packing.unchanged(items)

    def add(self, item: Item, content: BinaryIO | int | None) -> Item:
        """Take one item; see contract.Staging."""
        return self._packing.add(item, content)

    def seal(self, summary: Summary) -> Summary:
        """Make it durable and give it its name; see contract.Staging."""
        if self.sealed:
            raise StorageError(f"vault {self._place.name} is sealed already")
        try:
            with telling(self._place):
                summary = self._seal(summary, *self._gathered())
        except StorageError:
            if summary.failed is None:
                raise
            # No room, most likely: then why it failed is kept, and the log.
            with telling(self._place):
                self._empty()
                summary = self._seal(summary, [], 0)
        self.sealed = True
        return summary

    def _gathered(self) -> tuple[list[Line], int]:
        """Return the lines of all there is, and how many bytes it takes anew."""
        data, stored = self._taken_in()
        lines, packed = self._packing.finish()
        if not data:
            return lines, packed
        lines = sorted((*lines, *data), key=lambda line: line.path)
        for one, other in pairwise(lines):
            if one.path == other.path:
                raise StorageError(f"{one.path} was added, and lies in the folder too")
        return lines, packed + stored

    def _seal(self, summary: Summary, lines: list[Line], stored: int) -> Summary:
        packs = set(map(_pack, lines))
        digests = {f"{PACKS}/{pack}".encode(): pack[:DIGITS] for pack in packs if pack}
        for line in lines if None in packs else ():
            if line.pack is None and line.sha256 is not None:
                name = encoded(f"{DATA}/{listing.path(line)}")
                digests[name] = line.sha256
        stored += self._write_listing(lines, digests)
        stored += self._write_log(digests)
        files = [line.size for line in lines if line.kind is _FILE]
        summary = replace(
            summary,
            name=self._place.name,
            source=self._source,
            files=len(files),
            bytes=sum(files),
            stored=stored,
        )
        self._write_summary(summary, digests)
        for folder in (DATA, PACKS):
            with suppress(OSError):  # it is not empty
                (self._place / folder).rmdir()
        write_new(self._place / manifest.NAME, manifest.written(digests))
        flush(self._system)
        self._publish()
        return summary

    def _write_listing(self, lines: list[Line], digests: dict[bytes, str]) -> int:
        name = f"{listing.NAME}{self._coder.suffix}"
        old = None if self._coder.suffix else self._earlier.listing(lines)
        if old is not None and share(old[0], self._place / name):
            digests[name.encode()] = sha256(old[1]).hexdigest()
            return 0
        return self._write(name, self._coder.encode(listing.written(lines)), digests)

    def _write_log(self, digests: dict[bytes, str]) -> int:
        text = self.log.read_bytes()
        if not self._coder.suffix:
            digests[LOG.encode()] = sha256(text).hexdigest()
            return len(text)
        size = self._write(
            f"{LOG}{self._coder.suffix}", self._coder.encode(text), digests
        )
        self.log.unlink()
        return size

    def _write_summary(self, summary: Summary, digests: dict[bytes, str]) -> None:
        if self._coder.keys is not None:
            text = self._coder.encode(_pretty(summary))
            self._write(f"{DETAILS}{self._coder.suffix}", text, digests)
            summary = public(summary)
        self._write(SUMMARY, _pretty(summary), digests)

    def _write(self, name: str, content: bytes, digests: dict[bytes, str]) -> int:
        write_new(self._place / name, content)
        digests[name.encode()] = sha256(content).hexdigest()
        return len(content)

    def _empty(self) -> None:
        """Delete everything but the log."""
        self._packing.wait()
        for path in self._place.iterdir():
            if path.name == LOG:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _taken_in(self) -> tuple[list[Line], int]:
        """Take what was written into the folder: as it is, or into packs."""
        items = list(_found(self.folder))
        if not items:
            return [], 0
        if self._coder.suffix:
            for item in items:
                self._pack_file(item)
            self._packing.finish()
            shutil.rmtree(self.folder)
            return [], 0
        with ThreadPoolExecutor(_THREADS, "digest") as pool:
            taken = list(pool.map(self._keep_file, items))
        return [line for line, _ in taken], sum(stored for _, stored in taken)

    def _pack_file(self, item: Item) -> None:
        if item.kind is not ItemKind.FILE:
            self._packing.add(item, None)
            return
        with (self.folder / item.path).open("rb") as file:
            self._packing.add(item, file, settled=True)

    def _keep_file(self, item: Item) -> tuple[Line, int]:
        if item.kind is not ItemKind.FILE:
            return listing.line(item), 0
        path = self.folder / item.path
        digest, checksum, size = sha256(), 0, 0
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                checksum = crc32(chunk, checksum)
                size += len(chunk)
        if size != item.size:
            raise StorageChanged(f"{readable(item.path)} is still being written")
        item = replace(item, sha256=digest.digest())
        old = self._earlier.file(digest.hexdigest(), item.mode, size)
        if old is not None and self._share(old, path):
            item = replace(item, mtime_ns=path.stat().st_mtime_ns)
            return listing.line(item, crc32=checksum), 0
        return listing.line(item, crc32=checksum), size

    def _share(self, old: Path, path: Path) -> bool:
        fresh = self._place / f".syncd-{path.stat().st_ino}"
        if not share(old, fresh):
            return False
        fresh.rename(path)
        return True


def public(summary: Summary) -> Summary:
    """Return what an encrypted vault tells everybody: no names, no words."""
    return replace(
        summary,
        origin={},
        databases=None,
        listed=[],
        torn=[],
        variables={},
        failed=None if summary.failed is None else "see syncd vault show",
    )


def hide(place: Path, coder: Coder) -> None:
    """Leave nothing readable of a staging that its maker left; raise OSError."""
    if coder.keys is None:
        return
    shutil.rmtree(place / DATA, ignore_errors=True)
    log = place / LOG
    if log.exists():
        replace_file(place / f"{LOG}{coder.suffix}", coder.encode(log.read_bytes()))
        log.unlink()


def _pretty(summary: Summary) -> bytes:
    return msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"


def _found(folder: Path) -> Iterator[Item]:
    """Give what a command left in its folder, a folder before what is in it."""
    waiting = [encoded(str(folder))]
    root = len(waiting[0]) + 1
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                yield _seen(entry, entry.path[root:])
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _seen(entry: "os.DirEntry[bytes]", name: bytes) -> Item:
    status = entry.stat(follow_symlinks=False)
    path = name.decode("utf-8", "surrogateescape")
    mode, time = S_IMODE(status.st_mode), status.st_mtime_ns
    if S_ISREG(status.st_mode):
        return Item(path=path, size=status.st_size, mtime_ns=time, mode=mode)
    if S_ISDIR(status.st_mode):
        return Item(path=path, kind=ItemKind.DIRECTORY, mtime_ns=time, mode=mode)
    if S_ISLNK(status.st_mode):
        target = os.readlink(entry.path)  # noqa: PTH115 - bytes
        return Item(
            path=path,
            kind=ItemKind.LINK,
            mtime_ns=time,
            mode=mode,
            target=target.decode("utf-8", "surrogateescape"),
        )
    raise StorageError(
        f"{readable(from_bytes(name))} is neither file, folder nor link;"
        " a vault cannot hold it"
    )
