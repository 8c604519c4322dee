from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from syncd.api.auth import Auth
from syncd.api.manners import DaemonManners
from syncd.api.server import Limits, Server
from tests.api.daemon.memory import MemoryBackups, MemoryMarkers
from tests.api.fakes import House


@pytest.fixture
def backups() -> MemoryBackups:
    return MemoryBackups()


@pytest.fixture
def incremental() -> MemoryBackups:
    return MemoryBackups()


@pytest.fixture
def markers() -> MemoryMarkers:
    return MemoryMarkers()


@pytest.fixture
def manners(markers) -> dict[str, Any]:
    """How the dialect is to behave, where a test wants it otherwise."""
    return {"markers": markers}


@pytest.fixture
def with_incremental() -> bool:
    return False


@pytest.fixture
def rooms(backups, incremental, with_incremental) -> dict[str, Any]:
    return {
        "backups": backups,
        "incremental": incremental if with_incremental else None,
    }


@pytest.fixture
def auth() -> Auth:
    """Asks nobody who they are."""
    return Auth()


@pytest.fixture
async def server(house: House, rooms, manners, auth, tmp_path) -> AsyncIterator[Server]:
    said = {"spool": tmp_path, "variables": ["mode"], **manners}
    furnished = replace(house.rooms, **rooms, daemon=DaemonManners(**said))
    limits = Limits(rate=1e6, burst=1e6)
    listen = [("127.0.0.1", 0)]
    async with Server(furnished, listen, limits=limits, auth=auth) as server:
        yield server


@pytest.fixture
async def http(port: int) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole server."""
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        yield client
