"""The vault stores: which they are, whether they are there, what is in them."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

import structlog

from syncd.backup import records
from syncd.backup.errands import placed
from syncd.backup.figures import Figures
from syncd.backup.logs import Logs
from syncd.backup.mending import Mending
from syncd.backup.plan import Plan
from syncd.core.errand import UNTRUSTED, Deed, Done, Work
from syncd.errors import SyncdError, Unavailable
from syncd.store import vaults
from syncd.store.database import Store
from syncd.supervisor.workers import Workers

AGAIN = 30.0
"""Seconds until a store that was not there is looked for again."""

log = structlog.get_logger(__name__)


class Surveys:
    """Which stores have to be looked into before anything is done with them."""

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, Plan],
        workers: Workers,
        *,
        logs: Logs,
        figures: Figures,
        wake: asyncio.Event,
    ) -> None:
        """Set ``wake`` whenever a store can be used again."""
        self._store = store
        self._plans = plans
        self._figures = figures
        self._workers = workers
        self._logs = logs
        self._wake = wake
        self.mending = Mending(store, logs.keep)
        """Told of jobs that were cut off; settled before a store is looked into."""
        self._turns = {name: asyncio.Lock() for name in plans}
        """Held by whoever looks into that store."""
        self._ids: dict[str, str] = {}
        """What was learned of the stores since the start."""
        self._there = {name: asyncio.Event() for name in plans}
        """Set when some work has reached a store."""
        self._stopped = False
        self.closed: set[str] = set()
        """The stores with which nothing may be done now."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.troubles: dict[str, str] = {}
        """Why stores cannot be reached, by name; looked for until they can."""

    async def id(self, plan: Plan) -> str:
        """Return the id that the store must have; empty: any, or none, will do.

        It is asked for as long as there is anything to lose: a folder that is gone or
        empty (its disk is not mounted) is not taken for a store without vaults.
        """
        return await self._store.read(records.store_id, plan.name, str(plan.path))

    async def learn(self, plan: Plan, done: Done) -> None:
        """Take in what some work has told of the store.

        What cannot be recorded is left for the next work to tell: this one is done.
        """
        if done.store:
            self._there[plan.name].set()
            if self._ids.get(plan.name) != done.store:
                await self._know(plan, done.store)
        elif done.reason == UNTRUSTED:
            self._miss(plan.name, done.error)

    async def _know(self, plan: Plan, id: str) -> None:
        try:
            await self._store.run(records.know_store, plan.name, str(plan.path), id)
        except SyncdError as error:
            words = {"store": plan.name, "reason": str(error)}
            log.warning("vault store not noted", action="survey", **words)
        else:
            self._ids[plan.name] = id

    async def work(
        self, plan: Plan, deed: Deed, *, folder: str = "", **more: Any
    ) -> Done:
        """Have something done that is no job; return what came of it."""
        id, told = more.pop("id"), more.pop("told", lambda _: None)
        try:
            done = await self._workers.run(
                Work(
                    id=id,
                    deed=deed,
                    store=placed(plan, folder, await self.id(plan)),
                    log=str(self._logs.path(id)),
                    scratch=str(self._logs.scratch(id)),
                    secrets=plan.secrets,
                    **more,
                ),
                told=told,
            )
            if not folder:
                await self.learn(plan, done)
            return done
        finally:
            await asyncio.to_thread(self._logs.forget, [id])

    def begin(self, name: str) -> None:
        """Look into a store beside everything else; it is closed until that is done."""
        self.close(name)
        self._beside(self.settle(name), f"survey {name}")

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _miss(self, name: str, why: str) -> None:
        """Keep what is known of a store that is not there, and wait for it."""
        if name not in self.troubles and not self._stopped:
            log.warning("vaults cannot be reached", action="survey", reason=why)
            self._beside(self._await(name), f"await {name}")
        self.troubles[name] = why

    def _found(self, name: str) -> None:
        if self.troubles.pop(name, ""):
            log.info("vaults can be reached again", action="survey", store=name)

    async def _await(self, name: str) -> None:
        while name in self.troubles:
            self._there[name].clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN):
                    await self._there[name].wait()
            await self.settle(name)

    def stop(self) -> None:
        """Have what was begun end."""
        self._stopped = True
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
            self._miss(name, str(error))
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
        await self.mending.settle(plan, self.work)
        views = await self._store.read(vaults.everything, name)
        known = [view.summary.name for view in views]
        done = await self.work(
            plan,
            Deed.SURVEY,
            id=f"survey-{name}",
            asked={"known": known, "elsewhere": str(plan.elsewhere)},
        )
        if done.error:
            raise Unavailable(done.error)
        self._found(name)
        for one in done.aside:
            log.warning("half a vault was put aside", action="survey", vault=one)
        for vault, why in done.result.get("unreadable", {}).items():
            words = {"vault": vault, "reason": why}
            log.warning("a vault cannot be read", action="survey", **words)
        await self._store.run(records.survey, name, done, known)
        self._figures.look(name, await self._store.read(vaults.everything, name))
