"""Backups: asked for, listed, found by their time."""

import asyncio
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace

from syncd import clock
from syncd.api.daemon import requests, shapes
from syncd.api.daemon.handler import DaemonHandler, Refused, failed, told
from syncd.api.operation import Word, on
from syncd.core.backup import BackupRequest, VaultView
from syncd.errors import NotFound

ID = {"application/json": {"type": "string"}}
STATS = {"application/json": {"type": "object", "required": ["id", "ts", "failed"]}}


class Backup(DaemonHandler):
    """Backups, to be asked for."""

    largest = None

    @on(
        "POST",
        body={"type": "object"},
        optional=True,
        errors=[HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE],
        content=ID,
    )
    async def back_up(self) -> None:
        """Ask for a backup; answer its name, and nothing around it."""
        backups = self.backups
        request = requests.backup(
            self.document, self.manners, who=self.asker, now=clock.timestamp()
        )
        if self.is_incremental:
            request = await self._since_the_last(request)
        job = await backups.back_up(request, who=self.asker, key=self.key)
        self.say_id(shapes.task(job))

    async def _since_the_last(self, request: BackupRequest) -> BackupRequest:
        """Return an incremental request with where it begins; raise Refused."""
        partial = request.databases is not None
        rooms = self.desk.rooms
        engines = [one for one in (rooms.backups, rooms.incremental) if one is not None]
        earlier = [
            shapes.milliseconds(view, self.zone(engine))
            for engine in engines
            for view in await self.all_listed(engine)
            if view.valid and shapes.is_granular(view) == partial
        ]
        if not earlier:
            kind = "granular" if partial else "full"
            reason = f"there is no valid {kind} backup yet that could be added to"
            raise failed(reason, HTTPStatus.CONFLICT)
        if "start_ts" not in self.manners.variables:
            return request
        start = max(earlier) // 1000
        if "start_ts" in request.variables:
            return request
        variables = {"start_ts": start, **request.variables}
        return replace(request, variables=variables, derived=["start_ts"])


class Backups(DaemonHandler):
    """All backups that have ended."""

    counted = False

    @on("GET", content={"application/json": {"type": "array"}})
    async def names(self) -> None:
        """Answer the names of all backups, oldest first, failed ones too."""
        views = await self.all_listed()
        self.say([view.summary.name for view in views])


class OneBackup(DaemonHandler):
    """One backup that has ended."""

    counted = False

    @on("GET", content=STATS)
    async def stats(self, vault: str) -> None:
        """Answer what is known of a backup; 404 also while it runs."""
        try:
            view = await self.listed(vault)
        except NotFound:
            raise told(f"backup {vault} not found") from None
        await self.say_stats(view)

    async def say_stats(self, view: VaultView) -> None:
        """Answer what is known of a backup."""
        view = await self.view_for_asker(view)
        self.say(
            shapes.stats(
                view,
                self.zone(self.backups),
                incremental=self.is_incremental,
                publish_variables=self.manners.publish_variables,
            )
        )


class Find(OneBackup):
    """The first backup since a moment."""

    @on(
        "GET",
        query=[Word("ts", "Milliseconds since 1970.")],
        errors=[HTTPStatus.NOT_FOUND],
        content=STATS,
    )
    async def find(self) -> None:
        """Answer the oldest backup of that moment or after it.

        The moment is given as ``ts``, in the query or in a body.
        """
        backups = self.backups
        moment: Any = self.read_object().get("ts", self.given["ts"])
        if moment is None:
            raise Refused("ts is missing: milliseconds since 1970")
        wanted = number(moment)
        views = await self.all_listed(backups)
        view = None
        if wanted is not None:
            view = await asyncio.to_thread(
                shapes.since, views, wanted, self.zone(backups)
            )
        if view is None:
            raise told(f"backup with ts {requests.plain(moment)} or newer not found")
        await self.say_stats(view)


def number(said: Any) -> int | None:
    """Return a number of milliseconds, however it was written; None for none."""
    text = str(said).strip()
    plain = isinstance(said, str | int) and not isinstance(said, bool)
    return int(text) if plain and text.isascii() and text.isdecimal() else None


ROUTES = [
    ("/backup", Backup),
    ("/listbackups", Backups),
    ("/listbackups/{vault}", OneBackup),
    ("/find", Find),
]
