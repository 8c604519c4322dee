"""The backup daemon's API: its older addresses, their twins, and its newer ones."""

from syncd.api.daemon import (
    backups,
    downloads,
    evictions,
    health,
    jobs,
    markers,
    newer_backups,
    newer_restores,
    restores,
    swagger,
    uploads,
)
from syncd.api.daemon.handler import INCREMENTAL
from syncd.api.handler import Route

_TWICE = (backups, restores, jobs, evictions, health, downloads)
_ONCE = (restores, downloads, uploads, newer_backups, newer_restores, markers, swagger)


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    twice = [route for part in _TWICE for route in part.ROUTES]
    twins = [(INCREMENTAL + where, handler) for where, handler in twice]
    alone = [route for part in _ONCE for route in part.ALONE]
    return [*alone, *twice, *twins]
