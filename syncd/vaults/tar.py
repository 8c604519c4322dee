"""Tar as everybody's tar reads it: headers, and where contents lie between them."""

from syncd.core.vault import Item, ItemKind

BLOCK = 512
END = bytes(2 * BLOCK)
"""What a tar ends with."""

_SECOND = 1_000_000_000
_MOST = 8**11
"""Sizes and times below this are written as octal digits."""
_TYPES = {
    ItemKind.FILE: b"0",
    ItemKind.DIRECTORY: b"5",
    ItemKind.LINK: b"2",
}
"""The types of members, as a header tells them."""
_OWNER = b"0000000\0" * 2
_AFTER_SUM = bytes(100) + b"ustar  \0" + bytes(247)
_BLANK_SUM = b" " * 8


def encoded(path: str) -> bytes:
    """Return a path of an item as a disk has it."""
    return path.encode("utf-8", "surrogateescape")


def header(item: Item) -> bytes:
    """Return what stands before an item's content in a tar (GNU format)."""
    name = encoded(item.path) + b"/" * (item.kind is ItemKind.DIRECTORY)
    second = item.mtime_ns // _SECOND
    if (
        item.kind is ItemKind.LINK
        or len(name) > 100
        or not 0 <= second < _MOST
        or item.size >= _MOST
    ):
        return _unusual(item, name, second)
    size = item.size if item.kind is ItemKind.FILE else 0
    before = b"%s%07o\0%s%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        item.mode & 0o7777,
        _OWNER,
        size,
        second,
    )
    after = _TYPES[item.kind] + _AFTER_SUM
    total = sum(before) + sum(_BLANK_SUM) + after[0] + _SUM_OF_MAGIC
    return b"%s%06o\0 %s" % (before, total, after)


_SUM_OF_MAGIC = sum(_AFTER_SUM)


def _unusual(item: Item, name: bytes, second: int) -> bytes:
    import tarfile  # noqa: PLC0415 - few need it, and it takes a while to load

    info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    info.type = _TYPES[item.kind]
    info.mode = item.mode & 0o7777
    info.mtime = second
    info.size = item.size if item.kind is ItemKind.FILE else 0
    info.linkname = item.target or ""
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return what fills a content up to the next header."""
    return bytes(-size % BLOCK)
