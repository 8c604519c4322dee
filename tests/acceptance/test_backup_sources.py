"""Entries are backed up and restored beside the daemon that keeps them in step."""

import asyncio
from pathlib import Path
from typing import Any

from syncd.backup_sources.contract import Around, Storage
from syncd.backup_sources.entries.options import EntriesOptions
from syncd.backup_sources.entries.source import Entries
from syncd.core.backup import Report, Restoring, Wanted
from syncd.core.keeping import Promise
from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import UNGUARDED, Daemon
from tests.acceptance.trees import content, leftovers
from tests.backup_sources.fakes import FolderStaging, FolderVault, Listener

QUIET = {name: {**UNGUARDED, "keep": {"days": 9}} for name in ("A", "B")}


def source(daemon: Daemon) -> Entries:
    """Return the source of a worker of this daemon."""
    entries = {
        name: Storage(
            driver="syncd.drivers.local_storage.storage:LocalStorage",
            options={"root": str(daemon.folder(name))},
            promise=Promise(9, 9),
        )
        for name in daemon.entries
    }
    around = Around(scratch=daemon.home, entries=entries)
    return Entries.create(EntriesOptions().model_dump(), around)


def backed_up(daemon: Daemon, home: Path, *names: str) -> FolderVault:
    into = FolderStaging(home)
    wanted = Wanted(databases=list(names) or None)
    report = asyncio.run(source(daemon).back_up(wanted, into, Listener()))
    assert report.failed == {}
    return into.sealed(listed=report.databases)


def restored(daemon: Daemon, vault: FolderVault, **wanted: Any) -> Report:
    work = source(daemon).restore(Restoring(**wanted), vault, Listener())
    report = asyncio.run(work)
    assert report.failed == {}
    return report


def test_what_is_restored_replicates_like_any_change(tmp_path):
    with Daemon(settings=QUIET) as daemon:
        for name in ("same", "changed", "deep/gone"):
            daemon.write("A", name, name.encode())
        daemon.converged()
        before = daemon.tree("A")
        vault = backed_up(daemon, tmp_path / "vault", "A")
        daemon.write("B", "changed", b"changed on B")
        daemon.path("A", "deep/gone").unlink()
        daemon.write("A", "new", b"new")
        daemon.converged()
        assert daemon.tree("B") != before
        report = restored(daemon, vault, delete=True)
        daemon.arrives("B", "changed", b"changed")
        daemon.arrives("B", "deep/gone", b"deep/gone")
        daemon.converged()

        assert daemon.tree("A") == daemon.tree("B") == before
        assert report.changed["replaced"] == report.changed["created"] == 1
        kept = (daemon.folder("A") / ".syncd-trash").rglob("changed~*")
        assert b"changed on B" in [path.read_bytes() for path in kept]


def test_one_entry_can_be_restored_to_another(tmp_path):
    rules = [{"match": {"path": "/"}, "sync": ["A", "B"]}]
    with Daemon("A", "B", "C", rules=rules, settings=QUIET) as daemon:
        daemon.write("C", "only here", b"of C")
        vault = backed_up(daemon, tmp_path / "vault", "C")
        restored(daemon, vault, names={"C": "A"})
        daemon.arrives("B", "only here", b"of C")


def test_a_backup_disturbs_nobody_at_work(tmp_path):
    number = 1500
    with Daemon(settings=QUIET) as daemon:
        daemon.write("A", "large", content(30_000_000))
        for name in range(number):
            daemon.write("A", f"{name % 7}/{name}", content(3000, name))
        vaults = [
            backed_up(daemon, tmp_path / f"vault {turn}", "B") for turn in range(5)
        ]
        daemon.converged(within=60)
        last = backed_up(daemon, tmp_path / "last", "B")

        assert len(vaults) == 5
        files = [item for item in last.items() if item.kind == "file"]
        assert len(files) == number + 1
        assert not leftovers(daemon.folder("B"))


def test_entries_are_backed_up_after_the_index_was_lost():
    """Their storages then carry markers that another index gave them."""
    with Daemon("A", "B") as daemon:
        daemon.write("A", "kept", b"kept")
        daemon.converged()
        daemon.stop()
        for file in daemon.state.glob("index.db*"):
            file.unlink()
        daemon.start()
        daemon.converged()

        job = daemon.http("POST", "/backups", {}).json()
        wait_for(lambda: ended(daemon, job), what=daemon.log_end)

        assert ended(daemon, job) == "successful"


def ended(daemon: Daemon, job: dict[str, Any]) -> str | None:
    """Return the state of a job that has ended, None before."""
    state: str = daemon.http("GET", f"/jobs/{job['id']}").json()["state"]
    return state if state not in ("queued", "running") else None
