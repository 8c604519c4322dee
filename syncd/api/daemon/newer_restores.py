"""Restores at the newer addresses: asked for, tried out, watched."""

from http import HTTPStatus
from typing import Any

from syncd.api.daemon import newer, requests
from syncd.api.daemon.newer import PREFIX, Newer, bad, missing
from syncd.api.daemon.newer_backups import BLOB_PATH
from syncd.api.daemon.restores import SWITCHED_OFF
from syncd.api.operation import on
from syncd.core.backup import RestoreRequest
from syncd.core.job import Job, Kind
from syncd.core.permission import Action
from syncd.errors import BadRequest, Conflict, NotFound

FROM, TO = "previousDatabaseName", "databaseName"
BESIDES = ("microserviceName", "namespace", "prefix", "path")
"""What a database may be given besides, and is given back."""

Items = list[dict[str, str]]


class NewerRestore(Newer):
    """A backup, to be restored from; or a restore of it: the id tells which."""

    largest = None
    changes = Action.BACKUP_RESTORE

    @on(
        "POST",
        body={"type": "object"},
        errors=[HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE],
        content=newer.OBJECT,
    )
    async def restore(self, id: str) -> None:
        """Ask for a restore; with ``dryRun``, answer when it has been tried out."""
        said = self.said("storageName", "blobPath", "databases", "dryRun")
        dry_run = said.get("dryRun", False)
        if not isinstance(dry_run, bool):
            raise bad("dryRun must be true or false")
        items = _items(said.get("databases"))
        request = RestoreRequest(
            vault=id,
            folder=newer.blob_path(said.get("blobPath")),
            databases=[item[FROM] for item in items] or None,
            names={item[FROM]: item[TO] for item in items if item[FROM] != item[TO]},
            dry_run=dry_run,
        )
        whole = request.databases is None and not self.manners.full_restore
        try:
            job = await self.backups.restore(
                request,
                who=self.asker,
                key=self.key,
                refused=SWITCHED_OFF if whole else "",
            )
        except NotFound:
            raise missing(f"there is no backup {id} in {request.folder}") from None
        if dry_run:
            job = await self._ended(job)
        self.say(_shown(job, items))

    async def _ended(self, job: Job) -> Job:
        async for _ in self.backups.follow(job.id):
            continue
        return await self.backups.job(job.id)

    @on("GET", content=newer.OBJECT)
    async def status(self, id: str) -> None:
        """Answer how a restore is."""
        job = await self.job_of(Kind.RESTORE, id)
        self.say(newer.restore(await self.job_for_asker(job)))

    @on(
        "DELETE",
        query=[BLOB_PATH],
        errors=[HTTPStatus.CONFLICT],
        content=newer.OBJECT,
    )
    async def delete_it(self, id: str) -> None:
        """Say that a restore which has ended is of no more interest.

        It leaves nothing behind that could be deleted, and its job stays on record.
        """
        job = await self.job_of(Kind.RESTORE, id)
        if not job.state.final:
            raise Conflict(f"the restore {id} has not ended")
        path = job.asked.get("folder", "")
        if said := self.given["blobPath"]:
            path = newer.blob_path(said)
        self.say({"message": "OK", "restoreId": id, "blobPath": path})


def _items(said: Any) -> Items:
    """Return what is to be restored as what; raise Refused."""
    if not isinstance(said, list | None):
        raise bad("databases must be a list of objects")
    requests.check_number(said or [], "databases")
    items = [_item(one, f"databases[{place}]") for place, one in enumerate(said or [])]
    if len({item[FROM] for item in items}) < len(items):
        raise bad(f"databases: each {FROM} can be restored once")
    return items


def _item(one: Any, where: str) -> dict[str, str]:
    known = (FROM, TO, *BESIDES)
    if not isinstance(one, dict) or not one.keys() <= set(known):
        raise bad(f"{where} must be an object of {', '.join(known)}")
    for name, value in one.items():
        if not isinstance(value, str):
            raise bad(f"{where}.{name} must be text")
    for name in (FROM, TO):
        try:
            requests.check_name(one.get(name))
        except BadRequest as error:
            raise bad(f"{where}.{name}: {error}") from None
    return one


def _shown(job: Job, items: Items) -> dict[str, Any]:
    """Return the object of a restore, with what it was given besides."""
    said = newer.restore(job)
    pairs = zip(said["databases"], items, strict=False)
    return {**said, "databases": [{**item, **shown} for shown, item in pairs]}


ALONE = [(f"{PREFIX}/restore/{{id}}", NewerRestore)]
