"""People with accounts, for tests, and a server that knows them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from syncd import clock
from syncd.api.auth import Auth, Policy
from syncd.api.server import Limits, Server
from syncd.core.permission import Action, Role
from syncd.store import passwords, tokens, users
from syncd.store.database import Store
from syncd.store.tokens import Fresh
from tests.api.fakes import House

PASSWORD = "correct horse battery"
KEPT = passwords.hashed(PASSWORD)


class Town(Struct):
    """A server, who may come in, and a client that says nothing of itself."""

    http: httpx.AsyncClient
    server: Server
    auth: Auth
    store: Store
    house: House

    async def add(self, email: str, role: Role) -> None:
        """Add a user with the password of all."""
        await self.store.run(users.add, email, role, KEPT, clock.timestamp())
        await self.notice()

    async def token(self, email: str, *actions: Action, **more: Any) -> Fresh:
        """Add a token."""
        user = await self.store.read(users.get, email)
        said = {"name": "", "expires_at": None, "now": clock.timestamp(), **more}
        fresh = await self.store.run(
            lambda db: tokens.create(db, user, actions=actions, **said)
        )
        await self.notice()
        return fresh

    async def notice(self) -> None:
        """Have the server look at the accounts now, rather than soon."""
        assert self.auth._accounts
        self.auth._accounts._looked = 0.0
        await self.auth._accounts.book()

    async def audit(self) -> list[tuple[str, ...]]:
        """Return who did what with which outcome, the oldest first."""
        _, lines = await self.auth.trail.page(offset=0, limit=1000)
        return [
            (one.who, one.means, one.action, one.outcome, one.reason)
            for one in reversed(lines)
        ]


@asynccontextmanager
async def town(
    folder: Path, policy: Policy | None = None, limits: Limits | None = None
) -> AsyncIterator[Town]:
    """Lend a server over a real index in the folder."""
    house = House()
    async with Store(folder / "index.db") as store:
        auth = Auth(store, folder, policy)
        async with Server(
            house.rooms, [("127.0.0.1", 0)], auth=auth, limits=limits
        ) as server:
            url = f"http://127.0.0.1:{server.addresses[0][1]}/api/v1.0"
            async with httpx.AsyncClient(
                base_url=url, timeout=60, trust_env=False
            ) as http:
                yield Town(http, server, auth, store, house)
