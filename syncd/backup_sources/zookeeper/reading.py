"""Reads a tree of ZooKeeper: all of it twice, so that it is known what moved meanwhile.

The first walk takes ACLs and stats, level by level; the second data, in the same order,
with the stat of that moment. What has the same stat in both walks was so all the time
between them, and so all that did not move was so at one instant: the end of the first
walk. What moved is read again until it holds still, and named.

In memory are the requests that are under way, and the names of one node's children;
everything else goes through files.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from kazoo.exceptions import NoNodeError, ZookeeperError
from msgspec import Struct

from syncd.backup_sources.zookeeper import asking
from syncd.backup_sources.zookeeper.nodes import (
    Kind,
    Node,
    Stat,
    below,
    encode,
    is_in,
    is_masked,
    parent,
    written,
)
from syncd.backup_sources.zookeeper.session import Session, why
from syncd.backup_sources.zookeeper.spool import Writer, lines

TOGETHER = 64
"""Nodes whose data is asked for at once ..."""

TOGETHER_BYTES = 512 << 10
"""... as long as it is not more than that."""

READS = 8
"""How many such requests are under way at once."""

TRIES = 20
"""How often one node is read again that moves all the time."""

MASKED = "its ACL holds digests that ZooKeeper shows only to who may administer it"

Took = Callable[[Node, Stat, int], None]
"""Told of each node that was written, and where its line begins."""


class Kinds(Struct, frozen=True):
    """What people say of nodes that ZooKeeper tells no client."""

    containers: list[str] = []
    ttl: dict[str, int] = {}

    def of(self, path: str) -> tuple[Kind, int | None]:
        """Return how a node lives that looks persistent, and for how long."""
        for pattern in self.containers:
            if fnmatchcase(path, pattern):
                return Kind.CONTAINER, None
        for pattern, milliseconds in self.ttl.items():
            if fnmatchcase(path, pattern):
                return Kind.TTL, milliseconds
        return Kind.PERSISTENT, None


class Found(Struct):
    """What was read of one database."""

    top: str
    nodes: int = 0
    bytes: int = 0
    ephemeral: int = 0
    newest: int = 0
    """The last transaction that changed anything of it."""
    moved: list[str] = []
    failed: dict[str, str] = {}


class _Surveyed(Struct, array_like=True):
    path: str
    stat: tuple[int, ...]
    acl: bytes


_surveyed = msgspec.json.Decoder(_Surveyed)


class Tree:
    """One database on its way into a file."""

    def __init__(
        self,
        session: Session,
        top: str,
        scratch: Path,
        *,
        kinds: Kinds,
        window: int,
        done: Callable[[int, int], None] = lambda size, count: None,
        took: Took = lambda node, stat, start: None,
        masked: bool = True,
        deep: bool = True,
    ) -> None:
        self._session = session
        self._scratch = scratch
        self._kinds = kinds
        self._window = window
        self._done = done
        self._took = took
        self._deep = deep
        self._masked = masked
        self._acls: dict[bytes, list[str]] = {}
        self._again: set[str] = set()
        """Nodes whose children are to be looked for again."""
        self._gone: set[str] = set()
        self.found = Found(top)

    # The first walk.

    async def survey(self) -> int:
        """Take the ACLs and stats of all nodes; return how many there are."""
        count = 0
        level = self._level(0)
        async with Writer(self._survey) as survey:
            async with Writer(level) as first:
                await first.line(_name(self.found.top))
            depth = 0
            while True:
                parents = self._scratch / "parents"
                async with Writer(parents) as some:
                    count += await self._survey_level(level, survey, some)
                if not some.size:
                    break
                depth += 1
                level = self._level(depth)
                async with Writer(level) as deeper:
                    await self._list(parents, deeper)
        return count

    @property
    def _survey(self) -> Path:
        return self._scratch / "survey"

    def _level(self, depth: int) -> Path:
        return self._scratch / f"level-{depth % 2}"

    async def _survey_level(self, level: Path, survey: Writer, parents: Writer) -> int:
        count = 0
        requests = ((path, asking.Permits(path)) for path in _names(level))
        async for path, answer in self._session.each(requests, self._window):
            if isinstance(answer, NoNodeError):
                self._moved(path)
                self._look_again(parent(path))
                continue
            if isinstance(answer, ZookeeperError):
                self.found.failed[path] = why(answer)
                continue
            acl, stat = answer
            count += 1
            await survey.line(encode(_Surveyed(path, tuple(stat), acl)))
            if stat.num_children and self._deep:
                await parents.line(_name(path))
        return count

    async def _list(self, parents: Path, deeper: Writer) -> None:
        """Write the names of all children of some nodes."""
        requests = ((path, asking.children(path)) for path in _names(parents))
        async for path, answer in self._session.each(requests, READS):
            if isinstance(answer, NoNodeError):
                self._look_again(parent(path))
                continue
            if isinstance(answer, ZookeeperError):
                self.found.failed[path] = f"its children: {why(answer)}"
                continue
            for name in sorted(answer):
                await deeper.line(_name(below(path, name)))

    # The second.

    async def read(self, into: Writer) -> Found:
        """Write all nodes, as they were at the end of the survey, or have moved."""
        async for one, answer in self._second():
            stat = Stat(*one.stat)
            if one.path in self._gone or parent(one.path) in self._gone:
                self._gone.add(one.path)
                continue
            if isinstance(answer, NoNodeError):
                self._moved(one.path)
                self._gone.add(one.path)
                self._look_again(parent(one.path))
                continue
            if isinstance(answer, ZookeeperError):
                self.found.failed[one.path] = why(answer)
                continue
            data, now = answer
            if stat.moved(now):
                self._moved(one.path)
                if (stat.pzxid, stat.cversion) != (now.pzxid, now.cversion):
                    self._look_again(one.path)
                if await self._settled(one.path, into):
                    continue
                self._gone.add(one.path)
                self._look_again(parent(one.path))
                continue
            await self._write(one.path, data, one.acl, now, into)
        await self._late(into)
        return self.found

    async def _second(self) -> AsyncIterator[tuple[_Surveyed, Any]]:
        """Give what was surveyed with what is read of it now, in order."""
        under_way: list[tuple[list[_Surveyed], asyncio.Task[list[Any]]]] = []
        groups = _groups(self._surveyed())
        try:
            while True:
                while len(under_way) < READS and (group := next(groups, None)):
                    paths = [one.path for one in group if not _is_ephemeral(one)]
                    task = asyncio.create_task(self._session.read(paths))
                    under_way.append((group, task))
                if not under_way:
                    return
                group, task = under_way.pop(0)
                answers = iter(await task)
                for one in group:
                    if _is_ephemeral(one):
                        yield one, (None, Stat(*one.stat))
                    else:
                        yield one, next(answers)
        finally:
            for _, task in under_way:
                task.cancel()
            if under_way:
                await asyncio.wait([task for _, task in under_way])

    def _surveyed(self) -> Iterator[_Surveyed]:
        for line in lines(self._survey):
            yield _surveyed.decode(line)

    async def _settled(self, path: str, into: Writer) -> bool:
        """Write a node as it is at one moment; tell whether there is such a node."""
        for _ in range(TRIES):
            try:
                acl, stat = await self._session.ask(lambda: asking.Permits(path))
                (answer,) = await self._session.read([path])
                if isinstance(answer, Exception):
                    raise answer
                data, now = answer
            except NoNodeError:
                return False
            except ZookeeperError as error:
                self.found.failed[path] = why(error)
                return True
            if not stat.moved(now):
                await self._write(path, data, acl, now, into)
                return True
        self.found.failed[path] = "it moved all the time, and could not be read"
        return True

    async def _late(self, into: Writer) -> None:
        """Take what came while we walked, below nodes that moved."""
        if not self._again:
            return
        known: dict[str, set[str]] = {path: set() for path in self._again}
        for one in self._surveyed():
            if one.path not in self._gone and parent(one.path) in known:
                known[parent(one.path)].add(one.path)
        todo = sorted(known)
        while todo:
            path = todo.pop()
            for child in await self._children(path):
                if child in known.get(path, ()):
                    continue
                self._moved(child)
                if await self._settled(child, into):
                    self._gone.discard(child)
                    todo.append(child)

    async def _children(self, path: str) -> list[str]:
        """Return the children that there are now of a node that was taken."""
        if path in self._gone:
            return []
        try:
            names = await self._session.ask(lambda: asking.children(path))
        except NoNodeError:
            return []
        except ZookeeperError as error:
            self.found.failed[path] = f"its children: {why(error)}"
            return []
        return [below(path, name) for name in sorted(names)]

    async def _write(
        self, path: str, data: bytes | None, acl: bytes, stat: Stat, into: Writer
    ) -> None:
        permitted = self._acls.get(acl)
        if permitted is None:
            permitted = self._acls[acl] = written(asking.permits(acl))
            if len(self._acls) > 10_000:
                self._acls.clear()
        if stat.ephemeral_owner:
            kind, ttl = Kind.EPHEMERAL, None
            self.found.ephemeral += 1
        else:
            kind, ttl = self._kinds.of(path)
            if self._masked and is_masked(permitted):
                self.found.failed[path] = MASKED
        said = dict(zip(Stat._fields, stat, strict=True))
        node = Node(path, data, permitted, kind, ttl, stat.next, said)
        start = await into.line(encode(node))
        self.found.nodes += 1
        self.found.bytes += len(data or b"")
        self.found.newest = max(self.found.newest, stat.mzxid, stat.czxid, stat.pzxid)
        self._took(node, stat, start)
        self._done(len(data or b""), 1)

    def _look_again(self, path: str) -> None:
        if self._deep and is_in(path, self.found.top):
            self._again.add(path)

    def _moved(self, path: str) -> None:
        self.found.moved.append(path)


def _is_ephemeral(one: _Surveyed) -> bool:
    return Stat(*one.stat).ephemeral_owner != 0


def _groups(some: Iterator[_Surveyed]) -> Iterator[list[_Surveyed]]:
    """Cut into what is read at once; what is large comes alone."""
    group: list[_Surveyed] = []
    size = 0
    for one in some:
        length = Stat(*one.stat).data_length
        if group and (len(group) == TOGETHER or size + length > TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append(one)
        size += length
    if group:
        yield group


def _name(path: str) -> bytes:
    return msgspec.json.encode(path)


def _names(file: Path) -> Iterable[str]:
    for line in lines(file):
        yield msgspec.json.decode(line, type=str)
