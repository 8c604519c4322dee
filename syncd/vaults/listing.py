"""contents.jsonl: what is in a vault and where it lies, one thing on a line."""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

import msgspec
from msgspec import Struct

from syncd.core import path as names
from syncd.core.vault import Item, ItemKind
from syncd.errors import StorageError

NAME = "contents.jsonl"

_AT_A_TIME = 4 << 20


class Line(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One line; the path as ``core.path`` writes it, so that it is valid Unicode."""

    path: str
    kind: ItemKind = ItemKind.FILE
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0o644
    target: str | None = None
    sha256: str | None = None
    crc32: int | None = None
    pack: str | None = None
    """Name of the pack that holds it; None: it lies in ``data``, at its path."""
    offset: int = 0
    """Where in the pack's tar the content begins."""


class Located(Item, frozen=True, kw_only=True, gc=False):
    """An item of a finished vault, with where it lies."""

    crc32: int = 0
    pack: str | None = None
    offset: int = 0


_COLUMNS = [
    attrgetter(name) for name in ("mtime_ns", "size", "path", "kind", "mode", "target")
]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def written(lines: Iterable[Line]) -> bytes:
    """Return the listing of lines in order of path."""
    return _encoder.encode_lines(lines)


def read(text: bytes) -> list[Line]:
    """Return its lines; raise StorageError if it is none of ours."""
    return [one for some in read_some(text) for one in some]


def read_some(text: bytes) -> Iterator[list[Line]]:
    """Give its lines, some thousands at a time; raise as ``read``."""
    begin = 0
    try:
        while begin < len(text):
            end = text.find(b"\n", begin + _AT_A_TIME) + 1 or len(text)
            yield _decoder.decode_lines(text[begin:end])
            begin = end
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{NAME} cannot be read: {error}") from None


def line(
    item: Item, *, crc32: int | None = None, pack: str | None = None, offset: int = 0
) -> Line:
    """Return the line of an item."""
    return Line(
        path=order(item),
        kind=item.kind,
        size=item.size if item.kind is ItemKind.FILE else 0,
        mtime_ns=item.mtime_ns,
        mode=item.mode,
        target=_target(item),
        sha256=None if item.sha256 is None else item.sha256.hex(),
        crc32=crc32,
        pack=pack,
        offset=offset,
    )


def located(one: Line) -> Located:
    """Return the item of a line."""
    target = one.target
    return Located(
        path=path(one),
        kind=one.kind,
        size=one.size,
        mtime_ns=one.mtime_ns,
        mode=one.mode,
        target=target if target is None or target.isascii() else _as_item(target),
        sha256=None if one.sha256 is None else bytes.fromhex(one.sha256),
        crc32=one.crc32 or 0,
        pack=one.pack,
        offset=one.offset,
    )


def path(one: Line) -> str:
    """Return the path of a line as its item has it."""
    return one.path if one.path.isascii() else _as_item(one.path)


def order(item: Item) -> str:
    """Return what items are sorted by: the path as the listing has it."""
    return item.path if item.path.isascii() else _as_unicode(item.path)


def alike(lines: Sequence[Line], items: Sequence[Item]) -> bool:
    """Tell whether items are, each, what the lines say: see ``same``.

    Column by column, which takes a fifth of the time; one by one only where these
    differ, as where a folder's time has changed, which does not count.
    """
    if all(list(map(get, lines)) == list(map(get, items)) for get in _COLUMNS):
        return True
    return len(lines) == len(items) and all(map(same, lines, items))


def same(one: Line, item: Item) -> bool:
    """Tell whether an item is, as far as can be told unread, what the line says.

    A folder's time does not count: it changes with whatever is put into it.
    """
    if one.kind is not item.kind or one.mode != item.mode:
        return False
    if one.kind is not ItemKind.DIRECTORY:
        if one.mtime_ns != item.mtime_ns or one.target != _target(item):
            return False
        if one.size != item.size and one.kind is ItemKind.FILE:
            return False
    return one.path == order(item)


def equal(one: Line, item: Item) -> bool:
    """Tell whether an item that was read is what the line says, content and all."""
    digest = None if item.sha256 is None else item.sha256.hex()
    return one.sha256 == digest and same(one, item)


def _target(item: Item) -> str | None:
    target = item.target
    return target if target is None or target.isascii() else _as_unicode(target)


def _as_unicode(path: str) -> str:
    return names.from_bytes(path.encode("utf-8", "surrogateescape"))


def _as_item(path: str) -> str:
    return names.to_bytes(path).decode("utf-8", "surrogateescape")
