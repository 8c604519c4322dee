"""The nodes of a server, made of its snapshot and of its logs after that."""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncd.backup_sources.zookeeper import binary
from syncd.backup_sources.zookeeper.binary import Broken, Kind, Permits, Reader, Record
from syncd.backup_sources.zookeeper.nodes import Kind as Life
from syncd.backup_sources.zookeeper.nodes import (
    Node,
    Stat,
    encode,
    is_in,
    parent,
    spelled,
)
from syncd.errors import StorageError

_CONTAINER = -(2**63)
_TTL_MARK, _TTL_MOST = 0xFF << 56, (1 << 40) - 1
_COUNTER = (1 << 32) - 1

Data = tuple[int, int, int] | None
"""In which of the files data lies, and from where to where."""


class Grown(Struct, gc=False):
    """One node."""

    data: Data
    permits: Permits
    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    created: int
    aversion: int
    owner: int
    pzxid: int

    @property
    def life(self) -> tuple[Life, int | None]:
        """Return how it lives, and for how many milliseconds."""
        if self.owner == _CONTAINER:
            return Life.CONTAINER, None
        if self.owner & _TTL_MARK == _TTL_MARK:
            return Life.TTL, self.owner & _TTL_MOST
        return (Life.EPHEMERAL if self.owner else Life.PERSISTENT), None


