"""What every handler does alike: let in, parse, call, answer, refuse."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar

import msgspec
import structlog
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from syncd import clock
from syncd.api import body
from syncd.api.answers import answer
from syncd.api.auth import Auth
from syncd.api.gate import HARMLESS, Gate
from syncd.api.metrics import Metrics
from syncd.api.operation import Operation, Usual
from syncd.api.pace import Pace, slow_down
from syncd.api.rooms import Rooms
from syncd.core.permission import LOOKING, NOBODY, Action, Who
from syncd.errors import BadRequest, NotAllowed, NotFound, SyncdError, TooLarge
from syncd.store.audit import Line, Outcome
from syncd.text import printable

DRAINED = 16 << 20
"""Bytes of too large a body that are read, so that the answer is, too."""

HEADERS = {
    "Server": "syncd",
    "Content-Type": "application/json",
    "Vary": "Accept",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}

log = structlog.get_logger(__name__)


class Visits:
    """The requests that are not answered yet."""

    def __init__(self) -> None:
        self._inside: set[object] = set()
        self._left = asyncio.Event()

    def begin(self, visitor: object) -> None:
        """Note that a request has come."""
        self._inside.add(visitor)

    def leave(self, visitor: object) -> None:
        """Note that it was answered or given up; twice is no error."""
        self._inside.discard(visitor)
        self._left.set()

    async def end(self) -> None:
        """Return once all have left."""
        while self._inside:
            self._left.clear()
            await self._left.wait()


@dataclass(slots=True, kw_only=True)
class Desk:
    """What handlers have at hand."""

    rooms: Rooms
    gate: Gate
    pace: Pace
    auth: Auth
    metrics: Metrics
    body_limit: int
    opened: float
    """When the server came up, by the monotonic clock."""
    documents: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    """What makes the documents that are answered as they are: OpenAPI's."""
    visits: Visits = field(default_factory=Visits)
    made: dict[str, Any] = field(default_factory=dict)

    def document(self, name: str) -> Any:
        """Return a document, made when it is first asked for."""
        if name not in self.made:
            self.made[name] = self.documents[name]()
        return self.made[name]


