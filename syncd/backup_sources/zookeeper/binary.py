"""Snapshots and logs of ZooKeeper's servers, in the binary form in which these lie."""

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct

from syncd.errors import StorageError

SNAPSHOT = b"ZKSN"
LOG = b"ZKLG"
HEADER = 16
"""Bytes before the first record: what it is, version, database."""

_INT, _LONG = struct.Struct("!i"), struct.Struct("!q")
_PERSISTED = struct.Struct("!qqqqiiiqq")
_TRANSACTION = struct.Struct("!qiqqi")
_RECORD = struct.Struct("!qi")
_SEAL = 13
_DIGEST, _LAST = 20, 8
_PORTION = 1 << 20
_RECORD_ENDS = 0x42

Permits = tuple[tuple[int, str, str], ...]
"""Permissions, scheme and id of each line of an ACL."""

Span = tuple[int, int]
"""Where some data begins, and where it ends."""


class Broken(StorageError):
    """A file is not what a server writes."""


class Reader:
    """Reads values one after the other; raises Broken where there are none."""

    def __init__(self, view: memoryview, at: int = 0) -> None:
        self.view = view
        self.at = at

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        """Return the numbers of a form."""
        try:
            found = form.unpack_from(self.view, self.at)
        except struct.error:
            raise Broken("it ends in the middle of something") from None
        self.at += form.size
        return found

    def four(self) -> int:
        """Return a number of four bytes."""
        return self.unpack(_INT)[0]

    def eight(self) -> int:
        """Return a number of eight bytes."""
        return self.unpack(_LONG)[0]

    def one(self) -> bool:
        """Return whether something is so."""
        self.at += 1
        return bool(self.view[self.at - 1])

    def span(self) -> Span | None:
        """Return where some data lies; None is ZooKeeper's own null."""
        length = self.four()
        if length < 0:
            return None
        start = self.at
        self.at += length
        if self.at > len(self.view):
            raise Broken("it ends in the middle of something")
        return start, self.at

    def text(self) -> str:
        """Return a text."""
        where = self.span()
        if where is None:
            return ""
        try:
            return str(self.view[slice(*where)], "utf-8")
        except UnicodeDecodeError:
            raise Broken("it holds a text that is none") from None

    def permits(self) -> Permits:
        """Return an ACL."""
        return tuple(
            (self.four(), self.text(), self.text()) for _ in range(max(0, self.four()))
        )


class Persisted(Struct, frozen=True, gc=False):
    """What a snapshot says of one node."""

    path: str
    """Of the root of all: empty."""
    data: Span | None
    permits: Permits
    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    created: int
    """How many children were ever created."""
    aversion: int
    owner: int
    pzxid: int


def nodes(view: memoryview) -> Iterator[Persisted]:
    """Give the nodes of a snapshot; raise Broken, at the latest at its end."""
    reader = Reader(view)
    _head(reader, SNAPSHOT)
    for _ in range(reader.four()):
        reader.eight()
        reader.four()
    permits: dict[int, Permits] = {-1: ((31, "world", "anyone"),)}
    for _ in range(reader.four()):
        number = reader.eight()
        permits[number] = reader.permits()
    while (path := reader.text()) != "/":
        data, number = reader.span(), reader.eight()
        if number not in permits:
            raise Broken(f"{path} has an ACL that is not in it")
        yield Persisted(path, data, permits[number], *reader.unpack(_PERSISTED))
    _sealed(reader)


def last(view: memoryview) -> int | None:
    """Return the transaction up to which a snapshot holds all, if it says so.

    To be called for what ``nodes`` took for sound.
    """
    reader = Reader(view, len(view) - _SEAL - _LAST)
    end = len(view)
    if end - 2 * _SEAL - _LAST < 0 or not _is_seal(view, reader.at - _SEAL):
        return None
    return reader.eight()


class Kind(IntEnum):
    """What a transaction is, as the servers number it."""

    CREATE = 1
    DELETE = 2
    SET = 5
    SET_ACL = 7
    SEVERAL = 14
    CREATE2 = 15
    RECONFIG = 16
    CREATE_CONTAINER = 19
    DELETE_CONTAINER = 20
    CREATE_TTL = 21
    CLOSE_SESSION = -11


ERROR = -1
IGNORED = frozenset({-10, ERROR, 0, 13})
"""Session made, error, nothing, and check: these change no node."""


class Record(Struct, frozen=True, gc=False):
    """One transaction of a log."""

    session: int
    zxid: int
    time: int
    kind: int
    said: Span
    """Where what it does is told."""
    end: int
    """Where the next begins."""


def records(view: memoryview) -> Iterator[Record]:
    """Give the whole and valid records of a log.

    The last may be cut off, as it is when a server is killed or just writes it; what
    can have been damaged only raises Broken, as what is no log does.
    """
    reader = Reader(view)
    _head(reader, LOG)
    while reader.at + _RECORD.size <= len(view):
        checksum, length = reader.unpack(_RECORD)
        start, end = reader.at, reader.at + length
        is_whole = _TRANSACTION.size <= length and end < len(view)
        if not is_whole or zlib.adler32(view[start:end]) != checksum:
            _cut_off(view, max(start, end))
            return
        if view[end] != _RECORD_ENDS:
            _cut_off(view, end)
            return
        session, _, zxid, time, kind = reader.unpack(_TRANSACTION)
        yield Record(session, zxid, time, kind, (reader.at, end), end + 1)
        reader.at = end + 1


def _cut_off(view: memoryview, end: int) -> None:
    """Raise Broken if anything follows what should be the last of a log."""
    for at in range(end, len(view), _PORTION):
        some = bytes(view[at : at + _PORTION])
        if some.count(0) != len(some):
            raise Broken("a record in the middle of it is damaged")


def _head(reader: Reader, magic: bytes) -> None:
    head = bytes(reader.view[:4])
    if head != magic or len(reader.view) < HEADER:
        raise Broken(f"it does not begin with {magic.decode()}")
    reader.at = 4
    if (version := reader.four()) != 2:
        raise Broken(f"it is of version {version}; this syncd reads 2")
    reader.at = HEADER


def _sealed(reader: Reader) -> None:
    """Compare the checksums at the end of a snapshot; raise Broken."""
    view, start, checksum = reader.view, 0, 1
    left = len(view) - reader.at
    parts = {
        _SEAL: [0],
        2 * _SEAL + _DIGEST: [0, _DIGEST],
        2 * _SEAL + _LAST: [0, _LAST],
        3 * _SEAL + _DIGEST + _LAST: [0, _DIGEST, _LAST],
    }
    if left not in parts:
        raise Broken("it has another end than the snapshots that are known")
    for part in parts[left]:
        reader.at += part
        for at in range(start, reader.at, _PORTION):
            checksum = zlib.adler32(view[at : min(reader.at, at + _PORTION)], checksum)
        start = reader.at
        if reader.eight() != checksum:
            raise Broken("its checksum is another")
        if reader.text() != "/":
            raise Broken("it has no end")


def _is_seal(view: memoryview, at: int) -> bool:
    return at >= HEADER and bytes(view[at + 8 : at + _SEAL]) == b"\0\0\0\1/"
