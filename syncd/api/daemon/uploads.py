"""Uploads: an archive that somebody sends becomes a vault."""

import asyncio
import os
import re
import tempfile
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from syncd.api.answers import answer
from syncd.api.backups import Backups
from syncd.api.daemon.handler import HTML, DaemonHandler, Refused
from syncd.api.daemon.multipart import Form
from syncd.api.handler import DRAINED
from syncd.api.operation import Operation, on
from syncd.core.job import State
from syncd.errors import BadRequest, Conflict, NoRoom, SyncdError, TooLarge, Unavailable

PATIENCE = 86_400.0
"""Seconds that sending an archive may take."""

TYPES = {"full": False, "granular": True}
SUFFIXES = (".zip", ".tgz")


class Upload(DaemonHandler):
    """Archives, to be sent."""

    _form: Form | None = None
    _spool: BinaryIO | None = None
    _engine: Backups

    async def prepare(self) -> None:
        """Look at who asks, and make room for what comes."""
        await super().prepare()
        if self._refusal is not None or self.request.method != "POST":
            return
        try:
            self._form = Form(self.request.headers.get("Content-Type", ""))
            self._engine = self.backups
        except SyncdError as error:
            self._refusal = error
            return
        connection: Any = self.request.connection
        connection.set_body_timeout(PATIENCE)
        self._open()

    def _open(self) -> None:
        spool = self.manners.spool
        try:
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=spool, prefix="upload-")
        except OSError as error:
            self._refusal = _trouble(error)
        else:
            self._spooled = Path(name)
            self._spool = os.fdopen(descriptor, "wb", buffering=1 << 20)

    def _check_announced(self) -> None:
        said = self.request.headers.get("Content-Length", "")
        digits = said.isascii() and said.isdecimal() and len(said) < 20
        if digits and int(said) > self.manners.upload_limit:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the archive is larger than {self.manners.upload_limit} bytes")

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]
        """Write what comes of the file to the spool; nothing of it stays in memory."""
        self._received += len(chunk)
        if self._spool is not None and self._form is not None:
            try:
                await self._keep(self._spool, list(self._form.feed(chunk)))
            except BadRequest as error:
                self._refusal = error
            except OSError as error:
                self._refusal = _trouble(error)
            if self._refusal is not None:
                self._drop()
        elif self._received > DRAINED and not self._finished:
            self._refuse(*answer(self._refusal or BadRequest("there is no form")))

    async def _keep(self, spool: BinaryIO, parts: list[bytes]) -> None:
        if self._received > self.manners.upload_limit:
            raise self._too_large()
        if parts:
            await asyncio.to_thread(spool.writelines, parts)

    def _read_body(self, operation: Operation) -> None:
        """The body has been read, all but this."""

    @on(
        "POST",
        errors=[HTTPStatus.SERVICE_UNAVAILABLE],
        content={HTML: {"type": "string"}},
    )
    async def upload(self) -> None:
        """Make a vault of an archive, and answer when there is one.

        The form has a ``file`` (NAME.zip or NAME.tgz: the vault's name) and perhaps a
        ``type``, ``full`` or ``granular``.
        """
        form, spool = self._form, self._spool
        if form is None or spool is None:
            raise BadRequest("the body must be a form with a file")
        if not form.complete:
            raise BadRequest("the form ends in the middle")
        name = re.split(r"[\\/]", form.filename or "")[-1]
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, no path
        kind = form.fields.get("type", b"full").decode(errors="replace")
        if fault := _fault(form.filename, stem, suffix):
            self._tell(HTTPStatus.BAD_REQUEST, fault)
        elif kind not in TYPES:
            known = " or ".join(TYPES)
            self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, f"type must be {known}")
        else:
            await asyncio.to_thread(spool.close)
            archive = self._spooled.with_suffix(suffix)
            self._spooled = self._spooled.rename(archive)
            await self._make(stem, archive, partial=TYPES[kind])

    async def _make(self, name: str, archive: Path, *, partial: bool) -> None:
        backups = self._engine
        try:
            job = await backups.upload(name, archive, partial=partial, who=self.asker)
        except Conflict as error:
            # A name is given away once, so nothing is ever written over.
            self._tell(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            return
        except BadRequest as error:
            self._tell(HTTPStatus.BAD_REQUEST, str(error))
            return
        async for _ in backups.follow(job.id):
            continue
        ended = await backups.job(job.id)
        if ended.state is not State.SUCCESSFUL:
            raise Refused(ended.error or f"no vault was made: the job is {ended.state}")
        self._tell(HTTPStatus.OK, "")

    def _tell(self, status: HTTPStatus, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", HTML)
        self.finish(_escaped(text))

    def _drop(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
            self._spooled.unlink(missing_ok=True)

    def on_finish(self) -> None:
        """Leave nothing behind that no vault was made of."""
        self._drop()
        super().on_finish()

    def on_connection_close(self) -> None:
        """Leave nothing behind of what came half."""
        if not self._finished and not self._is_handed_over():
            self._drop()
        super().on_connection_close()

    def _is_handed_over(self) -> bool:
        """Tell whether the engine has the archive, and goes on without a listener."""
        return self._spool is not None and self._spool.closed


def _fault(given: str | None, stem: str, suffix: str) -> str | None:
    if given is None:
        return "the form has no file"
    if not stem or (stem.startswith(".") and not suffix):
        return "the file has no name"
    if suffix not in SUFFIXES:
        return f"the file must be called NAME{' or NAME'.join(SUFFIXES)}"
    return None


def _trouble(error: OSError) -> Unavailable:
    if error.errno in (ENOSPC, EDQUOT):
        return NoRoom("there is no room for the archive; make some, and send it again")
    return Unavailable(f"the archive cannot be kept: {error.strerror}")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


ALONE = [("/restore/backup", Upload)]
