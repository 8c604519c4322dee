from collections.abc import AsyncIterator

import httpx
import pytest

from syncd.api.server import Server
from tests.api.fakes import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def server(house: House) -> AsyncIterator[Server]:
    async with Server(house.rooms, [("127.0.0.1", 0)]) as server:
        yield server


@pytest.fixture
def port(server: Server) -> int:
    return server.addresses[0][1]


@pytest.fixture
async def http(port: int) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API: addresses are relative to /api/v1.0."""
    url = f"http://127.0.0.1:{port}/api/v1.0"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        yield client
