"""What every handler of the backup daemon's API does alike.

Bodies and statuses are those that its clients know, byte by byte where they look at
bytes; see the reference for where they differ, and why.
"""

import asyncio
import json
from datetime import tzinfo
from email.message import Message
from http import HTTPStatus
from typing import Any, ClassVar

from msgspec.structs import replace

from syncd.api import body
from syncd.api.backups import Backups
from syncd.api.daemon import shapes
from syncd.api.handler import Handler
from syncd.api.manners import DaemonManners
from syncd.api.operation import Operation
from syncd.core.backup import VaultView
from syncd.core.job import Job
from syncd.core.permission import NOBODY, Action
from syncd.errors import BadRequest, NotFound, SyncdError, Unavailable, WrongType

INCREMENTAL = "/incremental"
NOT_LOGGED_IN = "Unauthorized Access"
NO_SUCH_METHOD = "The method is not allowed for the requested URL."

HTML = "text/html; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
"""What curl says of a body when it is told nothing."""


SMALL = 16 << 10
"""Bytes of a body that names no databases: anybody may send those that only look."""


class Refused(SyncdError):
    """A refusal with the status and the body that clients depend on."""

    def __init__(
        self,
        reason: str,
        status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR,
        said: Any = None,
    ) -> None:
        """Take the body as ``said``; without it there is a ``message``."""
        super().__init__(reason)
        self.status = status
        self.said = {"message": reason} if said is None else said


def failed(reason: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> Refused:
    """Return a refusal in the words of those addresses that say so twice."""
    return Refused(reason, status, {"status": "Failed", "message": reason})


def told(reason: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> Refused:
    """Return a refusal whose body is the reason, as a JSON string."""
    return Refused(reason, status, reason)


class DaemonHandler(Handler):
    """A resource of the backup daemon's API, perhaps with an incremental twin."""

    problem: ClassVar[str] = "DaemonProblem"
    largest: ClassVar[int | None] = SMALL
    reads: ClassVar[Action | None] = Action.BACKUP_READ
    changes: ClassVar[Action | None] = Action.BACKUP_RUN
    challenge = 'Basic realm="Authentication Required"'

    @property
    def asker(self) -> str:
        """Return who asks."""
        return self.who.name

    @property
    def manners(self) -> DaemonManners:
        """Return how this dialect is to behave."""
        return self.desk.rooms.daemon

    @property
    def is_incremental(self) -> bool:
        """Tell whether this is a twin."""
        return self.template.startswith(INCREMENTAL)

    @property
    def backups(self) -> Backups:
        """Return the engine that is meant; raise Refused where there is none."""
        rooms = self.desk.rooms
        if rooms.backups is None:
            raise Unavailable("backups are not possible yet; ask again in a moment")
        if not self.is_incremental:
            return rooms.backups
        if rooms.incremental is None:
            raise Refused("incremental backups are switched off")
        return rooms.incremental

    def zone(self, backups: Backups) -> tzinfo | None:
        """Return the zone in which that engine's vaults are named; None: this one."""
        is_incremental = backups is self.desk.rooms.incremental
        manners = self.manners
        return manners.incremental_zone if is_incremental else manners.zone

    @property
    def key(self) -> str | None:
        """Return the word that makes asking twice asking once, where it is given."""
        return self.request.headers.get("Idempotency-Key")

    async def listed(self, vault: str) -> VaultView:
        """Return a vault that lists name; raise NotFound."""
        view = await self.backups.vault(vault)
        if view.folder:
            raise NotFound(f"vault {vault} lies in a folder of its own")
        return view

    async def all_listed(self, backups: Backups | None = None) -> list[VaultView]:
        """Return the vaults that lists name, oldest first."""
        backups = backups or self.backups
        views = await backups.vaults()
        # There may be thousands, and to sort these takes more than others may wait.
        return await asyncio.to_thread(shapes.listed, views, self.zone(backups))

    # Telling no more than what is for whoever asks.

    async def job_for_asker(self, job: Job) -> Job:
        """Return a job, without what commands said of its failure for somebody unknown.

        Anybody may ask for its status, and output may hold anything.
        """
        brief = shapes.reason(job.error)
        if brief == job.error or await self.may_hear_output():
            return job
        return replace(job, error=brief)

    async def view_for_asker(self, view: VaultView) -> VaultView:
        """Return a vault likewise."""
        failed = view.summary.failed
        if failed is None or shapes.reason(failed) == failed:
            return view
        if await self.may_hear_output():
            return view
        summary = replace(view.summary, failed=shapes.reason(failed))
        return replace(view, summary=summary)

    async def may_hear_output(self) -> bool:
        """Tell whether who asks may read logs; who does not prove to be anybody, not.

        Addresses that are open have not looked at that yet.
        """
        try:
            who = self.who
            if who is NOBODY:
                who = await self.desk.auth.enter(self.request)
            return who.may(Action.BACKUP_READ)
        except SyncdError:
            return False

    # Letting in.

    def needed(self, method: str) -> Action | None:
        """Return what somebody must be allowed to do; looking is open to all.

        It was so at the original, and is otherwise where ``read_login`` says so. Health
        is open always: probes have no credentials.
        """
        action = super().needed(method)
        if action is not Action.BACKUP_READ:
            return action
        is_health = self.template.removeprefix(INCREMENTAL).startswith("/health")
        return action if self.manners.read_login and not is_health else None

    # Reading.

    def _read_body(self, operation: Operation) -> None:
        if operation.body is not None:
            self.document = self.read_object()
        elif self._received and self.read_object():
            raise BadRequest("this address takes no body")

    def read_object(self) -> dict[str, Any]:
        """Return what the body says, nothing for none.

        What does not say its type, or only what curl says of everything, is read as
        JSON too: a body is never passed over. Raise BadRequest, WrongType, TooLarge or
        Refused.
        """
        if self._received > self.body_limit:
            raise self._too_large()
        kind = self._kind()
        if not self._body and kind != "application/json":
            return {}
        document = body.document(bytes(self._body))
        if not isinstance(document, dict):
            raise Refused('the body must be a JSON object, as in {"dbs": ["NAME"]}')
        return document

    def _kind(self) -> str:
        headers = self.request.headers
        said = Message()
        said["Content-Type"] = headers.get("Content-Type") or FORM
        kind = said.get_content_type()
        if kind.endswith("+json"):
            kind = "application/json"
        plain = headers.get("Content-Encoding", "identity").lower() == "identity"
        utf_8 = said.get_content_charset("utf-8") in ("utf-8", "utf8")
        if self._body and not (kind in ("application/json", FORM) and plain and utf_8):
            raise WrongType(
                "the body must be JSON in UTF-8; say Content-Type: application/json"
            )
        return kind

    # Answering.

    def say(self, said: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer a JSON document."""
        self.set_status(status)
        self.finish(json.dumps(said) + "\n")

    def say_id(self, id: str) -> None:
        """Answer an id as clients put it into their next address: nothing around it."""
        self.finish(id)

    # Refusing.

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer any error, expected or not, as the clients know it."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, Refused):
            self._said = str(error)
            self.say(error.said, error.status)
        else:
            super().write_error(status_code, **kwargs)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._said = reason
        self.set_status(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", self.challenge)
            self.set_header("Content-Type", HTML)
            self.finish(NOT_LOGGED_IN)
            return
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.allowed()))
            reason = NO_SUCH_METHOD
        text = reason.encode(errors="backslashreplace").decode()
        self.say({"message": text}, status)
