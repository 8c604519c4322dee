"""The rooms below as the API wants them: handlers ask here, by names and ids."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syncd.api import views
from syncd.api.explaining import explained
from syncd.api.rooms import (
    ConflictView,
    Copied,
    EntryDetails,
    EntryView,
    Explanation,
    FileView,
    HeldView,
    InFlight,
    Located,
)
from syncd.core import path as paths
from syncd.core.change import Put
from syncd.core.file import File, Kind, Mask, slots
from syncd.core.health import State
from syncd.errors import BadRequest, NotFound, Unavailable
from syncd.replication.referee import Referee
from syncd.replication.rulebook import Rulebook
from syncd.replication.survey import survey
from syncd.store import files
from syncd.store.database import Store
from syncd.supervisor.supervisor import Supervisor

BOTH = "both"
"""The word for keeping every side of a conflict; no entry is meant by it."""


class Files:
    """Reads the index."""

    def __init__(
        self,
        store: Store,
        referee: Referee,
        sockets: Mapping[str, Path],
    ) -> None:
        """Read from there; ``sockets`` are those where children give content."""
        self._store = store
        self._referee = referee
        self._sockets = sockets

    async def page(
        self,
        *,
        offset: int,
        limit: int,
        path: str | None,
        owner: str | None,
        state: str | None,
    ) -> tuple[int, list[FileView]]:
        """Return how many files there are in all, and some of them."""
        plain = path is None and owner is None and state is None
        row, rest = self._referee.ranks.seek(offset) if plain else (0, offset)
        page = await self._store.read(
            files.page,
            row=row,
            offset=rest,
            limit=limit,
            path=path,
            owner=self._mask(owner),
            where=state,
            total=self._referee.tally.files if plain else None,
        )
        return page.total, [self._view(file) for file in page.files]

    async def file(self, fid: str) -> FileView:
        """Return one file; raise NotFound."""
        return self._view(await self._living(fid))

    async def conflicts(
        self, *, offset: int, limit: int
    ) -> tuple[int, list[ConflictView]]:
        """Return how many conflicts there are in all, and some of them."""
        page = await self._store.read(
            files.page,
            offset=offset,
            limit=limit,
            where="conflict",
            total=self._referee.tally.conflicts,
        )
        world = self._referee.world
        return page.total, [views.conflict(file, world) for file in page.files]

    async def explain(self, fid: str) -> Explanation:
        """Return why a file is where it is, or is gone; raise NotFound."""
        file = await self._store.read(files.by_fid, fid)
        referee = self._referee
        under_way = {
            (slot, issued.file)
            for slot, lane in referee.lanes.items()
            for issued in lane.under_way
        }
        return explained(
            file,
            self._view(file),
            referee.world,
            referee.written,
            under_way,
            happened=referee.chronicle.steps(file.path, file.cause),
        )

    async def locate(self, fid: str) -> Located:
        """Return who can give a file's content; raise NotFound or Unavailable."""
        file = await self._living(fid)
        if file.kind is not Kind.FILE:
            raise NotFound(f"file {fid} is a {file.kind} and has no content")
        world = self._referee.world
        sources = []
        for slot in slots(file.holders & self._referee.up & world.slots):
            stamp = file.copies[slot].stamp
            if stamp is not None:
                name = world.members[slot].name
                sources.append(Copied(name, self._sockets[name], file.path, stamp))
        if not sources:
            raise Unavailable("no entry that holds the file can be reached now")
        return Located(self._view(file), sources)

    async def _living(self, fid: str) -> File:
        file = await self._store.read(files.by_fid, fid)
        if file.deleted or file.kind is Kind.DIRECTORY:
            raise NotFound(f"file {fid} not found")
        return file

    def _mask(self, owner: str | None) -> Mask:
        if owner is None:
            return 0
        try:
            return 1 << self._referee.slot(owner)
        except KeyError:
            raise BadRequest(f"owner: entry {owner} not found") from None

    def _view(self, file: File) -> FileView:
        return views.file(file, self._referee.world)


class Conflicts:
    """Takes a person's decisions."""

    def __init__(self, store: Store, referee: Referee) -> None:
        self._store = store
        self._referee = referee

    async def resolve(self, fid: str, keep: str) -> None:
        """Keep what that entry holds, or ``both``; raise NotFound or Conflict.

        Raise BadRequest if no entry is called so.
        """
        file = await self._store.read(files.by_fid, fid)
        try:
            await self._referee.decide(file.path, None if keep == BOTH else keep)
        except KeyError:
            raise BadRequest(f"keep: entry {keep} not found") from None


