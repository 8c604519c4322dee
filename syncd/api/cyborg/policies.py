"""Policies: what is backed up, of which clients, when, where to, and how long."""

import asyncio
import calendar
import json
from datetime import UTC, date, datetime
from typing import Any

from syncd.api.cyborg.collection import UNKNOWN, Creating, Resource, Telling
from syncd.api.cyborg.fields import Choice, Flag, Reference, References, Text, Whole
from syncd.api.cyborg.handler import number
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Invalid
from syncd.api.cyborg.shapes import address, common, moment, picked
from syncd.api.operation import on
from syncd.core import crontab, masking
from syncd.core.masking import MASK
from syncd.errors import BadRequest, Unavailable
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Policy

TYPES = {
    "rootfs": "Root FileSystem",
    "vm": "Virtual Machine",
    "mysql": "MySQL",
    "postgresql": "PostgreSQL",
    "piped": "Piped Backup",
    "config": "Only /etc",
    "mail": "Only mail directory",
    "folders": "Specified folders",
    "proxmox": "Proxmox",
}
KEEPS = ("hourly", "yearly", "daily", "weekly", "monthly")

FIELDS = {
    "name": Text(label="Name", required=True),
    "extra_vars": Text(label="Extra vars", most=65_536),
    "clients": References(label="Clients", to="clients"),
    "repository": Reference(label="Repository", required=True, to="repositories"),
    "schedule": Reference(label="Schedule", required=True, to="schedules"),
    "policy_type": Choice(label="Policy type", choices=TYPES, default="rootfs"),
    **{
        f"keep_{which}": Whole(label=f"Keep {which}", nullable=True, most=1_000_000)
        for which in KEEPS
    },
    "vmprovider": Text(label="VM provider", most=128),
    "mode_pull": Flag(label="Mode pull"),
    "enabled": Flag(label="Enabled", default=True),
    "prehook": Text(label="Pre hook", most=128),
    "posthook": Text(label="Post hook", most=128),
}


class _Policy(Resource):
    model = "policies"
    fields = FIELDS
    secrets = ("extra_vars",)

    def secret(self, sealed: str) -> str:
        """Return options without their secrets; a mask if they cannot be opened."""
        try:
            return masking.masked(self.records.sealer.open(sealed))
        except Unavailable:
            # The others must be seen still, and these can be set anew.
            return MASK

    def shape(self, found: Policy, beside: Beside) -> dict[str, Any]:
        """Return a policy as answers show it."""
        summary = {}
        repository = beside.get("repositories", found.repository_id)
        if repository is not None:
            summary["repository"] = picked(repository, "id", "name", "path", "enabled")
        schedule = beside.get("schedules", found.schedule_id)
        if schedule is not None:
            summary["schedule"] = picked(schedule, "id", "name", "crontab", "enabled")
        related = {
            "calendar": address(self.model, found.id, "calendar"),
            "schedule": address("schedules", found.schedule_id),
            "repository": address("repositories", found.repository_id),
        }
        return {
            **common(self.model, found, beside, related, summary),
            **picked(found, "uuid", "name"),
            "extra_vars": self.secret(found.extra_vars),
            "clients": beside.clients_of.get(found.id, []),
            "repository": found.repository_id,
            "schedule": found.schedule_id,
            "policy_type": found.policy_type,
            **picked(found, *(f"keep_{which}" for which in KEEPS)),
            "vmprovider": found.vmprovider,
            "next_run": moment(found.next_run),
            **picked(found, "mode_pull", "enabled", "prehook", "posthook"),
        }

    async def check(
        self, said: dict[str, Any], before: Any | None, beside: Beside | None
    ) -> None:
        """Raise Invalid where type and options do not go together."""
        if "extra_vars" not in said and "policy_type" not in said:
            return
        kept, text = "", said.get("extra_vars", MASK)
        if before is not None and MASK in text:
            sealer = self.records.sealer
            kept = await asyncio.to_thread(sealer.open, before.extra_vars)
        text = masking.unmasked(text, kept)
        if "extra_vars" in said:
            said["extra_vars"] = text
        kind = said.get("policy_type", getattr(before, "policy_type", "rootfs"))
        if reason := wrong_options(kind, text):
            raise Invalid({"extra_vars": [reason]})


def wrong_options(kind: str, text: str) -> str:
    """Return why these options are none of a policy of that type; empty: they are."""
    options = masking.options(text) if text else {}
    if options is None:
        return "This must be empty or a JSON object."
    if MASK in json.dumps(options):
        return UNKNOWN
    found = _listed(options, "exclude") or ""
    match kind:
        case "folders":
            found = found or _listed(options, "folders")
            if not found and not options.get("folders"):
                found = 'Say which folders, as in {"folders": ["/home"]}.'
        case "piped":
            command = options.get("command")
            if not isinstance(command, str) or not command.strip():
                found = found or 'Say which command, as in {"command": "cat FILE"}.'
    return found


def _listed(options: dict[str, Any], name: str) -> str:
    """Return why an option is no list of texts; empty: it is one, or not there."""
    said = options.get(name, [])
    plain = isinstance(said, list) and all(
        isinstance(one, str) and one.strip() for one in said
    )
    return "" if plain else f"{name} must be a list of texts, none of them empty."


class Policies(Creating, _Policy):
    """All policies."""


class OnePolicy(Telling, _Policy):
    """One policy."""

    def secret(self, sealed: str) -> str:
        """Return options, with their secrets where these were asked for."""
        if self.tells:
            return self.records.sealer.open(sealed)
        return _Policy.secret(self, sealed)


class Calendar(Described):
    """When a policy runs in this month."""

    @on("GET", content={"application/json": {"type": "array"}})
    async def days(self, number_: str) -> None:
        """List every moment of the current month, past ones too, in UTC."""
        policy, beside = await self.records.one("policies", number(number_), self.said)
        schedule = beside.get("schedules", policy.schedule_id)
        today = datetime.fromtimestamp(self.records.now(), UTC).date()
        length = calendar.monthrange(today.year, today.month)[1]
        first, last = date(today.year, today.month, 1), today.replace(day=length)
        text = "" if schedule is None else schedule.crontab
        await self.say_made(lambda: _moments(text, first, last))


def _moments(text: str, first: date, last: date) -> list[str]:
    """Return when a crontab comes; never, if it makes no sense."""
    try:
        found = crontab.parse(text).during(first, last)
    except BadRequest:
        return []
    return [one.isoformat() for one in found]


class Modules(Described):
    """What can give the disks of virtual machines."""

    @on("GET", content={"application/json": {"type": "array"}})
    async def modules(self) -> None:
        """List the providers of virtual machines that are installed."""
        self.say([])


ROUTES = [
    ("/policies", Policies),
    ("/policies/vmmodule", Modules),
    ("/policies/{number}", OnePolicy),
    ("/policies/{number}/calendar", Calendar),
]
