"""Evictions: of one vault by its name, of those that the policies give up."""

from http import HTTPStatus
from typing import Any

import msgspec

from syncd.api.daemon.handler import DaemonHandler, Refused, told
from syncd.api.operation import Word, on
from syncd.core import retention
from syncd.core.permission import Action
from syncd.errors import BadRequest, Conflict, NotFound

YES_OR_NO = ("0", "1", "false", "true")
OK: dict[str, Any] = {"application/json": {}}
POLICIES = {"fullEvictionPolicy": "full", "granularEvictionPolicy": "partial"}
"""What policies are called here, and in the engine."""


class Evict(DaemonHandler):
    """Eviction by the policies."""

    changes = Action.BACKUP_EVICT

    @on(
        "POST",
        query=[Word("dry_run", "Say what would go, and why.", choices=YES_OR_NO)],
        content=OK,
    )
    async def evict(self) -> None:
        """Delete what the policies give up, or tell what they say of every vault."""
        dry_run = self.given["dry_run"] in ("1", "true")
        decisions = await self.backups.evict_by_policy(who=self.asker, dry_run=dry_run)
        if dry_run:
            self.finish(msgspec.json.encode(decisions) + b"\n")
        else:
            self.say("Ok")


class EvictOne(DaemonHandler):
    """Eviction of one vault."""

    changes = Action.BACKUP_EVICT

    @on("POST", content=OK)
    async def evict(self, vault: str) -> None:
        """Delete one backup, whether policies would keep it or not."""
        try:
            if vault not in await self.backups.aside():
                await self.listed(vault)
            await self.backups.evict(vault, who=self.asker)
        except NotFound:
            raise told(f"backup {vault} not found") from None
        except Conflict:
            reason = f"Backup {vault} is locked and can't be removed"
            raise told(reason, HTTPStatus.INTERNAL_SERVER_ERROR) from None
        self.say(f"Backup {vault} successfully removed")


class EvictionPolicy(DaemonHandler):
    """The policies in force."""

    changes = Action.BACKUP_EVICT

    @on("GET", content={"application/json": {"type": "object"}})
    async def policies(self) -> None:
        """Answer the policies in force."""
        known = self.backups.policies()
        self.say({name: known.get(which) for name, which in POLICIES.items()})

    @on("POST", body={"type": "object"}, content=OK)
    async def use(self) -> None:
        """Put a policy in force and keep it, then evict; a bad one changes nothing."""
        backups, said = self.backups, self._wanted()
        for name, policy in said.items():
            await backups.use_policy(POLICIES[name], policy, who=self.asker)
        await backups.evict_by_policy(who=self.asker)
        self.say("Ok")

    def _wanted(self) -> dict[str, Any]:
        said: dict[str, Any] = self.document
        strangers = sorted(said.keys() - POLICIES.keys())
        if strangers or not said:
            wrong = f"not {strangers[0][:60]!a}" if strangers else "and it is missing"
            raise Refused(f"say one of {' and '.join(POLICIES)}, {wrong}")
        for name, policy in said.items():
            if not isinstance(policy, str):
                raise Refused(f"{name} must be text, such as 7d/delete")
            try:
                retention.parse(policy)
            except BadRequest as error:
                raise Refused(f"{name}: {error}") from None
        return said


ROUTES = [
    ("/evict", Evict),
    ("/evict/{vault}", EvictOne),
    ("/evictionpolicy", EvictionPolicy),
]
