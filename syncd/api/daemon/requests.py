"""From the bodies of the backup daemon's API to what is asked of the engine."""

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

import msgspec

from syncd.api.daemon.handler import Refused, failed
from syncd.api.manners import DaemonManners
from syncd.core.backup import BackupRequest, RestoreRequest
from syncd.core.vault import Pin
from syncd.errors import BadRequest

Body = Mapping[str, Any]

BACKUP = frozenset(
    {"dbs", "args", "allow_eviction", "sharded", "externalBackupPath", "prefix"}
    # These are taken and mean nothing, as they always did.
    | {"vault", "ts", "changeDbNames"}
    | {"mode"}
)
"""A source that knows of no modes has one, and that is meant."""
RESTORE = frozenset(
    {"vault", "ts", "dbs", "args", "changeDbNames", "externalBackupPath", "force"}
    | {"mode", "dryRun"}
)
TRUE = frozenset({"true", "1", "t", "y", "yes"})
INNER = frozenset({"collections", "tables"})
LONGEST = 1000
"""Characters of a path."""

LONGEST_NAME = 255
"""Bytes of a database's name."""

MOST = 10_000
"""Databases that may be named: these are looked at while everybody waits."""


def backup(
    body: Body, manners: DaemonManners, *, who: str, now: float
) -> BackupRequest:
    """Return the backup that a body asks for; raise Refused."""
    check_keys(body, BACKUP, manners.variables)
    try:
        databases = databases_of(body)
    except BadRequest as error:
        raise Refused(str(error)) from None
    folder = folder_of(body)
    evictable = "allow_eviction" not in body or truth(body["allow_eviction"])
    pin = None if evictable else Pin("not evictable, as was asked for it", who, now)
    flags = {"sharded": True} if truth(body.get("sharded")) else {}
    return BackupRequest(
        databases=databases,
        variables=_variables(body, manners),
        pin=pin,
        prefix=_prefix(body, manners) if databases and not folder else "",
        folder=folder,
        flags=flags,
    )


def restore(body: Body, manners: DaemonManners, vault: str) -> RestoreRequest:
    """Return the restore of a vault that a body asks for; raise Refused."""
    if not isinstance(body.get("changeDbNames") or {}, dict):
        raise Refused('changeDbNames must be an object, as in {"OLD": "NEW"}')
    try:
        databases, names = databases_of(body), _names(body)
    except BadRequest as error:
        raise failed(str(error), HTTPStatus.INTERNAL_SERVER_ERROR) from None
    return RestoreRequest(
        vault=vault,
        databases=databases,
        names=names,
        variables=_variables(body, manners),
        folder=folder_of(body),
        force=truth(body.get("force")),
        dry_run=truth(body.get("dryRun")),
    )


def external(body: Body, manners: DaemonManners) -> RestoreRequest:
    """Return the restore from no vault that a body asks for; raise Refused."""
    check_keys(body, frozenset(), manners.variables)
    return RestoreRequest(vault=None, variables=_variables(body, manners))


def check_keys(body: Body, known: frozenset[str], variables: Sequence[str]) -> None:
    """Raise Refused for what nobody would look at."""
    for key in body:
        if key not in known and key not in variables:
            words = ", ".join(sorted({*known, *variables}))
            raise Refused(f"{shown(key)} is not known here; known are {words}")


def databases_of(body: Body) -> list[Any] | None:
    """Return the databases that are asked for, None for all.

    Raise Refused for what is no list, BadRequest for what is wrong in it.
    """
    if "dbs" in body and "args" in body:
        raise BadRequest("dbs and args say the same; give one of them")
    said = body.get("dbs", body.get("args"))
    if said is None:
        return None
    if not isinstance(said, list):
        raise failed("dbs must be a list of databases", HTTPStatus.BAD_REQUEST)
    check_number(said, "dbs")
    for one in said:
        _check_database(one)
    return said or None


def folder_of(body: Body) -> str:
    """Return the folder for vaults kept elsewhere, "" for none; raise Refused."""
    return folder(body.get("externalBackupPath") or "", "externalBackupPath")


def folder(said: Any, name: str) -> str:
    """Return a path that stays below where it begins; raise Refused for another."""
    if not isinstance(said, str) or len(said) > LONGEST or not said.isprintable():
        raise failed(f"{name} must be a path", HTTPStatus.BAD_REQUEST)
    parts = PurePosixPath(said).parts
    if said.startswith("/") or {"..", "~"} & set(parts):
        reason = f"{name} must lead below the folder for such vaults, without .."
        raise failed(reason, HTTPStatus.BAD_REQUEST)
    return "/".join(parts)


def truth(said: Any) -> bool:
    """Return what is meant by a word, a number, or true and false."""
    if isinstance(said, str):
        return said.strip().lower() in TRUE
    return bool(said)


def check_number(said: Collection[Any], name: str) -> None:
    """Raise Refused for more databases than can be named."""
    if len(said) > MOST:
        reason = f"{name} has {len(said)} databases; say {MOST} at most"
        raise failed(reason, HTTPStatus.BAD_REQUEST)


def check_name(said: Any) -> None:
    """Raise BadRequest for what cannot be the name of a database."""
    if not isinstance(said, str) or not 0 < len(said.encode()) <= LONGEST_NAME:
        raise BadRequest(
            f"a database has a name of 1 to {LONGEST_NAME} bytes, not {shown(said)}"
        )
    if not (said[0].isalnum() or said[0] in "-_") or not said.isprintable():
        raise BadRequest(
            f"{shown(said)} is no name of a database: it begins with a letter, a"
            " digit, - or _, and is printable"
        )


def _check_database(one: Any) -> None:
    if not isinstance(one, dict):
        check_name(one)
        return
    if len(one) != 1:
        raise BadRequest(
            'a database is a name, or one as in {"NAME": {"collections": ["PART"]}}'
        )
    ((name, inner),) = one.items()
    check_name(name)
    if not isinstance(inner, dict) or not inner.keys() <= INNER:
        raise BadRequest(f"of {shown(name)} can be chosen: {', '.join(sorted(INNER))}")
    for part in inner.values():
        if not isinstance(part, list):
            raise BadRequest(f"what is chosen of {shown(name)} must be a list")


def _names(body: Body) -> dict[str, str]:
    names = dict(body.get("changeDbNames") or {})
    check_number(names, "changeDbNames")
    for pair in names.items():
        for name in pair:
            check_name(name)
    return names


def _variables(body: Body, manners: DaemonManners) -> dict[str, Any]:
    return {name: body[name] for name in manners.variables if name in body}


def _prefix(body: Body, manners: DaemonManners) -> str:
    if not (manners.prefixes and manners.namespace):
        return ""
    said = body.get("prefix") or ""
    plain = isinstance(said, str) and said.isascii() and len(said) <= 64
    if said and not (plain and said.replace("-", "").replace("_", "").isalnum()):
        raise Refused("prefix is made of letters, digits, - and _, 64 at most")
    return f"{said}_{manners.namespace}" if said else manners.namespace


def shown(said: Any) -> str:
    """Return a few words about what was sent, whatever it is."""
    text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."


def plain(said: Any) -> str:
    """Return what was sent as it is to be put into a sentence."""
    return said[:LONGEST] if isinstance(said, str) else shown(said)
