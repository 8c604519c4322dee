"""How often somebody may ask."""

import math

from tornado.httputil import HTTPServerRequest

from syncd import clock
from syncd.errors import TooManyRequests

MOST_PEERS = 1000
"""Addresses whose pace is remembered."""


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
