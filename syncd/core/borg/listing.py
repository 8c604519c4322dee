"""What an archive holds: read from Borg's list, handed on in batches."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from posixpath import normpath

import msgspec
from msgspec import Struct

from syncd.errors import StorageError

BATCH = 2000
"""Items that are handed on at once: what is in memory, and in a transaction."""

_LENGTH = 4
_LARGEST = 1 << 28
"""Bytes of a batch; a file that says more is damaged."""


class Item(Struct, frozen=True, array_like=True, gc=False):
    """One file, folder or link of an archive."""

    path: str
    type: str
    """``-``, ``d``, ``l``, ... as ``ls`` shows it."""
    mode: str
    """``drwxr-xr-x``."""
    owner: str
    group: str
    size: int
    mtime: float
    """Seconds since 1970."""
    healthy: bool
    target: str
    """Of a link, or the other name of what has several; else empty."""


class _Line(Struct, frozen=True, gc=False):
    path: str
    type: str
    mode: str
    user: str | int | None
    group: str | int | None
    size: int
    mtime: str
    healthy: bool = True
    linktarget: str = ""
    uid: int = 0
    gid: int = 0


_lines = msgspec.json.Decoder(_Line)
_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(list[Item])


class Reader:
    """Takes what ``borg list --json-lines`` prints, piece by piece."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        """Read times that Borg has printed in that zone."""
        self._zone = zone
        self._begun = b""

    def feed(self, data: bytes) -> list[Item]:
        """Return the items that are complete; raise StorageError for other things."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        return [self._item(line) for line in lines if line]

    def end(self) -> None:
        """Raise StorageError if it ended within a line."""
        if self._begun:
            raise StorageError("the list of the archive ends within a line")

    def _item(self, line: bytes) -> Item:
        try:
            said = _lines.decode(line)
            at = datetime.fromisoformat(said.mtime)
        except ValueError as error:
            raise StorageError(f"Borg lists what is no item: {error}") from None
        if at.tzinfo is None:
            at = at.replace(tzinfo=self._zone)
        return Item(
            said.path,
            said.type,
            said.mode,
            str(said.user or said.uid),
            str(said.group or said.gid),
            said.size,
            at.timestamp(),
            said.healthy,
            said.linktarget,
        )


class Links:
    """Watches for items that lie behind a link of the same archive.

    Unpacked in order, such would be written wherever the link leads.
    """

    def __init__(self) -> None:
        self._links: set[str] = set()

    def see(self, item: Item) -> None:
        """Take the next item; raise StorageError for one that must not be unpacked."""
        is_link = item.type == "l"
        for path in (item.path,) if is_link else (item.path, item.target):
            if path.startswith("/") or ".." in path.split("/"):
                raise StorageError(
                    f"the archive names {path!r}, which leads out of any folder; it is"
                    " not restored"
                )
            # A client may have written one path in several ways.
            folders = above(normpath(path))[1:]
            if self._links and not self._links.isdisjoint(folders):
                raise StorageError(
                    f"in the archive {path!r} lies behind a link, and would be written"
                    " where that leads; it is not restored"
                )
        if is_link:
            self._links.add(normpath(item.path))


def above(path: str) -> list[str]:
    """Return a path and all folders above it, the longest first."""
    found = [path]
    while path := path.rpartition("/")[0]:
        found.append(path)
    return found


def packed(items: Iterable[Item]) -> bytes:
    """Return a batch as it is written down: its length, then msgpack."""
    body = _encoder.encode(list(items))
    return len(body).to_bytes(_LENGTH, "big") + body


def batches(read: Callable[[int], bytes]) -> Iterator[list[Item]]:
    """Give the batches of what was written down; raise StorageError if it is cut.

    ``read`` gives as many bytes as it is asked for, fewer only at the end.
    """
    while head := read(_LENGTH):
        length = int.from_bytes(head, "big")
        body = read(length) if len(head) == _LENGTH and length <= _LARGEST else b""
        if len(body) < max(length, 1):
            raise StorageError("a catalogue is cut off; make it anew")
        try:
            yield _batches.decode(body)
        except msgspec.DecodeError as error:
            raise StorageError(f"a catalogue is damaged: {error}") from None
