"""Looks into the vault stores, so that the catalogue is in step with them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from syncd.backup import records
from syncd.backup.figures import Figures
from syncd.backup.plan import Plan
from syncd.core.errand import Deed, Done
from syncd.errors import SyncdError, Unavailable
from syncd.store import vaults
from syncd.store.database import Store

log = structlog.get_logger(__name__)


class Work(Protocol):
    """Has something done that is no job."""

    async def __call__(self, plan: Plan, deed: Deed, **more: Any) -> Done:
        """Return what came of it."""
        ...


class Surveys:
    """Which stores have to be looked into before anything is done with them."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, Plan],
        figures: Figures,
        work: Work,
        wake: asyncio.Event,
    ) -> None:
        """Set ``wake`` whenever a store can be used again."""
        self._store = store
        self._plans = plans
        self._figures = figures
        self._work = work
        self._wake = wake
        self._turns = {name: asyncio.Lock() for name in plans}
        """Held by whoever looks into that store."""
        self.closed: set[str] = set()
        """The stores with which nothing may be done now."""
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, name: str) -> None:
        """Look into a store beside everything else; it is closed until that is done."""
        self.close(name)
        task = asyncio.create_task(self.settle(name), name=f"survey {name}")
        self.tasks.add(task)

    def stop(self) -> None:
        """Have what was begun end."""
        for task in self.tasks:
            task.cancel()

    def close(self, name: str) -> None:
        """Have nothing done with a store before it was looked into."""
        self.closed.add(name)

    async def settle(self, name: str) -> None:
        """Look into a store and open it; what hinders that is told in the log."""
        try:
            await self.look(name)
        except SyncdError as error:
            log.warning("vaults not looked at", action="survey", reason=str(error))
        except Exception:
            log.exception("bug", action="survey", store=name)
        finally:
            self.closed.discard(name)
            self._wake.set()

    async def look(self, name: str) -> None:
        """Bring the catalogue in step with the store; raise Unavailable."""
        async with self._turns[name]:
            await self._look_into(self._plans[name])

    async def _look_into(self, plan: Plan) -> None:
        name = plan.name
        views = await self._store.read(vaults.everything, name)
        known = [view.summary.name for view in views]
        done = await self._work(
            plan,
            Deed.SURVEY,
            id=f"survey-{name}",
            asked={"known": known, "elsewhere": str(plan.elsewhere)},
        )
        if done.error:
            raise Unavailable(done.error)
        for one in done.aside:
            log.warning("half a vault was put aside", action="survey", vault=one)
        for vault, why in done.result.get("unreadable", {}).items():
            words = {"vault": vault, "reason": why}
            log.warning("a vault cannot be read", action="survey", **words)
        await self._store.run(records.survey, name, done, known)
        self._figures.look(name, await self._store.read(vaults.everything, name))
