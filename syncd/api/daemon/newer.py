"""What the newer addresses (/api/v1) have in common: words, shapes, checks.

Here a status says whether a *request* worked; how a job is, its object tells.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from syncd.api.daemon import requests
from syncd.api.daemon.handler import DaemonHandler, Refused
from syncd.core.backup import VaultView
from syncd.core.job import Job, Kind, State
from syncd.errors import NotFound

PREFIX = "/api/v1"
STORAGE = "default"
"""The name of the one store there is."""

STATUS = {
    State.QUEUED: "notStarted",
    State.RUNNING: "inProgress",
    State.CANCELING: "inProgress",
    State.SUCCESSFUL: "completed",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}
OBJECT = {"application/json": {"type": "object"}}


def bad(reason: str) -> Refused:
    """Return a refusal of what was sent."""
    return Refused(reason, HTTPStatus.BAD_REQUEST)


def missing(reason: str) -> Refused:
    """Return a refusal for what there is not."""
    return Refused(reason, HTTPStatus.NOT_FOUND)


class Newer(DaemonHandler):
    """A resource of the newer addresses."""

    def said(self, *known: str) -> dict[str, Any]:
        """Return the body; raise Refused for what nobody would look at."""
        body: dict[str, Any] = self.document or {}
        for key in body:
            if key not in known:
                raise bad(
                    f"{key[:60]!a} is not known here; known are {', '.join(known)}"
                )
        if body.get("storageName") not in (None, "", STORAGE):
            raise bad(f"storageName: there is only {STORAGE!r}")
        return body

    async def job_of(self, kind: Kind, id: str) -> Job:
        """Return a job of that kind; raise Refused if there is none."""
        try:
            job = await self.backups.job(id)
            if job.kind is kind:
                return job
        except NotFound:
            pass
        raise missing(f"there is no {kind} {id}")


def blob_path(said: Any) -> str:
    """Return the folder that a request names; raise Refused without one."""
    text = said.strip().strip("\"'").lstrip("/") if isinstance(said, str) else ""
    if not text.strip("/"):
        raise bad("blobPath is missing: the folder of the backup")
    try:
        return requests.folder(text, "blobPath")
    except Refused as error:
        raise bad(str(error)) from None


def backup(job: Job, view: VaultView | None) -> dict[str, Any]:
    """Return the body about a backup; ``view`` is its vault, once there is one."""
    names = job.asked.get("databases") or (view.summary.listed if view else [])
    size = view.size if view and len(names) == 1 else 0
    return {
        **_common(job),
        "backupId": job.vault,
        "databases": [
            {"databaseName": _name(name), **_database(job, size)} for name in names
        ],
    }


def restore(job: Job) -> dict[str, Any]:
    """Return the body about a restore."""
    renamed: Mapping[str, str] = job.asked.get("names") or {}
    return {
        **_common(job),
        "restoreId": job.id,
        "databases": [
            {
                "previousDatabaseName": _name(name),
                "databaseName": renamed.get(_name(name), _name(name)),
                **_database(job, 0),
            }
            for name in job.asked.get("databases") or []
        ],
    }


def _common(job: Job) -> dict[str, Any]:
    return {
        "status": STATUS[job.state],
        "errorMessage": _trouble(job),
        "creationTime": moment(job.created),
        "completionTime": moment(job.ended),
        "storageName": STORAGE,
        "blobPath": job.asked.get("folder", ""),
    }


def _database(job: Job, size: int) -> dict[str, Any]:
    seconds = (job.ended or 0) - (job.started or job.ended or 0)
    return {
        "status": STATUS[job.state],
        "size": size,
        "duration": round(seconds * 1000),
        "path": job.asked.get("folder", ""),
        "errorMessage": _trouble(job),
        "creationTime": moment(job.created),
    }


def _trouble(job: Job) -> str:
    if STATUS[job.state] != "failed":
        return ""
    return job.error or f"it was {job.state}"


def _name(database: Any) -> str:
    """Return the name of a database that may be given with what of it."""
    return str(next(iter(database))) if isinstance(database, dict) else str(database)


def moment(at: float | None) -> str:
    """Return a moment as RFC 3339 has it, in UTC; nothing for none."""
    if at is None:
        return ""
    shown = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
    return shown.replace("+00:00", "Z")
