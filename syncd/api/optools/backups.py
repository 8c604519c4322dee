"""Backups: asked for, listed, read whole, and attached to."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from tornado.iostream import StreamClosedError

from syncd.api.operation import on
from syncd.api.optools import shapes
from syncd.api.optools.handler import OpToolsHandler
from syncd.api.optools.requests import Refused, Rule, refused
from syncd.core.backup import BackupRequest, VaultView
from syncd.core.errand import Part
from syncd.core.job import Job
from syncd.errors import SyncdError, Unavailable

PATIENCE = 60.0
"""Seconds that a piece of a document may take, to be made and to be accepted."""

JSON = "application/json"
STARTED = {
    JSON: {
        "type": "object",
        "required": ["message", "id", "url"],
        "properties": {"message": {"const": "in-progress"}},
    }
}
IDS = {
    JSON: {
        "type": "object",
        "required": ["ids"],
        "properties": {"ids": {"type": "array", "items": {"type": "string"}}},
    }
}
BACKUP = {JSON: {"type": "object", "required": ["id", "dbs", "in_progress"]}}
ATTACHED = {JSON: {"type": "object", "required": ["message", "att_name"]}}
MISSING = {"error": "not_found", "reason": "missing", "statusCode": 404}

log = structlog.get_logger(__name__)


class Backups(OpToolsHandler):
    """All backups."""

    @on("POST", status=[HTTPStatus.ACCEPTED], content=STARTED)
    async def back_up(self) -> None:
        """Ask for a backup of all databases; the answer comes before it is made."""
        async with self.conductor.turn:
            for id_, one in (await self.listed()).items():
                if isinstance(one, Job) and not one.state.final:
                    raise refused("already_in_progress", id=id_)
            job = await self.backups.back_up(BackupRequest(), who=self.who.name)
        id_ = shapes.id_of(job.created)
        url = f"{self.host_url}/ak/api/v3/backups/{id_}"
        said = {"message": "in-progress", "id": id_, "url": url}
        self.say(said, HTTPStatus.ACCEPTED)

    @on("GET", content=IDS)
    async def ids(self) -> None:
        """Answer the ids of all backups, oldest first; running and failed ones, too."""
        self.say({"ids": list(await self.listed())})


class OneBackup(OpToolsHandler):
    """One backup."""

    @on("GET", content=BACKUP, errors=[HTTPStatus.SERVICE_UNAVAILABLE])
    async def read(self, backup: str) -> None:
        """Answer a backup in one document, with its attachments."""
        found = (await self.listed()).get(backup)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, MISSING)
        version = self.desk.rooms.version()
        if isinstance(found, Job):
            said = shapes.running(found, version)
            attached = await self._attached(str(found.vault))
            self.say({**said, **({"_attachments": attached} if attached else {})})
        elif found.summary.failed is not None:
            before = {**shapes.head(found, version), "dbs": {}}
            self.say({**before, **shapes.tail(found)})
        elif self.request.method == "GET":
            await self._send(found, version)

    async def _attached(self, vault: str) -> dict[str, str]:
        found = {}
        for name in await self.conductor.attached(vault):
            content = await self.conductor.attachment(vault, name)
            found[name] = base64.b64encode(content).decode()
        return found

    async def _send(self, view: VaultView, version: str) -> None:
        """Send the document as it is made; cut the connection where that fails."""
        heads = shapes.databases(view, self.manners.databases)
        form = Part(self.manners.document, {"heads": heads})
        vault = view.summary.name
        async with AsyncExitStack() as lent:
            archive = await lent.enter_async_context(self.backups.download(vault, form))
            chunks = aiter(archive)
            try:
                async with asyncio.timeout(PATIENCE):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                words = f"nothing of the backup came in {PATIENCE:g} s; ask again later"
                raise Unavailable(words) from None
            except (SyncdError, OSError) as error:
                raise Unavailable(f"the backup cannot be read: {error}") from None
            try:
                self.write(_open(shapes.head(view, version)) + b',"dbs":')
                while chunk is not None:
                    await self._pass_on(chunk)
                    async with asyncio.timeout(PATIENCE):
                        chunk = await anext(chunks, None)
                self.write(b"," + _open(shapes.tail(view))[1:])
                async for piece in self._attachments(vault):
                    await self._pass_on(piece)
                self.finish(b"}")
            except (SyncdError, OSError, StreamClosedError) as error:
                log.info("backup cut short", action="download", reason=str(error))
                self.hang_up()

    async def _pass_on(self, chunk: bytes) -> None:
        self.write(chunk)
        async with asyncio.timeout(PATIENCE):
            await self.flush()

    async def _attachments(self, vault: str) -> AsyncIterator[bytes]:
        names = await self.conductor.attached(vault)
        for place, name in enumerate(names):
            content = await self.conductor.attachment(vault, name)
            yield b"," if place else b',"_attachments":{'
            yield msgspec.json.encode(name) + b':"' + base64.b64encode(content) + b'"'
        if names:
            yield b"}"


class Attachment(OpToolsHandler):
    """Something that is attached to a backup."""

    @on("PUT", body={"type": "object"}, optional=True, content=ATTACHED)
    async def attach(self, backup: str, attachment: str) -> None:
        """Attach a text to a backup, in place of what has the same name."""
        rule = Rule("attachment", required=True)
        said = self.read_checked(rule).get("attachment", "")
        found = (await self.listed()).get(backup)
        if found is None:
            words = "cannot append. error getting existing backup doc"
            raise refused(words)
        text = said if isinstance(said, str) else _written(said)
        vault = found.vault if isinstance(found, Job) else found.summary.name
        content = text.encode(errors="surrogatepass")
        await self.conductor.attach(str(vault), attachment, content)
        self.say({"message": "ok", "att_name": attachment})


def _written(said: Any) -> str:
    return msgspec.json.encode(said).decode()


def _open(said: dict[str, Any]) -> bytes:
    """Return an object in JSON that is not closed yet."""
    return msgspec.json.encode(said)[:-1]


ROUTES = [
    ("/backups/{backup}/attachments/{attachment}", Attachment),
]
