"""A server over a real index, with people who log in or without any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace

from syncd import clock
from syncd.api.auth import Auth
from syncd.api.records import Records
from syncd.api.server import Limits, Server
from syncd.core.permission import Role
from syncd.store import users
from syncd.store.database import Store
from syncd.store.sealing import Sealer
from tests.api.accounts import KEPT, PASSWORD
from tests.api.fakes import House

ADMIN, OPERATOR, VIEWER = "admin@x.org", "operator@x.org", "viewer@x.org"


class Place(Struct):
    """A server, and clients of it."""

    http: httpx.AsyncClient
    """Says nothing of itself."""
    store: Store
    records: Records
    auth: Auth

    async def notice(self) -> None:
        """Have the server look at the accounts now, rather than soon."""
        assert self.auth._accounts
        self.auth._accounts._looked = 0.0
        await self.auth._accounts.book()

    async def settle(self) -> None:
        """Add one user of each role."""
        for email, role in (
            (ADMIN, Role.ADMIN),
            (OPERATOR, Role.OPERATOR),
            (VIEWER, Role.VIEWER),
        ):
            await self.store.run(users.add, email, role, KEPT, clock.timestamp())
        await self.notice()

    def as_user(self, email: str) -> "As":
        """Return a client of that user."""
        return As(self.http, (email, PASSWORD))


class As(Struct):
    """Asks as somebody; addresses are relative to /api/v1."""

    http: httpx.AsyncClient
    pair: tuple[str, str] | None = None

    async def __call__(
        self, method: str, path: str, body: Any = None, **more: Any
    ) -> Any:
        """Ask, and return the answer."""
        if body is not None:
            more["json"] = body
        where = path if path.startswith("/api") else f"/api/v1/{path}"
        if self.pair is not None:
            more["auth"] = self.pair
        return await self.http.request(method, where, **more)

    async def get(self, path: str) -> Any:
        """Return what an address answers; it must be well."""
        answer = await self("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def made(self, path: str, /, **said: Any) -> Any:
        """Make something, and return it."""
        answer = await self("POST", path, said)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def wrong(self, path: str, body: Any, method: str = "POST") -> Any:
        """Return how a body is refused."""
        answer = await self(method, path, body)
        assert answer.status_code == 400, answer.text
        return answer.json()

    async def listed(self, path: str, field: str = "id") -> list[Any]:
        """Return a field of all that a list has."""
        return [one[field] for one in (await self.get(path))["results"]]


@asynccontextmanager
async def placed(folder: Path, **more: Any) -> AsyncIterator[Place]:
    """Lend a server over a real index in the folder."""
    async with Store(folder / "index.db") as store:
        records = Records(store, Sealer(folder / "secrets.key"))
        rooms = replace(House().rooms, records=records)
        auth = Auth(store, folder)
        limits = Limits(rate=1e6, burst=1e6)
        listen = [("127.0.0.1", 0)]
        async with Server(rooms, listen, limits=limits, auth=auth, **more) as server:
            url = f"http://127.0.0.1:{server.addresses[0][1]}"
            async with httpx.AsyncClient(
                base_url=url, timeout=60, trust_env=False
            ) as http:
                yield Place(http, store, records, auth)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(tmp_path) as place:
        yield place


@pytest.fixture
def ask(place: Place) -> As:
    """Asks where nobody has to log in."""
    return As(place.http)


@pytest.fixture
async def admin(place: Place) -> As:
    await place.settle()
    return place.as_user(ADMIN)


@pytest.fixture
async def viewer(place: Place, admin: As) -> As:
    return place.as_user(VIEWER)
