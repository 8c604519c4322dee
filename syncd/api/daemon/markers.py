"""Markers: the note of which backup was last found to be good, by whoever looks."""

import re
from http import HTTPStatus

from syncd.api.backups import Markers
from syncd.api.daemon import newer
from syncd.api.daemon.newer import PREFIX, Newer, bad, missing
from syncd.api.operation import on

LONGEST = 1000
_MARKER = re.compile(
    r"[^\s]+/\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class Marker(Newer):
    """The latest marker."""

    @on("GET", errors=[HTTPStatus.NOT_FOUND], content=newer.OBJECT)
    async def marker(self) -> None:
        """Answer the latest marker; 404 if there is none."""
        found = await self._markers.get()
        if found is None:
            raise missing("no marker was left yet")
        self.say({"marker": found})

    @on(
        "POST",
        body={"type": "object"},
        errors=[HTTPStatus.NOT_FOUND],
        status=(HTTPStatus.CREATED,),
        content={"application/json": {}},
    )
    async def leave(self) -> None:
        """Keep a marker in place of the one before: NAME/TIME, as RFC 3339 has it."""
        marker = self.said("marker").get("marker")
        if not isinstance(marker, str) or len(marker) > LONGEST:
            raise bad("marker is missing: NAME/TIME, such as a/2026-11-21T07:29:13Z")
        if not _MARKER.fullmatch(marker):
            raise bad(
                "marker must be NAME/TIME without blanks, the time as in RFC 3339"
            )
        await self._markers.put(marker, who=self.asker)
        self.set_status(HTTPStatus.CREATED)
        self.finish()

    @property
    def _markers(self) -> Markers:
        if self.manners.markers is None:
            raise missing("markers are switched off (data_validation)")
        return self.manners.markers


ALONE = [(f"{PREFIX}/data-validation/marker", Marker)]
