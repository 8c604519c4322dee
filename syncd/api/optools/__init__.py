"""The API for backups of the databases of a blockchain network's console."""

from syncd.api.handler import Route
from syncd.api.optools import backups, login, restores, webhooks

VERSIONS = ("v1", "v2", "v3")
PREFIXES = ("/api", "/ak/api")
"""For browsers, which log in, and for programs, which send credentials each time."""


def routes() -> list[Route]:
    """Return every address of this dialect, for the server to mount."""
    parts = (backups, restores, webhooks)
    both = [route for part in parts for route in part.ROUTES]
    return [
        (f"{prefix}/{version}{where}", handler)
        for prefix in PREFIXES
        for version in VERSIONS
        for where, handler in [*both, *(login.ROUTES if prefix == "/api" else [])]
    ]
