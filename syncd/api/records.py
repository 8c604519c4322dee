"""The records of whole machines, as the API asks for them and keeps them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from syncd import clock
from syncd.core.permission import Who
from syncd.store.cyborg import finding, keeping, settings
from syncd.store.cyborg.finding import Beside, Found
from syncd.store.cyborg.keeping import By
from syncd.store.database import Store
from syncd.store.listing import Said
from syncd.store.sealing import Sealer

P = ParamSpec("P")
T = TypeVar("T")


class Records:
    """What is kept of clients, schedules, repositories, policies, jobs and people."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        now: Callable[[], float] = clock.timestamp,
    ) -> None:
        self.sealer = sealer
        self.now = now
        self._store = store
        self._filled = False

    async def page(
        self,
        name: str,
        said: Said,
        where: Sequence[Any] = (),
        *,
        newest_first: bool = True,
    ) -> Found:
        """Return a page; raise BadRequest, NotAllowed or NotFound as listing does."""
        await self._fill(name)
        return await self._store.read(
            lambda db: finding.page(db, name, said, where, newest_first=newest_first)
        )

    async def one(
        self, name: str, id_: int, said: Said = (), where: Sequence[Any] = ()
    ) -> tuple[Any, Beside]:
        """Return a record, and what belongs to it; raise NotFound."""
        await self._fill(name)
        return await self._store.read(
            lambda db: finding.one(db, name, id_, said, where)
        )

    async def add(self, name: str, said: Mapping[str, Any], who: Who) -> int:
        """Keep a new record and return its number; what is wrong was found before."""
        by = By(who.name, self.now())
        return await self._store.run(keeping.add, name, said, by)

    async def change(
        self, name: str, id_: int, said: Mapping[str, Any], who: Who
    ) -> None:
        """Keep what is said anew of a record."""
        by = By(who.name, self.now())
        await self._store.run(keeping.change, name, id_, said, by)

    async def remove(self, name: str, id_: int) -> None:
        """Forget a record; raise Conflict while jobs depend on it."""
        await self._store.run(keeping.remove, name, id_)

    async def missing(self, name: str, numbers: Sequence[int]) -> list[int]:
        """Return those of the numbers that no record of a model has."""
        if not numbers:
            return []
        known = await self._store.read(keeping.exist, name, numbers)
        return [one for one in numbers if one not in known]

    async def settings(self) -> dict[str, str]:
        """Return the values of all settings by their short names, secrets opened."""
        return await self._store.read(settings.values, self.sealer)

    async def read(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **k: P.kwargs,
    ) -> T:
        """Run work of the store on the last committed state."""
        return await self._store.read(work, *args, **k)

    async def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **k: P.kwargs,
    ) -> T:
        """Run work of the store in a transaction."""
        return await self._store.run(work, *args, **k)

    async def _fill(self, name: str) -> None:
        """Have all settings there when they are first looked at."""
        if name == "settings" and not self._filled:
            await self._store.run(settings.fill, self.now())
            self._filled = True
