"""Backups: asked for, listed, checked, restored, given up."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from syncd.api.handler import Route
from syncd.api.operation import on
from syncd.api.sync_v1.jobs import REFUSED, STORE, STORES, Copying, JobView
from syncd.core.backup import BackupRequest, RestoreRequest, VaultView
from syncd.core.job import Kind
from syncd.core.permission import Action
from syncd.core.retention import Decision
from syncd.core.vault import Pin
from syncd.errors import BadRequest

LONGEST = 30 * 86_400
"""Seconds that a job may be given, at most."""

MOST = 1e15
"""What a number may be, at most: up to there, all who read JSON read the same."""

_VALUES = {
    "type": "object",
    "additionalProperties": {"$ref": "#/components/schemas/Value"},
}
_DATABASES = {
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, _VALUES]},
    "description": "Names, or objects of a name and what of it; without it, all.",
}
_PART = r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+"
FOLDER = rf"^({_PART}(/{_PART})*)?$"
PREFIX = r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,99})?$"

_COMMON: dict[str, Any] = {
    "databases": _DATABASES,
    "variables": {**_VALUES, "description": "What the source wants besides."},
    "folder": {"type": "string", "maxLength": 500, "pattern": FOLDER},
    "source": {"type": "string", "description": "Without it, the first."},
    "priority": {"type": "integer", "minimum": -100, "maximum": 100, "default": 0},
    "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST},
    "store": {"type": "string", "enum": list(STORES), "default": "full"},
}
PIN = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "minLength": 1},
        "until": {"type": "number", "minimum": 0, "maximum": MOST},
    },
    "required": ["reason"],
    "additionalProperties": False,
}
BACKUP = {
    "type": "object",
    "properties": {
        **_COMMON,
        "prefix": {"type": "string", "pattern": PREFIX},
        "pin": PIN,
    },
    "additionalProperties": False,
}
RESTORE = {
    "type": "object",
    "properties": {
        **_COMMON,
        "vault": {"type": "string", "minLength": 1},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "paths": {"type": "array", "items": {"type": "string"}},
        "delete": {"type": "boolean", "default": False},
        "dry_run": {"type": "boolean", "default": False},
        "force": {"type": "boolean", "default": False},
    },
    "required": ["vault"],
    "additionalProperties": False,
}
EVICTION = {
    "type": "object",
    "properties": {
        "dry_run": {"type": "boolean", "default": False},
        "store": {"type": "string", "enum": list(STORES), "default": "full"},
    },
    "additionalProperties": False,
}

Stores = Literal["full", "incremental", "optools"]


class PinWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A pin that is asked for."""

    reason: Annotated[str, Meta(min_length=1)]
    until: Annotated[float, Meta(ge=0)] | None = None


