"""The 1.0 API: files in step between entries, by rules."""

from syncd.api.handler import Route
from syncd.api.sync_v1 import (
    audit,
    conflicts,
    content,
    drivers,
    entries,
    events,
    files,
    jobs,
    past,
    rules,
    session,
    vaults,
)

PREFIX = "/api/v1.0"


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    parts = (
        files,
        content,
        past,
        conflicts,
        entries,
        rules,
        events,
        drivers,
        session,
        audit,
        jobs,
        vaults,
    )
    return [
        (PREFIX + where, handler) for part in parts for where, handler in part.ROUTES
    ]
