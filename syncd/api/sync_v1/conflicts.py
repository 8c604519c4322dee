"""Conflicts: contents that were kept beside the file that won."""

from msgspec import Struct

from syncd.api.handler import Handler, Route
from syncd.api.operation import LIMIT, OFFSET, on
from syncd.api.rooms import ConflictView


class ConflictPage(Struct, frozen=True):
    """Some of the conflicts."""

    conflicts: list[ConflictView]
    total: int
    """How many there are in all."""


class Conflicts(Handler):
    """All conflicts."""

    @on("GET", query=(OFFSET, LIMIT))
    async def page(self) -> ConflictPage:
        """List the conflicts, by path."""
        total, conflicts = await self.desk.rooms.files.conflicts(**self.given)
        return ConflictPage(conflicts, total)


ROUTES: list[Route] = [("/conflicts", Conflicts)]
