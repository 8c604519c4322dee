"""Tools that stay and follow what changes, one small class each."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.asking import wait_for
from tests.benchmarks import trees
from tests.benchmarks.contestant import Durable, program
from tests.benchmarks.usage import PeakMemory, Usage, cpu_seconds

PATIENCE = 1800.0
"""Seconds."""
LEISURE = 4.0
"""A look at the trees may take a fifth of one core, so as not to slow what it sees."""


class Following(NamedTuple):
    """A tool at work."""

    begun: float
    """``perf_counter`` when its first process was started."""
    pids: Sequence[int]
    has_copied: Callable[[int], bool]
    """Tells whether the target holds so many files and nothing is left to do."""
    look_every: float = 0.005
    """Seconds; a look at the trees is harmless, a question costs who answers it."""


class Follower:
    """A tool that stays; how long a first copy takes counts from its start."""

    name: str
    durable: Durable = Durable.NO
    runs_at_most: int = 5
    programs: Sequence[str] = ()

    def is_here(self) -> bool:
        """Tell whether it is installed."""
        return all(map(program, self.programs))

    def following(
        self, source: Path, target: Path, work: Path
    ) -> AbstractContextManager[Following]:
        """Run it from one folder to another; end it at the end."""
        raise NotImplementedError

    def copy(self, source: Path, target: Path, work: Path) -> Usage:
        """Run it until the target has everything; return what that took."""
        files = trees.count(source)
        with self.following(source, target, work) as tool:
            usage = until_copied(tool, files)
        trees.remove_markers(source)
        trees.assert_equal(source, target)
        return usage


def until_copied(tool: Following, files: int) -> Usage:
    """Return what a tool took from its start until the target has so many files."""
    with PeakMemory(tool.pids) as peak:
        wait_gently(lambda: tool.has_copied(files), tool.look_every)
        seconds = time.perf_counter() - tool.begun
        used = cpu_seconds(tool.pids)
    return Usage(seconds, used, peak.megabytes)


def wait_gently(predicate: Callable[[], bool], at_least: float = 0.005) -> None:
    """Return once the predicate holds; the longer it takes, the rarer it is asked."""
    deadline = time.monotonic() + PATIENCE
    while True:
        begin = time.perf_counter()
        if predicate():
            return
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(max(at_least, LEISURE * (time.perf_counter() - begin)))


class Lsyncd(Follower):
    """Calls rsync for what inotify tells."""

    programs = ("lsyncd", "rsync")

    def __init__(self, delay: int) -> None:
        self.name = f"lsyncd, delay {delay}"
        self._delay = delay

    @contextmanager
    def following(self, source: Path, target: Path, work: Path) -> Iterator[Following]:
        config = work / "lsyncd.lua"
        config.write_text(
            f'settings{{nodaemon = true, logfile = "{work}/lsyncd.log"}}\n'
            f'sync{{default.rsync, source = "{source}", target = "{target}",'
            f" delay = {self._delay}}}\n"
        )
        with running([["lsyncd", str(config)]], work) as processes:
            yield seen_in_trees(processes, source, target)


class UnisonRepeating(Follower):
    """Looks at both trees every second."""

    name = "unison -repeat 1"
    programs = ("unison",)

    @contextmanager
    def following(self, source: Path, target: Path, work: Path) -> Iterator[Following]:
        options = "-batch -auto -times -silent -confirmbigdel=false -repeat 1"
        command = ["unison", *options.split(), str(source), str(target)]
        with running([command], work, {"UNISON": str(work)}) as processes:
            yield seen_in_trees(processes, source, target)


Processes = tuple[float, list[int]]


@contextmanager
def running(
    commands: Sequence[Sequence[str]], work: Path, more: Mapping[str, str] | None = None
) -> Iterator[Processes]:
    """Run commands until the end; give when they began, and their process ids."""
    environment = {**os.environ, "HOME": str(work), **(more or {})}
    begun = time.perf_counter()
    with (work / "log").open("ab") as log:
        processes = [
            subprocess.Popen(
                [program(command[0]) or command[0], *command[1:]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            for command in commands
        ]
    try:
        yield begun, [process.pid for process in processes]
        for process in processes:
            assert process.poll() is None, (work / "log").read_text()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def seen_in_trees(processes: Processes, source: Path, target: Path) -> Following:
    """Return a tool that has copied when the trees say so; it is not asked."""

    def has_copied(files: int) -> bool:
        return trees.count(target) == files and trees.sizes(source) == trees.sizes(
            target
        )

    begun, pids = processes
    return Following(begun, pids, has_copied)


def settled(tool: Following, source: Path) -> None:
    """Wait until a tool that was just started has caught up."""
    files = trees.count(source)
    wait_for(lambda: tool.has_copied(files), PATIENCE, every=0.1)
