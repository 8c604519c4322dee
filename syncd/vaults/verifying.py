"""Reading all of a vault again, and comparing it with what was sealed."""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from syncd.core.path import from_bytes, readable
from syncd.core.vault import Fault, ItemKind
from syncd.errors import StorageError
from syncd.vaults import listing, manifest
from syncd.vaults.coding import CHUNK, Coder, spellings
from syncd.vaults.contract import Count
from syncd.vaults.durable import telling
from syncd.vaults.listing import Line
from syncd.vaults.reading import DATA, DIGITS, PACKS, Digesting, skip
from syncd.vaults.tar import encoded

_THREADS = 2


class Verification:
    """One verification of one vault; nothing that was read before is trusted."""

    def __init__(self, folder: Path, coder: Coder, count: Count) -> None:
        self._folder = folder
        self._coder = coder
        self._count = count
        self._turn = threading.Lock()

    def faults(self) -> list[Fault]:
        """Return all that is wrong, in order of the manifest; empty: it is sound."""
        try:
            with telling(manifest.NAME):
                text = (self._folder / manifest.NAME).read_bytes()
            digests = manifest.read(text)
        except StorageError as error:
            return [Fault(manifest.NAME, str(error))]
        faults = self._names(digests)
        try:
            lines = self._lines(digests)
        except StorageError as error:
            faults.append(Fault(listing.NAME, str(error)))
            lines = None
        packs, data = _by_place(lines or ())
        if lines is not None:
            faults += self._strangers(digests, packs, data)
        with ThreadPoolExecutor(_THREADS, "verify") as pool:
            for found in pool.map(
                lambda name: self._file(name, digests[name], packs, data), digests
            ):
                faults += found
        return faults

    def _names(self, digests: Mapping[bytes, str]) -> list[Fault]:
        """Return what lies there without being in the manifest."""
        there = set(_files(self._folder)) - {manifest.NAME.encode()}
        return [
            Fault(_shown(name), "it is not in the manifest")
            for name in sorted(there - digests.keys())
        ]

    def _lines(self, digests: Mapping[bytes, str]) -> list[Line] | None:
        """Return the listing; None if it is not the one that was sealed."""
        own = spellings(listing.NAME)
        name = next((each for each in own if each in digests), None)
        if name is None:
            raise StorageError("it is not in the manifest")
        with telling(listing.NAME):
            content = (self._folder / name.decode()).read_bytes()
        if hashlib.sha256(content).hexdigest() != digests[name]:
            return None  # told as every other file whose digest differs
        return listing.read(self._coder.decode(content, name.decode()))

    def _strangers(
        self,
        digests: Mapping[bytes, str],
        packs: Mapping[str, Sequence[Line]],
        data: Mapping[bytes, Line],
    ) -> list[Fault]:
        """Return where listing and manifest differ, and links that lead elsewhere."""
        listed = {f"{PACKS}/{name}".encode() for name in packs}
        listed |= {name for name, line in data.items() if line.kind is ItemKind.FILE}
        own = {f"{PACKS}/".encode(), f"{DATA}/".encode()}
        told = {name for name in digests if name.startswith(tuple(own))}
        faults = [
            Fault(_shown(name), "the listing has it, the manifest not")
            for name in sorted(listed - told)
        ]
        faults += [
            Fault(_shown(name), "the manifest has it, the listing not")
            for name in sorted(told - listed)
        ]
        for name, line in data.items():
            path = os.path.join(encoded(str(self._folder)), name)  # noqa: PTH118 - bytes
            if line.kind is ItemKind.LINK and not _leads_to(path, line):
                faults.append(Fault(_shown(name), "it is not the link that it was"))
            if line.kind is ItemKind.DIRECTORY and not os.path.isdir(path):  # noqa: PTH112
                faults.append(Fault(_shown(name), "it is no folder any more"))
        return faults

    def _file(
        self,
        name: bytes,
        digest: str,
        packs: Mapping[str, Sequence[Line]],
        data: Mapping[bytes, Line],
    ) -> list[Fault]:
        shown = _shown(name)
        lines = packs.get(shown.removeprefix(f"{PACKS}/"), ())
        told = [data[name].sha256] if name in data else []
        if shown.startswith(f"{PACKS}/"):
            told = [shown.removeprefix(f"{PACKS}/")[:DIGITS]]
        try:
            path = os.path.join(encoded(str(self._folder)), name)  # noqa: PTH118 - bytes
            with telling(shown):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file, telling(shown):
                faults, real = self._content(file, shown, lines)
        except StorageError as error:
            return [Fault(shown, str(error))]
        with self._turn:
            self._count(0, len(lines) + (name in data))
        if {digest, *told} != {real}:
            return [Fault(shown, "its digest differs from the one in the manifest")]
        return faults

    def _content(
        self, file: BinaryIO, shown: str, lines: Sequence[Line]
    ) -> tuple[list[Fault], str]:
        """Read a file once, and the items in it from what was read."""
        source = Digesting(file, self._read)
        faults: list[Fault] = []
        if lines:
            try:
                faults = self._items(source, shown, lines)
            except StorageError as error:
                faults = [Fault(shown, str(error))]
        while source.read(CHUNK):
            pass
        return faults, source.hexdigest()

    def _items(
        self, source: Digesting, shown: str, lines: Sequence[Line]
    ) -> list[Fault]:
        faults = []
        place = 0
        with ExitStack() as opened:
            pack = opened.enter_context(
                self._coder.decode_stream(source, shown)  # type: ignore[arg-type]
            )
            for line in sorted(lines, key=lambda one: one.offset):
                if line.kind is not ItemKind.FILE:
                    continue
                skip(pack, line.offset - place)
                digest = hashlib.sha256()
                left = line.size
                while left and (chunk := pack.read(min(left, CHUNK))):
                    digest.update(chunk)
                    left -= len(chunk)
                place = line.offset + line.size
                if digest.hexdigest() != line.sha256:
                    where = f"{shown}: {readable(line.path)}"
                    faults.append(Fault(where, "its digest differs"))
            while pack.read(CHUNK):  # to its end, where an encrypted one is judged
                pass
        return faults

    def _read(self, size: int) -> None:
        with self._turn:
            self._count(size, 0)


def _by_place(
    lines: Sequence[Line],
) -> tuple[dict[str, list[Line]], dict[bytes, Line]]:
    """Return the lines by pack, and those that lie by themselves by file."""
    packs: dict[str, list[Line]] = {}
    data: dict[bytes, Line] = {}
    for line in lines:
        if line.pack is None:
            data[f"{DATA}/".encode() + encoded(listing.path(line))] = line
        else:
            packs.setdefault(line.pack, []).append(line)
    return packs, data


def _files(folder: Path) -> Iterator[bytes]:
    """Give the names of all that is neither folder nor link below the folder."""
    root = encoded(str(folder))
    waiting = [b""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(os.path.join(root, inside)) as entries:  # noqa: PTH118 - bytes
            for entry in entries:
                name = inside + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name + b"/")
                elif not entry.is_symlink() or not name.startswith(b"data/"):
                    yield name


def _leads_to(path: bytes, line: Line) -> bool:
    try:
        target = os.readlink(path)  # noqa: PTH115 - bytes
        return target == encoded(listing.located(line).target or "")
    except OSError:
        return False


def _shown(name: bytes) -> str:
    return readable(from_bytes(name))
