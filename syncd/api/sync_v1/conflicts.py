"""Conflicts: what was kept beside the file that won, and what waits for a person."""

from http import HTTPStatus
from typing import Any, Literal

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, on
from syncd.api.rooms import ConflictView
from syncd.api.sync_v1.files import checked
from syncd.errors import BadRequest

DECISION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "keep": {
            "type": "string",
            "minLength": 1,
            "description": "An entry, to have what it holds everywhere; or both, to"
            " have one under the name and the others beside it.",
        }
    },
    "required": ["keep"],
    "additionalProperties": False,
}


class ConflictPage(Struct, frozen=True):
    """Some of the conflicts."""

    conflicts: list[ConflictView]
    total: int
    """How many there are in all."""


class Resolved(Struct, frozen=True):
    """It was decided; what it takes is under way."""

    fid: str
    status: Literal["ok"] = "ok"


class Conflicts(Handler):
    """All conflicts."""

    @on("GET", query=(OFFSET, LIMIT))
    async def page(self) -> ConflictPage:
        """List the conflicts."""
        total, conflicts = await self.desk.rooms.files.conflicts(**self.given)
        return ConflictPage(conflicts, total)


class Resolve(Handler):
    """One conflict that waits for a person."""

    @on(
        "POST",
        body=DECISION,
        errors=[HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE],
    )
    async def resolve(self, fid: str) -> Resolved:
        """Decide a conflict that waits for a person.

        What is chosen is a new version: the other sides are replaced by it.
        """
        fid = checked(fid)
        await self.desk.rooms.conflicts.resolve(fid, _kept(self.document))
        return Resolved(fid)


def _kept(document: Any) -> str:
    keep = document.get("keep") if isinstance(document, dict) else None
    if not isinstance(keep, str) or not keep or len(document) != 1:
        raise BadRequest('the body must be {"keep": ENTRY} or {"keep": "both"}')
    return keep


ROUTES: list[Route] = [
    ("/conflicts", Conflicts),
    ("/conflicts/{fid}/resolve", Resolve),
]
