"""The API for whole machines, as clients of CyBorgBackup know it."""

from syncd.api.cyborg import (
    catalogs,
    clients,
    job_events,
    jobs,
    login,
    policies,
    repositories,
    schedules,
    settings,
    small,
    users,
)
from syncd.api.cyborg.handler import PREFIX
from syncd.api.handler import Route

_PARTS = (
    small,
    users,
    clients,
    schedules,
    repositories,
    policies,
    jobs,
    job_events,
    catalogs,
    settings,
)


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    parts = [route for part in _PARTS for route in part.ROUTES]
    alone = [*small.ALONE, *login.ALONE]
    return [*alone, *((PREFIX + where, kind) for where, kind in parts)]
