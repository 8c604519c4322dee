"""A repository, a folder to back up and a runner: real Borg on this machine."""

import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from syncd.borg.work import carry_out
from syncd.core.borg.tasks import (
    BackUp,
    Mode,
    PrepareRepository,
    Restore,
    Result,
    Task,
)
from syncd.core.borg.values import Client, Login, Policy, Repository
from syncd.core.job import Progress
from tests.peers.sshd import Machine

PASSPHRASE = "a word that nobody is told: $(id) 'quoted'"
MADE = 1_700_000_000.0


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[Progress] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Machines(NamedTuple):
    """A client, a machine with repositories, and our key for both."""

    client: Machine
    store: Machine
    key: str


class Bench:
    """Tasks on one repository: here, or on other machines."""

    def __init__(self, folder: Path, machines: Machines | None = None) -> None:
        self.folder = folder
        self.source = folder / "source"
        self.source.mkdir()
        self.repository = Repository(
            path=str(folder / "repository"), passphrase=PASSPHRASE
        )
        self.client = Client(hostname="web", here=True)
        self.login = Login()
        self.mode = Mode.PUSH
        if machines is not None:
            self._away(machines)
        self.heard = Heard()
        self._number = 0

    def _away(self, machines: Machines) -> None:
        path = f"ssh://root@127.0.0.1:{machines.store.port}{self.repository.path}"
        self.repository = replace(self.repository, path=path)
        self.client = Client(
            hostname="web", address="127.0.0.1", port=machines.client.port
        )
        known = [machines.client.known, machines.store.known]
        self.login = Login(key=machines.key, known_hosts=known)

    async def do(self, task: Task) -> Result:
        self._number += 1
        scratch = self.folder / f"scratch{self._number}"
        scratch.mkdir(mode=0o700)
        return await carry_out(task, scratch, self.heard)

    def common(self) -> dict[str, Any]:
        return {"base": str(self.folder / "base"), "login": self.login}

    def backup(self, **more: Any) -> BackUp:
        given: dict[str, Any] = {
            "repository": self.repository,
            "client": self.client,
            "policy": Policy.FOLDERS,
            "variables": {"folders": [str(self.source)]},
            "made": MADE,
            "mode": self.mode,
        }
        return BackUp(**self.common(), **{**given, **more})

    def restore(self, archive: str, **more: Any) -> Restore:
        given: dict[str, Any] = {
            "repository": self.repository,
            "archive": archive,
            "folder": str(self.folder / "restored"),
        }
        return Restore(**self.common(), **{**given, **more})

    async def prepare(self) -> Result:
        return await self.do(
            PrepareRepository(**self.common(), repository=self.repository)
        )

    def restored(self, file: Path) -> Path:
        return self.folder / "restored" / str(file).lstrip("/")

    def borg(self, *said: str, told: bytes = b"") -> None:
        """Run Borg by hand; what it asks is answered with yes."""
        subprocess.run(
            ["borg", *said],
            input=told,
            env={
                **os.environ,
                "BORG_PASSPHRASE": PASSPHRASE,
                "BORG_BASE_DIR": f"{self.folder}/base",
                "BORG_CHECK_I_KNOW_WHAT_I_AM_DOING": "YES",
            },
            check=True,
        )

    def damage(self) -> None:
        """Damage the largest file of the repository, in its middle."""
        largest = max(
            Path(self.repository.path).rglob("data/*/*"),
            key=lambda one: one.stat().st_size,
        )
        with largest.open("r+b") as segment:
            segment.seek(1 << 19)
            segment.write(b"damage")
