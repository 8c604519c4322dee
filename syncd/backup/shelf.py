"""What there is in one store of vaults: its jobs, their logs, its vaults and room."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from syncd.backup import lending, records
from syncd.backup.plan import Plan
from syncd.backup.runner import Runner
from syncd.core.backup import DiskRoom, VaultView
from syncd.core.errand import Part
from syncd.core.job import Job, Kind, State
from syncd.errors import NotFound
from syncd.store import jobs, vaults
from syncd.store.jobs import Search


class Shelf:
    """One store's jobs and vaults as they are; it changes nothing."""

    def __init__(self, plan: Plan, runner: Runner, run: Path) -> None:
        """Ask the runner; ``run`` is the folder of sockets."""
        self._plan = plan
        self._runner = runner
        self._run = run
        self._store = runner.store

    async def job(self, id: str) -> Job:
        """Return a job by its id, or a backup's by its vault; raise NotFound."""
        with suppress(NotFound):
            job = await self._runner.job(id)
            if job.store == self._plan.name:
                return job
        made = await self._store.read(jobs.making, id, [self._plan.name])
        return await self._runner.job(made.id)

    async def jobs(
        self,
        *,
        offset: int = 0,
        limit: int = 100,
        kind: Kind | None = None,
        state: State | None = None,
        vault: str | None = None,
    ) -> tuple[int, list[Job]]:
        """Return how many there are, and some of them, newest first."""
        search = Search(kind=kind, state=state, vault=vault, stores=[self._plan.name])
        total, found = await self._store.read(
            jobs.page, search, offset=offset, limit=limit
        )
        live = {job.id: job for job in self._runner.known}
        return total, [live.get(job.id, job) for job in found]

    def waiting(self) -> int:
        """Return how many jobs are queued."""
        mine = [job for job in self._runner.known if job.store == self._plan.name]
        return sum(job.state is State.QUEUED for job in mine)

    async def log(self, id: str, *, start: int = 0) -> tuple[bytes, int]:
        """Return output of a job from that byte on, and where the next call starts."""
        job = await self.job(id)
        logs = self._runner.logs
        if start < 0:
            start = max(0, start + await asyncio.to_thread(logs.size, job.id))
        piece = await asyncio.to_thread(logs.read, job.id, start)
        return piece, start + len(piece)

    async def follow(self, id: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Give a job's output as it comes, until the job has ended."""
        job = await self.job(id)
        async for piece in self._runner.follow(job.id, start):
            yield piece

    async def changed(self, id: str) -> None:
        """Return when there is news of a job, or may be."""
        await self._runner.change(id)

    async def vaults(self) -> list[VaultView]:
        """Return all finished vaults, failed ones too, oldest first."""
        found = await self._store.read(vaults.everything, self._plan.name)
        return [self._pinned(view) for view in found]

    async def vault(self, name: str, *, folder: str = "") -> VaultView:
        """Return one; raise NotFound."""
        view = await self._store.read(vaults.get, self._plan.name, name)
        if view.folder != folder and folder:
            raise NotFound(f"vault {name} not found in {folder}")
        return self._pinned(view)

    async def aside(self) -> list[str]:
        """Return the vaults that were never finished; they can be evicted."""
        return list(await self._store.read(records.aside, self._plan.name))

    @asynccontextmanager
    async def download(
        self, name: str, form: Part | None = None
    ) -> AsyncIterator[lending.Zip]:
        """Lend a vault's files as a zip; raise NotFound, Unavailable."""
        view = await self.vault(name)
        lent = lending.lent(self._runner, self._plan, view, self._run, form)
        async with lent as archive:
            yield archive

    def trouble(self) -> str:
        """Return why the vaults cannot be reached now; empty if they can."""
        return self._runner.trouble(self._plan.name)

    async def room(self) -> DiskRoom:
        """Return what there is on the disk of the vaults."""
        known = self._runner.figures.sources.items()
        size = sum(one.bytes for (store, _), one in known if store == self._plan.name)
        return await asyncio.to_thread(_room, self._plan.path, size)

    def _pinned(self, view: VaultView) -> VaultView:
        pin = view.pin
        if pin is None or pin.until is None or pin.until > self._runner.now():
            return view
        return replace(view, pin=None)


def _room(path: Path, size: int) -> DiskRoom:
    while not path.exists() and path != path.parent:
        path = path.parent
    disk = os.statvfs(path)
    return DiskRoom(
        size=size,
        free=disk.f_bavail * disk.f_frsize,
        total=disk.f_blocks * disk.f_frsize,
        free_inodes=disk.f_favail,
        total_inodes=disk.f_files,
        used_inodes=disk.f_files - disk.f_ffree,
    )
