"""MANIFEST.sha256: the digest of every other file, as ``sha256sum`` writes it."""

import re
from collections.abc import Mapping

from syncd.errors import StorageError

NAME = "MANIFEST.sha256"

_LINE = re.compile(rb"(\\?)([0-9a-f]{64})  ([^\n\0]+)")
_ODD = re.compile(rb"[\\\n\r]")
_TOLD = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}
_MEANT = {told: odd for odd, told in _TOLD.items()}
_ESCAPE = re.compile(rb"\\.?", re.DOTALL)


def written(digests: Mapping[bytes, str]) -> bytes:
    """Return the manifest of files (names as a disk has them) and their digests."""
    return b"".join(_line(name, digests[name]) for name in sorted(digests))


def read(text: bytes) -> dict[bytes, str]:
    """Return name -> digest; raise StorageError for anything we would not write."""
    digests: dict[bytes, str] = {}
    lines = text.split(b"\n")
    if lines.pop():
        raise StorageError(f"{NAME} does not end with the end of a line")
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        name = _meant(found) if found else None
        if not found or name is None or name in digests:
            raise StorageError(f"{NAME}: line {number} is not one that we wrote")
        digests[name] = found[2].decode()
    return digests


def _line(name: bytes, digest: str) -> bytes:
    if _ODD.search(name):
        name = _ODD.sub(lambda odd: _TOLD[odd[0]], name)
        return b"\\%s  %s\n" % (digest.encode(), name)
    return b"%s  %s\n" % (digest.encode(), name)


def _meant(line: re.Match[bytes]) -> bytes | None:
    name = line[3]
    if not line[1]:
        return None if _ODD.search(name) else name
    if not all(escape in _MEANT for escape in _ESCAPE.findall(name)):
        return None
    meant = _ESCAPE.sub(lambda told: _MEANT[told[0]], name)
    # Escaped without need is not as we write it.
    return meant if _ODD.search(meant) and b"\r" not in name else None
