"""Addresses outside every dialect: health, metrics, the OpenAPI document, the door."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST
from tornado.web import HTTPError

from syncd.api.handler import Handler, Route
from syncd.api.operation import on
from syncd.api.rooms import EntryDetails
from syncd.core.permission import Action
from syncd.errors import Unavailable


class Live(Struct, frozen=True):
    """The daemon answers."""

    status: Literal["UP"] = "UP"


class Ready(Struct, frozen=True):
    """Every entry that is to run does, and has been looked through once."""

    status: Literal["UP"]
    suspended: list[str]
    """Entries that rest until a person has looked at them."""


class Greeting(Struct, frozen=True):
    """Where to go from here."""

    name: str
    version: str
    api: str
    documentation: str


class Health(Handler):
    """Whether the daemon answers."""

    counted = False
    reads = None

    @on("GET")
    async def live(self) -> Live:
        """Tell that the daemon answers."""
        return Live()


class Readiness(Handler):
    """Whether the daemon does what it is for."""

    counted = False
    reads = None
    problem = "Down"

    def words(self, status: HTTPStatus, reason: str) -> Mapping[str, Any]:
        """Return the body that says what is in the way."""
        return {"status": "DOWN", "reason": reason}

    @on("GET", errors=[HTTPStatus.SERVICE_UNAVAILABLE])
    async def ready(self) -> None:
        """Tell whether each entry is stopped, suspended, or walked once.

        And whether what is done can be recorded: else nothing is done; and whether
        backups can be asked for.
        """
        entries = self.desk.rooms.entries.details()
        state = self.desk.rooms.state()
        opening = "the backups are being opened" if self.desk.rooms.opening else None
        if reasons := [*filter(None, [state.reason, opening]), *_reasons(entries)]:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(reasons))
            return
        suspended = [entry.name for entry in entries if entry.life == "suspended"]
        self.finish(msgspec.json.encode(Ready("UP", suspended)))


class Scrape(Handler):
    """What is measured."""

    counted = False
    reads = Action.METRICS

    @on("GET", content={CONTENT_TYPE_LATEST: {"type": "string"}})
    async def scrape(self) -> None:
        """Return the metrics as Prometheus reads them."""
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(self.desk.metrics.text())


class Document(Handler):
    """What there is to ask."""

    @on("GET")
    async def document_openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description of every address."""
        document: dict[str, Any] = self.desk.document("openapi")
        return document


class Door(Handler):
    """The front door."""

    @on("GET")
    async def greet(self) -> Greeting:
        """Tell where the API is, and its description."""
        version = self.desk.rooms.version()
        return Greeting("syncd", version, "/api/v1.0", "/openapi.json")


class Nowhere(Handler):
    """Every address that is none."""

    reads = None
    changes = None

    async def missing(self, *_: str) -> None:
        """Refuse."""
        if self._refusal is not None:
            raise self._refusal
        if self.desk.rooms.opening:
            raise Unavailable(
                "not all that answers is there yet; ask again in a moment"
            )
        raise HTTPError(HTTPStatus.NOT_FOUND)

    get = head = post = put = delete = patch = options = missing


def _reasons(entries: Any) -> Iterator[str]:
    for entry in entries:
        if _is_awaited(entry):
            why = f" ({entry.life}: {entry.reason})" if entry.reason else ""
            yield f"entry {entry.name} has not finished its first walk{why}"


def _is_awaited(entry: EntryDetails) -> bool:
    excused = "stopped" in (entry.status, entry.life) or entry.life == "suspended"
    return not excused and entry.last_walk is None


ROUTES: list[Route] = [
    ("/", Door),
    ("/openapi.json", Document),
    ("/health/live", Health),
    ("/health/ready", Readiness),
    ("/metrics", Scrape),
]
