"""Reads databases of ZooKeeper into a folder: a file for each, and a manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kazoo.exceptions import NoNodeError, ZookeeperError

from syncd.backup_sources.contract import Tell
from syncd.backup_sources.zookeeper import asking, manifest
from syncd.backup_sources.zookeeper.manifest import Consistency, Manifest, Root
from syncd.backup_sources.zookeeper.nodes import Node, Stat, parent, written
from syncd.backup_sources.zookeeper.reading import Found, Kinds, Tree
from syncd.backup_sources.zookeeper.session import Session, why
from syncd.backup_sources.zookeeper.spool import Writer, file_of
from syncd.core.job import Progress
from syncd.errors import NotFound, StorageError


class Making:
    """One backup: some databases, read at one instant as far as nothing moves."""

    def __init__(
        self, session: Session, options: Mapping[str, Any], scratch: Path, tell: Tell
    ) -> None:
        self._session = session
        self._options = options
        self._scratch = scratch
        self._tell = tell
        self._bytes = self._nodes = self._total = 0

    async def make(
        self, names: Sequence[str], into: Path, *, server: str, whole: bool
    ) -> Manifest:
        """Read the databases into a folder; raise NotFound or StorageError."""
        await self._session.sync()
        begun = self._session.zxid
        trees = [self._tree(number, name) for number, name in enumerate(names)]
        above = {name: await self._above(name) for name in names}
        for tree in trees:
            self._total += await tree.survey()
            self._progress("looking")
        surveyed = self._session.zxid
        roots: list[Root] = []
        for name, tree in zip(names, trees, strict=True):
            async with Writer(into / file_of(name)) as writer:
                found = await tree.read(writer)
                await writer.flush()
                roots += self._root(name, found, writer, above[name])
        top = await node(self._session, "/") if whole else None
        every = [tree.found for tree in trees]
        made = Manifest(
            format=manifest.FORMAT,
            server=server,
            consistency=self._consistency(every, begun, surveyed),
            root=top,
            roots=roots,
            failed={path: why for one in every for path, why in one.failed.items()},
        )
        manifest.write(into, made)
        return made

    def _tree(self, number: int, name: str) -> Tree:
        scratch = self._scratch / f"walk-{number}"
        scratch.mkdir(parents=True)
        options = self._options
        return Tree(
            self._session,
            f"/{name}",
            scratch,
            kinds=Kinds(options["containers"], options["ttl"]),
            window=options["window"],
            done=self._done,
            masked=not options["incomplete"],
        )

    def _root(
        self, name: str, found: Found, writer: Writer, above: list[Node]
    ) -> list[Root]:
        if not found.nodes and not found.failed:
            raise NotFound(f"/{name} was deleted while it was read")
        return [
            Root(
                name=name,
                file=file_of(name),
                sha256=writer.sha256,
                nodes=found.nodes,
                bytes=found.bytes,
                ephemeral=found.ephemeral,
                above=above,
            )
        ]

    def _consistency(
        self, found: Sequence[Found], begun: int, surveyed: int
    ) -> Consistency:
        moved = list(dict.fromkeys(path for one in found for path in one.moved))
        return Consistency(
            begun=begun,
            surveyed=surveyed,
            ended=self._session.zxid,
            consistent=not moved,
            moved=len(moved),
            moved_nodes=moved[: manifest.MOST_NAMED],
        )

    async def _above(self, name: str) -> list[Node]:
        paths, path = [], parent(f"/{name}")
        while path != "/":
            paths.append(path)
            path = parent(path)
        return [await node(self._session, path) for path in reversed(paths)]

    def _done(self, size: int, count: int) -> None:
        self._bytes += size
        self._nodes += count
        if self._nodes % 256 == 0:
            self._progress("reading")

    def _progress(self, phase: str) -> None:
        self._tell.progress(
            Progress(
                bytes=self._bytes,
                items=self._nodes,
                total_items=self._total,
                phase=phase,
            )
        )


async def node(session: Session, path: str) -> Node:
    """Return one node alone; raise NotFound or StorageError."""
    try:
        acl, stat = await session.ask(lambda: asking.Permits(path))
        (answer,) = await session.read([path])
        if isinstance(answer, Exception):
            raise answer
    except NoNodeError:
        raise NotFound(f"there is no node {path}") from None
    except ZookeeperError as error:
        raise StorageError(f"{path}: {why(error)}") from None
    return Node(
        path,
        answer[0],
        written(asking.permits(acl)),
        next=stat.next,
        stat=dict(zip(Stat._fields, stat, strict=True)),
    )
