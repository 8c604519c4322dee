"""Health: whether the newest backup is a good one, and how much room there is."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import tzinfo
from typing import Any

from syncd.api.backups import Backups
from syncd.api.daemon import shapes
from syncd.api.daemon.handler import DaemonHandler
from syncd.api.operation import on
from syncd.core.backup import Sounded, VaultView

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
HEALTH = {"application/json": {"type": "object", "required": ["status", "storage"]}}

STORAGE = {
    "dump_count": "dump_count",
    "size": "size",
    "free_space": "free_space",
    "space_total": "total_space",
    "free_inodes": "free_inodes",
    "inodes_total": "total_inodes",
    "used_inodes": "used_inodes",
}
"""Names of the figures of the store for Prometheus, and in the health object."""

VAULT = ("failed", "locked", "sharded", "exit_code", "size", "spent_time", "timestamp")


class Health(DaemonHandler):
    """Health, as an object."""

    counted = False

    @on("GET", content=HEALTH)
    async def health(self, *_: str) -> None:
        """Answer UP, or Warning; room, newest backups, and how sources are.

        Warning: the newest backup failed, or a source is not there.
        """
        self.say(await self.figures())

    async def figures(self) -> dict[str, Any]:
        """Return the health object."""
        views = await self.all_listed()
        backups = self.backups
        said = await health(backups, views, self.view_for_asker, self.zone(backups))
        if known := backups.sounded():
            told = await self.may_hear_output()
            said["sources"] = {
                name: _source(one, told=told) for name, one in known.items()
            }
            if not all(one.health.reachable for one in known.values()):
                said["status"] = "Warning"
        return said


class Scrape(Health):
    """Health, as Prometheus reads it."""

    counted = False

    @on("GET", content={EXPOSITION: {"type": "string"}})
    async def scrape(self) -> None:
        """Answer the figures of the health object as gauges."""
        said = await self.figures()
        self.set_header("Content-Type", EXPOSITION)
        self.finish("".join(gauges(said)))


async def health(
    backups: Backups,
    views: Sequence[VaultView],
    told: Callable[[VaultView], Awaitable[VaultView]],
    zone: tzinfo | None,
) -> dict[str, Any]:
    """Return the health object, of vaults with the oldest first.

    ``told`` is what the asker may hear of a vault, and ``zone`` the one in which vaults
    are named; None: that of this machine.
    """
    good = [view for view in views if not shapes.is_failed(view)]
    room = await backups.room()
    storage: dict[str, Any] = {
        "dump_count": len(views),
        "size": room.size,
        "free_space": room.free,
        "total_space": room.total,
        "free_inodes": room.free_inodes,
        "total_inodes": room.total_inodes,
        "used_inodes": room.used_inodes,
    }
    trouble = backups.trouble()
    if trouble:
        # Why is for those who log in: it names folders.
        storage["trouble"] = "the vaults cannot be reached"
    if views:
        storage["last"] = shapes.brief(await told(views[-1]), zone)
    if good:
        storage["lastSuccessful"] = shapes.brief(good[-1], zone)
    if proven := [view for view in good if view.proven is not None]:
        storage["lastProven"] = shapes.brief(proven[-1], zone)
    is_bad = bool(views) and shapes.is_failed(views[-1])
    return {
        "status": "Warning" if trouble or is_bad else "UP",
        "backup_queue_size": backups.waiting(),
        "storage": storage,
    }


def _source(known: Sounded, *, told: bool) -> dict[str, Any]:
    """Return how a source was; why it is so only to who is ``told``."""
    return {
        "reachable": known.health.reachable,
        **({"detail": known.health.detail} if told else {}),
        "figures": known.health.figures,
        "ts": int(known.at * 1000),
    }


def gauges(health: dict[str, Any]) -> Iterator[str]:
    """Give the lines of the exposition, under the names that dashboards know."""
    storage = health["storage"]
    yield from _gauge("backup_queue_size", health["backup_queue_size"])
    yield from _gauge("backup_daemon_status", int(health["status"] == "UP"))
    for name, key in STORAGE.items():
        yield from _gauge(f"backup_storage_{name}", storage[key])
    for name, source in health.get("sources", {}).items():
        label = f'{{source="{_quoted(name)}"}}'
        yield from _gauge("backup_source_reachable", int(source["reachable"]), label)
    for which, key in (("last", "last"), ("last_successful", "lastSuccessful")):
        if key in storage:
            yield from _of_vault(f"backup_storage_{which}", storage[key])


def _of_vault(prefix: str, vault: dict[str, Any]) -> Iterator[str]:
    figures = {**vault, **vault["metrics"], "timestamp": vault["ts"]}
    label = _quoted(vault["id"])
    for name in VAULT:
        yield from _gauge(f"{prefix}_{name}", int(figures[name]), f'{{id="{label}"}}')


def _quoted(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _gauge(name: str, value: int, labels: str = "") -> Iterator[str]:
    yield f"# TYPE {name} gauge\n"
    yield f"{name}{labels} {value}\n"


ROUTES = [
    ("/health", Health),
    ("/health/prometheus", Scrape),
    ("/health/{more}", Health),
]