class Image:
    """All nodes; in memory is what is said of them, their data stays in the files.

    A context manager. Everything in it blocks.
    """

    def __init__(self, *, whole: bool = True) -> None:
        """Begin; unless ``whole``, transactions may be missing in between."""
        self._whole = whole
        self.nodes: dict[str, Grown] = {}
        self.zxid = 0
        """The last transaction that it holds."""
        self._files: list[mmap.mmap] = []
        self._views: list[memoryview] = []
        self._permits: dict[Permits, list[str]] = {}

    def __enter__(self) -> "Image":
        return self

    def __exit__(self, *_: object) -> None:
        for view in self._views:
            view.release()
        for file in self._files:
            file.close()

    def take_snapshot(self, path: Path, zxid: int) -> int | None:
        """Take the nodes of a snapshot that was begun at that transaction.

        Return the one up to which it holds all, if it says so. Raise Broken.
        """
        number, view = self._opened(path)
        for one in binary.nodes(view):
            data = None if one.data is None else (number, *one.data)
            self.nodes[one.path or "/"] = Grown(
                data,
                one.permits,
                one.czxid,
                one.mzxid,
                one.ctime,
                one.mtime,
                one.version,
                one.created,
                one.aversion,
                one.owner,
                one.pzxid,
            )
        self.zxid = zxid
        return binary.last(view)

    def take_log(self, path: Path) -> int:
        """Do what the whole and valid records of a log say; return where they end.

        Raise Broken if transactions are missing between what is there and these.
        """
        number, view = self._opened(path)
        end = binary.HEADER
        for record in binary.records(view):
            end = record.end
            if record.zxid <= self.zxid:
                continue
            self._follows(record.zxid, path.name)
            self._do(record, record.kind, Reader(view, record.said[0]), number)
            self.zxid = record.zxid
        return end

    def _follows(self, zxid: int, name: str) -> None:
        """Refuse a gap: the counter goes on by one, or begins anew with a leader."""
        same = zxid >> 32 == self.zxid >> 32
        begins = not same and zxid & _COUNTER <= 1
        if zxid == self.zxid + 1 or begins or not self._whole:
            return
        raise Broken(
            f"{name} goes on at {zxid:#x}, but what is before it ends at"
            f" {self.zxid:#x}: transactions are missing"
        )

    def write(self, tops: list[str], into: Path) -> None:
        """Write what lies at and below some nodes, and above, as lines of nodes."""
        counts = self._counts()
        some = [
            path
            for path in self.nodes
            if any(is_in(path, top) or is_in(top, path) for top in tops)
        ]
        with into.open("wb") as file:
            for path in sorted(some):
                file.write(encode(self.node(path, counts.get(path, 0))) + b"\n")

    def node(self, path: str, children: int) -> Node:
        """Return a node that has so many children."""
        one = self.nodes[path]
        life, ttl = one.life
        length = 0 if one.data is None else one.data[2] - one.data[1]
        stat = Stat(
            one.czxid,
            one.mzxid,
            one.ctime,
            one.mtime,
            one.version,
            one.created * 2 - children,
            one.aversion,
            one.owner if life is Life.EPHEMERAL else 0,
            length,
            children,
            one.pzxid,
        )
        said = dict(zip(Stat._fields, stat, strict=True))
        permitted = self._permitted(one.permits)
        return Node(path, self._data(one), permitted, life, ttl, one.created, said)

    def tops(self) -> dict[str, tuple[int, int, int]]:
        """Return the names at the top, with nodes, bytes and ephemeral ones below."""
        found: dict[str, tuple[int, int, int]] = {}
        for path, one in self.nodes.items():
            if path == "/":
                continue
            name = path.split("/", 2)[1]
            count, size, passing = found.get(name, (0, 0, 0))
            length = 0 if one.data is None else one.data[2] - one.data[1]
            is_passing = one.life[0] is Life.EPHEMERAL
            found[name] = count + 1, size + length, passing + is_passing
        return dict(sorted(found.items()))

    def since(self, zxid: int) -> list[str]:
        """Return which nodes were changed after a transaction."""
        return sorted(
            path
            for path, one in self.nodes.items()
            if max(one.czxid, one.mzxid, one.pzxid) > zxid
        )

    # What transactions do. A snapshot may hold some of what comes after it was begun,
    # so everything may find that it is done already.

    def _do(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        if kind in binary.IGNORED:
            return
        if kind == Kind.CLOSE_SESSION:
            self._close(record)
            return
        deed = _DEEDS.get(kind)
        if deed is None:
            raise Broken(
                f"transaction {record.zxid:#x} is of the kind {kind}, which this syncd"
                " does not know"
            )
        deed(self, record, kind, reader, number)

    def _create(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        path, where, permits = reader.text(), reader.span(), reader.permits()
        owner = 0
        if kind == Kind.CREATE_CONTAINER:
            owner = _CONTAINER
        elif kind != Kind.CREATE_TTL:
            owner = record.session if reader.one() else 0
        created = reader.four()
        if kind == Kind.CREATE_TTL:
            owner = reader.eight() | _TTL_MARK
            owner -= 1 << 64
        above = self.nodes.get(parent(path))
        if above is None:
            return
        created = above.created + 1 if created == -1 else created
        if created > above.created:
            above.created, above.pzxid = created, record.zxid
        if path not in self.nodes:
            zxid, time = record.zxid, record.time
            self.nodes[path] = Grown(
                None if where is None else (number, *where),
                permits,
                *(zxid, zxid, time, time, 0, 0, 0),
                owner,
                zxid,
            )

    def _delete(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        del kind, number
        self._gone(reader.text(), record.zxid)

    def _gone(self, path: str, zxid: int) -> None:
        if self.nodes.pop(path, None) is not None:
            above = self.nodes.get(parent(path))
            if above is not None:
                above.pzxid = max(above.pzxid, zxid)

    def _set(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        del kind
        path, where, version = reader.text(), reader.span(), reader.four()
        if (one := self.nodes.get(path)) is not None:
            one.data = None if where is None else (number, *where)
            one.version, one.mzxid, one.mtime = version, record.zxid, record.time

    def _permit(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        del record, kind, number
        path, permits, version = reader.text(), reader.permits(), reader.four()
        if (one := self.nodes.get(path)) is not None:
            one.permits, one.aversion = permits, version

    def _several(self, record: Record, kind: int, reader: Reader, number: int) -> None:
        del kind
        parts = [(reader.four(), reader.span()) for _ in range(max(0, reader.four()))]
        if any(inner == binary.ERROR for inner, _ in parts):
            return  # What is before the error stands there, and was not done either.
        for inner, where in parts:
            if where is not None:
                self._do(record, inner, Reader(reader.view, where[0]), number)

    def _close(self, record: Record) -> None:
        if not record.session:
            return
        gone = [p for p, one in self.nodes.items() if one.owner == record.session]
        for path in gone:
            self._gone(path, record.zxid)

    def _opened(self, path: Path) -> tuple[int, memoryview]:
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise Broken(f"{path.name} cannot be read: {error}") from None
        self._files.append(mapped)
        self._views.append(memoryview(mapped))
        return len(self._files) - 1, self._views[-1]

    def _data(self, one: Grown) -> bytes | None:
        if one.data is None:
            return None
        number, start, end = one.data
        return bytes(self._views[number][start:end])

    def _permitted(self, permits: Permits) -> list[str]:
        found = self._permits.get(permits)
        if found is None:
            found = self._permits[permits] = [
                f"{scheme}:{identity}:{spelled(perms)}"
                for perms, scheme, identity in permits
            ]
        return found

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for path in self.nodes:
            if path != "/":
                counts[parent(path)] = counts.get(parent(path), 0) + 1
        return counts


_DEEDS: dict[int, Callable[[Image, Record, int, Reader, int], Any]] = {
    Kind.CREATE: Image._create,
    Kind.CREATE2: Image._create,
    Kind.CREATE_CONTAINER: Image._create,
    Kind.CREATE_TTL: Image._create,
    Kind.DELETE: Image._delete,
    Kind.DELETE_CONTAINER: Image._delete,
    Kind.SET: Image._set,
    Kind.RECONFIG: Image._set,
    Kind.SET_ACL: Image._permit,
    Kind.SEVERAL: Image._several,
}


def number(name: str) -> int:
    """Return the transaction in the name of a snapshot or log; raise StorageError."""
    try:
        return int(name.partition(".")[2], 16)
    except ValueError:
        raise StorageError(f"{name} is no name of a snapshot or log") from None
