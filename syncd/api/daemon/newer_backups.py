"""Backups at the newer addresses: asked for, watched, deleted."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any

from syncd.api.daemon import newer, requests, shapes
from syncd.api.daemon.handler import Refused
from syncd.api.daemon.newer import PREFIX, Newer, bad, missing
from syncd.api.operation import Word, on
from syncd.core.backup import BackupRequest, VaultView
from syncd.core.job import Job, Kind, State
from syncd.core.permission import Action
from syncd.errors import BadRequest, Conflict, NotFound

BLOB_PATH = Word("blobPath", "The folder of the backup, as it was given.")


class NewerBackups(Newer):
    """Backups, to be asked for."""

    largest = None

    @on(
        "POST",
        body={"type": "object"},
        errors=[HTTPStatus.SERVICE_UNAVAILABLE],
        content=newer.OBJECT,
    )
    async def back_up(self) -> None:
        """Ask for a backup into a folder of its own; answer its object."""
        said = self.said("storageName", "blobPath", "databases")
        request = BackupRequest(
            databases=_databases(said), folder=newer.blob_path(said.get("blobPath"))
        )
        job = await self.backups.back_up(request, who=self.asker, key=self.key)
        self.say(newer.backup(job, None))


class NewerBackup(Newer):
    """One backup."""

    @on("GET", content=newer.OBJECT)
    async def status(self, backup: str) -> None:
        """Answer how a backup is; 404 also once it was deleted."""
        job = await self.job_for_asker(await self._job(backup))
        self.say(newer.backup(job, await self._vault(job)))

    async def _job(self, backup: str) -> Job:
        """Return a backup's job, or what its vault tells of it; raise Refused.

        Jobs are forgotten after a while, and with the index; vaults are not.
        """
        try:
            return await self.job_of(Kind.BACKUP, backup)
        except Refused:
            with suppress(NotFound):
                view = await self.backups.vault(backup)
                if view.folder:
                    return shapes.told_by(view)
            raise

    async def _vault(self, job: Job) -> VaultView | None:
        if job.state is not State.SUCCESSFUL or job.vault is None:
            return None
        try:
            return await self.backups.vault(job.vault, folder=job.asked["folder"])
        except NotFound:
            raise missing(f"the backup {job.vault} was deleted") from None

    @on(
        "DELETE",
        action=Action.BACKUP_EVICT,
        query=[BLOB_PATH],
        errors=[HTTPStatus.CONFLICT],
        content=newer.OBJECT,
    )
    async def delete_it(self, backup: str) -> None:
        """Delete a backup that has ended; 409 while it is in use."""
        path = newer.blob_path(self.given["blobPath"])
        job = await self._job(backup)
        if not job.state.final:
            raise Conflict(f"the backup {backup} has not ended")
        if path != job.asked.get("folder", ""):
            raise missing(f"there is no backup {backup} in {path}")
        try:
            await self.backups.evict(backup, who=self.asker, folder=path)
        except NotFound:
            if job.state is State.SUCCESSFUL:
                raise missing(f"the backup {backup} was deleted before") from None
        self.say({"message": "OK", "backupId": backup, "blobPath": path})


def _databases(said: dict[str, Any]) -> list[str] | None:
    databases = said.get("databases")
    if not isinstance(databases, list | None):
        raise bad("databases must be a list of names")
    requests.check_number(databases or [], "databases")
    for name in databases or []:
        try:
            requests.check_name(name)
        except BadRequest as error:
            raise bad(f"databases: {error}") from None
    return databases or None


ALONE = [
    (f"{PREFIX}/backup", NewerBackups),
    (f"{PREFIX}/backup/{{backup}}", NewerBackup),
]
