"""How the sources are: asked in workers when somebody wants to know, and remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import count

import msgspec
import structlog

from syncd.backup import records
from syncd.backup.plan import Plan
from syncd.core.backup import Health, Sounded
from syncd.core.errand import Deed, Done
from syncd.errors import SyncdError
from syncd.store.database import Store

FRESH = 60.0
"""Seconds for which an answer is good enough; to ask takes a process of its own."""

LONGEST = 60.0
"""Seconds that a source may take to say how it is."""

AT_ONCE = 2
"""Sources that are asked at the same time: each takes a process."""

log = structlog.get_logger(__name__)

Work = Callable[..., Awaitable[Done]]
"""Has something done that is no job, as ``Runner.work`` does."""


class Sounding:
    """Remembers how the sources were when they were asked last.

    Nobody waits for them: whoever wants to know hears what is known, and has them asked
    anew where that is old. While nobody wants to know, nobody is asked.
    """

    def __init__(
        self,
        store: Store,
        plans: Mapping[str, Plan],
        work: Work,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._plans = plans
        self._work = work
        self._now = now
        self._numbers = count(1)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._known: dict[tuple[str, str], Sounded] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closed = False

    async def close(self) -> None:
        """Ask nobody any more."""
        self._closed = True
        tasks = [*self._asked.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def look(self) -> dict[tuple[str, str], Sounded]:
        """Return what is known, by store and source; what is old is asked for anew.

        Only of sources that are to be asked, and have answered once.
        """
        for plan in self._plans.values():
            for source in sorted(plan.sounded):
                self._refresh(plan, source)
        return dict(self._known)

    def _refresh(self, plan: Plan, source: str) -> None:
        key = plan.name, source
        known = self._known.get(key)
        if self._closed or key in self._asked:
            return
        if known is not None and 0 <= self._now() - known.at < FRESH:
            return
        task = asyncio.create_task(self._ask(plan, source), name=f"ask {source}")
        self._asked[key] = task
        task.add_done_callback(lambda _: self._asked.pop(key, None))

    async def _ask(self, plan: Plan, source: str) -> None:
        try:
            async with self._turns, asyncio.timeout(LONGEST):
                health = await self._answer(plan, source)
        except TimeoutError:
            health = Health(False, f"it did not answer within {LONGEST:g} s")
        except SyncdError as error:
            health = Health(False, f"it could not be asked: {error}")
        except Exception:
            log.exception("bug", action="health", source=source)
            health = Health(False, "it could not be asked: this is a bug")
        key = plan.name, source
        before = self._known.get(key)
        self._known[key] = Sounded(health, self._now())
        if before is None or before.health.reachable != health.reachable:
            say = log.info if health.reachable else log.warning
            reason = health.detail or None
            word = "source reachable" if health.reachable else "source not reachable"
            say(word, action="health", store=plan.name, source=source, reason=reason)

    async def _answer(self, plan: Plan, source: str) -> Health:
        entries = await self._store.read(records.storages, plan.entries)
        done = await self._work(
            plan,
            Deed.HEALTH,
            id=f"health-{plan.name}-{next(self._numbers)}",
            source=plan.sources[source],
            source_name=source,
            entries=entries,
        )
        if done.error:
            return Health(False, f"it could not be asked: {done.error}")
        return msgspec.convert(done.result["health"], Health)
