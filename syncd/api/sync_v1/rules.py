"""Rules: which entries should hold which files."""

from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import on
from syncd.core.permission import Action

RULES = {"$ref": "#/components/schemas/Rules"}
WRITTEN = [
    HTTPStatus.CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
    HTTPStatus.BAD_GATEWAY,
]


class Ok(Struct, frozen=True):
    """It was done."""

    status: Literal["ok"] = "ok"


class Rules(Handler):
    """The rules in force."""

    @on("GET")
    async def shown(self) -> Any:
        """Get the rules, just as they were put."""
        return self.desk.rooms.rulebook.shown()

    @on("PUT", body=RULES, errors=WRITTEN)
    async def put_rules(self) -> Ok:
        """Update the rules: all of them, or with any fault none."""
        await self.desk.rooms.rulebook.put(self.document)
        return Ok()


class Reload(Handler):
    """The rules file."""

    @on("PUT", errors=WRITTEN)
    async def reload(self) -> Ok:
        """Apply the rules (if they changed since the last time)."""
        await self.desk.rooms.rulebook.reload()
        return Ok()


class Plan(Handler):
    """What rules would do."""

    @on(
        "POST",
        body=RULES,
        errors=[HTTPStatus.SERVICE_UNAVAILABLE],
        action=Action.READ,
    )
    async def plan(self) -> Any:
        """Tell what the rules would do, changing nothing."""
        return await self.desk.rooms.rulebook.plan(self.document)


ROUTES: list[Route] = [
    ("/rules", Rules),
    ("/rules/reload", Reload),
    ("/rules/plan", Plan),
]
