"""A node of ZooKeeper as it is kept: one line of JSON."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from syncd.errors import StorageError

MASK = "x"
"""What a server gives in place of a digest to whoever may not administer a node."""

_LETTERS = ((4, "c"), (8, "d"), (1, "r"), (2, "w"), (16, "a"))


class Kind(StrEnum):
    """How a node lives."""

    PERSISTENT = "persistent"
    EPHEMERAL = "ephemeral"
    CONTAINER = "container"
    TTL = "ttl"


class Stat(NamedTuple):
    """What the servers say of a node, in their own words and order."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    pzxid: int

    @property
    def next(self) -> int:
        """Return the number in the name of the next sequential child."""
        return (self.cversion + self.num_children) // 2

    def moved(self, other: "Stat") -> bool:
        """Tell whether anything of the node is another."""
        return (
            self.czxid != other.czxid
            or self.mzxid != other.mzxid
            or self.pzxid != other.pzxid
            or self.cversion != other.cversion
            or self.aversion != other.aversion
        )


class Node(Struct, frozen=True, gc=False, omit_defaults=True):
    """One node; bytes are base64 in JSON, None is ZooKeeper's own null."""

    path: str
    data: bytes | None
    acl: list[str]
    """``SCHEME:ID:PERMISSIONS``, as ZooKeeper's own command writes them."""
    kind: Kind = Kind.PERSISTENT
    ttl: int | None = None
    """Milliseconds."""
    next: int = 0
    """The number in the name of the next sequential child."""
    stat: dict[str, int] = {}


encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Node)


def decode(line: bytes) -> Node:
    """Return the node of a line; raise StorageError for what is none."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise StorageError(f"this is no line of a backup of nodes: {error}") from None


def written(permits: Iterable[Any]) -> list[str]:
    """Return an ACL of kazoo as it is kept."""
    return [f"{one.id.scheme}:{one.id.id}:{spelled(one.perms)}" for one in permits]


def parts(permit: str) -> tuple[int, str, str]:
    """Return permissions, scheme and id of one line of an ACL."""
    scheme, _, rest = permit.partition(":")
    identity, _, letters = rest.rpartition(":")
    return sum(bit for bit, letter in _LETTERS if letter in letters), scheme, identity


def is_masked(acl: Sequence[str]) -> bool:
    """Tell whether a server has kept digests of this ACL to itself."""
    for permit in acl:
        _, scheme, identity = parts(permit)
        if scheme == "digest" and identity.rpartition(":")[2] == MASK:
            return True
    return False


def spelled(perms: int) -> str:
    """Return permissions as ZooKeeper's own command writes them."""
    return "".join(letter for bit, letter in _LETTERS if perms & bit)


def below(path: str, name: str) -> str:
    """Return the path of a child."""
    return f"/{name}" if path == "/" else f"{path}/{name}"


def parent(path: str) -> str:
    """Return the path above, ``/`` above the topmost."""
    return path.rpartition("/")[0] or "/"


def is_in(path: str, top: str) -> bool:
    """Tell whether a path is another one, or below it."""
    return top in ("/", path) or path.startswith(f"{top}/")


def trouble(name: str) -> str:
    """Return why this is no path below the root, without its slash; empty if it is."""
    if not name or any(part in ("", ".", "..") for part in name.split("/")):
        return "it has an empty part, '.' or '..'"
    for letter in name:
        number = ord(letter)
        odd = number < 0x20 or 0x7F <= number <= 0x9F or 0xD800 <= number <= 0xF8FF
        if odd or 0xFFF0 <= number <= 0xFFFF:
            return "it holds a character that ZooKeeper does not allow"
    return ""
