"""What a restore works from: a tree in a file of lines, found again by path."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from syncd.backup_sources.zookeeper import nodes
from syncd.backup_sources.zookeeper.nodes import Kind, Node, Stat, is_in
from syncd.backup_sources.zookeeper.planning import There, Wanted
from syncd.backup_sources.zookeeper.spool import lines


class Acls:
    """Gives equal ACLs as one and the same tuple: most nodes share a few."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def one(self, lines: list[str]) -> tuple[str, ...]:
        """Return the ACL with its lines sorted: their order means nothing."""
        acl = tuple(sorted(lines))
        return self._known.setdefault(acl, acl)


class Held:
    """A tree that is to be there; in memory is an index, the data stays in the file."""

    def __init__(self) -> None:
        self.wanted: dict[str, Wanted] = {}
        self.masked: list[str] = []
        """Nodes whose ACLs nobody knows wholly."""
        self.above: list[Node] = []
        """The nodes above, the topmost first, as far as they are known."""
        self._acls = Acls()
        self._files: dict[str, tuple[Path, Callable[[str], str]]] = {}
        self._given: dict[str, Node] = {}

    def give(self, some: Sequence[Node]) -> None:
        """Take nodes that lie in no file, and come before all others."""
        taken, self.wanted = self.wanted, {}
        for node in some:
            self._given[node.path] = node
            self._note(node, 0)
        self.wanted |= taken

    def take(self, file: Path, top: str, called: str) -> None:
        """Take what lies at and below a node, to be called otherwise from there on.

        Raise StorageError if the file is not what it should be.
        """

        def renamed(path: str) -> str:
            return called + path[len(top) :]

        start = 0
        for line in lines(file):
            node = nodes.decode(line)
            if node.path != top and is_in(top, node.path):
                self.above.append(node)
            if is_in(node.path, top) and node.kind is not Kind.EPHEMERAL:
                path = renamed(node.path)
                self._files[path] = (file, renamed)
                self._note(replace(node, path=path), start)
            start += len(line) + 1

    def load(self, path: str) -> Node:
        """Return a node with its data."""
        if path in self._given:
            return self._given[path]
        file, renamed = self._files[path]
        with file.open("rb") as opened:
            opened.seek(self.wanted[path].start)
            node = nodes.decode(opened.readline()[:-1])
        return replace(node, path=renamed(node.path))

    def _note(self, node: Node, start: int) -> None:
        if nodes.is_masked(node.acl):
            self.masked.append(node.path)
        self.wanted[node.path] = Wanted(
            mark=mark(node.data),
            acl=self._acls.one(node.acl),
            kind=node.kind,
            next=node.next,
            start=start,
            size=len(node.data or b""),
        )


class Live:
    """A tree that is there, as ``reading.Tree`` tells of it."""

    def __init__(self) -> None:
        self.there: dict[str, There] = {}
        self._acls = Acls()

    def took(self, node: Node, stat: Stat, start: int) -> None:
        """Take a node; called for each that is read."""
        del start
        self.there[node.path] = There(
            mark=mark(node.data),
            acl=self._acls.one(node.acl),
            ephemeral=node.kind is Kind.EPHEMERAL,
            version=stat.version,
            aversion=stat.aversion,
            next=stat.next,
        )


def mark(data: bytes | None) -> bytes:
    """Return a digest of a node's data; null has another than nothing."""
    return b"" if data is None else hashlib.sha256(data).digest()[:16]
