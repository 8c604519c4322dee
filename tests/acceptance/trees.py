"""Folders as tests see them: made, compared, described."""

import hashlib
import os
import random
import stat
from pathlib import Path

Tree = dict[bytes, tuple[object, ...]]
"""Relative name as on disk -> kind and content."""

OURS = b".syncd-"


def tree(root: Path, *, metadata: bool = False) -> Tree:
    """Return everything below a root but what is syncd's own.

    With metadata, mode and mtime of files are compared, too.
    """
    return {
        name: _described(os.fsencode(root) + b"/" + name, metadata=metadata)
        for name in names(root)
        if not any(part.startswith(OURS) for part in name.split(b"/"))
    }


def names(root: Path) -> list[bytes]:
    """Return the relative names of all there is below a root, syncd's own included."""
    top = os.fsencode(root)
    found: list[bytes] = []
    for folder, folders, files in os.walk(top):
        found += [
            (folder + b"/" + name).removeprefix(top + b"/")
            for name in (*folders, *files)
        ]
    return sorted(found)


def leftovers(root: Path) -> list[bytes]:
    """Return the temporary files lying about."""
    return [
        name
        for name in names(root)
        if name.rpartition(b"/")[2].startswith(OURS) and name.endswith(b".tmp")
    ]


def digest(path: bytes | Path) -> str:
    """Return what tells contents apart."""
    with open(path, "rb") as file:  # noqa: PTH123 - names may be bytes
        return hashlib.file_digest(file, "blake2b").hexdigest()


def content(size: int, seed: object = 0) -> bytes:
    """Return random bytes, the same for the same seed; they repeat after 1 MiB."""
    block = random.Random(repr((size, seed))).randbytes(min(size, 2**20))
    return (block * (size // 2**20 + 1))[:size]


def difference(one: Tree, other: Tree) -> str:
    """Return, in words, where two trees differ; empty when they do not."""
    lines = []
    for name in sorted(one.keys() | other.keys()):
        left, right = one.get(name), other.get(name)
        if left != right:
            lines.append(f"{name!r}: {left} against {right}")
    return "\n".join(lines[:10] + ([f"... {len(lines)} in all"] if lines[10:] else []))


def _described(path: bytes, *, metadata: bool) -> tuple[object, ...]:
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return ("link", os.readlink(path))  # noqa: PTH115 - bytes
        if stat.S_ISDIR(status.st_mode):
            return ("folder",)
        if not stat.S_ISREG(status.st_mode):
            return ("something else",)
        more = (stat.S_IMODE(status.st_mode), status.st_mtime_ns) if metadata else ()
        return ("file", status.st_size, digest(path), *more)
    except FileNotFoundError:
        return ("vanished",)
