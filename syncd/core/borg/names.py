"""What archives are called, and which of them are one client's."""

import re
from datetime import UTC, datetime

from msgspec import Struct

from syncd.core.borg.values import Client, Policy, host
from syncd.errors import BadRequest

MOST = 255
"""Characters of a name that Borg takes; it looks only when everything is read."""

_ROOM = 24
"""Characters that stand behind the name while an archive is unfinished."""

_TIME = "%Y-%m-%d_%H-%M"
_TIME_GLOB = "-".join(("[0-9]" * 4, "[0-9]" * 2, "[0-9][0-9]_[0-9][0-9]", "[0-9]" * 2))
_NAME = re.compile(
    r"(?P<policy>[a-z]+)-(?P<host>.+)-(?P<time>\d{4}-\d{2}-\d{2}_\d{2}-\d{2})",
    re.ASCII,
)


class Named(Struct, frozen=True):
    """What the name of an archive tells."""

    policy: Policy
    hostname: str
    made: float
    """Seconds since 1970; to the minute."""


def archive(policy: Policy, client: Client, made: float) -> str:
    """Return the name of a backup that was asked for then (seconds since 1970).

    Raise BadRequest for a client whose name is too long for that.
    """
    at = datetime.fromtimestamp(made, UTC)
    name = f"{policy}-{client.hostname}-{at:{_TIME}}"
    if len(name) > MOST - _ROOM:
        raise BadRequest(
            f"the name of the client {client.hostname[:40]}... is too long for one of"
            " Borg's archives; give it a shorter one, and its address beside it"
        )
    return name


def archives(policy: Policy, client: Client) -> str:
    """Return Borg's glob for the archives of one policy's type and one client.

    ``web`` has nothing to do with ``web-01``: what follows the host is a time, and
    then the name ends.
    """
    return f"{policy}-{client.hostname}-{_TIME_GLOB}"


def named(name: str) -> Named | None:
    """Return what a name tells; None: it is none of ours."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        policy = Policy(found["policy"])
        at = datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC)
        host("a client", found["host"])
    except (ValueError, BadRequest):
        return None
    return Named(policy, found["host"], at.timestamp())


def check(name: str) -> str:
    """Return the name of any archive; raise BadRequest for what cannot be one."""
    if not name or len(name) > MOST or name.startswith("-") or name != name.strip():
        raise BadRequest(f"{name!r} is no name of an archive")
    if "::" in name or not name.isprintable() or any(one in name for one in "/{}"):
        raise BadRequest(
            f"{name!r} is no name of an archive: slashes, braces, '::' and what cannot"
            " be printed are not part of one"
        )
    return name
