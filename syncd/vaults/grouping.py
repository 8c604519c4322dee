"""Which things lie together in one pack.

Whether a pack ends after a thing is decided by that thing's own path and size, so
that a file that comes or goes changes its own pack and no other. Large files lie alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from syncd.core.vault import Item, ItemKind
from syncd.vaults.tar import encoded

LARGE = 1 << 20
"""Bytes; a file of more has a pack of its own."""

MOST_THINGS = 256
MOST_BYTES = 4 << 20

_USUAL_THINGS = 192
_USUAL_BYTES = 3 << 20
_ALL = 1 << 32
_BY_THING = _ALL // _USUAL_THINGS
_BY_BYTE = _ALL // _USUAL_BYTES
_SCATTER = 0x9E3779B1


class Rule:
    """Sees things in order, and tells before which of them a pack begins."""

    def __init__(self) -> None:
        self._left = 0
        self._bytes = 0
        self._database = "/"

    def begins(self, path: str, size: int) -> bool:
        """Note a thing that is not large; tell whether a pack begins with it."""
        begins = (
            not self._left
            or self._bytes + size > MOST_BYTES
            or not (path.startswith(self._database) or path == self._database[:-1])
        )
        if begins:
            self._left = MOST_THINGS
            self._bytes = 0
            self._database = path.partition("/")[0] + "/"
        self._bytes += size
        self._left = 0 if _ends(path, size) else self._left - 1
        return begins


def _ends(path: str, size: int) -> bool:
    scattered = crc32(encoded(path)) * _SCATTER % _ALL
    return scattered < _BY_THING + size * _BY_BYTE


def is_complete(group: Sequence[Item], following: Item | None) -> bool:
    """Tell whether a pack that begins as the group ends with it.

    ``following`` is what comes next in order and is not large. Of a group that was
    made by a Rule the answer is the Rule's, without asking for each thing again.
    """
    last = group[-1]
    if following is None or _ends(last.path, _size(last)):
        return True
    if len(group) >= MOST_THINGS:
        return True
    database = following.path.partition("/")[0]
    if database != group[0].path.partition("/")[0]:
        return True
    return sum(map(_size, group)) + _size(following) > MOST_BYTES


def _size(item: Item) -> int:
    return item.size if item.kind is ItemKind.FILE else 0


def is_large(item: Item) -> bool:
    """Tell whether an item has a pack of its own."""
    return item.size > LARGE and item.kind is ItemKind.FILE


def grouped(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Give items, which come in order of path, as they lie together."""
    begins = Rule().begins
    group: list[Item] = []
    for item in items:
        if is_large(item):
            yield [item]
            continue
        if begins(item.path, _size(item)) and group:
            yield group
            group = []
        group.append(item)
    if group:
        yield group
