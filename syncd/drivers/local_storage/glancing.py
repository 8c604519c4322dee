"""What tells that nothing changed in a folder: a digest of all that lies in it."""

import os
from collections.abc import Iterable
from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import Any, NamedTuple

import msgspec
from blake3 import blake3

from syncd.core.path import RESERVED

_FORM = b"1"
"""Changes when something else is digested: what is known by the old form is void."""

_LENGTH = 16
_TYPE = 0o170000


class Summary(NamedTuple):
    """What lies in a folder, as far as it has to be known of an unchanged one."""

    fingerprint: bytes
    folders: list[str]
    """Names of the folders in it."""
    reserved: list["os.DirEntry[str]"]
    """What has a name of ours; it does not count."""
    special: int
    """How many sockets, FIFOs and devices there are; they do not count either."""


def summary(entries: Iterable["os.DirEntry[str]"]) -> Summary:
    """Return what the entries of one folder come to; raise OSError.

    Its fingerprint holds of each file and link the name, mode, size, mtime, ctime
    and inode; of a folder the name, mode and inode, as what is in it changes its times.
    """
    rows: list[tuple[Any, ...]] = []
    folders, reserved, special = [], [], 0
    for entry in entries:
        name = entry.name
        if name.startswith(RESERVED):
            reserved.append(entry)
            continue
        status = entry.stat(follow_symlinks=False)
        mode = status.st_mode
        kind = mode & _TYPE
        if kind in (S_IFREG, S_IFLNK):
            rows.append(
                (
                    name,
                    mode,
                    status.st_ino,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                )
            )
        elif kind == S_IFDIR:
            folders.append(name)
            rows.append((name, mode, status.st_ino))
        else:
            special += 1
    rows.sort()
    digest = blake3(_FORM + _encoded(rows)).digest(length=_LENGTH)
    return Summary(digest, folders, reserved, special)


def _encoded(rows: list[tuple[Any, ...]]) -> bytes:
    try:
        return msgspec.msgpack.encode(rows)
    except UnicodeEncodeError:  # Names that are not UTF-8.
        return msgspec.msgpack.encode([(os.fsencode(n), *rest) for n, *rest in rows])
