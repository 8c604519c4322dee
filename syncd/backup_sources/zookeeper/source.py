"""Backs up a ZooKeeper and brings it back, node for node."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from kazoo.exceptions import KazooException, NoNodeError, ZookeeperError

from syncd.backup_sources.contract import Around, Tell
from syncd.backup_sources.zookeeper import (
    asked,
    asking,
    fetching,
    transactional,
    words,
)
from syncd.backup_sources.zookeeper.fetching import Content, Way
from syncd.backup_sources.zookeeper.holding import Held
from syncd.backup_sources.zookeeper.keeping import Keeping, State
from syncd.backup_sources.zookeeper.making import Making
from syncd.backup_sources.zookeeper.manifest import Manifest
from syncd.backup_sources.zookeeper.nodes import parent
from syncd.backup_sources.zookeeper.planning import COUNTED, Mode
from syncd.backup_sources.zookeeper.restoring import Goal, Look, Restoring, kept
from syncd.backup_sources.zookeeper.session import Session, why
from syncd.core import backup
from syncd.core.backup import Health, Report, Wanted
from syncd.errors import BadRequest, ConfigError, StorageError
from syncd.vaults.contract import Staging, Vault

KIND = "zookeeper"
CUT = {
    State.BEGUN: "a restore was cut off before it touched anything",
    State.DONE: "a restore was cut off when all was as in the vault",
}
"""What becomes of a restore that was cut off, and owes nothing."""

MOST_LINES = 1000
"""Lines of a plan, and nodes that are named in the log."""


class ZooKeeper:
    """See contract.Source; its databases are nodes, by their paths."""

    def __init__(self, options: Mapping[str, Any], around: Around) -> None:
        self._options = options
        self._scratch = around.scratch
        self._keeping = Keeping(around.keep or around.scratch / "keep")

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        """Return the source."""
        return cls(options, around)

    async def databases(self) -> list[str]:
        """Return the names of the nodes at the top."""
        async with Session(self._options) as session:
            return await _tops(session)

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Read nodes into the staging: a file for each tree, or what a server has."""
        is_whole = asked.backup_mode(wanted) == asked.TRANSACTIONAL
        names = asked.names(wanted.databases)
        scratch = await self._fresh("backup")
        async with self._session(tell) as session:
            ensemble = await words.asked(self._options["hosts"], self._options["tls"])
            server = ensemble.version
            await session.sync()
            newest = session.zxid
            if is_whole:
                made = await transactional.make(
                    self._options, into.folder, server=server, tell=tell
                )
            else:
                chosen = await _tops(session) if names is None else names
                making = Making(session, self._options, scratch, tell)
                made = await making.make(
                    chosen, into.folder, server=server, whole=names is None
                )
            lag = ensemble.lag(made.consistency.surveyed)
            if lag is None:
                # No member tells who leads; what the session has seen is at least so.
                lag = max(0, newest - made.consistency.surveyed)
        return self._reported([root.name for root in made.roots], made, lag, tell)

    def _reported(
        self, names: Sequence[str], made: Manifest, lag: int | None, tell: Tell
    ) -> Report:
        seen = made.consistency
        failed = {} if self._options["incomplete"] else dict(made.failed)
        for path, trouble in list(made.failed.items())[:MOST_LINES]:
            tell.line(f"cannot be read: {path}: {trouble}")
        tell.line(
            f"read from transaction {seen.begun:#x} to {seen.ended:#x}; {seen.moved}"
            " nodes moved meanwhile"
        )
        for path in seen.moved_nodes:
            tell.line(f"moved: {path}")
        if not seen.consistent and self._options["consistent"]:
            first = seen.moved_nodes[0] if seen.moved_nodes else "/"
            failed[first] = f"{seen.moved or 'some'} nodes moved while it was read"
        if lag is not None and lag > self._options["lag"]:
            failed["lag"] = f"the member that was read is {lag} transactions behind"
        consistency = {
            "begun": seen.begun,
            "surveyed": seen.surveyed,
            "ended": seen.ended,
            "consistent": seen.consistent,
            "moved": seen.moved,
            "moved_nodes": seen.moved_nodes,
        }
        return Report(
            databases=list(names),
            origin={
                "kind": KIND,
                "mode": asked.TRANSACTIONAL if made.files else asked.HIERARCHICAL,
                "server": made.server,
                "consistency": consistency,
                "nodes": sum(root.nodes for root in made.roots),
                "ephemeral": sum(root.ephemeral for root in made.roots),
                "incomplete": len(made.failed),
                "lag": lag,
            },
            torn=[path[1:] for path in seen.moved_nodes],
            failed=failed,
        )

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return the nodes at the top of what a vault holds."""
        scratch = await self._fresh("listed")
        content = await asyncio.to_thread(fetching.opened, vault, scratch)
        return content.names

    async def restore(
        self, wanted: backup.Restoring, vault: Vault, tell: Tell
    ) -> Report:
        """Have the trees be as they are in the vault, or say what would be done."""
        mode = asked.restore_mode(wanted)
        if wanted.dry_run:
            return await self._brought_back(wanted, vault, mode, tell)
        await asyncio.to_thread(self._keeping.note, State.BEGUN)
        try:
            return await self._brought_back(wanted, vault, mode, tell)
        finally:
            await asyncio.shield(asyncio.to_thread(self._keeping.note, None))

    async def _brought_back(
        self, wanted: backup.Restoring, vault: Vault, mode: Mode | None, tell: Tell
    ) -> Report:
        if mode is None:
            return await self._take_back(wanted, vault.name, tell)
        scratch = await self._fresh("restore")
        content = await asyncio.to_thread(fetching.opened, vault, scratch)
        ways = fetching.ways(wanted, content, vault.name)
        if not ways:
            return Report(origin={"kind": KIND})
        found = await asyncio.to_thread(fetching.fetch, vault, content, ways, scratch)
        for held in found.values():
            if held.masked:
                raise StorageError(
                    f"the backup lacks digests of the ACLs of {len(held.masked)} nodes,"
                    f" first {held.masked[0]}: who made it may not administer them"
                )
        async with self._session(tell) as session:
            goals = [await _goal(session, way, held) for way, held in found.items()]
            goals += await _top(content, wanted)
            work = Restoring(session, self._options, scratch, self._keeping, tell)
            names = [way.database for way in ways]
            looks, place = await work.reach(
                goals, mode, vault.name, dry_run=wanted.dry_run
            )
        return _restored(names, looks, work.failed, place, tell, dry=wanted.dry_run)

    async def _take_back(
        self, wanted: backup.Restoring, vault: str, tell: Tell
    ) -> Report:
        """Bring back what was there before the last restore of a vault."""
        before, entries = await asyncio.to_thread(self._keeping.last, vault)
        goals = await asyncio.to_thread(kept, before, entries)
        scratch = await self._fresh("restore")
        async with self._session(tell) as session:
            work = Restoring(session, self._options, scratch, self._keeping, tell)
            names = [entry.top[1:] for entry in entries]
            looks, place = await work.reach(
                goals, Mode.REPLACE, vault, dry_run=wanted.dry_run
            )
        return _restored(names, looks, work.failed, place, tell, dry=wanted.dry_run)

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Do nothing: ZooKeeper keeps nothing about vaults."""

    async def mend(self, tell: Tell) -> str:
        """Take back what a restore that was cut off has done; return that in words.

        Empty if there was nothing. Raise StorageError if it cannot be done.
        """
        state = await asyncio.to_thread(self._keeping.noted)
        said = ""
        if await asyncio.to_thread(self._keeping.owed):
            async with Session(self._options) as session:
                said = await self._mended(session, tell)
        elif state is not None:
            said = CUT[state]
        await asyncio.to_thread(self._keeping.note, None)
        return said

    async def health(self) -> Health:
        """Say whether a session can be had, and how the ensemble is."""
        hosts = self._options["hosts"]
        ensemble = await words.asked(hosts, self._options["tls"])
        figures: dict[str, float] = {
            "members": len(hosts),
            "members_there": sum(one.there for one in ensemble.members),
            "latency_seconds": max(one.seconds for one in ensemble.members),
        }
        if (lag := ensemble.furthest) is not None:
            figures["lag"] = lag
        try:
            async with Session({**self._options, "patience": self._short}) as session:
                await session.sync()
        except (StorageError, ConfigError) as error:
            return Health(False, f"{error}", {**figures, "quorum": 0})
        except ZookeeperError as error:
            return Health(False, why(error), {**figures, "quorum": 0})
        return Health(True, ensemble.words, {**figures, "quorum": 1})

    @property
    def _short(self) -> float:
        return min(15.0, float(self._options["patience"]))

    @asynccontextmanager
    async def _session(self, tell: Tell) -> AsyncIterator[Session]:
        """Open a session for a job; what another left half done is settled first."""
        async with Session(self._options) as session:
            try:
                await self._mended(session, tell)
                yield session
            except KazooException as error:
                raise StorageError(f"ZooKeeper: {why(error)}") from None

    async def _mended(self, session: Session, tell: Tell) -> str:
        scratch = await self._fresh("mending")
        work = Restoring(session, self._options, scratch, self._keeping, tell)
        tops = await work.undo()
        if not tops:
            return ""
        said = f"a restore was cut off: {', '.join(tops)} is as it was before it"
        tell.line(said)
        return said

    async def _fresh(self, name: str) -> Path:
        def make() -> Path:
            number = 0
            while True:
                path = self._scratch / f"{name}-{number}"
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    number += 1
                else:
                    return path

        return await asyncio.to_thread(make)


