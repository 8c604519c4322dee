"""Reads a database as it is at one moment, whoever writes into it meanwhile.

The feed of changes tells every document once, and again whenever it changes. It is
followed until it has no more to tell; what is known then is what the database held
when it was last asked. A revision that is gone when it is fetched has been followed
by another, which the feed is about to tell.
"""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from syncd import clock
from syncd.backup_sources.couchdb.holding import (
    About,
    Keeping,
    Leaf,
    Record,
    encoder,
    kinds,
    leaves,
    order,
    winner,
)
from syncd.backup_sources.couchdb.spool import Row, Spool, finished
from syncd.backup_sources.couchdb.talking import Server, TooMuch, in_url
from syncd.errors import NotFound, StorageError
from syncd.vaults.contract import Staging

PAGE = 10_000
"""Changes that are asked for at once."""
FIRST = 100
MOST = 1000
"""Documents that are asked for at once: at first, and at most."""

LARGEST = 1 << 30
"""Bytes of an answer about one document, beyond which it cannot be backed up."""

SMALL = 64 << 10
"""Bytes of all attachments of a document that come with it; others come alone."""

ROUNDS = 20
"""How often a revision may be gone while nothing new is told of its document."""
PAUSE = 0.25


NOTHING = Raw(b"")


class Revision(Struct, frozen=True):
    """A leaf, as the feed tells of it."""

    rev: str


class Change(Struct, frozen=True):
    """What the feed tells of a document."""

    id: str
    changes: list[Revision]
    deleted: bool = False


class Feed(Struct, frozen=True):
    """An answer of the feed."""

    results: list[Change]
    last_seq: Any


class _Got(Struct, frozen=True):
    ok: Raw = NOTHING


class _Result(Struct, frozen=True):
    id: str
    docs: list[_Got]


class _Results(Struct, frozen=True):
    results: list[_Result]


async def changes(server: Server, name: str, since: Any = 0, limit: int = PAGE) -> Feed:
    """Return what happened since; raise StorageError."""
    seq = since if isinstance(since, str) else encoder.encode(since).decode()
    path = (
        f"{in_url(name)}/_changes?style=all_docs&limit={limit}&since={in_url(str(seq))}"
    )
    feed: Feed = (await server.ask("GET", path)).read_as(Feed)
    return feed


