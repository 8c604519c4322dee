"""Brings the documents of one database back: its revisions, or their content on top.

What is not there is written with its revisions as they were. What is there in another
state gets the revisions that it lacks; if something newer is still read after that,
the content is written as a new revision on top of it. Nobody's edit is lost by that:
it is the revision before.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Raw, Struct

from syncd.backup_sources.couchdb.comparing import (
    best,
    content,
    edited,
    joined,
    leaves_of,
)
from syncd.backup_sources.couchdb.holding import (
    Held,
    Record,
    encoder,
    kinds,
    leaves,
)
from syncd.backup_sources.couchdb.reading import PAGE, changes
from syncd.backup_sources.couchdb.spool import finished
from syncd.backup_sources.couchdb.talking import Server, in_url
from syncd.backup_sources.couchdb.there import Row, Rows, Said, There
from syncd.backup_sources.couchdb.writing import Writing
from syncd.text import printable

TOGETHER = 500
"""Documents that are looked at together."""

ROUNDS = 5
"""How often a document that somebody changes meanwhile is written."""

MOST = 1000
"""Deeds, and documents that failed, that are named."""


class Goal(Struct, frozen=True, kw_only=True):
    """What is to become of one database."""

    name: str
    """In the vault ..."""
    target: str
    """... and on the server."""
    skip: frozenset[str] = frozenset()
    """Ids that stay as they are."""
    exact: bool = False
    """Whether what is not in the vault is deleted."""
    dry_run: bool = False


class Restoring:
    """One database, brought back."""

    def __init__(
        self,
        server: Server,
        goal: Goal,
        held: Held,
        options: Mapping[str, Any],
        scratch: Path,
    ) -> None:
        self._server = server
        self._goal = goal
        self._held = held
        self._options = options
        self._scratch = scratch
        self._there: There | None = None
        self._since: Any = 0
        self._writing = Writing(server, goal.target, held, goal.name, scratch)
        self.changed = dict.fromkeys(
            ("created", "replaced", "deleted", "unchanged", "skipped"), 0
        )
        self.plan: list[str] = []
        self.failed: dict[str, str] = {}
        self.stubs: list[str] = []
        """Attachments that the backup names and does not hold."""

    async def run(self, told: Callable[[int], None]) -> None:
        """Do it; raise StorageError when it cannot go on."""
        self._there = there = await asyncio.to_thread(There, self._scratch / "there")
        await self._survey(there)
        limit = asyncio.Semaphore(int(self._options["parallel"]))

        async def bring(some: Sequence[Record]) -> None:
            try:
                await self._bring(some, there)
                told(len(some))
            finally:
                limit.release()

        found = self._batches()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await limit.acquire()
                    some = await finished(next, found, None)
                    if some is None:
                        break
                    group.create_task(bring(some))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        if not self._goal.dry_run:
            await self._look_again(there)
        if self._goal.exact:
            await self._clear(there)

    async def undo(self) -> int:
        """Delete what was made and is as it was made; return how many that were.

        Raise StorageError.
        """
        gone = 0
        if self._there is None:
            return 0
        made = self._there.all_made()
        while some := await finished(next, made, None):
            path = f"{in_url(self._goal.target)}/_all_docs"
            answer = await self._server.ask("POST", path, {"keys": [*some]})
            rows = [
                row
                for row in answer.read_as(Rows).rows
                if row.lives and row.revision == some[row.key]
            ]
            await self._end(rows)
            gone += len(rows)
        return gone

    async def close(self) -> None:
        """Let go of what was noted."""
        if self._there is not None:
            await asyncio.to_thread(self._there.close)

    # What there is.

    async def _survey(self, there: There) -> None:
        goal = self._goal
        path = in_url(goal.target)
        found = await self._server.ask("GET", path, fine=(404,))
        if found.status == 404:
            self._say(f"create the database {goal.target}")
            if not goal.dry_run:
                await self._create(path)
            return
        while True:
            page = await changes(self._server, goal.target, self._since)
            rows = [
                (one.id, joined(leaf.rev for leaf in one.changes), one.deleted)
                for one in page.results
            ]
            await finished(there.put, rows)
            self._since = page.last_seq
            if len(page.results) < PAGE:
                return

    async def _create(self, path: str) -> None:
        # A first attempt may have done it, though its answer was lost.
        await self._server.ask("PUT", path, fine=(412,))
        about = await finished(self._held.about, self._goal.name)
        if about is not None and about.security:
            await self._server.ask("PUT", f"{path}/_security", about.security)

    def _batches(self) -> Iterator[list[Record]]:
        some: list[Record] = []
        size = 0
        for record in self._held.records(self._goal.name):
            some.append(record)
            size += sum(len(bytes(leaf)) for leaf in record.leaves)
            if len(some) >= TOGETHER or size >= int(self._options["batch"]):
                yield some
                some, size = [], 0
        if some:
            yield some

    # One batch.

    async def _bring(self, some: Sequence[Record], there: There) -> None:
        # A document that is dead in the vault is not one that the vault has.
        known = await finished(there.known, [one.id for one in some if not one.dead])
        await self._bury([one for one in some if one.dead], there)
        new: list[Record] = []
        other: list[Record] = []
        for one in some:
            if one.dead:
                continue
            leaves_there, dead = known.get(one.id, ("", True))
            if one.id in self._goal.skip or self._is_left_out(one):
                self.changed["skipped"] += 1
            elif leaves_there and leaves_there == leaves_of(one):
                self.changed["unchanged"] += 1
            elif dead:
                new.append(one)
            else:
                other.append(one)
        if self._goal.dry_run:
            await self._foresee(new, other)
            return
        whole = [one for one in new if one.winner]
        made = [(one.id, one.winner, leaves_of(one)) for one in whole]
        await finished(there.expect, made)
        await self._write([*whole, *other])
        await self._settle([one for one in new if not one.winner], "created")
        await self._settle(other, "replaced")

    async def _look_again(self, there: There) -> None:
        """See that what was made is there, as the feed of changes tells it.

        Where somebody was quicker and it is not what is read, it is written again.
        """
        while True:
            page = await changes(self._server, self._goal.target, self._since)
            rows = [
                (one.id, joined(leaf.rev for leaf in one.changes))
                for one in page.results
            ]
            await finished(there.see, rows)
            self._since = page.last_seq
            if len(page.results) < PAGE:
                break
        seen, others = await finished(there.judged)
        self.changed["created"] += seen
        found = self._batches()
        while others and (some := await finished(next, found, None)):
            left = [one for one in some if one.id in others and not one.dead]
            await self._settle(left, "created")

    async def _bury(self, some: Sequence[Record], there: There) -> None:
        """Have it be known that documents are dead, where nothing is known of them."""
        if some and not self._goal.dry_run:
            known = await finished(there.has, [one.id for one in some])
            await self._write([one for one in some if one.id not in known])

    def _is_left_out(self, record: Record) -> bool:
        type_ = kinds.decode(best(record)).type
        return isinstance(type_, str) and type_ in self._options["left_out"]

    async def _foresee(self, new: Sequence[Record], other: Sequence[Record]) -> None:
        for one in new:
            self._deed("created", "create", one.id)
        alike = {
            row.key for row in await self._rows(other) if self._is_same(other, row)
        }
        for one in other:
            if one.id in alike:
                self.changed["unchanged"] += 1
            else:
                self._deed("replaced", "replace", one.id)

    async def _write(self, some: Sequence[Record]) -> None:
        """Write revisions as they were, of those that have any."""
        docs = [(one, leaf) for one in some if one.winner for leaf in one.leaves]
        if docs:
            self._note(await self._writing.sent(docs, new_edits=False))

    async def _settle(self, some: Sequence[Record], deed: str) -> None:
        """Have everybody read what the vault has, on top of what is read else."""
        todo = {one.id: one for one in some if one.id not in self.failed}
        sent: set[str] = set()
        written: dict[str, str] = {}
        for _ in range(ROUNDS):
            rows = {row.key: row for row in await self._rows([*todo.values()])}
            made: list[tuple[str, str, str]] = []
            for id_, one in list(todo.items()):
                row = rows.get(id_)
                if row is not None and (
                    self._is_done(one, row)
                    # A server that packs an attachment has another digest of it.
                    or (row.lives and row.revision == written.get(id_))
                ):
                    del todo[id_]
                    made.append((id_, row.revision, ""))
                    mine = id_ in sent or (one.winner and deed == "created")
                    exact = row.revision == one.winner
                    self._deed_done(deed if mine or exact else "unchanged")
                    await self._without_strangers(one, row)
            if deed == "created" and self._there is not None:
                await finished(self._there.expect, made)
            if not todo:
                return
            docs: list[tuple[Record, Raw]] = []
            for id_, one in todo.items():
                docs += self._step(one, rows.get(id_))
            sent |= todo.keys()
            answers = await self._writing.sent(docs, new_edits=True)
            written.update({one.id: one.rev for one in answers if not one.word})
            self._note([one for one in answers if one.word != "conflict"])
            todo = {id_: one for id_, one in todo.items() if id_ not in self.failed}
        for id_ in todo:
            self.failed[id_] = "somebody else goes on changing it"

    def _is_done(self, one: Record, row: Row) -> bool:
        if one.winner and row.lives and row.revision == one.winner:
            return True
        # A revision that is there, below strangers that are to go, comes up again.
        comes = self._goal.exact and one.winner in row.conflicts
        return not comes and self._is_same([one], row)

    def _is_same(self, some: Sequence[Record], row: Row) -> bool:
        one = next(one for one in some if one.id == row.key)
        if row.doc is None or not row.lives:
            return False
        return content(edited(one, row, self.stubs)) == content(row.doc)

    def _step(self, one: Record, row: Row | None) -> list[tuple[Record, Raw]]:
        """Return what to write so that what the vault has is what is read."""
        if self._goal.exact and row is not None and one.winner in row.conflicts:
            return self._ends(one, row)
        return [(one, Raw(encoder.encode(edited(one, row, self.stubs))))]

    def _ends(self, one: Record, row: Row) -> list[tuple[Record, Raw]]:
        """Return the ends of all leaves that live and that the vault has not."""
        mine = set(leaves_of(one).splitlines())
        lost = [rev for rev in (row.revision, *row.conflicts) if rev not in mine]
        said = [{"_id": one.id, "_rev": rev, "_deleted": True} for rev in lost]
        return [(one, Raw(encoder.encode(end))) for end in said]

    async def _without_strangers(self, one: Record, row: Row) -> None:
        """Delete conflicting revisions that the vault has not, where it is exact."""
        if self._goal.exact and row.conflicts:
            ends = self._ends(one, row)
            # What is read stays, even if it is an edit of ours.
            ends = [end for end in ends if leaves.decode(end[1]).rev != row.revision]
            if ends:
                self._note(await self._writing.sent(ends, new_edits=True))

    # What is not in the vault.

    async def _clear(self, there: There) -> None:
        others = there.others()
        while some := await finished(next, others, None):
            path = f"{in_url(self._goal.target)}/_all_docs?include_docs=true"
            answer = await self._server.ask("POST", path, {"keys": some})
            gone = [
                row
                for row in answer.read_as(Rows).rows
                if row.lives
                and row.key not in self._goal.skip
                and (row.doc or {}).get("type") not in self._options["left_out"]
            ]
            for row in gone:
                self._deed("deleted", "delete", row.key)
            if not self._goal.dry_run:
                await self._end(gone)

    async def _end(self, rows: Sequence[Row]) -> None:
        if rows:
            docs = [
                {"_id": row.key, "_rev": row.revision, "_deleted": True} for row in rows
            ]
            path = f"{in_url(self._goal.target)}/_bulk_docs"
            answer = await self._server.ask("POST", path, {"docs": docs})
            self._note(answer.read_as(list[Said]))

    # Asking the server.

    async def _rows(self, some: Sequence[Record]) -> list[Row]:
        if not some:
            return []
        path = f"{in_url(self._goal.target)}/_all_docs?include_docs=true&conflicts=true"
        answer = await self._server.ask(
            "POST", path, {"keys": [one.id for one in some]}
        )
        found: list[Row] = answer.read_as(Rows).rows
        return found

    # What comes of it.

    def _note(self, answers: Sequence[Said]) -> None:
        for one in answers:
            if one.word:
                self.failed[one.id] = printable(f"{one.word}: {one.reason}"[:500])

    def _deed(self, count: str, verb: str, id_: str) -> None:
        self.changed[count] += 1
        self._say(f"{verb} {self._goal.target}/{id_}")

    def _deed_done(self, count: str) -> None:
        self.changed[count] += 1

    def _say(self, text: str) -> None:
        if self._goal.dry_run and len(self.plan) < MOST:
            self.plan.append(text)