async def _tops(session: Session) -> list[str]:
    try:
        names = await session.ask(lambda: asking.children("/"))
    except ZookeeperError as error:
        raise StorageError(f"the children of /: {why(error)}") from None
    return sorted(names)


async def _goal(session: Session, way: Way, held: Held) -> Goal:
    """Return what is to be done for a way: what is above it must be there, too."""
    missing: list[Any] = []
    above = parent(way.target)
    while above != "/":
        try:
            await session.ask(lambda path=above: asking.Permits(path))  # type: ignore[misc]
        except NoNodeError:
            missing.insert(0, above)
            above = parent(above)
            continue
        except ZookeeperError as error:
            raise StorageError(f"{above}: {why(error)}") from None
        break
    if not missing:
        return Goal(way.target, held)
    known = {node.path: node for node in held.above}
    if way.path != way.target or any(path not in known for path in missing):
        raise BadRequest(f"there is no node {missing[0]} to restore below; make it")
    held.give([known[path] for path in missing])
    return Goal(missing[0], held)


async def _top(content: Content, wanted: backup.Restoring) -> list[Goal]:
    """Return the root of all as a goal, where everything is restored."""
    whole = wanted.databases is None and not wanted.paths
    if not whole or content.manifest is None or content.manifest.root is None:
        return []
    held = Held()
    held.give([content.manifest.root])
    return [Goal("/", held, deep=False)]


def _restored(
    names: Sequence[str],
    looks: Sequence[Look],
    failed: dict[str, str],
    kept: Path | None,
    tell: Tell,
    *,
    dry: bool,
) -> Report:
    counts = dict.fromkeys([*COUNTED.values(), "unchanged", "ephemeral_kept"], 0)
    for look in looks:
        for deed, count in look.plan.counts().items():
            counts[deed] += count
        counts["ephemeral_kept"] += len(look.plan.kept)
        told = ", ".join(f"{n} {deed}" for deed, n in look.plan.counts().items())
        tell.line(f"{look.goal.top}: {told}")
    for path, trouble in list(failed.items())[:MOST_LINES]:
        tell.line(f"{path}: {trouble}")
    if kept is not None:
        tell.line(f"what was there before is kept in {kept}")
    lines = [f"{s.deed} {s.path}" for one in looks for s in one.plan.steps()]
    return Report(
        databases=list(names),
        origin={"kind": KIND, **({"kept": str(kept)} if kept else {})},
        failed=failed,
        changed=counts,
        plan=lines[:MOST_LINES] if dry else [],
    )