class Reading:
    """One database, read in as many turns as it takes."""

    def __init__(
        self,
        server: Server,
        name: str,
        options: Mapping[str, Any],
        scratch: Path,
        told: Callable[[int, int], None],
    ) -> None:
        """Say by ``told`` how many documents and bytes have come."""
        self.name = name
        self._server = server
        self._options = options
        self._scratch = scratch
        self._told = told
        self._left_out = frozenset(options["left_out"])
        self._since: Any = 0
        self._turns = itertools.count()
        self._begun = clock.timestamp()
        self._moment = self._begun
        self._missing: set[str] = set()
        self._security: dict[str, Any] | None = None
        self._at_once = FIRST

    async def open(self) -> None:
        """Look whether it is there; raise NotFound or StorageError."""
        there = await self._server.ask("GET", in_url(self.name), fine=(404,))
        if there.status == 404:
            raise NotFound(f"there is no database {self.name} on the server")
        security = await self._server.ask(
            "GET", f"{in_url(self.name)}/_security", fine=(400, 401, 403, 404, 405)
        )
        if security.status < 300:
            self._security = security.read() or None
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        self._folder = self._scratch / digest
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        self._spool = await asyncio.to_thread(Spool, self._folder / "spool")

    async def catch_up(self) -> None:
        """Read what is new, until there is no more; raise StorageError."""
        rounds = 0
        while True:
            asked = clock.timestamp()
            page = await changes(self._server, self.name, self._since)
            await self._take(page.results)
            self._since = page.last_seq
            if len(page.results) >= PAGE:
                continue
            if not self._missing:
                self._moment = asked
                return
            rounds = 0 if page.results else rounds + 1
            if rounds > ROUNDS:
                missing = min(self._missing)
                raise StorageError(
                    f"{self.name}: the server does not give a revision of the document"
                    f" {missing!r} that it tells of; {len(self._missing)} are so"
                )
            await asyncio.sleep(PAUSE)

    async def keep(self, into: Staging) -> About:
        """Put all of it into a vault; return what it is. Raise StorageError."""
        return await finished(self._keep, into)

    def _keep(self, into: Staging) -> About:
        living, deleted = self._spool.counts()
        keeping = Keeping(self.name, into)
        attached: set[str] = set()
        for id_, line in self._spool.kept():
            if b'"files":{"' in line:
                record = msgspec.json.decode(line, type=Record)
                for names in record.files.values():
                    attached.update(names.values())
            keeping.add(id_, line)
        for digest in sorted(attached):
            with (self._folder / digest).open("rb") as file:
                keeping.attach(digest, file)
        about = About(
            name=self.name,
            begun=self._begun,
            moment=self._moment,
            sequence=self._since,
            docs=living,
            deleted=deleted,
            security=self._security,
        )
        keeping.end(about)
        return about

    async def close(self) -> None:
        """Let go of what was read."""
        if hasattr(self, "_spool"):
            await asyncio.to_thread(self._spool.close)

    # A page of the feed.

    async def _take(self, found: Sequence[Change]) -> None:
        turn = next(self._turns)
        self._missing.difference_update(one.id for one in found)
        todo = list(found)
        limit = asyncio.Semaphore(int(self._options["parallel"]))
        try:
            async with asyncio.TaskGroup() as group:
                while todo:
                    await limit.acquire()
                    # How many depends on how large those before were.
                    some, todo = todo[: self._at_once], todo[self._at_once :]
                    task = group.create_task(self._fetch(some, turn))
                    task.add_done_callback(lambda _: limit.release())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _fetch(self, some: Sequence[Change], turn: int) -> None:
        try:
            results, size = await self._got(some, "revs=true", alone=len(some) == 1)
        except TooMuch:
            if len(some) == 1:
                raise StorageError(
                    f"{self.name}: the document {some[0].id!r} is too large"
                ) from None
            self._at_once = half = max(1, len(some) // 2)
            await self._fetch(some[:half], turn)
            await self._fetch(some[half:], turn)
            return
        self._pace(len(some), size)
        await self._store(results, {one.id: len(one.changes) for one in some}, turn)

    async def _got(
        self, some: Sequence[Change], how: str, *, alone: bool
    ) -> tuple[list[_Result], int]:
        asked = [
            {"id": one.id, "rev": leaf.rev} for one in some for leaf in one.changes
        ]
        most = LARGEST if alone else 4 * int(self._options["batch"])
        answer = await self._server.ask(
            "POST",
            f"{in_url(self.name)}/_bulk_get?{how}",
            encoder.encode({"docs": asked}),
            most=most,
        )
        return answer.read_as(_Results).results, len(answer.body)

    def _pace(self, count: int, size: int) -> None:
        each = max(1, size // count)
        wanted = int(self._options["batch"]) // int(self._options["parallel"]) // each
        self._at_once = min(MOST, 2 * self._at_once, max(1, wanted))

    async def _store(
        self, results: Sequence[_Result], asked: Mapping[str, int], turn: int
    ) -> None:
        """Keep documents all of whose leaves, so many, were given."""
        found: dict[str, list[Raw]] = {}
        for one in results:
            some = [got.ok for got in one.docs if got.ok is not NOTHING]
            found.setdefault(one.id, []).extend(some)
        self._missing.update(
            id_ for id_, number in asked.items() if len(found.get(id_, ())) < number
        )
        found = {
            id_: raws
            for id_, raws in found.items()
            if id_ in asked and id_ not in self._missing
        }
        parts = {id_: [leaves.decode(raw) for raw in found[id_]] for id_ in found}
        await self._with_attachments(found, parts)
        rows: list[Row] = []
        size = 0
        for id_, raws in found.items():
            # In their own order: the server's may be another one the next time.
            raws.sort(key=lambda raw: order(leaves.decode(raw).rev))
            known = [leaves.decode(raw) for raw in raws]
            if not known:
                continue
            best = winner(known)
            record = await self._record(id_, known, raws, best)
            if id_ not in self._missing:
                rows.append((id_, turn, record, best.deleted))
                size += len(record or b"")
        await finished(self._spool.put, rows)
        self._told(len(rows), size)

    async def _record(
        self, id_: str, parts: Sequence[Leaf], raws: list[Raw], best: Leaf
    ) -> bytes | None:
        """Return a document as it is kept; None if it is left out."""
        if self._left_out and self._is_left_out(parts, raws, best):
            return None
        files: dict[str, dict[str, str]] = {}
        if _attached(parts) > SMALL:
            files = {part.rev: await self._saved(part) for part in parts}
        # A line is a document, and a line's end can only be space between its parts.
        plain = [Raw(bytes(raw).replace(b"\n", b" ")) for raw in raws]
        record = Record(
            id=id_, winner=best.rev, dead=best.deleted, leaves=plain, files=files
        )
        return encoder.encode(record)

    def _is_left_out(
        self, parts: Sequence[Leaf], raws: Sequence[Raw], best: Leaf
    ) -> bool:
        type_ = kinds.decode(raws[parts.index(best)]).type
        return isinstance(type_, str) and type_ in self._left_out

    async def _with_attachments(
        self, found: dict[str, list[Raw]], parts: Mapping[str, Sequence[Leaf]]
    ) -> None:
        """Put those documents whose attachments are small in place with them."""
        sizes = {id_: _attached(some) for id_, some in parts.items()}
        todo = [id_ for id_, size in sizes.items() if 0 < size <= SMALL]
        while todo:
            some, size = [todo.pop()], 0
            while todo and size < int(self._options["batch"]) // 4:
                some.append(todo.pop())
                size += sizes[some[-1]]
            asked = [
                Change(id_, [Revision(part.rev) for part in parts[id_]]) for id_ in some
            ]
            how = "revs=true&attachments=true"
            results, _ = await self._got(asked, how, alone=True)
            got: dict[str, list[Raw]] = {id_: [] for id_ in some}
            for one in results:
                got[one.id] += [leaf.ok for leaf in one.docs if leaf.ok is not NOTHING]
            for id_, raws in got.items():
                if len(raws) < len(parts[id_]):
                    self._missing.add(id_)
                found[id_] = raws

    async def _saved(self, leaf: Leaf) -> dict[str, str]:
        """Return the SHA-256 of a leaf's attachments, which are files by that name."""
        saved = {}
        for name in leaf.attachments:
            parts = f"{in_url(self.name)}/{in_url(leaf.id)}/{in_url(name)}"
            temporary = self._folder / f"coming {id(leaf)}"
            path = f"{parts}?rev={in_url(leaf.rev)}"
            if not await self._server.save(path, temporary):
                self._missing.add(leaf.id)
                return {}
            saved[name] = await finished(_named, temporary)
        return saved


def _attached(parts: Sequence[Leaf]) -> int:
    """Return how many bytes of attachments a document has, of all its leaves."""
    return sum(
        max(1, int(one.get("length", 0)))
        for part in parts
        for one in part.attachments.values()
    )


def _named(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    file.rename(file.with_name(digest))
    return digest
