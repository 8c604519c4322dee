"""The records of whole machines, as the API asks for them and keeps them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection

from syncd import clock
from syncd.backup import mailing
from syncd.backup.plan import Mail
from syncd.core.permission import Who
from syncd.errors import SyncdError
from syncd.store.cyborg import finding, keeping, settings
from syncd.store.cyborg.finding import Beside, Found
from syncd.store.cyborg.keeping import By
from syncd.store.database import Store
from syncd.store.listing import Said
from syncd.store.sealing import Sealer

log = structlog.get_logger(__name__)

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
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

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
        return await self.search(
            finding.page, name, said, where, newest_first=newest_first
        )

    async def one(
        self, name: str, id_: int, said: Said = (), where: Sequence[Any] = ()
    ) -> tuple[Any, Beside]:
        """Return a record, and what belongs to it; raise NotFound."""
        await self._fill(name)
        if not said:
            return await self._store.read(finding.one, name, id_, said, where)
        return await self.search(finding.one, name, id_, said, where)

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

    async def search(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **k: P.kwargs,
    ) -> T:
        """Run work of the store that can take long, one after the other.

        All who ask need the store to be let in: there must be room beside these.
        """
        async with self._turn:
            return await self._store.read(work, *args, **k)

    async def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **k: P.kwargs,
    ) -> T:
        """Run work of the store in a transaction."""
        return await self._store.run(work, *args, **k)

    def mail(self, to: str, subject: str, text: str) -> None:
        """Have a mail sent, by what the settings say; that it failed is logged.

        Nobody waits for it: who does would learn whether there was one to be sent.
        """
        task = asyncio.create_task(self._mail(to, subject, text), name="mail")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is not sent."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _mail(self, to: str, subject: str, text: str) -> None:
        try:
            said = await self.settings()
            mail = Mail(
                host=said["mail_server"] or "localhost",
                port=int(said["mail_port"] or 25),
                tls="starttls" if said["mail_tls"] == "True" else "none",
                user=said["mail_username"],
                password=said["mail_password"],
                sender=said["mail_from"],
                to=[to],
            )
            await asyncio.to_thread(mailing.send, mail, subject, text, self.now())
        except SyncdError as error:
            log.warning("mail not sent", action="mail", reason=str(error))

    async def _fill(self, name: str) -> None:
        """Have all settings there when they are first looked at."""
        if name == "settings" and not self._filled:
            await self._store.run(settings.fill, self.now())
            self._filled = True