@stream_request_body
class Handler(RequestHandler):
    """A resource: functions marked with ``on`` answer its methods.

    What is wrong with a request is said after its body was read, since a
    connection closed on unread data would take the answer with it.
    """

    operations: ClassVar[Mapping[str, Operation]] = {}
    counted: ClassVar[bool] = True
    """Whether asking too often is refused here."""
    reads: ClassVar[Action | None] = Action.READ
    changes: ClassVar[Action | None] = Action.CHANGE
    """What somebody must be allowed to do, to look here and to do anything else."""
    challenge: ClassVar[str] = 'Basic realm="syncd", charset="UTF-8"'
    """How somebody who is not logged in is told to."""
    largest: ClassVar[int | None] = None
    """Bytes of a body that makes sense here; None: as many as there may be at all."""
    welcoming: ClassVar[bool] = False
    """Whether pages of other hosts may change anything here, where that is said."""
    problem: ClassVar[str] = "Problem"
    """How its refusals are described."""

    desk: Desk
    template: str
    given: dict[str, Any]
    """The query's parameters."""
    document: Any = None
    """What the body says; None where it says nothing."""
    who: Who = NOBODY
    """Who asks; NOBODY on addresses that are open to everybody, too."""

    def __init_subclass__(cls) -> None:
        """Collect what the class can do."""
        super().__init_subclass__()
        marks = [getattr(one, "operations", {}) for one in vars(cls).values()]
        cls.operations = {
            **cls.operations,
            **{k: v for m in marks for k, v in m.items()},
        }

    def initialize(self, desk: Desk, template: str) -> None:
        """Receive what is at hand, and the pattern of the address."""
        self.desk = desk
        self.template = template
        self._body = bytearray()
        self._received = 0
        self._refusal: SyncdError | None = None
        self._said = ""

    def words(self, status: HTTPStatus, reason: str) -> Mapping[str, Any]:
        """Return the body that tells an error; a dialect may have its own."""
        return {"status": "error", "reason": reason}

    @classmethod
    def allowed(cls) -> list[str]:
        """Return the methods that the resource answers."""
        heads = ["HEAD"] if "GET" in cls.operations else []
        return sorted([*cls.operations, *heads, "OPTIONS"])

    # Letting in.

    def needed(self, method: str) -> Action | None:
        """Return what somebody must be allowed to do; None: it is open to everybody.

        A dialect may have it depend on its settings.
        """
        operation = self.operations.get("GET" if method == "HEAD" else method)
        if operation is None or isinstance(operation.action, Usual):
            return self.reads if method in HARMLESS else self.changes
        return operation.action

    def require(self, action: Action) -> None:
        """Raise NotLoggedIn or NotAllowed unless who asks may do that."""
        self.who.require(action)

    async def prepare(self) -> None:
        """Look at who asks, before the body is read."""
        self.desk.visits.begin(self)
        try:
            self.desk.gate.check(self.request, welcoming=self.welcoming)
            if self.counted:
                slow_down(self.desk.pace, self.request)
            needed = self.needed(str(self.request.method))
            if needed is not None:
                self.who = await self.desk.auth.enter(self.request)
                self.require(needed)
        except SyncdError as error:
            self._refusal = error
        self._check_announced()

    async def is_welcome(self) -> bool:
        """Tell whether who asks may still do so; for answers that take long."""
        needed = self.needed(str(self.request.method))
        try:
            if needed is not None:
                (await self.desk.auth.enter(self.request)).require(needed)
        except NotAllowed:
            return False
        except SyncdError:
            return True  # That cannot be told now.
        return True

    def _check_announced(self) -> None:
        said = self.request.headers.get("Content-Length", "")
        size = (
            int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else 0
        )
        waits = "Expect" in self.request.headers
        if size > (self.body_limit if waits else DRAINED):
            raise self._too_large()

    @property
    def body_limit(self) -> int:
        """Return how many bytes a body may have."""
        limit = self.desk.body_limit
        return limit if self.largest is None else min(limit, self.largest)

    def data_received(self, chunk: bytes) -> None:
        """Keep the body, or as much of it as there may be."""
        self._received += len(chunk)
        if self._received <= self.body_limit:
            self._body += chunk
        elif self._received > DRAINED and not self._finished:
            self._refuse(*answer(self._too_large()))

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self.body_limit} bytes")

    @property
    def says_nothing(self) -> bool:
        """Tell whether there is no body; one that is ``null`` is one."""
        return not self._body

    # Answering.

    async def _serve(self, *arguments: str) -> None:
        method = str(self.request.method)
        operation = self.operations.get("GET" if method == "HEAD" else method)
        if self._refusal is not None:
            raise self._refusal
        if operation is None:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED)
        self._read_query(operation)
        if method not in HARMLESS:
            self._read_body(operation)
        said = await operation.call(self, *arguments)
        if not self._finished and operation.answer is not None:
            self.finish(msgspec.json.encode(said))

    get = head = post = put = delete = patch = _serve

    async def options(self, *_: str) -> None:
        """Tell which methods there are."""
        if self._refusal is not None:
            raise self._refusal
        self.set_header("Allow", ", ".join(self.allowed()))
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()

    def _read_query(self, operation: Operation) -> None:
        self.given = operation.parameters(self.request.query_arguments)

    def _read_body(self, operation: Operation) -> None:
        if self._received > self.body_limit:
            raise self._too_large()
        if self._body:
            body.check_type(self.request.headers)
            self.document = body.document(bytes(self._body))
        if operation.body is None and self.document not in (None, {}):
            raise BadRequest("this address takes no body")
        if operation.body is not None and not (self._body or operation.optional):
            raise BadRequest("the body is missing; send a JSON document")

    def set_default_headers(self) -> None:
        """Say what holds for every answer."""
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """Make no ETag of a document: it would have to be made in full each time."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a part of the address as text; refuse later what is not UTF-8.

        Raising here would come before the body is read, and cost the connection.
        """
        try:
            return value.decode()
        except UnicodeDecodeError:
            nothing = f"there is nothing at {self.request.path[:200]}"
            self._refusal = self._refusal or NotFound(nothing)
            return ""

    # Refusing.

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer any error, expected or not, in the dialect's words."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, HTTPError) or error is None:
            self._refuse(HTTPStatus(status_code), self._told(status_code))
            return
        if seconds := getattr(error, "retry_after", None):
            self.set_header("Retry-After", seconds)
        self._refuse(*answer(error))

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.set_status(status)
        self._said = reason
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.allowed()))
        if status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", self.challenge)
        text = reason.encode(errors="backslashreplace").decode()
        self.finish(msgspec.json.encode(self.words(status, text)))

    def _told(self, status_code: int) -> str:
        if status_code == HTTPStatus.NOT_FOUND:
            return f"there is nothing at {self.request.path[:200]}"
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            known = ", ".join(self.allowed())
            return f"{str(self.request.method)[:20]} is not possible here, only {known}"
        return HTTPStatus(status_code).phrase.lower()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log a refusal in one line; keep tracebacks for bugs."""
        facts = {"action": "http", "method": self.request.method, "path": self.template}
        if isinstance(value, SyncdError | HTTPError | StreamClosedError):
            log.info("refused", reason=str(value) or "the client went away", **facts)
        elif typ is not None and value is not None:
            log.error("bug", exc_info=(typ, value, tb), **facts)

    def hang_up(self) -> None:
        """Cut the connection, so that a broken answer does not look whole."""
        connection: Any = self.request.connection
        if connection is not None and connection.stream is not None:
            connection.stream.close()

    # Leaving.

    def is_audited(self) -> bool:
        """Tell whether it is written down that this was asked for."""
        method = str(self.request.method)
        changes = method not in HARMLESS and method in self.operations
        if not changes or self.needed(method) in LOOKING:
            return False
        # Anybody could fill the log; that a login failed is written down elsewhere.
        return self.who is not NOBODY or self.get_status() < HTTPStatus.BAD_REQUEST

    def on_finish(self) -> None:
        """Count it as answered."""
        self.desk.visits.leave(self)
        if self.is_audited():
            self.desk.auth.trail.add(self._line())

    def _line(self) -> Line:
        status = self.get_status()
        outcome = Outcome.DONE if status < 400 else Outcome.REFUSED
        return Line(
            at=clock.timestamp(),
            who=self.who.name,
            means=self.who.means,
            address=str(self.request.remote_ip),
            action=f"{self.request.method} {self.template}",
            target=printable(self.request.path[:500]),
            outcome=Outcome.FAILED if status >= 500 else outcome,
            status=status,
            reason=printable(self._said[:500]),
        )

    def on_connection_close(self) -> None:
        """Count it as given up by the client."""
        self.desk.visits.leave(self)
        super().on_connection_close()


Route = tuple[str, type[Handler]]
"""An address, with {names} for its variable parts, and what answers there."""

Routes = Sequence[Route]
