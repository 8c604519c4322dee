"""Content: a file as it is, relayed chunk by chunk from an entry that holds it."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import blake2s
from http import HTTPStatus

import structlog
from tornado.iostream import StreamClosedError

from syncd.api import ranges
from syncd.api.handler import Handler, Route
from syncd.api.operation import on
from syncd.api.rooms import Copied, Located
from syncd.api.sync_v1.files import checked
from syncd.core.file import Kind
from syncd.errors import Conflict, SyncdError, Unavailable

PATIENCE = 60.0
"""Seconds that one chunk may take, to come from the source and to be accepted."""

_MIME = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+", re.ASCII)

log = structlog.get_logger(__name__)

Chunks = AsyncGenerator[bytes, None]


class Content(Handler):
    """The content of one file."""

    @on(
        "GET",
        errors=[
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ],
        content={"*/*": {}},
        status=(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED),
    )
    async def content(self, fid: str) -> None:
        """Return the content of a file, or one part of it."""
        located = await self.desk.rooms.files.locate(checked(fid))
        if located.file.kind is not Kind.FILE:
            raise Conflict(f"file {fid} is a {located.file.kind} and has no content")
        tag = _tag(located)
        if ranges.is_known(tag, self.request.headers.get("If-None-Match", "")):
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.set_header("ETag", tag)
            return
        try:
            start, length = self._wanted(located.file.size, tag)
        except ranges.Unsatisfiable:
            self.set_header("Content-Range", f"bytes */{located.file.size}")
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            self._refuse(status, f"the content has {located.file.size} bytes")
            return
        await self._answer(located, tag, start, length)

    def _wanted(self, size: int, tag: str) -> tuple[int, int]:
        """Return start and length of what is to be sent, and set the status."""
        headers = self.request.headers
        said = headers.get("Range", "") if self.request.method == "GET" else ""
        wanted = (
            ranges.part(said, size) if headers.get("If-Range", tag) == tag else None
        )
        if wanted is None:
            return 0, size
        start, length = wanted
        self.set_status(HTTPStatus.PARTIAL_CONTENT)
        self.set_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        return wanted

    async def _answer(
        self, located: Located, tag: str, start: int, length: int
    ) -> None:
        file = located.file
        mime = file.mimetype if _MIME.fullmatch(file.mimetype or "") else None
        self.set_header("Content-Type", mime or "application/octet-stream")
        name = file.filename.rpartition("/")[2]
        self.set_header("Content-Disposition", ranges.attachment(name))
        self.set_header("Content-Length", length)
        self.set_header("ETag", tag)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        if length and self.request.method == "GET":
            await self._relay(located, start, length)

    async def _relay(self, located: Located, start: int, length: int) -> None:
        """Send from the first source that gives anything."""
        troubles = []
        for source in located.sources:
            async with aclosing(self._read(source, start, length)) as chunks:
                try:
                    async with asyncio.timeout(PATIENCE):
                        first = await anext(chunks)
                except (SyncdError, OSError, StopAsyncIteration) as error:
                    troubles.append(f"{source.entry}: {str(error) or 'nothing came'}")
                    continue
                await self._send(first, chunks, length)
                return
        told = "; ".join(troubles) or "no entry that holds it is running"
        raise Unavailable(f"cannot read {located.file.filename}: {told}")

    def _read(self, source: Copied, start: int, length: int) -> Chunks:
        read = self.desk.rooms.read
        return read(source.socket, source.path, source.stamp, start, length)

    async def _send(self, first: bytes, rest: Chunks, length: int) -> None:
        """Send exactly so many bytes, or cut the connection: never a short answer."""
        sent = 0
        chunk: bytes | None = first
        try:
            while chunk is not None and sent + len(chunk) <= length:
                sent += len(chunk)
                self.write(chunk)
                async with asyncio.timeout(PATIENCE):
                    await self.flush()
                    chunk = await anext(rest, None)
        except (SyncdError, OSError, StreamClosedError) as error:
            log.info("content cut short", action="content", reason=str(error))
            sent = -1
        if chunk is not None or sent != length:
            self.hang_up()


def _tag(located: Located) -> str:
    """Return a tag that changes whenever the content does."""
    if located.file.digest:
        return f'"{located.file.digest}"'
    evidence = repr([(one.path, one.stamp) for one in located.sources[:1]])
    return f'"{blake2s(evidence.encode(), digest_size=16).hexdigest()}"'


ROUTES: list[Route] = [("/files/{fid}/content", Content)]