class Entries:
    """Looks after the children, and decides for people what they decided."""

    def __init__(
        self,
        configured: Mapping[str, EntryView],
        store: Store,
        supervisor: Supervisor,
        referee: Referee,
    ) -> None:
        self._configured = configured
        self._store = store
        self._supervisor = supervisor
        self._referee = referee

    def list(self) -> Sequence[EntryView]:
        """Return all entries in the order of the configuration."""
        return [*self._configured.values()]

    def get(self, name: str) -> EntryView:
        """Return one entry; raise NotFound."""
        try:
            return self._configured[name]
        except KeyError:
            raise NotFound(f"entry {name} not found") from None

    async def start(self, name: str) -> None:
        """Start it; raise NotFound or Conflict."""
        await self._supervisor.start(name)

    async def stop(self, name: str) -> None:
        """Stop it and return once it is gone; raise NotFound or Conflict."""
        await self._supervisor.stop(name)

    async def restart(self, name: str) -> None:
        """Stop and start it; raise NotFound or Conflict."""
        await self._supervisor.restart(name)

    def status(self, name: str) -> str:
        """Return ``active`` or ``stopped``; raise NotFound."""
        return self._supervisor.status(name)

    async def stats(self, name: str) -> dict[str, float | str]:
        """Return the figures of its process; raise NotFound or Conflict."""
        stats = await self._supervisor.stats(name)
        figures = self._supervisor.figures(name)
        return stats | (views.watching(figures) if figures else {})

    async def held(self, name: str, *, offset: int, limit: int) -> HeldView | None:
        """Return what of it is held, with some of the files; raise NotFound."""
        self.get(name)
        slot, guards = self._referee.slot(name), self._referee.guards
        waiting = guards.waiting(slot)
        if not waiting:
            return None
        page = await self._store.read(files.held_page, slot, offset, limit)
        return HeldView(
            reason=guards.told(slot),
            changes=[views.waiting(one) for one in waiting],
            total=guards.kept(slot),
            files=[views.held(file, slot) for file in page],
        )

    async def approve(self, name: str) -> None:
        """Take storage and held changes as meant; raise NotFound or Conflict."""
        self.get(name)
        await self._referee.approve(name)

    async def restore(self, name: str) -> None:
        """Undo held changes, fill its storage again; raise NotFound or Conflict."""
        self.get(name)
        await self._referee.restore(name)

    def details(self) -> Sequence[EntryDetails]:
        """Return how each entry is, in the order of the configuration."""
        return [self._details(view) for view in self._configured.values()]

    def _details(self, view: EntryView) -> EntryDetails:
        slot = self._referee.slot(view.name)
        life = self._supervisor.life(view.name)
        figures = self._supervisor.figures(view.name)
        count = self._referee.tally.of(slot)
        state = str(life.state)
        if life.state is State.ACTIVE and not self._referee.lanes[slot].ready:
            state = "starting"  # Its storage has not been walked yet.
        waiting = self._referee.guards.waiting(slot)
        reason = life.reason
        if waiting and life.state is State.ACTIVE:
            state, reason = "held", self._referee.guards.told(slot)
        return EntryDetails(
            name=view.name,
            driver=view.driver,
            status=self._supervisor.status(view.name),
            life=state,
            reason=reason or (figures.obstacle if figures else "") or None,
            files=count.files,
            bytes=count.bytes,
            uptodate=count.files,
            pending=count.pending,
            blocked=count.blocked,
            conflicts=count.conflicts,
            in_flight=[*self._in_flight(slot)],
            last_walk=self._referee.walked_at.get(slot),
            watched=figures.watched if figures else 0,
            unwatched=figures.unwatched if figures else 0,
            watched_ratio=figures.watched_ratio if figures else None,
            oldest_unscanned_seconds=figures.unscanned if figures else None,
            overflows=figures.overflows if figures else 0,
            restarts=life.restarts,
            pid=life.pid,
            held=sum(one.files for one in waiting),
            held_since=min((one.since for one in waiting), default=None),
        )

    def _in_flight(self, slot: int) -> Sequence[InFlight]:
        shown = []
        for order, copied in self._referee.lanes[slot].transfers():
            if isinstance(order, Put):
                source = order.sources[0].entry if order.sources else ""
                name = paths.readable(order.path)
                shown.append(InFlight(name, order.size, copied, source))
        return shown


class Rules:
    """Shows, puts, reloads and tries rules."""

    def __init__(self, rulebook: Rulebook, store: Store, referee: Referee) -> None:
        self._rulebook = rulebook
        self._store = store
        self._referee = referee

    def shown(self) -> Any:
        """Return the document as it was put."""
        return self._rulebook.shown()

    async def put(self, document: Any) -> None:
        """Write new rules, in force after the next reload; raise BadRequest."""
        await self._rulebook.put(document)

    async def reload(self) -> bool:
        """Apply the rules file if it changed, and tell whether; raise BadRequest."""
        return await self._rulebook.reload()

    async def plan(self, document: Any) -> Any:
        """Return what the rules would do; raise BadRequest with every fault."""
        return await survey(self._store, self._referee.world, document)
