"""A console's API over an engine in memory and a real index."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from syncd.api.auth import Auth
from syncd.api.manners import OpToolsManners
from syncd.api.optools.conductor import Conductor
from syncd.api.server import Limits, Server
from syncd.core.backup import BackupRequest
from syncd.core.errand import Part
from syncd.core.job import Event, Job, Kind, State
from syncd.errors import Conflict
from syncd.store.database import Store
from tests.api.daemon.memory import MemoryArchive, MemoryBackups
from tests.api.fakes import House

NAMES = {"components": "comp", "sessions": "sess", "system": "sys"}
MANNERS = OpToolsManners(databases=NAMES, document="m:f", body=1 << 20)


class SilentArchive(MemoryArchive):
    """An archive of which nothing comes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


class ConsoleBackups(MemoryBackups):
    """An engine whose documents are what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.document = b'{"comp":{"docs":[]}}'
        self.forms: list[Part | None] = []
        self.not_in_force = ""
        self.taken: set[str] = set()
        self.silent = False

    def _make(self, job: Job, failed: str | None) -> None:
        origin = {
            "documents": 3,
            "databases": {
                name: {"begun": 1.0, "moment": 2.5, "sequence": "7-x"}
                for name in ("sys", "comp")
            },
        }
        view = self.add(
            str(job.vault),
            made=job.created,
            failed=failed,
            flags=job.asked.get("flags", {}),
            origin=origin,
        )
        self.asked[job.id] = replace(job, result={"vault": view.summary.name})

    async def jobs(
        self, *, kind: Kind | None = None, **_: Any
    ) -> tuple[int, list[Job]]:
        found = [job for job in self.asked.values() if kind in (None, job.kind)]
        return len(found), found

    async def upload(self, name: str, archive: Path, *, partial: bool, who: str) -> Job:
        assert partial
        content = archive.read_bytes()
        archive.unlink()
        if name in self.taken:
            raise Conflict(f"there is or was a vault called {name}")
        self.uploaded[name] = content
        return self._keep(Kind.UPLOAD, BackupRequest(), name, who, None)

    @asynccontextmanager
    async def download(
        self, name: str, form: Part | None = None
    ) -> AsyncIterator[MemoryArchive]:
        await self.vault(name)
        self.forms.append(form)
        if self.silent:
            yield SilentArchive(b"", sized=False, broken_at=None)
        else:
            yield MemoryArchive(self.document, sized=False, broken_at=self.broken_at)

    async def of_kind(self, kind: Kind, number: int = 1) -> Job:
        """Return a job of a kind, once so many were asked for."""
        async with asyncio.timeout(30):
            while True:
                found = [job for job in self.asked.values() if job.kind is kind]
                if len(found) >= number:
                    return found[number - 1]
                await asyncio.sleep(0.005)

    def fail(self, id_: str, why: str) -> None:
        """Have a job run to a bad end."""
        self.step(id_, Event.START)
        self.step(id_, Event.FAIL, why)

    def kept(self) -> list[str]:
        """Return the vaults that are no longer to be lost."""
        return [name for name, view in self.known.items() if view.pin]

    def running(self) -> list[Job]:
        return [job for job in self.asked.values() if job.state is not State.SUCCESSFUL]


@pytest.fixture
def backups() -> ConsoleBackups:
    return ConsoleBackups()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "index.db") as opened:
        yield opened


@pytest.fixture
def manners(tmp_path: Path) -> OpToolsManners:
    return replace(MANNERS, spool=tmp_path / "spool")


def conducted(
    backups: ConsoleBackups, store: Store, manners: OpToolsManners, after: list[int]
) -> Conductor:
    """Return a conductor whose clock is the engine's."""

    async def note() -> str:
        after.append(1)
        return backups.not_in_force

    return Conductor(
        backups,
        store,
        manners,
        now=lambda: backups.now,
        name=lambda later: f"20261121T0000{later:02}",
        after=note,
    )


@pytest.fixture
def after() -> list[int]:
    """What was done after restores that went well."""
    return []


@pytest.fixture
async def conductor(backups, store, manners, after) -> AsyncIterator[Conductor]:
    async with conducted(backups, store, manners, after) as conductor:
        yield conductor


@pytest.fixture
def auth(store: Store, tmp_path: Path) -> Auth:
    """Lets in whoever has an account; until there is one, everybody."""
    return Auth(store, tmp_path)


@pytest.fixture
async def server(
    house: House, backups, conductor, manners, auth
) -> AsyncIterator[Server]:
    rooms = replace(house.rooms, console=backups, conductor=conductor, optools=manners)
    limits = Limits(rate=1e6, burst=1e6)
    async with Server(rooms, [("127.0.0.1", 0)], limits=limits, auth=auth) as server:
        yield server


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole server."""
    url = f"http://127.0.0.1:{server.addresses[0][1]}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        yield client
