"""Tools that copy once and end, one small class each."""

import resource
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks import trees
from tests.benchmarks.contestant import Durable, program
from tests.benchmarks.usage import PeakMemory, Usage

OURS = "--exclude=.syncd-*"


class OneShot:
    """A command; it is done when it ends."""

    name: str
    durable: Durable = Durable.NO
    runs_at_most: int = 5

    def command(self, source: Path, target: Path) -> list[str]:
        """Return the words to run."""
        raise NotImplementedError

    def environment(self, work: Path) -> dict[str, str]:
        """Return the environment to run it in; it writes nowhere but to ``work``."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(work), "LC_ALL": "C.UTF-8"}

    def is_here(self) -> bool:
        """Tell whether it is installed."""
        return program(self.name.split()[0]) is not None

    def copy(self, source: Path, target: Path, work: Path) -> Usage:
        """Run it; return what it took."""
        usage = ran(self.command(source, target), self.environment(work), work)
        trees.assert_equal(source, target)
        return usage


def ran(command: list[str], environment: Mapping[str, str], work: Path) -> Usage:
    """Run a command until it ends; return what it took. Its output goes to ``work``."""
    command[0] = program(command[0]) or command[0]
    before = _children_cpu()
    begin = time.perf_counter()
    with (
        (work / "log").open("wb") as log,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
        PeakMemory([process.pid]) as peak,
    ):
        code = process.wait()
        seconds = time.perf_counter() - begin
    assert code == 0, f"{command}: {code}\n{(work / 'log').read_text()}"
    return Usage(seconds, _children_cpu() - before, peak.megabytes)


class Copy(OneShot):
    """What everybody has."""

    name = "cp -a"

    def command(self, source: Path, target: Path) -> list[str]:
        return ["cp", "-a", f"{source}/.", f"{target}/"]


class Rsync(OneShot):
    """The yardstick."""

    name = "rsync -a"

    def command(self, source: Path, target: Path) -> list[str]:
        return [*self.name.split(), OURS, f"{source}/", f"{target}/"]


class RsyncDurable(Rsync):
    """The same, flushing every file."""

    name = "rsync -a --fsync"
    durable = Durable.BY_FILE


class RsyncLooking(Rsync):
    """Only what would be to do."""

    name = "rsync -an"


class Rclone(OneShot):
    """Many files at a time."""

    name = "rclone sync"

    def command(self, source: Path, target: Path) -> list[str]:
        options = ["--config", "/dev/null", "-q", "--exclude=.syncd-*"]
        return ["rclone", *options, "sync", str(source), str(target)]


class Unison(OneShot):
    """Both ways, with an archive of what was equal."""

    name = "unison -batch -times"

    def command(self, source: Path, target: Path) -> list[str]:
        return [
            *("unison", "-batch", "-auto", "-times", "-silent"),
            *("-confirmbigdel=false", "-ignore", "Name .syncd-*"),
            *(str(source), str(target)),
        ]

    def environment(self, work: Path) -> dict[str, str]:
        return {**super().environment(work), "UNISON": str(work)}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
