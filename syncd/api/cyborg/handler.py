"""What every handler of this dialect does alike: read, answer and refuse its way."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from syncd.api import body
from syncd.api.cyborg.refusals import Invalid, Refused, forbidden
from syncd.api.handler import HEADERS, Handler
from syncd.api.operation import Operation
from syncd.api.records import Records
from syncd.core.permission import NOBODY, Action
from syncd.errors import BadRequest, Conflict, SyncdError, Unavailable, WrongType
from syncd.store.listing import Page

NOT_LOGGED_IN = "Authentication credentials were not provided."
NOTHING_HERE = "Not found."
PREFIX = "/api/v1"
SHARED = (
    "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with,"
    " access-control-allow-methods, access-control-allow-origin, x-token, cookies"
)
"""Headers that pages of others may send and read."""

METHODS = "DELETE, GET, OPTIONS, PATCH, POST, PUT"

ANYTHING: dict[str, Any] = {"application/json": {}}
OBJECT: dict[str, Any] = {"application/json": {"type": "object"}}


class CyborgHandler(Handler):
    """A resource of the API for whole machines."""

    welcoming: ClassVar[bool] = True
    problem: ClassVar[str] = "CyborgProblem"
    reads: ClassVar[Action | None] = Action.BACKUP_READ
    changes: ClassVar[Action | None] = Action.BACKUP_MANAGE
    challenge = 'Bearer realm="api"'
    said: Sequence[tuple[str, str]] = ()
    """The query, name by name."""

    @property
    def records(self) -> Records:
        """Return what is kept; raise Unavailable where nothing is."""
        records = self.desk.rooms.records
        if records is None:
            raise Unavailable("nothing is kept of machines here")
        return records

    @property
    def is_superuser(self) -> bool:
        """Tell whether who asks may do everything here."""
        return self.who.may(Action.BACKUP_MANAGE) and self.who.may(Action.ACCOUNTS)

    # Letting in.

    def needed(self, method: str) -> Action | None:
        """Return what somebody must be allowed to do.

        What is not possible here is refused as that to everybody who may look.
        """
        if method == "OPTIONS":
            return None
        known = "GET" if method == "HEAD" else method
        return super().needed(method) if known in self.operations else self.reads

    def require(self, action: Action) -> None:
        """Raise NotLoggedIn or Refused unless who asks may do that."""
        if self.who.role is not None and not self.who.may(action):
            raise forbidden()
        super().require(action)

    @property
    def is_preflight(self) -> bool:
        """Tell whether a browser asks beforehand what a page may do here."""
        said = "Access-Control-Request-Method" in self.request.headers
        return said and self.request.method == "OPTIONS"

    def permit(self) -> None:
        """Answer a browser that asks beforehand."""
        if self.desk.gate.is_welcome(self.request.headers.get("Origin")):
            self.set_header("Access-Control-Allow-Methods", METHODS)
            self.set_header("Access-Control-Allow-Headers", SHARED)
            self.set_header("Access-Control-Max-Age", "86400")
        self.say_nothing(HTTPStatus.OK)

    async def recognise(self) -> None:
        """Find out who asks, where nobody has to say; who says it wrongly is nobody."""
        try:
            self.who = await self.desk.auth.enter(self.request)
        except SyncdError:
            self.who = NOBODY

    # Reading.

    def _read_query(self, operation: Operation) -> None:
        del operation
        self.given = {}
        found = []
        for name, values in self.request.query_arguments.items():
            for value in values:
                try:
                    found.append((name, value.decode()))
                except UnicodeDecodeError:
                    raise BadRequest(f"{name[:100]} is not UTF-8") from None
        if any("\0" in text for pair in found for text in pair):
            raise BadRequest("Null characters are not allowed.")
        self.said = found

    def _read_body(self, operation: Operation) -> None:
        if self._received > self.body_limit:
            raise self._too_large()
        if not self._body:
            self.document = {}
            return
        kind = self.request.headers.get("Content-Type", "")
        reason = f'Unsupported media type "{kind[:100]}" in request.'
        if not kind:
            raise WrongType(reason)
        try:
            body.check_type(self.request.headers)
        except WrongType:
            raise WrongType(reason) from None
        try:
            self.document = body.document(bytes(self._body))
        except BadRequest as error:
            if isinstance(error, SyncdError) and type(error) is not BadRequest:
                raise
            reason = f"JSON parse error - {error}\nPossible cause: trailing comma."
            raise BadRequest(reason) from None
        plain = isinstance(self.document, dict | list) or self.document is None
        if operation.body is not None and not plain:
            raise BadRequest("JSON parse error - not a JSON object")

    def object(self) -> dict[str, Any]:
        """Return the body as an object; raise Invalid if it is none."""
        if self.document is None:
            raise Invalid("This field may not be null.")
        if not isinstance(self.document, dict):
            kind = type(self.document).__name__
            reason = f"Invalid data. Expected a dictionary, but got {kind}."
            raise Invalid(reason)
        return self.document

    # Answering.

    def set_default_headers(self) -> None:
        """Say what holds for every answer."""
        super().set_default_headers()
        self._begun = time.monotonic()
        self.set_header("Allow", ", ".join(self.allowed()))
        self.set_header("Vary", f"{HEADERS['Vary']}, Origin, Cookie")
        if hasattr(self, "desk"):  # A refusal begins its headers anew.
            self._share()

    async def prepare(self) -> None:
        """Look at who asks, before the body is read."""
        self._share()
        await super().prepare()

    def _share(self) -> None:
        """Let pages of others read the answer, if they may."""
        origin = self.request.headers.get("Origin")
        if origin is not None and self.desk.gate.is_welcome(origin):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Expose-Headers", SHARED)

    def say(self, said: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer a JSON document."""
        self._answer(msgspec.json.encode(said), status)

    async def say_made(
        self, make: Callable[[], Any], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        """Answer a JSON document that takes long to be made: it is, beside the loop."""
        self._answer(
            await asyncio.to_thread(lambda: msgspec.json.encode(make())), status
        )

    def _answer(self, raw: bytes, status: HTTPStatus) -> None:
        self.set_status(status)
        seconds = time.monotonic() - self._begun
        self.set_header("X-API-Time", f"{seconds:.3f}s")
        self.finish(raw)

    def say_nothing(self, status: HTTPStatus = HTTPStatus.NO_CONTENT) -> None:
        """Answer without a body."""
        self.set_status(status)
        self.clear_header("Content-Type")
        self.finish()

    async def say_page(self, page: Page, results: Callable[[], Sequence[Any]]) -> None:
        """Answer a page of a list; there may be 100,000 on it."""
        more, less = page.number < page.last, page.number > 1
        await self.say_made(
            lambda: {
                "count": page.total,
                "next": self._link(page.number + 1) if more else None,
                "previous": self._link(page.number - 1) if less else None,
                "results": results(),
            }
        )

    def _link(self, number: int) -> str:
        others = [pair for pair in self.said if pair[0] != "page"]
        query = urlencode(sorted([*others, ("page", str(number))]))
        return f"{self.request.path}?{query}"

    # Refusing.

    def words(self, status: HTTPStatus, reason: str) -> Mapping[str, Any]:
        """Return the body that tells an error."""
        if status == HTTPStatus.UNAUTHORIZED:
            return {"detail": NOT_LOGGED_IN}
        return {"detail": reason}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer any error, expected or not, as the clients know it."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, Invalid):
            self._said = str(error)
            self.say(error.said, HTTPStatus.BAD_REQUEST)
        elif isinstance(error, Refused):
            self._said = str(error)
            if error.status == HTTPStatus.UNAUTHORIZED:
                self.set_header("WWW-Authenticate", self.challenge)
            self.say(error.said, error.status)
        elif isinstance(error, Conflict):
            self._refuse(HTTPStatus.CONFLICT, str(error))
        else:
            super().write_error(status_code, **kwargs)

    def _told(self, status_code: int) -> str:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return f'Method "{str(self.request.method)[:20]}" not allowed.'
        if status_code == HTTPStatus.NOT_FOUND:
            return NOTHING_HERE
        return super()._told(status_code)


def number(text: str) -> int:
    """Return the number in an address; raise Refused where nothing can be."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise Refused(NOTHING_HERE, HTTPStatus.NOT_FOUND)
    return int(text)
