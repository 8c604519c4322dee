"""What the members of an ensemble say of themselves, by words of four letters."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from syncd import clock

LIMIT = 5.0
"""Seconds that a member may take for its answer."""

MOST = 1 << 16
"""Bytes of an answer that are read; more makes no sense."""


class Member(Struct, frozen=True):
    """One member; ``said`` is empty where it is not there or may not tell."""

    host: str
    there: bool = False
    said: dict[str, str] = {}
    zxid: int = 0
    seconds: float = 0.0

    @property
    def role(self) -> str:
        """Return what it is: leader, follower, observer, standalone; else empty."""
        return self.said.get("Mode", "")


class Ensemble(Struct, frozen=True):
    """All that are configured."""

    members: list[Member]

    @property
    def leader(self) -> Member | None:
        """Return who decides, if it says so."""
        for one in self.members:
            if one.role in ("leader", "standalone"):
                return one
        return None

    def lag(self, zxid: int) -> int | None:
        """Return how many transactions that is behind the leader; None: unknown.

        Across a change of leaders nobody can count them: then it is a whole epoch.
        """
        leader = self.leader
        return None if leader is None else max(0, leader.zxid - zxid)

    @property
    def furthest(self) -> int | None:
        """Return how far the slowest member that tells is behind."""
        lags = [self.lag(one.zxid) for one in self.members if one.role]
        return max((lag for lag in lags if lag is not None), default=None)

    @property
    def version(self) -> str:
        """Return the version of the servers; empty if none tells."""
        for one in self.members:
            if said := one.said.get("Zookeeper version"):
                return said.partition("-")[0].partition(",")[0]
        return ""

    @property
    def words(self) -> str:
        """Return what is to be known of it, for people; empty if all is well."""
        away = [one.host for one in self.members if not one.there]
        silent = [one.host for one in self.members if one.there and not one.role]
        said = []
        if away:
            said.append(f"not there: {', '.join(away)}")
        if silent:
            said.append(
                f"{', '.join(silent)} may not tell how it is; add srvr to its"
                " 4lw.commands.whitelist"
            )
        return "; ".join(said)


async def asked(hosts: Sequence[str], tls: Mapping[str, Any] | None) -> Ensemble:
    """Ask every member; never raises."""
    some = await asyncio.gather(*(_member(host, tls) for host in hosts))
    return Ensemble(list(some))


async def _member(host: str, tls: Mapping[str, Any] | None) -> Member:
    begun = clock.monotonic()
    try:
        async with asyncio.timeout(LIMIT):
            text = await _say(host, b"srvr", tls)
    except (OSError, TimeoutError, ValueError):
        return Member(host)
    seconds = clock.monotonic() - begun
    said = {}
    for line in text.splitlines():
        name, colon, value = line.partition(": ")
        if colon:
            said[name] = value.strip()
    zxid = 0
    with suppress(ValueError):
        zxid = int(said.get("Zxid", "0"), 16)
    return Member(host, True, said if "Mode" in said else {}, zxid, seconds)


async def _say(host: str, word: bytes, tls: Mapping[str, Any] | None) -> str:
    name, _, port = host.rpartition(":")
    reader, writer = await asyncio.open_connection(
        name.strip("[]"), int(port), ssl=None if tls is None else context(tls)
    )
    try:
        writer.write(word)
        await writer.drain()
        said = b""
        # An answer may come in pieces, and ends where the connection does.
        while len(said) < MOST and (some := await reader.read(MOST)):
            said += some
        return said.decode(errors="replace")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def context(tls: Mapping[str, Any]) -> ssl.SSLContext:
    """Return how to speak TLS; raise OSError for files that cannot be read."""
    made = ssl.create_default_context(cafile=tls["ca"])
    made.check_hostname = tls["check_hostname"] and tls["verify"]
    if not tls["verify"]:
        made.verify_mode = ssl.CERT_NONE
    if tls["certificate"]:
        made.load_cert_chain(tls["certificate"], tls["key"], tls["key_password"])
    return made
