"""Restores: of a backup that is sent, and of one that is kept."""

import asyncio
import tempfile
from http import HTTPStatus
from pathlib import Path

from syncd.api.operation import Word, on
from syncd.api.optools import backups, requests, shapes
from syncd.api.optools.handler import OpToolsHandler
from syncd.api.optools.requests import Rule, refused
from syncd.core.job import Job
from syncd.errors import NoRoom
from syncd.store.transactions import Transaction

STARTED = {"application/json": {"type": "object", "required": ["message", "url"]}}
SKIP = [
    Word("skip_system", 'Ids that are not restored to the system: ["00_settings"].'),
    Word("skip_components", "Ids that are not restored to the components."),
]
NOT_LOADED = "cannot restore, could not load backup doc."


class Restoring(OpToolsHandler):
    """What both restores do alike."""

    def skip(self) -> dict[str, list[str]]:
        """Return the ids that are not restored, by database; raise Refused."""
        names = self.manners.databases
        found = {}
        for role in ("system", "components"):
            parameter = f"skip_{role}"
            ids = requests.skipped(parameter, self.given[parameter])
            if ids and role in names:
                found[names[role]] = ids
        return found

    def started(self, one: Transaction) -> None:
        """Answer where to look how it goes."""
        url = f"{self.host_url}/ak/api/v1/webhooks/txs/{one.id}"
        self.say({"message": "in-progress", "url": url}, HTTPStatus.ACCEPTED)

    @property
    def by(self) -> str:
        """Return who asks, as it may be shown."""
        return shapes.censored(self.who.name, self.who.means)


class RestoreSent(backups.Backups, Restoring):
    """All backups; and one that is sent, to be restored."""

    @on(
        "PUT",
        query=SKIP,
        body={"type": "object"},
        optional=True,
        status=[HTTPStatus.ACCEPTED],
        content=STARTED,
    )
    async def restore(self) -> None:
        """Restore the backup in the body; the answer comes before it is done."""
        skip, conductor = self.skip(), self.conductor
        async with conductor.turn:
            conductor.check_free()
            content = bytes(self._body)
            self._body.clear()
            archive = await asyncio.to_thread(self._spool)
            try:
                sent = await asyncio.to_thread(
                    requests.packed, content, self.manners.databases, archive
                )
                one = await conductor.restore_sent(
                    archive, skip=skip, hook=sent.hook, who=self.who.name, by=self.by
                )
            finally:
                await asyncio.to_thread(archive.unlink, True)
        self.started(one)

    def _spool(self) -> Path:
        spool = self.manners.spool
        try:
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=spool, prefix="sent-", delete=False
            ) as file:
                return Path(file.name)
        except OSError as error:
            raise NoRoom(f"the backup cannot be kept: {error.strerror}") from None


class RestoreKept(backups.OneBackup, Restoring):
    """One backup, to be read or restored."""

    @on(
        "PUT",
        query=SKIP,
        body={"type": "object"},
        optional=True,
        status=[HTTPStatus.ACCEPTED],
        content=STARTED,
    )
    async def restore(self, backup: str) -> None:
        """Restore a backup by its id; the answer comes before it is done."""
        said = self.read_checked(Rule("client_webhook_url"))
        hook = requests.hook_of(said.get("client_webhook_url"))
        skip, conductor = self.skip(), self.conductor
        async with conductor.turn:
            conductor.check_free()
            found = (await self.listed()).get(backup)
            if found is None or isinstance(found, Job) or not found.valid:
                raise refused(NOT_LOADED)
            one = await conductor.restore(
                found.summary.name,
                skip=skip,
                hook=hook,
                who=self.who.name,
                by=self.by,
            )
        self.started(one)


ROUTES = [("/backups", RestoreSent), ("/backups/{backup}", RestoreKept)]
