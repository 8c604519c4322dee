"""Versions, the list of resources, ping, config, figures."""

from datetime import UTC, datetime

from tests.api.cyborg.conftest import As
from tests.api.cyborg.test_jobs import job

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0


async def test_versions(ask):
    expected = {
        "description": "CyBorgBackup API Rest",
        "current_version": "/api/v1/",
        "available_versions": {"v1": "/api/v1/"},
    }
    assert await ask.get("/api/") == expected
    assert await ask.get("/api") == expected


async def test_resources_are_where_it_says(ask):
    said = await ask.get("/api/v1")

    assert said["ping"] == "/api/v1/ping/"
    assert {"config", "me", "users", "clients", "catalogs", "stats"} <= said.keys()
    for where in said.values():
        assert (await ask("GET", where)).status_code == 200


async def test_what_nobody_has_to_log_in_for(admin, place):
    nobody = As(place.http)

    assert await nobody.get("ping/") == {"version": "1.4", "ping": "pong"}
    assert await nobody.get("auth/") == {}
    assert (await nobody("GET", "config/")).status_code == 401
    assert (await nobody("GET", "stats/")).status_code == 401


async def test_config(viewer):
    assert await viewer.get("config/") == {
        "time_zone": "UTC",
        "debug": False,
        "sql_debug": False,
        "allowed_hosts": [],
        "version": "1.4",
    }


async def test_figures_by_day(ask, place):
    place.records.now = lambda: NOW
    assert await ask.get("stats/") == []
    sizes = {"original_size": 10, "deduplicated_size": 3}
    for said in (
        {"started": NOW, "status": "successful"},
        {"started": NOW, "status": "failed"},
        {"started": NOW, "status": "error"},
        {"started": NOW - DAY, "status": "successful"},
        {"started": NOW - 31 * DAY, "status": "successful"},
        {"started": NOW, "status": "successful", "job_type": "prune"},
        {"started": None, "status": "new"},
    ):
        await job(place, **{**sizes, **said})

    assert await ask.get("stats/") == [
        {"date": "2026-11-20", "size": 10, "dedup": 3, "success": 1, "failed": 0},
        {"date": "2026-11-21", "size": 30, "dedup": 9, "success": 1, "failed": 1},
    ]
