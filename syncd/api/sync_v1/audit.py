"""Who did what."""

from http import HTTPStatus

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, on
from syncd.core.permission import Action
from syncd.store.audit import Line


class AuditPage(Struct, frozen=True):
    """Some lines of the log, the newest first."""

    audit: list[Line]
    total: int
    """How many there are in all."""


class Audit(Handler):
    """The log of logins and of everything that changes something."""

    reads = Action.AUDIT

    @on("GET", query=[OFFSET, LIMIT], errors=[HTTPStatus.SERVICE_UNAVAILABLE])
    async def audit(self) -> AuditPage:
        """List who did what, from where, and what came of it; the newest first."""
        total, lines = await self.desk.auth.trail.page(**self.given)
        return AuditPage(lines, total)


ROUTES: list[Route] = [("/audit", Audit)]