class _Wish(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    databases: list[Any] | None = None
    variables: dict[str, Any] = {}
    folder: Annotated[str, Meta(max_length=500, pattern=FOLDER)] = ""
    source: str = "default"
    priority: Annotated[float, Meta(ge=-100, le=100, multiple_of=1)] = 0
    timeout: Annotated[float, Meta(gt=0, le=LONGEST)] | None = None
    store: Stores = "full"


class BackupWish(_Wish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the body of a backup may say."""

    prefix: Annotated[str, Meta(pattern=PREFIX)] = ""
    pin: PinWish | None = None


class RestoreWish(_Wish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the body of a restore may say."""

    vault: Annotated[str, Meta(min_length=1)]
    names: dict[str, str] = {}
    paths: list[str] = []
    delete: bool = False
    dry_run: bool = False
    force: bool = False


class EvictionWish(Struct, frozen=True, forbid_unknown_fields=True):
    """What the body of an eviction may say."""

    dry_run: bool = False
    store: Stores = "full"


class VaultList(Struct, frozen=True):
    """The vaults of a store, oldest first."""

    vaults: list[VaultView]
    aside: list[str]
    """What was never finished, kept apart; it can be deleted."""
    trouble: str
    """Why these cannot be reached now; empty if they can."""


class Evicted(Struct, frozen=True):
    """What was decided of every vault."""

    dry_run: bool
    decisions: list[Decision]


class Gone(Struct, frozen=True):
    """A vault that is no more."""

    status: Literal["ok"]
    vault: str


class Vaults(Copying):
    """All vaults; asking for one more."""

    @on("GET", query=(STORE,), errors=REFUSED)
    async def list(self) -> VaultList:
        """List the finished backups, failed ones too, oldest first."""
        engine = self.engine(self.given["store"])
        vaults, aside = await engine.vaults(), await engine.aside()
        return VaultList(vaults, aside, engine.trouble())

    @on(
        "POST",
        body=BACKUP,
        optional=True,
        status=[HTTPStatus.ACCEPTED],
        errors=[*REFUSED, HTTPStatus.CONFLICT],
    )
    async def back_up(self) -> JobView:
        """Ask for a backup; its job, which has the vault's name, is answered.

        With an ``Idempotency-Key`` asking twice is asking once.
        """
        wish: BackupWish = _read(self, BackupWish)
        given = _given(wish)
        pin = None
        if wish.pin is not None:
            now = self.desk.rooms.now()
            pin = Pin(wish.pin.reason, self.who.name, now, wish.pin.until)
        job = await self.engine(wish.store).back_up(
            BackupRequest(**given, pin=pin), who=self.who.name, key=self.key
        )
        return self.accepted(job)


class OneVault(Copying):
    """One vault."""

    @on("GET", query=(STORE,), errors=REFUSED)
    async def show(self, vault: str) -> VaultView:
        """Tell all that is known of a vault."""
        return await self.engine(self.given["store"]).vault(vault)

    @on(
        "DELETE",
        query=(STORE,),
        action=Action.BACKUP_EVICT,
        errors=[*REFUSED, HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY],
    )
    async def evict(self, vault: str) -> Gone:
        """Delete a vault, pinned or not, or what was put aside under its name."""
        engine = self.engine(self.given["store"])
        folder = ""
        if vault not in await engine.aside():
            folder = (await engine.vault(vault)).folder
        await engine.evict(vault, who=self.who.name, folder=folder)
        return Gone("ok", vault)


class Pinned(Copying):
    """The word that a vault must stay."""

    @on("PUT", query=(STORE,), body=PIN, errors=REFUSED)
    async def pin(self, vault: str) -> VaultView:
        """Keep a vault from every eviction by policy, ``until`` then or for good."""
        wish: PinWish = _read(self, PinWish)
        now = self.desk.rooms.now()
        return await self._pinned(
            vault, Pin(wish.reason, self.who.name, now, wish.until)
        )

    @on("DELETE", query=(STORE,), errors=REFUSED)
    async def unpin(self, vault: str) -> VaultView:
        """Let the policies decide of a vault again."""
        return await self._pinned(vault, None)

    async def _pinned(self, vault: str, pin: Pin | None) -> VaultView:
        engine = self.engine(self.given["store"])
        await engine.pin(vault, pin, who=self.who.name)
        return await engine.vault(vault)


class _Check(Copying):
    kind: Kind

    async def _asked(self, vault: str) -> JobView:
        engine = self.engine(self.given["store"])
        return self.accepted(
            await engine.check(vault, kind=self.kind, who=self.who.name)
        )


class Verify(_Check):
    """Reading a vault again."""

    kind = Kind.VERIFY

    @on("POST", query=(STORE,), status=[HTTPStatus.ACCEPTED], errors=REFUSED)
    async def verify(self, vault: str) -> JobView:
        """Have all of a vault read again and compared with its digests."""
        return await self._asked(vault)


class Drill(_Check):
    """Proving that a vault can be restored."""

    kind = Kind.DRILL

    @on("POST", query=(STORE,), status=[HTTPStatus.ACCEPTED], errors=REFUSED)
    async def drill(self, vault: str) -> JobView:
        """Have a vault restored into scratch space, and what came out compared."""
        return await self._asked(vault)


class Restores(Copying):
    """Bringing back what a vault holds."""

    @on(
        "POST",
        body=RESTORE,
        action=Action.BACKUP_RESTORE,
        status=[HTTPStatus.ACCEPTED],
        errors=[*REFUSED, HTTPStatus.CONFLICT],
    )
    async def restore(self) -> JobView:
        """Ask for a restore, or, with ``dry_run``, what it would do; its job.

        Nothing is deleted that the vault does not have, unless ``delete`` says so.
        With an ``Idempotency-Key`` asking twice is asking once.
        """
        wish: RestoreWish = _read(self, RestoreWish)
        engine, given = self.engine(wish.store), _given(wish)
        if not wish.folder:
            given["folder"] = (await engine.vault(wish.vault)).folder
        job = await engine.restore(
            RestoreRequest(**given), who=self.who.name, key=self.key
        )
        return self.accepted(job)


class Evictions(Copying):
    """Giving up what the policies do not keep."""

    @on(
        "POST",
        body=EVICTION,
        optional=True,
        action=Action.BACKUP_EVICT,
        errors=[*REFUSED, HTTPStatus.BAD_GATEWAY],
    )
    async def evict(self) -> Evicted:
        """Delete what the policies give up, or only tell; the reason for each vault."""
        wish: EvictionWish = _read(self, EvictionWish)
        decisions = await self.engine(wish.store).evict_by_policy(
            who=self.who.name, dry_run=wish.dry_run
        )
        return Evicted(wish.dry_run, decisions)


def _given(wish: _Wish) -> dict[str, Any]:
    names = [one for one in wish.__struct_fields__ if one not in ("store", "pin")]
    given = {name: getattr(wish, name) for name in names}
    return {**given, "priority": int(wish.priority)}


def _read(handler: Copying, kind: type[Any]) -> Any:
    given = {} if handler.says_nothing else handler.document
    for name, value in given.items() if isinstance(given, dict) else ():
        if value is None:
            raise BadRequest(f"the body: {name} is null; leave it out")
    _check(given)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body: {error}") from None


def _check(value: Any) -> None:
    """Raise BadRequest for a number that not everybody reads alike."""
    if isinstance(value, int | float) and abs(value) > MOST:
        raise BadRequest(f"the body has a number that is too large: {value:g}")
    if isinstance(value, list):
        for one in value:
            _check(one)
    elif isinstance(value, dict):
        for one in value.values():
            _check(one)


ROUTES: list[Route] = [
    ("/backups", Vaults),
    ("/backups/{vault}", OneVault),
    ("/backups/{vault}/pin", Pinned),
    ("/backups/{vault}/verify", Verify),
    ("/backups/{vault}/drill", Drill),
    ("/restores", Restores),
    ("/evictions", Evictions),
]
