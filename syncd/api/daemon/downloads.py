"""Downloads: a vault as a zip, made while it is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from http import HTTPStatus

import structlog
from tornado.iostream import StreamClosedError

from syncd.api import ranges
from syncd.api.backups import Archive
from syncd.api.daemon.handler import DaemonHandler
from syncd.api.operation import Number, on
from syncd.core.permission import Action
from syncd.errors import NotFound, SyncdError, Unavailable

PATIENCE = 60.0
"""Seconds that one chunk may take, to be made and to be accepted."""

log = structlog.get_logger(__name__)


class Download(DaemonHandler):
    """A vault, to be carried away."""

    reads = Action.BACKUP_DOWNLOAD

    @on(
        "GET",
        status=(
            HTTPStatus.OK,
            HTTPStatus.NO_CONTENT,
            HTTPStatus.PARTIAL_CONTENT,
            HTTPStatus.NOT_MODIFIED,
        ),
        errors=[
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ],
        content={"application/zip": {}},
    )
    async def download(self, vault: str) -> None:
        """Answer a backup as a zip, or a part of it; 204 if there is no such backup."""
        backups = self.backups
        async with AsyncExitStack() as lent:
            try:
                # Only what is known has a name that can be put into a header.
                name = (await self.listed(vault)).summary.name
                archive = await lent.enter_async_context(backups.download(name))
            except NotFound:
                self.set_status(HTTPStatus.NO_CONTENT)
                self.clear_header("Content-Type")
                return
            await self._answer(name, archive)

    async def _answer(self, name: str, archive: Archive) -> None:
        tag = None if archive.tag is None else f'"{archive.tag}"'
        if tag is not None:
            self.set_header("ETag", tag)
            if ranges.is_known(tag, self.request.headers.get("If-None-Match", "")):
                self.set_status(HTTPStatus.NOT_MODIFIED)
                return
        try:
            start, length = self._wanted(archive.size, tag)
        except ranges.Unsatisfiable:
            self.set_header("Content-Range", f"bytes */{archive.size}")
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            self._refuse(status, f"the archive has {archive.size} bytes")
            return
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{name}.zip"')
        self.set_header("Cache-Control", "private, no-cache")
        if length is not None:
            self.set_header("Content-Length", length)
            self.set_header("Accept-Ranges", "bytes")
        if self.request.method == "GET":
            await self._relay(part(aiter(archive), start, length), length)

    def _wanted(self, size: int | None, tag: str | None) -> tuple[int, int | None]:
        """Return where to begin and how much to send, and set the status."""
        headers = self.request.headers
        if size is None:
            return 0, None
        asks = self.request.method == "GET" and headers.get("If-Range", tag) == tag
        wanted = ranges.part(headers.get("Range", ""), size) if asks else None
        if wanted is None:
            return 0, size
        start, length = wanted
        self.set_status(HTTPStatus.PARTIAL_CONTENT)
        self.set_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        return wanted

    async def _relay(self, chunks: AsyncIterator[bytes], length: int | None) -> None:
        """Send all there is, or cut the connection: never a short answer."""
        sent = 0
        try:
            async with asyncio.timeout(PATIENCE):
                chunk = await anext(chunks, None)
        except (SyncdError, OSError) as error:
            raise Unavailable(f"the backup cannot be read: {error}") from None
        try:
            while chunk is not None:
                sent += len(chunk)
                self.write(chunk)
                async with asyncio.timeout(PATIENCE):
                    await self.flush()
                    chunk = await anext(chunks, None)
        except (SyncdError, OSError, StreamClosedError) as error:
            log.info("download cut short", action="download", reason=str(error))
            self.hang_up()
        else:
            if length is not None and sent != length:
                self.hang_up()


async def part(
    chunks: AsyncIterator[bytes], start: int, length: int | None
) -> AsyncIterator[bytes]:
    """Give so many of the bytes from there on; without a length, all of them."""
    left = length
    async for chunk in chunks:
        wanted = memoryview(chunk)[start:][: len(chunk) if left is None else left]
        start = max(0, start - len(chunk))
        if wanted:
            yield bytes(wanted)
        if left is not None:
            left -= len(wanted)
            if left <= 0:
                return


class PresignedUrls(DaemonHandler):
    """Addresses of a vault in an object store; there is none here."""

    reads = Action.BACKUP_DOWNLOAD

    @on(
        "GET",
        query=[
            Number("expiration", "Seconds that addresses are good for.", 3600, least=1)
        ],
        status=(HTTPStatus.OK, HTTPStatus.NO_CONTENT),
        content={"application/json": {"type": "array"}},
    )
    async def urls(self, vault: str) -> None:
        """Answer 204: vaults lie in a folder here, and have no such addresses."""
        del vault
        self.set_status(HTTPStatus.NO_CONTENT)
        self.clear_header("Content-Type")


ROUTES = [("/backup/{vault}", Download)]
ALONE = [("/backup/s3/{vault}", PresignedUrls)]
