"""What requests of this dialect say: bodies, lists of ids, and whole backups."""

import ast
import base64
import binascii
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from syncd.errors import NoRoom, SyncdError

LONGEST = 64 << 10
"""Bytes of a list of ids in an address."""

MOST = 100
"""Members that do not belong into a body of which it is told."""

PIECE = 1 << 20
INFLATED = 256 << 20
"""Bytes that compressed documents may be."""

DOCUMENT = "document.json"
"""Under this name the archive holds the backup that was sent."""


class Refused(SyncdError):
    """A refusal with the status and the body that clients depend on."""

    def __init__(self, status: HTTPStatus, said: Any) -> None:
        super().__init__(str(said))
        self.status = status
        self.said = said


def refused(reason: str, **more: Any) -> Refused:
    """Return a refusal with a message, as most are."""
    status = HTTPStatus.BAD_REQUEST
    said = {"statusCode": int(status), "message": reason, **more}
    return Refused(status, said)


def unreadable(details: str) -> Refused:
    """Return the refusal of a body that cannot be read."""
    said = {"statusCode": 400, "msg": "input error", "details": details}
    return Refused(HTTPStatus.BAD_REQUEST, said)


# Small bodies.


class Rule(Struct, frozen=True):
    """A member that a body may have, which is text."""

    name: str
    required: bool = False


def read(content: bytes, *names: str) -> Any:
    """Return what a body says, an empty object for none; raise Refused.

    Of members, only those with these names are read: the others are None, as are the
    elements of an array. A whole backup may be in them.
    """
    if not content.strip():
        return {}
    try:
        said = msgspec.json.decode(content, type=dict[str, Raw] | list[Raw])
        if isinstance(said, list):
            return [None] * len(said)
        return {
            name: msgspec.json.decode(value) if name in names else None
            for name, value in said.items()
        }
    except msgspec.ValidationError:
        words = "SyntaxError: the body is neither an object nor an array"
        raise unreadable(words) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise unreadable(f"SyntaxError: {error}") from None


def faults(said: Any, rule: Rule) -> list[dict[str, Any]]:
    """Return what is wrong with a body, in the order in which it is told."""
    found: list[dict[str, Any]] = []
    members: Mapping[str, Any] = said if isinstance(said, dict) else {}
    if rule.required and rule.name not in members:
        found.append(_fault("missing_required", rule.name))
    if not isinstance(said, dict):
        found.append(_fault("invalid_type", "", "object", said))
        strangers = [str(at) for at in range(min(len(said), MOST))]
        return found + [_fault("no_extra_keys", name) for name in strangers]
    value = members.get(rule.name, "")
    if not isinstance(value, str):
        found.append(_fault("invalid_type", rule.name, "string", value))
    strangers = [name for name in members if name not in (rule.name, "type")][:MOST]
    return found + [_fault("no_extra_keys", name) for name in strangers]


def _fault(key: str, name: str, wanted: str = "", value: Any = None) -> dict[str, Any]:
    symbols = {"$PROPERTY_NAME": name}
    if key == "missing_required":
        text = f"Expected parameter '{name}' to exist."
    elif key == "no_extra_keys":
        text = f"Parameter '{name}' is an unknown key for object."
    else:
        kind = _kind(value)
        symbols |= {"$PROPERTY_TYPE": wanted, "$TYPE": kind}
        text = (
            f"Expected parameter '{name}' to be of type: '{wanted}',"
            f" but instead was: '{kind}'."
        )
    return {"key": key, "symbols": symbols, "text": text}


def _kind(value: Any) -> str:
    known = {
        bool: "boolean",
        int: "number",
        float: "number",
        list: "array",
        str: "string",
    }
    return known.get(type(value), "object")


# Ids that are not restored.


def skipped(name: str, said: str | None) -> list[str]:
    """Return the ids that a parameter lists, in either of its forms; raise Refused."""
    text = (said or "").strip()
    if text[:2] == '"[' and text[-2:] == ']"':
        text = text[1:-1]
    if not text:
        return []
    found = _list(text)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise refused(f'{name} must be a list of ids, such as {name}=["abcd"]')
    return found


