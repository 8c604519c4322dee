"""A job engine in memory: it keeps the contract, and does what the test says when."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from syncd.core import retention
from syncd.core.backup import (
    BackupRequest,
    DiskRoom,
    RestoreRequest,
    Sounded,
    VaultView,
)
from syncd.core.errand import Part
from syncd.core.job import Event, Job, Kind, State, after
from syncd.core.retention import Candidate, Decision
from syncd.core.vault import Pin, Summary
from syncd.errors import BadRequest, Conflict, NotFound, StorageError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


class MemoryArchive:
    """The bytes of a zip, in small pieces; can be told to end too early."""

    def __init__(self, content: bytes, *, sized: bool, broken_at: int | None) -> None:
        self.content = content
        self.size = len(content) if sized else None
        self.tag = "tag-of-it" if sized else None
        self._broken_at = broken_at

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.content), 1000):
            if self._broken_at is not None and at >= self._broken_at:
                raise StorageError("the disk is gone")
            yield self.content[at : at + 1000]


class MemoryMarkers:
    """One marker."""

    def __init__(self) -> None:
        self.marker: str | None = None

    async def get(self) -> str | None:
        return self.marker

    async def put(self, marker: str, *, who: str) -> None:
        self.marker = marker


class MemoryBackups:
    """Jobs run when the test says so, or at once where ``at_once`` is set."""

    def __init__(self) -> None:
        self.at_once = False
        self.now = NOON
        self.known: dict[str, VaultView] = {}
        self.asked: dict[str, Job] = {}
        self.logs: dict[str, bytes] = {}
        self.in_force = {"full": "7d/7d,1y/delete", "partial": "7d/delete"}
        self.lent: set[str] = set()
        self.archive = b"PK" + bytes(range(256)) * 20
        self.sized = True
        self.broken_at: int | None = None
        self.uploaded: dict[str, bytes] = {}
        self.half: list[str] = []
        self.missing = ""
        self.says: Exception | None = None
        self.sources: dict[str, Sounded] = {}
        self._changed = asyncio.Event()

    # What a test does.

    def add(self, name: str, **more: Any) -> VaultView:
        """Have a vault that a backup made some time ago."""
        facts = {"name": name, "source": "default", "made": self.now, "seconds": 1.5}
        about = {k: more.pop(k) for k in (*more,) if k in Summary.__struct_fields__}
        view = VaultView(summary=Summary(**{**facts, **about}), **{"size": 123, **more})
        self.known[name] = view
        return view

    def step(self, id: str, event: Event, error: str = "") -> Job:
        """Have something happen to a job."""
        job = self._job(id)
        state = after(job.state, event)
        job = replace(job, state=state, error=error, started=job.started or self.now)
        if state.final:
            job = replace(job, ended=self.now + 1.5)
        self.asked[job.id] = job
        if job.kind is not Kind.RESTORE and job.vault and state.final:
            self._make(job, None if state is State.SUCCESSFUL else error or str(state))
        self._changed.set()
        return job

    def finish(self, id: str) -> Job:
        """Have a job run to its good end."""
        self.step(id, Event.START)
        return self.step(id, Event.SUCCEED)

    def _make(self, job: Job, failed: str | None) -> None:
        databases = job.asked.get("databases")
        self.add(
            str(job.vault),
            partial=databases is not None,
            listed=[str(name) for name in databases or ["A", "B"]],
            failed=failed,
            canceled=job.state is State.CANCELED,
            folder=job.asked.get("folder", ""),
            flags=job.asked.get("flags", {}),
            variables=job.asked.get("variables", {}),
            pin=msgspec.convert(job.asked.get("pin"), Pin | None),
        )

    # What the contract says.

    async def back_up(
        self, request: BackupRequest, *, who: str, key: str | None = None
    ) -> Job:
        self._maybe_refuse()
        shown = datetime.fromtimestamp(self.now).astimezone()
        self.now += 1
        prefix = f"{request.prefix}_" if request.prefix else ""
        name = f"{prefix}{shown:%Y%m%dT%H%M%S}"
        return self._keep(Kind.BACKUP, request, name, who, key)

    async def restore(
        self,
        request: RestoreRequest,
        *,
        who: str,
        key: str | None = None,
        refused: str = "",
    ) -> Job:
        self._maybe_refuse()
        if request.vault is not None:
            view = await self.vault(request.vault, folder=request.folder)
            if not (view.valid or request.force):
                raise Conflict(f"vault {request.vault} is not valid; force it")
        job = self._keep(
            Kind.RESTORE, request, request.vault, who, key, run=not refused
        )
        return self.step(job.id, Event.FAIL, refused) if refused else job

    async def evict(self, vault: str, *, who: str, folder: str = "") -> None:
        if vault in self.half:
            self.half.remove(vault)
            return
        await self.vault(vault, folder=folder)
        if vault in self.lent:
            raise Conflict(f"vault {vault} is in use")
        del self.known[vault]

    async def evict_by_policy(
        self, *, who: str, dry_run: bool = False
    ) -> list[Decision]:
        decisions: list[Decision] = []
        for which, partial in (("full", False), ("partial", True)):
            policy = retention.parse(self.in_force[which])
            some = [v for v in self.known.values() if v.summary.partial is partial]
            decisions += retention.decide(policy, self._candidates(some), self.now)
        if not dry_run:
            for one in decisions:
                if not one.keep:
                    del self.known[one.vault]
        return decisions

    def _candidates(self, views: Iterable[VaultView]) -> list[Candidate]:
        return [
            Candidate(
                vault=view.summary.name,
                made=view.summary.made,
                valid=view.valid,
                pinned=view.pin.reason if view.pin else None,
            )
            for view in views
            if not view.folder
        ]

    def policies(self) -> dict[str, str]:
        return self.in_force

    async def use_policy(self, which: str, policy: str, *, who: str) -> None:
        retention.parse(policy)
        self.in_force[which] = policy

    async def job(self, id: str) -> Job:
        return self._job(id)

    async def jobs(self, **_: Any) -> tuple[int, list[Job]]:
        return len(self.asked), [*self.asked.values()]

    def waiting(self) -> int:
        return sum(job.state is State.QUEUED for job in self.asked.values())

    async def cancel(self, id: str, *, who: str) -> Job:
        return self.step(id, Event.CANCEL, f"canceled by {who}")

    async def log(self, id: str, *, start: int = 0) -> tuple[bytes, int]:
        log = self.logs.get(id, b"")
        return log[start:], len(log)

    async def follow(self, id: str, *, start: int = 0) -> AsyncIterator[bytes]:
        while not self._job(id).state.final:
            self._changed.clear()
            await self._changed.wait()
            yield b""

    async def changed(self, id: str) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def check(self, vault: str, *, kind: Kind, who: str) -> Job:
        await self.vault(vault)
        return self._keep(kind, RestoreRequest(vault=vault), vault, who, None)

    def trouble(self) -> str:
        return self.missing

    async def aside(self) -> list[str]:
        return self.half

    async def vaults(self) -> list[VaultView]:
        return [*self.known.values()]

    async def vault(self, name: str, *, folder: str = "") -> VaultView:
        view = self.known.get(name)
        if view is None or (folder and view.folder != folder):
            raise NotFound(f"vault {name} not found")
        return view

    async def pin(self, name: str, pin: Pin | None, *, who: str) -> None:
        self.known[name] = replace(await self.vault(name), pin=pin)

    @asynccontextmanager
    async def download(
        self, name: str, form: Part | None = None
    ) -> AsyncIterator[MemoryArchive]:
        await self.vault(name)
        self.lent.add(name)
        try:
            yield MemoryArchive(
                self.archive, sized=self.sized, broken_at=self.broken_at
            )
        finally:
            self.lent.discard(name)

    async def upload(self, name: str, archive: Path, *, partial: bool, who: str) -> Job:
        if name in self.known:
            raise Conflict(f"there is or was a vault called {name}")
        if not name[0].isdigit():
            raise BadRequest(f"{name} is no name of a vault")
        self.uploaded[name] = archive.read_bytes()
        archive.unlink()
        request = BackupRequest(databases=["A"] if partial else None)
        return self._keep(Kind.UPLOAD, request, name, who, None)

    def sounded(self) -> dict[str, Sounded]:
        return self.sources

    async def room(self) -> DiskRoom:
        return DiskRoom(1, 2, 3, 4, 5, 6)

    # The rest.

    def _maybe_refuse(self) -> None:
        if self.says is not None:
            raise self.says

    def _keep(
        self,
        kind: Kind,
        request: BackupRequest | RestoreRequest,
        vault: str | None,
        who: str,
        key: str | None,
        *,
        run: bool = True,
    ) -> Job:
        for job in self.asked.values():
            if key is not None and job.key == key:
                return job
        job = Job(
            id=str(uuid4()),
            kind=kind,
            asked=msgspec.to_builtins(request),
            source="default",
            store="default",
            vault=vault,
            who=who,
            created=self.now,
            key=key,
        )
        self.asked[job.id] = job
        return self.finish(job.id) if self.at_once and run else job

    def _job(self, id: str) -> Job:
        for job in self.asked.values():
            if job.id == id or (job.kind is Kind.BACKUP and job.vault == id):
                return job
        raise NotFound(f"job {id} not found")
