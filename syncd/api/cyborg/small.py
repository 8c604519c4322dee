"""What is small: versions, the list of resources, ping, config, figures."""

from typing import Any

from msgspec.structs import asdict

from syncd.api.cyborg.handler import OBJECT, PREFIX
from syncd.api.cyborg.metadata import Described
from syncd.api.operation import on
from syncd.core.permission import Action
from syncd.store.cyborg import figures

VERSION = "1.4"
"""Of the API that clients know."""

RESOURCES = (
    *("ping", "config", "me", "users", "jobs", "job_events", "settings", "clients"),
    *("schedules", "repositories", "policies", "catalogs", "stats", "escatalogs"),
)


class Versions(Described):
    """Which versions of the API there are."""

    reads = None

    @on("GET", content=OBJECT)
    async def versions(self) -> None:
        """Tell where the API is."""
        where = f"{PREFIX}/"
        self.say(
            {
                "description": "CyBorgBackup API Rest",
                "current_version": where,
                "available_versions": {"v1": where},
            }
        )


class Root(Described):
    """Which resources there are."""

    reads = None

    @on("GET", content=OBJECT)
    async def resources(self) -> None:
        """Tell where each resource is."""
        self.say({name: f"{PREFIX}/{name}/" for name in RESOURCES})


class Ping(Described):
    """Whether there is anybody."""

    reads = None

    @on("GET", content=OBJECT)
    async def ping(self) -> None:
        """Tell that there is, and of which version."""
        self.say({"version": VERSION, "ping": "pong"})


class Config(Described):
    """How the daemon is set up."""

    reads = Action.ENTER

    def needed(self, method: str) -> Action | None:
        """Return what somebody must be allowed to do, for OPTIONS too."""
        asked = method == "OPTIONS" and not self.is_preflight
        return Action.ENTER if asked else super().needed(method)

    @on("GET", content=OBJECT)
    async def config(self) -> None:
        """Tell what clients may want to know."""
        names = self.desk.rooms.cyborg.names
        self.say(
            {
                "time_zone": "UTC",
                "debug": False,
                "sql_debug": False,
                "allowed_hosts": [*names],
                "version": VERSION,
            }
        )


class Auth(Described):
    """Other ways to log in."""

    reads = None

    @on("GET", content=OBJECT)
    async def ways(self) -> None:
        """Tell that there are none."""
        self.say({})


class Stats(Described):
    """Figures, day by day."""

    @on("GET", content={"application/json": {"type": "array"}})
    async def days(self) -> None:
        """Tell of each day of the last month on which a backup began."""
        found = await self.records.read(figures.days, self.records.now())
        said: list[dict[str, Any]] = [
            {**asdict(day), "date": day.date.isoformat()} for day in found
        ]
        self.say(said)


ALONE = [("/api", Versions), (PREFIX, Root)]
ROUTES = [
    ("/ping", Ping),
    ("/config", Config),
    ("/auth", Auth),
    ("/stats", Stats),
]