def _list(text: str) -> Any:
    if len(text) > LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


# Whole backups.


class _Sent(Struct, frozen=True):
    docs: list[Raw] | None = None
    compressed_docs: str | None = None


class _Backup(Struct, frozen=True):
    dbs: dict[str, _Sent]
    client_webhook_url: Any = None


class _Id(Struct, frozen=True):
    id: str = field(name="_id")


class Sent(Struct, frozen=True):
    """A backup that somebody sent, as far as it must be known."""

    hook: str
    names: Sequence[str]


def packed(content: bytes, names: Mapping[str, str], archive: Path) -> Sent:
    """Write a backup that somebody sent into an archive, for a vault to be made of it.

    ``names`` are those of the databases, by their roles. Raise Refused for what is no
    backup, NoRoom where it cannot be written: nothing is begun then.
    """
    if not content.strip():
        raise refused("the backup is missing; send it as the body, with dbs in it")
    try:
        backup = msgspec.json.decode(content, type=_Backup)
    except msgspec.ValidationError as error:
        raise refused(f"the body is no backup: {error}") from None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise unreadable(f"SyntaxError: {error}") from None
    found: dict[str, _Sent] = {}
    for key, sent in backup.dbs.items():
        name = database(key, names)
        if name in found:
            raise refused(f"dbs has {name} twice, as {key!r} too")
        _check(key, sent)
        found[name] = sent
    if not found:
        raise refused("dbs has no database in it")
    said = {"dbs": {name: _plain(sent) for name, sent in found.items()}}
    try:
        with zipfile.ZipFile(archive, "w") as there:
            there.writestr(DOCUMENT, msgspec.json.encode(said))
    except OSError as error:
        raise NoRoom(f"the backup cannot be kept: {error.strerror}") from None
    return Sent(hook_of(backup.client_webhook_url), list(found))


def hook_of(said: Any) -> str:
    """Return the address that is to be told; empty for none. Raise Refused."""
    if said is None or said == "":
        return ""
    if not isinstance(said, str):
        raise refused("client_webhook_url must be text")
    return said


def database(key: str, names: Mapping[str, str]) -> str:
    """Return the database that is meant by its name or its role; raise Refused."""
    if key in names.values():
        return key
    for role, name in names.items():
        usual = {f"DB_{role.upper()}", f"athena_{role}", f"athena-{role}"}
        if key in usual or key.replace("-", "_") == name.replace("-", "_"):
            return name
    known = ", ".join([*names.values(), *(f"DB_{role.upper()}" for role in names)])
    raise refused(f"dbs has {key[:60]!r}, which is no database here; known: {known}")


def _plain(sent: _Sent) -> dict[str, Any]:
    if sent.compressed_docs is not None:
        return {"compressed_docs": sent.compressed_docs}
    return {"docs": sent.docs or []}


def _check(key: str, sent: _Sent) -> None:
    if sent.docs is None and sent.compressed_docs is None:
        raise refused(f"dbs.{key} has neither docs nor compressed_docs")
    try:
        for doc in sent.docs or []:
            msgspec.json.decode(doc, type=_Id)
        if sent.compressed_docs is not None:
            _check_compressed(sent.compressed_docs)
    except (msgspec.DecodeError, binascii.Error, ValueError, zlib.error) as error:
        raise refused(f"dbs.{key} cannot be read: {error}") from None


def _check_compressed(said: str) -> None:
    """Raise ValueError or zlib.error unless it can be inflated, to a bounded size."""
    rest, size = base64.b64decode(said, validate=True), 0
    inflating = zlib.decompressobj()
    while not inflating.eof:
        piece = inflating.decompress(rest, PIECE)
        rest = inflating.unconsumed_tail
        size += len(piece)
        if size > INFLATED:
            raise ValueError(f"compressed_docs are more than {INFLATED} bytes")
        if not piece and not rest:
            raise ValueError("compressed_docs are cut off")
