"""A person who backs a ZooKeeper up and restores it, as a worker does."""

from pathlib import Path
from typing import Any

from syncd.backup_sources.contract import Around
from syncd.backup_sources.zookeeper.options import ZooKeeperOptions
from syncd.backup_sources.zookeeper.source import ZooKeeper
from syncd.core.backup import Report, Restoring, Wanted
from tests.backup_sources.fakes import FolderStaging, FolderVault, Listener
from tests.peers.zookeeper import Zoo


class Park:
    """One source on one ZooKeeper."""

    def __init__(self, zoo: Zoo, home: Path, **options: Any) -> None:
        self.zoo = zoo
        self.home = home
        self.keep = home / "keep"
        self.said = {"hosts": zoo.hosts, "patience": 30.0, **options}
        self.listener = Listener()
        self._number = 0

    def source(self, **options: Any) -> ZooKeeper:
        """Return the source made anew."""
        self._number += 1
        scratch = self.home / f"scratch {self._number}"
        model = ZooKeeperOptions.model_validate({**self.said, **options})
        around = Around(scratch=scratch, keep=self.keep)
        return ZooKeeper.create(model.model_dump(), around)

    async def report(
        self, *names: str, mode: str = "", **options: Any
    ) -> tuple[Report, FolderVault]:
        """Make a backup, whatever comes of it."""
        source = self.source(**options)
        into = FolderStaging(self.home / f"vault {self._number}")
        variables = {"mode": mode} if mode else {}
        wanted = Wanted(databases=list(names) or None, variables=variables)
        report = await source.back_up(wanted, into, self.listener)
        return report, into.sealed(listed=report.databases)

    async def backed_up(self, *names: str, **options: Any) -> FolderVault:
        """Make a backup that must be good."""
        report, vault = await self.report(*names, **options)
        assert report.failed == {}
        return vault

    async def restored(
        self,
        vault: FolderVault,
        *,
        options: dict[str, Any] | None = None,
        **wanted: Any,
    ) -> Report:
        """Restore what must be restored wholly."""
        report = await self.source(**(options or {})).restore(
            Restoring(**wanted), vault, self.listener
        )
        assert report.failed == {}
        return report
