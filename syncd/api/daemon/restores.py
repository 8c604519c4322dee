"""Restores: of a vault by its name or time, and from no vault at all."""

import asyncio
from http import HTTPStatus
from typing import Any

from syncd.api.daemon import requests, shapes
from syncd.api.daemon.backups import ID, number
from syncd.api.daemon.handler import DaemonHandler, Refused, failed
from syncd.api.operation import on
from syncd.core.permission import Action
from syncd.errors import Conflict, NotFound

SWITCHED_OFF = (
    "a restore of everything is switched off (full_restore); name the databases in dbs"
)


class Restore(DaemonHandler):
    """Restores of a vault, to be asked for."""

    largest = None
    changes = Action.BACKUP_RESTORE

    @on(
        "POST",
        body={"type": "object"},
        optional=True,
        errors=[
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ],
        content=ID,
    )
    async def restore(self) -> None:
        """Ask for a restore; answer its id, and nothing around it.

        Whether the databases are in the vault is found out by the job.
        """
        body = self.document
        requests.check_keys(body, requests.RESTORE, self.manners.variables)
        if body.get("vault") is None and body.get("ts") is None:
            raise failed("say which backup: its name as vault, or a moment as ts")
        backups = self.backups
        vault = await self._vault(body)
        request = requests.restore(body, self.manners, vault)
        whole = request.databases is None and not self.manners.full_restore
        try:
            job = await backups.restore(
                request,
                who=self.asker,
                key=self.key,
                refused=SWITCHED_OFF if whole else "",
            )
        except NotFound:
            raise failed(f"backup {vault} not found") from None
        except Conflict as error:
            raise failed(str(error), HTTPStatus.CONFLICT) from None
        self.say_id(job.id)

    async def _vault(self, body: dict[str, Any]) -> str:
        said = body.get("vault")
        if said is not None:
            if not isinstance(said, str) or not said:
                raise failed(f"backup {requests.plain(said)} not found")
            return said
        wanted = number(body["ts"])
        zone = self.zone(self.backups)
        views = [one for one in await self.all_listed() if one.valid]
        found = None
        if wanted is not None:
            found = await asyncio.to_thread(shapes.since, views, wanted, zone)
        if found is None:
            moment = requests.plain(body["ts"])
            raise failed(f"a valid backup with ts {moment} or newer not found")
        return found.summary.name


class ExternalRestore(DaemonHandler):
    """Restores that need no vault: the source knows where to take it from."""

    largest = None
    changes = Action.BACKUP_RESTORE

    @on("POST", body={"type": "object"}, optional=True, content=ID)
    async def restore(self) -> None:
        """Ask for a restore from no vault; answer its id, and nothing around it."""
        request = requests.external(self.document, self.manners)
        if not self.manners.full_restore:
            raise Refused("a restore of everything is switched off (full_restore)")
        job = await self.backups.restore(request, who=self.asker, key=self.key)
        self.say_id(job.id)


ROUTES = [("/restore", Restore)]
ALONE = [("/external/restore", ExternalRestore)]
