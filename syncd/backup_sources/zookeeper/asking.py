"""Requests to ZooKeeper that kazoo does not know, in its manner of writing them."""

import struct
from collections.abc import Sequence
from typing import Any

from kazoo.exceptions import EXCEPTIONS
from kazoo.protocol.serialization import (
    Auth,
    CheckVersion,
    Create,
    Create2,
    Delete,
    GetChildren,
    GetData,
    MultiHeader,
    SetACL,
    SetData,
    Sync,
    read_string,
    stat_struct,
)
from kazoo.security import ACL, Id

from syncd.backup_sources.zookeeper.nodes import Kind, Node, Stat, parts

ANY = -1
NEVER = 2**31 - 1
"""A version that no node has: a request with it is judged, and never carried out."""

_CONTAINER_FLAG, _TTL_FLAG = 4, 5
_INT = struct.Struct("!i")
_END = _INT.pack(-1) + b"\1" + _INT.pack(-1)


class CreateContainer(Create2):  # type: ignore[misc, unused-ignore]
    """Create a container node."""

    type = 19


class CreateTTL(Create2):  # type: ignore[misc, unused-ignore]
    """Create a node with a time to live, in milliseconds."""

    type = 21
    ttl = 0

    def serialize(self) -> bytes:
        """Return it as bytes."""
        return bytes(super().serialize()) + struct.pack("!q", self.ttl)


class Several:
    """Several requests in one."""

    def __init__(self, operations: Sequence[Any]) -> None:
        self.operations = operations

    def serialize(self) -> bytes:
        """Return it as bytes."""
        parts = bytearray()
        for one in self.operations:
            parts += _INT.pack(one.type) + b"\0" + _INT.pack(-1) + one.serialize()
        return bytes(parts + _END)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.operations)})"


class Reads(Several):
    """Reads of several nodes; the answer has for each what it said, or an error."""

    type = 22

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> list[Any]:
        """Return the answers in order."""
        return _answers(data, offset)


class Changes(Several):
    """Changes of several nodes, all or none; the answer has an error for each."""

    type = 14

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> list[Any]:
        """Return the answers in order."""
        return _answers(data, offset)


class Permits:
    """What the ACL of a node is, and its stat at the same moment."""

    type = 6

    def __init__(self, path: str) -> None:
        self._path = path.encode()

    def serialize(self) -> bytes:
        """Return it as bytes."""
        return _INT.pack(len(self._path)) + self._path

    @classmethod
    def deserialize(cls, data: bytes, offset: int) -> tuple[bytes, Stat]:
        """Return the ACL as it came, which most nodes have in common, and the stat."""
        end = len(data) - stat_struct.size
        return bytes(data[offset:end]), Stat(*stat_struct.unpack_from(data, end))


def permits(data: bytes) -> list[ACL]:
    """Return the ACL that ``Permits`` was answered with."""
    (count,) = _INT.unpack_from(data, 0)
    offset, found = 4, []
    for _ in range(max(count, 0)):
        (perms,) = _INT.unpack_from(data, offset)
        scheme, offset = read_string(data, offset + 4)
        identity, offset = read_string(data, offset)
        found.append(ACL(perms, Id(scheme, identity)))
    return found


def acl(lines: Sequence[str]) -> list[ACL]:
    """Return an ACL as kazoo takes it."""
    return [
        ACL(perms, Id(scheme, identity))
        for perms, scheme, identity in map(parts, lines)
    ]


def create(node: Node, path: str, permitted: Sequence[str]) -> Any:
    """Return the request that makes a node of its kind."""
    said = acl(permitted)
    if node.kind is Kind.CONTAINER:
        return CreateContainer(path, node.data, said, _CONTAINER_FLAG)
    if node.kind is Kind.TTL:
        request = CreateTTL(path, node.data, said, _TTL_FLAG)
        request.ttl = node.ttl or 1
        return request
    return Create(path, node.data, said, 0)


def set_data(path: str, data: bytes | None, version: int) -> Any:
    """Return the request that sets a node's data."""
    return SetData(path, data, version)


def set_acl(path: str, lines: Sequence[str], version: int) -> Any:
    """Return the request that sets a node's ACL."""
    return SetACL(path, acl(lines), version)


def delete(path: str, version: int = ANY) -> Any:
    """Return the request that deletes a node."""
    return Delete(path, version)


def data(path: str) -> Any:
    """Return the request for a node's data and stat."""
    return GetData(path, None)


def children(path: str) -> Any:
    """Return the request for the names of a node's children."""
    return GetChildren(path, None)


def login(scheme: str, credential: str) -> Any:
    """Return the request that says who comes."""
    return Auth(0, scheme, credential)


def sync(path: str) -> Any:
    """Return the request after which what the leader knows can be read."""
    return Sync(path)


def refused() -> Any:
    """Return a part of ``Changes`` because of which none is carried out."""
    return CheckVersion("/", NEVER)


def plain(path: str, permitted: Sequence[str]) -> Any:
    """Return the request that makes an empty persistent node."""
    return Create(path, b"", acl(permitted), 0)


def _answers(data: bytes, offset: int) -> list[Any]:
    found: list[Any] = []
    header, offset = MultiHeader.deserialize(data, offset)
    while not header.done:
        answer: Any = True
        if header.type == -1:
            (code,) = _INT.unpack_from(data, offset)
            offset += 4
            answer = _error(code)
        elif header.type == GetData.type:
            answer = GetData.deserialize(data, offset)
            content, _ = answer
            offset += 4 + len(content or b"") + stat_struct.size
        elif header.type == GetChildren.type:
            answer = GetChildren.deserialize(data, offset)
            offset += 4 + sum(4 + len(name.encode()) for name in answer)
        elif header.type == SetData.type:
            offset += stat_struct.size
        elif header.type in (Create.type, Create2.type, 19, 21):
            _, offset = read_string(data, offset)
            offset += stat_struct.size if header.type != Create.type else 0
        found.append(answer)
        header, offset = MultiHeader.deserialize(data, offset)
    return found


def _error(code: int) -> Exception | bool:
    if code == 0:
        return True
    kind = EXCEPTIONS.get(code)
    error: Exception = kind() if kind else RuntimeError(f"error {code}")
    return error
