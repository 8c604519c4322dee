"""Tools that back up: once, and once more when nothing has changed."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.acceptance.asking import wait_for
from tests.benchmarks import trees
from tests.benchmarks.contestant import Durable, Taking, program
from tests.benchmarks.followers import PATIENCE
from tests.benchmarks.ours import POLL, Placed
from tests.benchmarks.peers import ran
from tests.benchmarks.usage import PeakMemory, Usage, cpu_seconds

READ = 'cp -a "$0/." "$1/" && find "$0" -type f -print0 | xargs -0 sha256sum > "$2"'
REST = 2.5
"""Seconds between the first and the next backup."""


class Keeper(Taking, Protocol):
    """One that backs up."""

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Back up into an empty folder, and again; return what each took.

        ``work`` is an empty folder for what the tool keeps beside. None: there is
        nothing to do again. After the clock has stopped, fail unless all is there.
        """
        ...


class _Command:
    """A tool that is a command, without anything of our environment."""

    name: str
    durable: Durable = Durable.NO
    runs_at_most: int = 3

    def is_here(self) -> bool:
        """Tell whether it is installed."""
        return program(self.name.split()[0]) is not None

    def environment(self, work: Path) -> dict[str, str]:
        """Return what it runs in; it writes nowhere but to ``work`` and the target."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(work), "LC_ALL": "C.UTF-8"}

    def ran(self, work: Path, *command: str) -> Usage:
        """Run it; return what it took."""
        return ran(list(command), self.environment(work), work)


class CopyAndRead(_Command):
    """What one must pay anyway: copying, and reading for digests."""

    name = "cp -a, sha256sum"

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Copy, and then read the source."""
        digests = str(work / "digests")
        used = self.ran(work, "sh", "-c", READ, str(source), str(target), digests)
        trees.assert_equal(source, target)
        return used, None


class Mirror(_Command):
    """A copy that has no past; and looking whether it is still one."""

    name = "rsync -a, -an"

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Copy, and then only look."""
        ends = (f"{source}/", f"{target}/")
        first = self.ran(work, "rsync", "-a", *ends)
        trees.assert_equal(source, target)
        trees.settle_disk(REST)
        return first, self.ran(work, "rsync", "-an", *ends)


class Restic(_Command):
    """It always encrypts; its own checks need a password, too."""

    name = "restic backup"
    durable = Durable.BY_BATCH

    def environment(self, work: Path) -> dict[str, str]:
        return {**super().environment(work), "RESTIC_PASSWORD": "bench"}

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Back up twice into a new repository."""
        restic = ("restic", "-q", "--compression", "off", "-r", str(target))
        self.ran(work, *restic, "init")
        first = self.ran(work, *restic, "backup", str(source))
        _assert_holds(target, source)
        trees.settle_disk(REST)
        return first, self.ran(work, *restic, "backup", str(source))


class Borg(_Command):
    """Neither encrypted nor compressed, as our vaults are unless one says so."""

    name = "borg create"
    durable = Durable.BY_BATCH

    def environment(self, work: Path) -> dict[str, str]:
        more = {
            "BORG_BASE_DIR": str(work),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        return {**super().environment(work), **more}

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Back up twice into a new repository."""
        create = ("borg", "create", "--compression", "none")
        self.ran(work, "borg", "init", "--encryption", "none", str(target))
        first = self.ran(work, *create, f"{target}::first", str(source))
        _assert_holds(target, source)
        trees.settle_disk(REST)
        return first, self.ran(work, *create, f"{target}::again", str(source))


class Syncd:
    """A daemon that tends the source, asked over HTTP until the job has ended."""

    name = "syncd"
    durable = Durable.BY_BATCH
    runs_at_most = 3

    def is_here(self) -> bool:
        """Tell that it is."""
        return True

    def run(self, source: Path, target: Path, work: Path) -> tuple[Usage, Usage | None]:
        """Back up twice into a new store."""
        files = trees.count(source)
        with _tending(source, target, work) as daemon:
            first = _backed_up(daemon, files)
            _assert_holds(target, source)
            self.between(daemon)
            trees.settle_disk(REST)
            again = _backed_up(daemon, files)
        return first, again

    def between(self, daemon: Placed) -> None:
        """Do nothing: whoever has just backed up finds a worker that is ready."""


class SyncdLater(Syncd):
    """The same, when the last backup is long ago: no worker is ready."""

    name = "syncd, long after"

    def between(self, daemon: Placed) -> None:
        """Start it anew, which is quicker than to wait."""
        daemon.stop()
        since = time.time()
        daemon.start_unready()
        daemon.until_ready()
        wait_for(lambda: daemon.walked(since), PATIENCE, every=POLL)


class _Backing(Placed):
    """A daemon with its vaults in a folder that was there before."""

    def __init__(self, home: Path, roots: Mapping[str, Path], vaults: Path) -> None:
        self._vaults = vaults
        super().__init__(home, roots)

    def write_config(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self.further = {"backup": {"store": {"path": str(self._vaults)}}}
        super().write_config(settings)


@contextmanager
def _tending(source: Path, vaults: Path, work: Path) -> Iterator[Placed]:
    """Run a daemon whose only entry is the source, and that knows all of it."""
    files = trees.count(source)
    with _Backing(work, {"A": source}, vaults) as daemon:
        daemon.start_unready()
        daemon.until_ready()
        wait_for(lambda: daemon.holds(files), PATIENCE, daemon.status, POLL)
        yield daemon
    trees.remove_markers(source)


def _backed_up(daemon: Placed, files: int) -> Usage:
    """Ask for a backup, and listen until the job has ended."""
    before = cpu_seconds([daemon.pid])
    with PeakMemory([daemon.pid]) as peak:
        begin = time.perf_counter()
        job = daemon.http("POST", "/backups", {}).json()
        daemon.listen(f"/jobs/{job['id']}/log")
        seconds = time.perf_counter() - begin
    used = cpu_seconds([daemon.pid]) - before
    ended = daemon.http("GET", f"/jobs/{job['id']}").json()
    assert ended["state"] == "successful", ended
    made = daemon.http("GET", f"/backups/{ended['vault']}").json()
    assert made["summary"]["files"] == files, made
    return Usage(seconds, used, peak.megabytes)


def _assert_holds(target: Path, source: Path) -> None:
    """Fail unless a repository is at least as large as what it is to hold."""
    held, wanted = (
        sum(
            os.lstat(Path(above, name)).st_size
            for above, _, names in os.walk(folder)
            for name in names
        )
        for folder in (target, source)
    )
    assert held >= wanted, f"{target} has {held} bytes, {source} {wanted}"


def removed(tool: Keeper, target: Path) -> None:
    """Delete what a tool made of few, large files; copies of many stay."""
    if not isinstance(tool, CopyAndRead | Mirror):
        shutil.rmtree(target)
