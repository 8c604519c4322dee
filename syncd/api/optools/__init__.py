"""The API for backups of the databases of a blockchain network's console."""

from syncd.api.handler import Route
from syncd.api.optools import backups, login, restores, webhooks

VERSIONS = ("v1", "v2", "v3")
ALONE: dict[str, list[Route]] = {
    "/api": [*webhooks.FOR_BROWSERS, *login.ROUTES],
    "/ak/api": [*webhooks.FOR_PROGRAMS],
}
"""For browsers, which log in, and for programs, which send credentials each time."""


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    both = [*backups.ROUTES, *restores.ROUTES, *webhooks.ROUTES]
    return [
        (f"{prefix}/{version}{where}", handler)
        for prefix, alone in ALONE.items()
        for version in VERSIONS
        for where, handler in [*both, *alone]
    ]
