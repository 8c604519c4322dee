"""What every handler of this dialect does alike.

Statuses and bodies are those that its clients know; see the reference for where they
differ, and why.
"""

from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from syncd.api.backups import Backups
from syncd.api.handler import DRAINED, Handler
from syncd.api.manners import OpToolsManners
from syncd.api.operation import Operation
from syncd.api.optools import requests, shapes
from syncd.api.optools.conductor import Conductor
from syncd.api.optools.requests import Refused
from syncd.core.backup import VaultView
from syncd.core.job import Job, Kind
from syncd.core.permission import Action
from syncd.errors import NotAllowed, NotLoggedIn, Unavailable

HTML = "text/html; charset=utf-8"
PROGRAMS = "/ak/"
SMALL = 64 << 10
"""Bytes of a body where anybody may send one."""
NOT_ALLOWED = "username/api key is not authorized for these action(s)"


class OpToolsHandler(Handler):
    """A resource of this dialect, under both of its prefixes."""

    problem: ClassVar[str] = "OpToolsProblem"
    reads: ClassVar[Action | None] = Action.OPTOOLS_SETTINGS
    changes: ClassVar[Action | None] = Action.OPTOOLS_SETTINGS

    @property
    def is_for_programs(self) -> bool:
        """Tell whether credentials count here; else it is a session."""
        return self.template.startswith(PROGRAMS)

    @property
    def is_checked(self) -> bool:
        """Tell whether this version looks at bodies closely."""
        return "/v1/" not in self.template

    @property
    def manners(self) -> OpToolsManners:
        """Return how this dialect is to behave."""
        return self.desk.rooms.optools

    @property
    def backups(self) -> Backups:
        """Return the engine; raise Unavailable while it is not there."""
        if self.desk.rooms.console is None:
            raise Unavailable("backups are not possible yet; ask again in a moment")
        return self.desk.rooms.console

    @property
    def conductor(self) -> Conductor:
        """Return who restores; raise Unavailable while it is not there."""
        if self.desk.rooms.conductor is None:
            raise Unavailable("restores are not possible yet; ask again in a moment")
        conductor: Conductor = self.desk.rooms.conductor
        return conductor

    @property
    def host_url(self) -> str:
        """Return what our own addresses begin with, the port always in it."""
        request = self.request
        host, colon, port = request.host.rpartition(":")
        if not (colon and port.isdecimal()):
            host, port = request.host, {"https": "443"}.get(request.protocol, "80")
        return f"{request.protocol}://{host}:{port}"

    # Which backups there are.

    async def listed(self) -> dict[str, VaultView | Job]:
        """Return all backups by their ids, oldest first: vaults, jobs without one."""
        _, jobs = await self.backups.jobs(kind=Kind.BACKUP, limit=shapes.LATEST)
        found: dict[int, VaultView | Job] = {
            shapes.milliseconds(job.created): job
            for job in jobs
            if shapes.is_listed(job)
        }
        for view in await self.backups.vaults():
            if shapes.is_shown(view):
                found[shapes.milliseconds(view.summary.made)] = view
        return {f"{shapes.PREFIX}{at}": found[at] for at in sorted(found)}

    # Letting in.

    async def prepare(self) -> None:
        """Look at who asks: programs by credentials only, browsers by sessions only."""
        ignored = "Cookie" if self.is_for_programs else "Authorization"
        if ignored in self.request.headers:
            del self.request.headers[ignored]
        await super().prepare()

    def _check_announced(self) -> None:
        said = self.request.headers.get("Content-Length", "")
        if self._refusal is None and said.isdecimal() and len(said) < 20:
            if int(said) > max(self.body_limit, DRAINED):
                raise self._too_large()
        elif self._refusal is not None:
            super()._check_announced()

    @property
    def body_limit(self) -> int:
        """Return how many bytes a body may have."""
        limit = self.manners.body
        return limit if self.largest is None else min(limit, self.largest)

    def data_received(self, chunk: bytes) -> None:
        """Keep the body, but nothing of one that is refused already."""
        self._received += len(chunk)
        if self._refusal is None and self._received <= self.body_limit:
            self._body += chunk
        elif self._received > max(self.body_limit, DRAINED) and not self._finished:
            self.write_error(400, exc_info=(None, self._too_large(), None))

    def _too_large(self) -> Any:
        where = ", which is `body` in the section backup.optools"
        return requests.unreadable(
            "PayloadTooLargeError: request entity too large: more than"
            f" {self.body_limit} bytes{where if self.largest is None else ''}"
        )

    def _read_body(self, operation: Operation) -> None:
        if self._received > self.body_limit:
            raise self._too_large()

    def read_checked(self, rule: requests.Rule) -> Any:
        """Return what a small body says; raise Refused."""
        said = requests.read(bytes(self._body), rule.name)
        if not self.is_checked:
            return said if isinstance(said, dict) else {}
        found = requests.faults(said, rule)
        if not found:
            return said
        refusal: dict[str, Any] = {
            "statusCode": 400,
            "msgs": [fault["text"] for fault in found],
        }
        if not self.is_for_programs:
            keys = ("key", "symbols")
            refusal["raw"] = [{key: fault[key] for key in keys} for fault in found]
        raise Refused(HTTPStatus.BAD_REQUEST, refusal)

    # Answering.

    def say(self, said: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer a JSON document."""
        self.set_status(status)
        self.finish(msgspec.json.encode(said))

    def set_default_headers(self) -> None:
        """Say what holds for every answer."""
        super().set_default_headers()
        self.set_header("Pragma", "no-cache")

    # Refusing.

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer any error, expected or not, as the clients know it."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, Refused):
            self._said = str(error)
            self.say(error.said, error.status)
        elif isinstance(error, NotAllowed):
            self._said = str(error)
            self._keep_out(error)
        else:
            super().write_error(status_code, **kwargs)

    def _keep_out(self, error: NotAllowed) -> None:
        unknown = isinstance(error, NotLoggedIn)
        if self.is_for_programs and (unknown or self.who.means.startswith("token ")):
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.set_header("WWW-Authenticate", f"Basic realm=IBP{self.host_url}")
            self.set_header("Content-Type", HTML)
            self.finish("Unauthorized")
        elif unknown:
            self.say({"error": "login to use this api"}, HTTPStatus.UNAUTHORIZED)
        else:
            needed = self.needed(str(self.request.method))
            said = {
                "authorized": False,
                "error": NOT_ALLOWED,
                "attempted_actions": [str(needed)],
                "iid": "-",
                "tx_id": "-:-----",
            }
            self.say(said, HTTPStatus.FORBIDDEN)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._said = reason
        if status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_FOUND):
            said = {"statusCode": 404, "msg": "route not found"}
            self.say(said, HTTPStatus.NOT_FOUND)
            return
        text = reason.encode(errors="backslashreplace").decode()
        key = "error" if status == HTTPStatus.TOO_MANY_REQUESTS else "message"
        self.say({"statusCode": int(status), key: text}, status)
