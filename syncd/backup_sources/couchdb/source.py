"""Backs up databases of a CouchDB and brings them back, revision by revision."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from syncd import clock
from syncd.backup_sources.contract import Around, Tell
from syncd.backup_sources.couchdb import restoring, whitelist
from syncd.backup_sources.couchdb.holding import About, Held
from syncd.backup_sources.couchdb.reading import Reading
from syncd.backup_sources.couchdb.talking import Server, in_url
from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.core.job import Progress
from syncd.errors import BadRequest, NotFound, StorageError, SyncdError
from syncd.vaults.contract import Staging, Vault

KIND = "couchdb"
SKIP = "skip"
"""The variable that names documents which are not restored, by database."""
UNDO = "undo"
"""The variable by which a restore that fails deletes what it has made."""
WHITE_LIST = "white_list"
"""The variable that names the databases of components and of settings."""
MISSING = "missing"
"""The variable by which a backup may lack databases that there are not."""

_NAME = re.compile(r"[a-z_][a-z0-9_$()+/-]*", re.ASCII)


class CouchDB:
    """See contract.Source."""

    def __init__(self, options: Mapping[str, Any], around: Around) -> None:
        self._options = options
        self._scratch = around.scratch
        said = options["databases"]
        self._names: list[str] = [*(said.values() if isinstance(said, dict) else said)]

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> Self:
        """Return the source."""
        return cls(options, around)

    async def databases(self) -> list[str]:
        """Return the names of the databases that are configured."""
        return list(self._names)

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Read databases into the staging, each as of one moment."""
        _check(wanted.variables, {MISSING})
        names = self._chosen(wanted.databases)
        scratch = await self._fresh("reading")
        count = _Counting(tell)
        readings: list[Reading] = []
        try:
            async with Server(self._options, tell.line) as server:
                version = await _version(server)
                if wanted.variables.get(MISSING):
                    names = [one for one in names if await _is_there(server, one)]
                for name in names:
                    tell.line(f"reading {name}")
                    reading = Reading(server, name, self._options, scratch, count)
                    readings.append(reading)
                    await reading.open()
                    await reading.catch_up()
                # What changed in one while the others were read, in one short moment.
                begun = clock.monotonic()
                for reading in readings:
                    await reading.catch_up()
                window = clock.monotonic() - begun
            abouts = [await reading.keep(into) for reading in readings]
        finally:
            for reading in readings:
                await reading.close()
        for about in abouts:
            tell.line(f"{about.name}: {about.docs} documents")
        return Report(databases=names, origin=_origin(version, abouts, window))

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return the databases of a vault."""
        return (await asyncio.to_thread(Held, vault)).names

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        """Bring databases back, or say what would be done; what fails is named."""
        skip = _skipped(wanted.variables)
        if wanted.paths:
            raise BadRequest("a CouchDB has no paths; name databases")
        held = await asyncio.to_thread(Held, vault)
        goals = _goals(wanted, held.names, skip)
        outcome = _Outcome()
        async with Server(self._options, tell.line) as server:
            count = _Counting(tell)
            works: list[restoring.Restoring] = []
            for goal in goals:
                tell.line(f"restoring {goal.name} to {goal.target}")
                scratch = await self._fresh(f"restoring {len(works)}")
                work = restoring.Restoring(server, goal, held, self._options, scratch)
                works.append(work)
                try:
                    await work.run(lambda docs: count(docs, 0))
                except SyncdError as error:
                    # Whatever it is: something may be written already.
                    outcome.failed[goal.target] = str(error)
                _say_all(tell, goal, work)
                outcome.take(goal, work)
                if outcome.failed:
                    break  # What comes after it would have to be taken back, too.
            await _conclude(server, wanted, works, outcome, tell)
        return Report(
            databases=outcome.done,
            origin={"kind": KIND},
            failed=outcome.failed,
            changed=outcome.changed,
            plan=outcome.plan,
        )

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Do nothing: a vault holds all that is known of it."""

    async def health(self) -> Health:
        """Say whether the server answers, and has the databases."""
        options = {**self._options, "patience": min(5.0, self._options["patience"])}
        try:
            async with Server(options, lambda _: None) as server:
                await _version(server)
                docs = 0
                missing = []
                for name in self._names:
                    said = await server.ask("GET", in_url(name), fine=(404,))
                    if said.status == 404:
                        missing.append(name)
                    else:
                        docs += int(said.read().get("doc_count", 0))
        except SyncdError as error:
            return Health(reachable=False, detail=str(error))
        # A restore may be about to make them; a backup says by itself what it misses.
        detail = f"there is no database {missing[0]}" if missing else ""
        return Health(reachable=True, detail=detail, figures={"documents": float(docs)})

    def _chosen(self, said: list[Any] | None) -> list[str]:
        if said is None:
            return list(self._names)
        names = _checked(said)
        if not names:
            raise BadRequest("no database is named; name one, or nothing at all")
        for name in names:
            if name not in self._names:
                known = ", ".join(self._names)
                raise NotFound(f"there is no database {name!r} here; known: {known}")
        return names

    async def _fresh(self, name: str) -> Path:
        folder = self._scratch / name
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        return folder


