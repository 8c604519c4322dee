"""Slowing down who guesses passwords, without locking anybody out for good.

Every failure of an address, and of an account, makes the next attempt wait a
little longer; failures are forgotten in time. Attempts wait in line, so asking
many times at once gains nothing, and who would wait too long is told to come back.
"""

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address

from syncd.api.pace import Hurried

FREE = 5
"""Failures that cost nothing: people mistype."""

FIRST, LONGEST = 0.1, 2.0
"""Seconds between attempts: the first step, doubled by each failure, and the last."""

HALF = 60.0
"""Seconds in which half of the failures are forgotten."""

PATIENCE = 4.0
"""Seconds that somebody is let wait in line."""

MOST = 10_000
"""Addresses and accounts that are remembered, the latest ones."""


class _Line:
    """The line before one address or account."""

    __slots__ = ("at", "failures", "free")

    def __init__(self, now: float) -> None:
        self.failures = 0.0
        self.at = now
        self.free = now
        """When the next one may try."""

    def forget(self, now: float) -> None:
        self.failures *= 0.5 ** ((now - self.at) / HALF)
        self.at = now

    def pause(self) -> float:
        if self.failures < FREE:
            return 0.0
        doubled: float = 2.0 ** min(self.failures - FREE, 10.0)
        return min(LONGEST, FIRST * doubled)


class Guesses:
    """Counts failures by whatever keys it is given."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    def begin(self, keys: Sequence[str], now: float) -> float:
        """Return how many seconds to wait before an attempt; raise Hurried.

        It counts as a failure until ``succeeded``: so many at once know of one
        another.
        """
        wait = self.look(keys, now)
        for key in keys:
            line = self._line(key, now)
            line.failures += 1
            if pause := line.pause():
                line.free = now + wait + pause
        return wait

    def look(self, keys: Sequence[str], now: float) -> float:
        """Return how many seconds an attempt would wait; raise Hurried if too many."""
        known = [self._lines[key] for key in keys if key in self._lines]
        wait = max([0.0, *(line.free - now for line in known)])
        if wait > PATIENCE:
            raise Hurried(wait)
        return wait

    def succeeded(self, keys: Sequence[str]) -> None:
        """Take back what ``begin`` counted."""
        for key in keys:
            if line := self._lines.get(key):
                line.failures = max(0.0, line.failures - 1)

    def _line(self, key: str, now: float) -> _Line:
        line = self._lines.setdefault(key, _Line(now))
        line.forget(now)
        self._lines.move_to_end(key)
        while len(self._lines) > MOST:
            self._lines.popitem(last=False)
        return line


def neighbourhood(address: str) -> str:
    """Return what counts as one address: of IPv6, all that one household has."""
    try:
        number = ip_address(address)
    except ValueError:
        return address
    if isinstance(number, IPv6Address) and not number.is_loopback:
        if number.ipv4_mapped:
            return str(number.ipv4_mapped)
        return str(IPv6Network((number, 64), strict=False))
    return address
