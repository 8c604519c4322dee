"""A vault's files as the bytes of a zip: stored, so that its length is known before.

The same vault always gives the same bytes, so a download can go on where it stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from stat import S_IFDIR, S_IFLNK, S_IFREG
from zlib import crc32

from stream_zip import NO_COMPRESSION_64, MemberFile, stream_zip

from syncd.core.vault import ItemKind
from syncd.vaults import listing
from syncd.vaults.coding import CHUNK
from syncd.vaults.listing import Located
from syncd.vaults.tar import encoded
from syncd.vaults.vault import LocalVault

_EARLIEST = 315619200  # 1980-01-02: what a zip can say in any time zone
_LATEST = 2145830400  # 2037-12-31
_SECOND = 1_000_000_000
_HEADER = 30 + 20 + 9
"""Before a content, besides the name: header, ZIP64 sizes, time."""
_ENTRY = 46 + 28 + 9
"""In the directory at the end, besides the name."""
_END = 22
_END_64 = 56 + 20


def length(items: Iterable[Located]) -> int:
    """Return how many bytes the zip of these items has."""
    total = 0
    for item in items:
        total += _HEADER + _ENTRY + 2 * len(_name(item).encode()) + len_of(item)
    return total + _END + _END_64 if total else _END


def len_of(item: Located) -> int:
    """Return how many bytes an item's content takes."""
    if item.kind is ItemKind.LINK:
        return len(encoded(item.target or ""))
    return item.size if item.kind is ItemKind.FILE else 0


def stream(
    vault: LocalVault, items: Sequence[Located], start: int = 0
) -> Iterator[bytes]:
    """Give the bytes of a zip of these items, from the ``start``-th on.

    Names are those of ``core.path``. Raise StorageError where the vault is damaged.
    """
    for chunk in stream_zip(_members(vault, items), chunk_size=CHUNK):
        if start >= len(chunk):
            start -= len(chunk)
            continue
        yield chunk[start:] if start else chunk
        start = 0


def _members(vault: LocalVault, items: Sequence[Located]) -> Iterator[MemberFile]:
    files = vault.open([item for item in items if item.kind is ItemKind.FILE])
    for item in items:
        second = min(max(item.mtime_ns // _SECOND, _EARLIEST), _LATEST)
        time = datetime.fromtimestamp(second, UTC)
        mode = item.mode & 0o7777
        content: Iterable[bytes] = ()
        checksum = 0
        if item.kind is ItemKind.FILE:
            _, file = next(files)
            mode, checksum = mode | S_IFREG, item.crc32
            content = iter(lambda file=file: file.read(CHUNK), b"")  # type: ignore[misc]
        elif item.kind is ItemKind.LINK:
            target = encoded(item.target or "")
            mode, checksum, content = mode | S_IFLNK, crc32(target), (target,)
        else:
            mode |= S_IFDIR
        how = NO_COMPRESSION_64(len_of(item), checksum)
        yield _name(item), time, mode, how, content


def _name(item: Located) -> str:
    return listing.order(item) + "/" * (item.kind is ItemKind.DIRECTORY)
