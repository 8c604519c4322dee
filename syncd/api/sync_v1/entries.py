"""Entries: what they are, how they are, and what people do with them."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from syncd import clock
from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, on
from syncd.api.rooms import EntryDetails, EntryView, HeldView, StateView

NAMED = [HTTPStatus.NOT_FOUND]
ORDERED = [
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
]


class EntryList(Struct, frozen=True):
    """All entries."""

    entries: list[EntryView]


class EntryStatus(Struct, frozen=True, omit_defaults=True):
    """Whether an entry runs, and what of it waits for a person."""

    name: str
    status: Literal["active", "stopped"]
    time: float
    held: HeldView | None = None
    """Changes not passed on, since too many came at once; not there if none are."""


class EntryStats(Struct, frozen=True):
    """Figures of an entry's process."""

    info: dict[str, float | str]
    name: str
    status: Literal["ok"]
    time: float


class EntryDone(Struct, frozen=True):
    """What was asked for an entry was done."""

    name: str
    status: Literal["ok"]
    time: float


class Transfer(Struct, frozen=True):
    """A transfer that takes long enough to be seen."""

    entry: str
    filename: str
    size: int
    copied: int
    source: str


class Status(Struct, frozen=True):
    """How everything is."""

    version: str
    time: float
    uptime: float
    """Seconds since the daemon began to answer."""
    files: int
    conflicts: int
    entries: list[EntryDetails]
    transfers: list[Transfer]
    state: StateView


class Entries(Handler):
    """All entries."""

    @on("GET")
    async def listed(self) -> EntryList:
        """List all the entries."""
        return EntryList(list(self.desk.rooms.entries.list()))


class Entry(Handler):
    """One entry."""

    @on("GET", errors=NAMED)
    async def described(self, name: str) -> EntryView:
        """Return the description of a given entry."""
        return self.desk.rooms.entries.get(name)


class Stats(Handler):
    """Figures of one entry."""

    @on("GET", errors=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT])
    async def stats(self, name: str) -> EntryStats:
        """Return the stats of a given entry (age, cpu, memory, status, name)."""
        info = await self.desk.rooms.entries.stats(name)
        return EntryStats(info, name, "ok", clock.timestamp())


class OneStatus(Handler):
    """Whether one entry runs."""

    @on("GET", query=(OFFSET, LIMIT), errors=NAMED)
    async def status(self, name: str) -> EntryStatus:
        """Return the status of a given entry.

        Where changes are held, some of their files are listed: ``limit`` of them,
        from ``offset`` on.
        """
        entries = self.desk.rooms.entries
        status: Any = entries.status(name)
        held = await entries.held(name, **self.given)
        return EntryStatus(name, status, clock.timestamp(), held)


class _Order(Handler):
    async def _done(self, name: str, order: Awaitable[None]) -> EntryDone:
        await order
        return EntryDone(name, "ok", clock.timestamp())


class Start(_Order):
    """Starting one entry."""

    @on("PUT", errors=ORDERED)
    async def start(self, name: str) -> EntryDone:
        """Start a given entry."""
        return await self._done(name, self.desk.rooms.entries.start(name))


class Stop(_Order):
    """Stopping one entry."""

    @on("PUT", errors=ORDERED)
    async def stop(self, name: str) -> EntryDone:
        """Stop a given entry; it stays stopped until it is started."""
        return await self._done(name, self.desk.rooms.entries.stop(name))


class Restart(_Order):
    """Restarting one entry."""

    @on("PUT", errors=ORDERED)
    async def restart(self, name: str) -> EntryDone:
        """Stop and start a given entry."""
        return await self._done(name, self.desk.rooms.entries.restart(name))


class Approve(_Order):
    """Letting one suspended or held entry go on."""

    @on("PUT", errors=ORDERED)
    @on("POST", errors=ORDERED)
    async def approve(self, name: str) -> EntryDone:
        """Take what a suspended or held entry shows now as meant, and pass it on."""
        return await self._done(name, self.desk.rooms.entries.approve(name))


class Restore(_Order):
    """Undoing what was done to one suspended or held entry."""

    @on("PUT", errors=ORDERED)
    @on("POST", errors=ORDERED)
    async def restore(self, name: str) -> EntryDone:
        """Give a suspended or held entry again what the others hold."""
        return await self._done(name, self.desk.rooms.entries.restore(name))


class Overview(Handler):
    """How everything is."""

    @on("GET")
    async def status(self) -> Status:
        """Tell how each entry is, what is being copied, and the sum of it."""
        rooms = self.desk.rooms
        files, _ = await rooms.files.page(
            offset=0, limit=1, path=None, owner=None, state=None
        )
        conflicts, _ = await rooms.files.conflicts(offset=0, limit=1)
        entries = list(rooms.entries.details())
        return Status(
            version=rooms.version(),
            time=clock.timestamp(),
            uptime=clock.monotonic() - self.desk.opened,
            files=files,
            conflicts=conflicts,
            entries=entries,
            transfers=[
                Transfer(entry.name, one.filename, one.bytes, one.copied, one.source)
                for entry in entries
                for one in entry.in_flight
            ],
            state=rooms.state(),
        )


ROUTES: list[Route] = [
    ("/status", Overview),
    ("/entries", Entries),
    ("/entries/{name}", Entry),
    ("/entries/{name}/stats", Stats),
    ("/entries/{name}/status", OneStatus),
    ("/entries/{name}/start", Start),
    ("/entries/{name}/stop", Stop),
    ("/entries/{name}/restart", Restart),
    ("/entries/{name}/approve", Approve),
    ("/entries/{name}/restore", Restore),
]
