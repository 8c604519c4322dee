import asyncio
import contextlib

import httpx
import pytest

from syncd.api import cyborg
from syncd.api.manners import CyborgManners
from syncd.api.records import Records
from syncd.api.server import Limits, Server, first_routes, pattern
from syncd.store.database import Store
from syncd.store.sealing import Sealer
from tests.api.raw import ask
from tests.backup.bench import Bench


async def test_it_listens_on_every_address(house):
    addresses = [("127.0.0.1", 0), ("127.0.0.2", 0), ("::1", 0)]
    async with Server(house.rooms, addresses) as server:
        assert len(server.addresses) == 3
        for host, port in server.addresses:
            shown = f"[{host}]" if ":" in host else host
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://{shown}:{port}/health/live")
            assert answer.status_code == 200


async def test_further_names(house):
    async with Server(house.rooms, [("127.0.0.1", 0)], names=["nas.local"]) as server:
        port = server.addresses[0][1]
        assert (await ask(port, "GET /", host="nas.local")).status == 200
        assert (await ask(port, "GET /", host="nos.local")).status == 403


async def test_running_answers_are_finished_at_the_end(house):
    house.entries.slow = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            Server(house.rooms, [("127.0.0.1", 0)])
        )
        port = server.addresses[0][1]
        stopping = asyncio.create_task(ask(port, "PUT /api/v1.0/entries/A/stop"))
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(stack.pop_all().aclose())
        await asyncio.sleep(0.1)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        house.entries.slow.set()
        assert (await stopping).status == 200
        await closing


async def test_but_not_for_ever(house):
    house.entries.slow = asyncio.Event()
    limits = Limits(grace=0.2)
    async with Server(house.rooms, [("127.0.0.1", 0)], limits=limits) as server:
        port = server.addresses[0][1]
        asked = b"PUT /api/v1.0/entries/A/stop HTTP/1.0\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(30):
            await server.__aexit__()
            assert await reader.read() == b""
        writer.close()
        house.entries.slow.set()


async def test_idle_connections_do_not_delay_the_end(house):
    async with Server(house.rooms, [("127.0.0.1", 0)]) as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            await server.__aexit__()
            assert await reader.read() == b""
        writer.close()


def test_patterns():
    assert pattern("/a.b/{name}/x") == r"/a\.b/([^/]+)/x/?$"
    assert pattern("/") == "/?$"


async def test_addresses_that_come_later(house, tmp_path):
    async with Store(tmp_path / "index.db") as store, Bench(store, tmp_path) as bench:
        listen = [("127.0.0.1", 0)]
        async with Server(house.rooms, listen, routes=first_routes) as server:
            port = server.addresses[0][1]
            assert (await ask(port, "GET /api/v1/ping/")).status == 404
            records = Records(store, Sealer(tmp_path / "key"))
            manners = CyborgManners(names=["nas"])
            server.add(
                cyborg.routes(), copies=bench.runner, records=records, cyborg=manners
            )
            assert (await ask(port, "GET /api/v1/ping/")).status == 200
            said = await ask(port, "GET /api/v1/config/")
            assert b'"allowed_hosts":["nas"]' in said.body
            assert (await ask(port, "GET /api/v1/clients/")).status == 200
            assert (await ask(port, "GET /nothing")).status == 404
