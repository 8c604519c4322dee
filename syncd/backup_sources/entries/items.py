"""A path of an entry as an item of a vault, and back."""

from syncd.core.file import Kind, Seen
from syncd.core.path import from_bytes, readable, to_bytes
from syncd.core.vault import Item, ItemKind

_FILE = ItemKind.FILE
_SEEN_FILE = Kind.FILE
_KINDS = {
    ItemKind.FILE: Kind.FILE,
    ItemKind.DIRECTORY: Kind.DIRECTORY,
    ItemKind.LINK: Kind.LINK,
}


def item(before: str, seen: Seen) -> Item:
    """Return the item for what lies at a path; ``before`` is the entry and a slash."""
    stamp, target, path = seen.stamp, seen.target, seen.path
    # Asked once for every file there is: a look into a table, or at an enumeration,
    # would show.
    if seen.kind is _SEEN_FILE:
        kind = _FILE
    else:
        kind = ItemKind.LINK if seen.kind is Kind.LINK else ItemKind.DIRECTORY
    return Item(
        path=before + (path if path.isascii() else _escaped(path)),
        kind=kind,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        mode=seen.mode,
        target=target if target is None or target.isascii() else _escaped(target),
    )


def kind_of(item: Item) -> Kind:
    """Return what lies at the item's path once it is restored."""
    return _KINDS[item.kind]


def path_of(item: Item, before: str) -> str:
    """Return the path on an entry; ``before`` is the database and a slash."""
    return _text(item.path.removeprefix(before))


def shown(item: Item) -> str:
    """Return the item's path for people."""
    return readable(_text(item.path))


def target_of(item: Item) -> str | None:
    """Return where a link points, as entries have it."""
    return None if item.target is None else _text(item.target)


def _escaped(path: str) -> str:
    return to_bytes(path).decode(errors="surrogateescape")


def _text(path: str) -> str:
    return path if path.isascii() else from_bytes(path.encode(errors="surrogateescape"))