class _Counting:
    """Tells how many documents and bytes have come or gone."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._docs = 0
        self._bytes = 0

    def __call__(self, docs: int, size: int) -> None:
        self._docs += docs
        self._bytes += size
        progress = Progress(items=self._docs, bytes=self._bytes, phase="documents")
        self._tell.progress(progress)


class _Outcome:
    """What came of the databases that were restored."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.changed: dict[str, int] = {}
        self.failed: dict[str, str] = {}
        self.plan: list[str] = []

    def take(self, goal: restoring.Goal, work: restoring.Restoring) -> None:
        """Take in what came of one."""
        self.plan += work.plan[: restoring.MOST - len(self.plan)]
        for deed, number in work.changed.items():
            self.changed[deed] = self.changed.get(deed, 0) + number
        if work.failed and goal.target not in self.failed:
            self.failed[goal.target] = _together(work.failed)
        if goal.target not in self.failed:
            self.done.append(goal.name)


async def _conclude(
    server: Server,
    wanted: Restoring,
    works: Sequence[restoring.Restoring],
    outcome: _Outcome,
    tell: Tell,
) -> None:
    """Do what was asked for besides, now that it is known how it went."""
    if outcome.failed and wanted.variables.get(UNDO):
        await _undone(works, tell)
    white_list = wanted.variables.get(WHITE_LIST)
    if white_list and not outcome.failed and not wanted.dry_run:
        await _listed(server, white_list, tell)
    for work in works:
        await work.close()


async def _version(server: Server) -> str:
    said = (await server.ask("GET", "")).read()
    return str(said.get("version", "")) if isinstance(said, dict) else ""


def _origin(version: str, abouts: Sequence[About], window: float) -> dict[str, Any]:
    kept = {about.name: msgspec.to_builtins(about) for about in abouts}
    for one in kept.values():
        one.pop("security")
    moments = [about.moment for about in abouts]
    return {
        "kind": KIND,
        "server": version,
        "databases": kept,
        # Between the first and the last, something may be in one and not in another.
        "window_ms": round(1000 * max(window, _width(moments))),
        "documents": sum(about.docs for about in abouts),
    }


def _width(moments: Sequence[float]) -> float:
    return max(moments) - min(moments) if moments else 0.0


def _goals(
    wanted: Restoring, known: Sequence[str], skip: Mapping[str, frozenset[str]]
) -> list[restoring.Goal]:
    names = list(known) if wanted.databases is None else _checked(wanted.databases)
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise NotFound(
                f"there is no database {name!r} in the vault; it has {there}"
            )
    for name, other in wanted.names.items():
        if name not in names:
            raise BadRequest(f"{name} is to be called otherwise, but not restored")
        if not _NAME.fullmatch(other):
            raise BadRequest(
                f"{other[:60]!r} cannot be the name of a database: a-z, 0-9 and"
                " _$()+/- are possible, a letter first"
            )
    targets = [wanted.names.get(name, name) for name in names]
    if len(set(targets)) < len(targets):
        raise BadRequest("two databases cannot be restored into one")
    return [
        restoring.Goal(
            name=name,
            target=target,
            skip=skip.get(name, frozenset()),
            exact=wanted.delete,
            dry_run=wanted.dry_run,
        )
        for name, target in zip(names, targets, strict=True)
    ]


def _checked(said: Any) -> list[str]:
    if not isinstance(said, list) or not all(
        isinstance(one, str) and one for one in said
    ):
        raise BadRequest("databases are named by their names, as in [components]")
    return list(dict.fromkeys(said))


def _skipped(variables: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    _check(variables, {SKIP, UNDO, WHITE_LIST})
    said = variables.get(SKIP, {})
    try:
        lists = msgspec.convert(said, dict[str, list[str]])
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"skip must name documents by database, as in {{NAME: [ID]}}: {error}"
        ) from None
    return {name: frozenset(ids) for name, ids in lists.items()}


def _check(variables: Mapping[str, Any], known: set[str]) -> None:
    if strangers := sorted(variables.keys() - known):
        raise BadRequest(
            f"there is no variable {strangers[0]!r} here; known are"
            f" {', '.join(sorted(known))}"
        )


async def _is_there(server: Server, name: str) -> bool:
    return (await server.ask("GET", in_url(name), fine=(404,))).status != 404


async def _undone(works: Sequence[restoring.Restoring], tell: Tell) -> None:
    for work in works:
        try:
            tell.line(f"{await work.undo()} documents that were made are deleted again")
        except StorageError as error:
            tell.line(f"what was made cannot be deleted again: {error}")


async def _listed(server: Server, said: Mapping[str, Any], tell: Tell) -> None:
    """Make the white list anew; all is restored, whatever becomes of that."""
    try:
        names = str(said["components"]), str(said["system"])
        if await whitelist.rebuilt(server, *names):
            tell.line("the white list was made anew")
    except (StorageError, KeyError, TypeError) as error:
        tell.line(f"the white list was not made anew: {error}")


def _say_all(tell: Tell, goal: restoring.Goal, work: restoring.Restoring) -> None:
    counts = ", ".join(f"{number} {deed}" for deed, number in work.changed.items())
    tell.line(f"{goal.target}: {counts}")
    for id_, why in list(work.failed.items())[: restoring.MOST]:
        tell.line(f"{goal.target}/{id_}: {why}")
    for stub in work.stubs[: restoring.MOST]:
        tell.line(f"{goal.target}/{stub}: the backup does not hold this attachment")


def _together(failed: Mapping[str, str]) -> str:
    first, why = next(iter(failed.items()))
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"document {first!r}: {why}{more}"
