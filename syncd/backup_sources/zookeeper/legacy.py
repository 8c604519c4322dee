"""Vaults of the backup daemon that went before: one ``znodes.zip`` of folders.

A node is a folder, and its data the file ``content`` in it. There are no ACLs, stats or
counters. Data was read as code page 437 and written as UTF-8, and is turned back byte
for byte, which the program that wrote it did not do.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from syncd.backup_sources.zookeeper.nodes import Node, encode, parent, trouble
from syncd.errors import StorageError

NAME = "znodes.zip"
_CONTENT = "content"
_SEQUENTIAL = re.compile(r"\d{10}$", re.ASCII)


def databases(archive: Path) -> list[str]:
    """Return the names at the top of an archive; raise StorageError if it is broken."""
    return sorted({path.split("/")[0] for path in _nodes(archive)})


def convert(archive: Path, database: str, into: Path) -> None:
    """Write one database as our own lines; raise StorageError."""
    found = _nodes(archive)
    some = {
        path: member
        for path, member in found.items()
        if path == database or path.startswith(f"{database}/")
    }
    counters = _counters(some)
    try:
        with zipfile.ZipFile(archive) as opened, into.open("wb") as file:
            for path in sorted(some, key=lambda path: (path.count("/"), path)):
                member = some[path]
                data = _bytes(opened.read(member)) if member else b""
                node = Node(f"/{path}", data, [], next=counters.get(path, 0))
                file.write(encode(node) + b"\n")
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise StorageError(f"{NAME} cannot be read: {error}") from None


def _nodes(archive: Path) -> dict[str, str]:
    """Return the nodes with the members that hold their data, "" for none."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise StorageError(f"{NAME} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for name in names:
        path = name.strip("/")
        if name.endswith("/"):
            found.setdefault(path, "")
        elif path.rpartition("/")[2] == _CONTENT and "/" in path:
            found[path.rpartition("/")[0]] = name
        else:
            raise StorageError(f"{NAME} holds {name}, which is no part of a node")
    for path in list(found):
        if why := trouble(path):
            raise StorageError(f"{NAME}: {path!r} is no path of a node: {why}")
        for above in _above(path):
            found.setdefault(above, "")
    return found


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _counters(paths: dict[str, str]) -> dict[str, int]:
    """Return the least that counters must be so that no name comes twice."""
    found: dict[str, int] = {}
    for path in paths:
        if number := _SEQUENTIAL.search(path):
            above = parent(f"/{path}")[1:]
            found[above] = max(found.get(above, 0), int(number[0]) + 1)
    return found


def _bytes(content: bytes) -> bytes:
    try:
        return content.decode().encode("cp437")
    except UnicodeError:
        return content
