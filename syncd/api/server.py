"""The HTTP server: where it listens, what it bears, how it ends."""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace
from tornado.httpserver import HTTPServer
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from syncd import clock
from syncd.api import daemon, front, openapi, optools, sync_v1
from syncd.api.auth import Auth
from syncd.api.backups import Counted
from syncd.api.gate import Gate
from syncd.api.handler import Desk, Routes
from syncd.api.listening import bound
from syncd.api.metrics import Metrics
from syncd.api.pace import Pace
from syncd.api.rooms import Rooms
from syncd.core.address import is_loopback
from syncd.errors import ConfigError

LARGEST = 2**62
"""Tornado's own limit cuts the connection without a word; ours comes before."""


class Limits(Struct, frozen=True, kw_only=True):
    """What the server bears."""

    body: int = 1 << 20
    """Bytes of a request's body."""
    headers: int = 64 << 10
    rate: float = 200
    """Requests a second that one address may make for long ..."""
    burst: float = 400
    """... and at once."""
    connections: int = 1000
    idle: float = 75
    """Seconds a connection may wait for its next request."""
    receiving: float = 30
    """Seconds that sending a body may take."""
    grace: float = 3
    """Seconds that running answers get when the server ends."""


def first_routes() -> Routes:
    """Return the addresses that there are from the beginning."""
    return [*front.ROUTES, *sync_v1.routes(), *daemon.routes()]


def all_routes() -> Routes:
    """Return every address there is."""
    # Dialects that are loaded when all else is at work: they are large.
    from syncd.api import cyborg  # noqa: PLC0415

    return [*first_routes(), *cyborg.routes(), *optools.routes()]


class Server:
    """Listens while it is entered; ``addresses`` then tells where."""

    def __init__(
        self,
        rooms: Rooms,
        addresses: Sequence[tuple[str, int]],
        *,
        names: Sequence[str] = (),
        origins: Sequence[str] = (),
        limits: Limits | None = None,
        auth: Auth | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
        routes: Callable[[], Routes] = all_routes,
    ) -> None:
        """Take where to listen (port 0: any), and further names of this machine.

        ``routes`` tells the addresses there are at first. Without ``auth`` nobody has
        to log in. ``tls`` reads the certificate, and raises ConfigError.
        """
        self.addresses = list(addresses)
        self._rooms = rooms
        self._names = names
        self._origins = origins
        self._limits = limits or Limits()
        self._auth = auth or Auth()
        self._tls = tls
        self._routes = routes

    async def __aenter__(self) -> Self:
        """Listen on all addresses; raise ConfigError if one cannot be had."""
        protection = self._tls() if self._tls else None
        await self._auth.__aenter__()
        try:
            self._listen(protection)
        except BaseException:
            await self._auth.__aexit__()
            raise
        watch = self._desk.metrics.watch_loop()
        self._watch = asyncio.create_task(watch, name="watch the loop")
        return self

    def _listen(self, protection: ssl.SSLContext | None) -> None:
        self._check_company()
        sockets = bound(self.addresses)
        self.addresses = [one.getsockname()[:2] for one in sockets]
        self._desk = self._furnished()
        self._application = _application(self._desk, self._routes())
        self._http = _Door(
            self._application,
            max_body_size=LARGEST,
            max_header_size=self._limits.headers,
            idle_connection_timeout=self._limits.idle,
            body_timeout=self._limits.receiving,
            ssl_options=protection,
        )
        self._http.most = self._limits.connections
        self._http.add_sockets(sockets)

    def _check_company(self) -> None:
        """Raise ConfigError if others reach us, and nobody has to log in."""
        beyond = [host for host, _ in self.addresses if not is_loopback(host)]
        if beyond and not self._auth.asks:
            raise ConfigError(
                f"{beyond[0]} can be reached from other machines, and there is nobody"
                " who could log in: add somebody with `syncd user add EMAIL --role"
                " admin --password-stdin`, or listen on 127.0.0.1 only"
            )

    def add(self, routes: Routes = (), *, copies: Counted, **rooms: Any) -> None:
        """Show the rooms of backups, which are opened when all else is at work.

        ``rooms`` are those of Rooms, by their names. What is at further addresses is
        answered, too.
        """
        desk = self._desk
        desk.rooms = replace(desk.rooms, opening=False, **rooms)
        desk.metrics.measure(copies, desk.rooms.now)
        self._application.wildcard_router.add_rules(_specs(desk, routes))

    def renew(self) -> bool:
        """Read the certificate again, for new connections; tell whether there is one.

        Raise ConfigError if it is not sound; then the one before stays in use.
        """
        if self._tls is None:
            return False
        self._http.ssl_options = self._tls()
        return True

    async def __aexit__(self, *_: object) -> None:
        """Take no more, end the streams, let running answers finish for a moment."""
        self._http.stop()
        self._rooms.news.close()
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.grace):
                await self._desk.visits.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.grace):
                await self._http.close_all_connections()
        if self._desk.rooms.records is not None:
            await self._desk.rooms.records.close()
        await self._auth.__aexit__()

    def _furnished(self) -> Desk:
        rooms, names = self._rooms, [*self._names]
        if any(not is_loopback(host) for host, _ in self.addresses):
            names.append(socket.gethostname())
        return Desk(
            rooms=rooms,
            gate=Gate(
                self.addresses,
                names,
                scheme="https" if self._tls else "http",
                origins=self._origins,
            ),
            auth=self._auth,
            pace=Pace(self._limits.rate, self._limits.burst),
            metrics=Metrics(rooms),
            body_limit=self._limits.body,
            opened=clock.monotonic(),
            documents={"openapi": lambda: openapi.described(all_routes(), rooms)},
        )


class _Door(HTTPServer):
    """Lets only so many in at once."""

    most: int = 1000
    inside: int = 0

    def handle_stream(self, stream: Any, address: Any) -> None:
        if self.inside >= self.most:
            stream.close()
            return
        self.inside += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        self.inside -= 1
        super().on_close(server_conn)


def _application(desk: Desk, routes: Routes) -> Application:
    def log_request(handler: RequestHandler) -> None:
        request = handler.request
        where = getattr(handler, "template", "unknown")
        desk.metrics.answered(
            str(request.method), where, handler.get_status(), request.request_time()
        )

    return Application(
        _specs(desk, routes),
        default_handler_class=front.Nowhere,
        default_handler_args={"desk": desk, "template": "unknown"},
        log_function=log_request,
    )


def _specs(desk: Desk, routes: Routes) -> list[URLSpec]:
    return [
        URLSpec(pattern(where), handler, {"desk": desk, "template": where})
        for where, handler in routes
    ]


def pattern(template: str) -> str:
    """Return the expression for an address; a slash at its end is no fault."""
    escaped = re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(template.rstrip("/")))
    return f"{escaped}/?$"
