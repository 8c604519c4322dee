"""The API for whole machines, as clients of CyBorgBackup know it."""

from syncd.api.cyborg import clients, policies, repositories, schedules, users
from syncd.api.cyborg.handler import PREFIX
from syncd.api.handler import Route

_PARTS = (users, clients, schedules, repositories, policies)


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    return [
        (PREFIX + where, handler) for part in _PARTS for where, handler in part.ROUTES
    ]
