"""The job engine on a real store, with workers that do what a test says."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from syncd.backup.plan import Plan
from syncd.backup.runner import Runner
from syncd.backup.service import Service
from syncd.core.backup import VaultView
from syncd.core.errand import Advance, Deed, Done, Part, Work
from syncd.core.job import RETRIES, Job, Progress
from syncd.core.vault import Summary
from syncd.store.database import Store
from syncd.supervisor.workers import Told, Workers

NOW = 1_700_000_000.0
Doing = Callable[[Work, Told], Awaitable[Done]]


def a_view(name: str, made: float = NOW, **more: Any) -> VaultView:
    """Return what the catalogue knows of a vault."""
    summary = {"source": "s", "partial": False, "failed": None, "stored": 10}
    told = {key: more.pop(key) for key in list(more) if key in summary}
    said: dict[str, Any] = {**summary, **told}
    return VaultView(summary=Summary(name=name, made=made, **said), **more)


class HandWorkers:
    """Does nothing by itself: a store in memory, and what a test says of a deed."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.running: dict[str, asyncio.Task[Any]] = {}
        self.doings: dict[Deed, Doing] = {}
        self.vaults: dict[str, VaultView] = {}
        self.checks: dict[str, tuple[float, list[str]]] = {}
        """When a vault was looked at last, and what was wrong with it."""
        self.aside: list[str] = []
        self.canceled: list[tuple[str, str]] = []
        self.ready: list[list[str]] = []
        """What a worker that is kept ready has loaded, each time it was asked for."""
        self.go = asyncio.Event()
        """Until it is set, jobs wait."""
        self.go.set()

    async def run(
        self,
        work: Work,
        *,
        told: Told = lambda _: None,
        seconds: float | None = None,
        grace: float = 1.0,
    ) -> Done:
        self.works.append(work)
        doing = self.doings.get(work.deed, self._usual)
        return await doing(work, told)

    def cancel(self, id: str, why: str) -> bool:
        self.canceled.append((id, why))
        self.go.set()
        return True

    def prepare(self, modules: Iterable[str], seconds: float) -> None:
        self.ready.append(sorted(modules))

    async def close(self) -> None:
        self.go.set()

    async def _usual(self, work: Work, told: Told) -> Done:
        if work.deed is not Deed.SURVEY:
            await self.go.wait()
        told(Advance(Progress(items=1), 0))
        match work.deed:
            case Deed.BACKUP | Deed.UPLOAD:
                folder = str(work.asked.get("folder", ""))
                about = {"source": work.source_name, "folder": folder}
                view = a_view(str(work.vault), work.made, **about)
                self.vaults[str(work.vault)] = view
                return Done(vaults=[view])
            case Deed.EVICT:
                gone = [str(name) for name in work.asked["vaults"]]
                for name in gone:
                    self.vaults.pop(name, None)
                    self.aside = [one for one in self.aside if one != name]
                return Done(gone=gone)
            case Deed.SURVEY:
                pins = {name: view.pin for name, view in self.vaults.items()}
                found: dict[str, Any] = {
                    "names": list(self.vaults),
                    "pins": {n: msgspec.to_builtins(p) for n, p in pins.items() if p},
                    "checks": dict(self.checks),
                    "folders": {
                        n: v.folder for n, v in self.vaults.items() if v.folder
                    },
                    "looked": sorted({v.folder for v in self.vaults.values()}),
                }
                known = work.asked["known"]
                views = [v for name, v in self.vaults.items() if name not in known]
                return Done(result=found, vaults=views, aside=self.aside)
            case Deed.VERIFY | Deed.DRILL:
                what = "verified" if work.deed is Deed.VERIFY else "proven"
                view = self.vaults[str(work.vault)]
                return Done(vaults=[replace(view, **{what: NOW})])
        return Done()


class Bench:
    """A runner and its service; ``now`` is what the clock shows."""

    def __init__(self, store: Store, state: Path, **plan: Any) -> None:
        self.now = NOW
        self.workers = HandWorkers()
        self.told: list[tuple[str, dict[str, Any]]] = []
        given: dict[str, Any] = {
            "name": "full",
            "store": Part("m:s", {"path": str(state / "vaults")}),
            "path": state / "vaults",
            "elsewhere": state / "elsewhere",
            "sources": {"s": Part("m:c"), "t": Part("m:c")},
            "default": "s",
            "zone": ZoneInfo("UTC"),
            "retries": RETRIES,
        }
        self.plan = Plan(**{**given, **plan})
        self.runner = Runner(
            store,
            cast("Workers", self.workers),
            state,
            {"full": self.plan},
            now=lambda: self.now,
            tell=lambda event, said: self.told.append((event, said)),
        )
        self.service = Service(self.plan, self.runner, state)

    async def __aenter__(self) -> "Bench":
        await self.service.opened()
        await self.runner.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.__aexit__()

    async def ended(self, job: Job) -> Job:
        """Return the job once it has ended."""
        async with asyncio.timeout(30):
            return await self.runner.ended(job.id)

    async def until(self, fact: Callable[[], Any]) -> None:
        """Wait until the fact holds."""
        async with asyncio.timeout(30):
            while not fact():
                await asyncio.sleep(0.005)
