"""Who may come in: the right name for us, no foreign pages, not too often.

A page on another site can make a browser on this machine send requests here.
It cannot forge ``Host`` (after DNS rebinding that is the page's own name) nor
``Origin``, and both are checked.
"""

import math
from collections.abc import Iterable

from tornado.httputil import HTTPServerRequest

from syncd import clock
from syncd.errors import NotAllowed, TooManyRequests

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so that only reading the answer would matter."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

MOST_PEERS = 1000
"""Addresses whose pace is remembered."""


class Gate:
    """Knows the names that are ours."""

    def __init__(
        self, addresses: Iterable[tuple[str, int]], names: Iterable[str] = ()
    ) -> None:
        """Take where we listen, and further names (``NAME`` or ``NAME:PORT``)."""
        self._names = {_plain(name) for name in names}
        self._hosts: set[str] = set()
        self._origins: set[str] = set()
        for host, port in addresses:
            for name in (f"[{host}]" if ":" in host else host, *LOOPBACK):
                self._hosts |= {name.lower(), f"{name}:{port}".lower()}
                shown = name if port == 80 else f"{name}:{port}"
                self._origins.add(f"http://{shown}".lower())

    def check(self, request: HTTPServerRequest) -> None:
        """Raise NotAllowed for a request that is not meant for us or not ours."""
        host = request.headers.get("Host")
        if host is not None and not self._is_ours(host):
            raise NotAllowed(
                f"{host!r} is not a name of this daemon; use one of"
                f" {', '.join(sorted(self._hosts | self._names))}"
            )
        if request.method not in HARMLESS:
            self._check_origin(request)

    def _check_origin(self, request: HTTPServerRequest) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_our_origin(origin.lower()):
            raise NotAllowed(f"pages of {origin!r} may not change anything here")
        if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
            raise NotAllowed("pages of other sites may not change anything here")

    def _is_ours(self, host: str) -> bool:
        return _plain(host) in self._hosts or self._is_named(host)

    def _is_named(self, host: str) -> bool:
        name = _plain(host)
        return name in self._names or _split(name)[0] in self._names

    def _is_our_origin(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        if scheme in ("http", "https") and self._is_named(host):
            return True
        return origin in self._origins


class Pace:
    """A bucket of tokens for each address: so many at once, so many a second."""

    def __init__(self, rate: float = 200, burst: float = 400) -> None:
        self._rate = rate
        self._burst = burst
        self._peers: dict[str, tuple[float, float]] = {}

    def take(self, peer: str, now: float) -> float:
        """Return 0 if the address may go on, else the seconds until it may."""
        tokens = self._tokens(peer, now)
        allowed = tokens >= 1
        if peer not in self._peers and len(self._peers) >= MOST_PEERS:
            self._forget(now)
        self._peers[peer] = (tokens - 1 if allowed else tokens, now)
        return 0.0 if allowed else (1 - tokens) / self._rate

    def _tokens(self, peer: str, now: float) -> float:
        tokens, then = self._peers.get(peer, (self._burst, now))
        return min(self._burst, tokens + (now - then) * self._rate)

    def _forget(self, now: float) -> None:
        """Drop whoever has a full bucket; should nobody, the one seen longest ago."""
        full = [peer for peer in self._peers if self._tokens(peer, now) >= self._burst]
        for peer in full or [min(self._peers, key=lambda one: self._peers[one][1])]:
            del self._peers[peer]


class Hurried(TooManyRequests):
    """Somebody asked too often, and may again after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many requests; wait a moment")
        self.retry_after = max(1, math.ceil(seconds))


def slow_down(pace: Pace, request: HTTPServerRequest) -> None:
    """Raise Hurried if the request's sender asks too often."""
    if seconds := pace.take(str(request.remote_ip), clock.monotonic()):
        raise Hurried(seconds)


def _plain(host: str) -> str:
    name, port = _split(host.lower())
    return f"{name.rstrip('.')}{port}"


def _split(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if port.isascii() and port.isdecimal():
        return name, colon + port
    return host, ""
