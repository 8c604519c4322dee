"""Entries on local folders, and one whose storage gives no descriptors."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from syncd.backup_sources.contract import Around, Storage
from syncd.backup_sources.entries.options import EntriesOptions
from syncd.backup_sources.entries.source import Entries
from syncd.core.backup import Report, Restoring, Wanted
from syncd.core.keeping import Promise
from syncd.drivers.memory import Memory
from tests.backup_sources.fakes import FolderStaging, FolderVault, Listener

LOCAL = "syncd.drivers.local_storage.storage:LocalStorage"
SHARED = "tests.backup_sources.entries.conftest:SharedMemory"


class SharedMemory(Memory):
    """A storage in memory that is there again whenever it is opened by its name."""

    shared: ClassVar[dict[str, "SharedMemory"]] = {}

    @classmethod
    def create(cls, options, ignore):
        return cls.shared[options["name"]]


class Home:
    """Entries, and whoever backs them up and restores them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.entries: dict[str, Storage] = {}

    def local(
        self, name: str, *ignore: str, promise: Promise | None = None, **more: Any
    ) -> Path:
        """Add an entry and return its root."""
        root = self._folder / name
        root.mkdir()
        (root / ".syncd-marker").write_text(f'{{"entry": "of {name}"}}')
        settings = {"marker": f"of {name}", **more}
        self.entries[name] = Storage(
            driver=LOCAL,
            options={"root": str(root)},
            ignore=list(ignore),
            promise=promise,
            **settings,
        )
        return root

    def memory(self, name: str) -> SharedMemory:
        """Add an entry in memory and return its storage."""
        made = SharedMemory.shared[name] = SharedMemory()
        made.carried = f"of {name}"
        self.entries[name] = Storage(driver=SHARED, options={"name": name})
        return made

    def source(self, *names: str) -> Entries:
        options = EntriesOptions(entries=list(names) or None).model_dump()
        return Entries.create(
            options, Around(scratch=self._folder, entries=self.entries)
        )

    def stage(self, last: FolderVault | None = None) -> FolderStaging:
        self._number += 1
        return FolderStaging(self._folder / f"staging {self._number}", last)

    async def back_up(
        self, into: FolderStaging | None = None, *names: str
    ) -> tuple[FolderVault, Report]:
        into = into or self.stage()
        wanted = Wanted(databases=list(names) or None)
        report = await self.source().back_up(wanted, into, Listener())
        return into.sealed(listed=report.databases), report

    async def restore(self, vault: FolderVault, **wanted: Any) -> Report:
        return await self.source().restore(Restoring(**wanted), vault, Listener())


@pytest.fixture
def home(tmp_path: Path):
    yield Home(tmp_path)
    SharedMemory.shared.clear()
