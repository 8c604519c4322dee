"""How long a first copy takes, beside rsync on the same files."""

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.acceptance.trees import difference, tree
from tests.benchmarks.workshop import Workshop

SIZE = 4096
PER_FOLDER = 100
PATIENCE = 300.0
POLL = 0.05
"""Seconds between two looks: each costs the daemon a millisecond or two."""

RSYNC = "rsync -a"
RSYNC_DURABLE = "rsync -a --fsync"


class Run(NamedTuple):
    """One measured copy."""

    seconds: float
    cpu: float


class Tool(NamedTuple):
    """What copies, whether its copy survives a power cut, and how it did."""

    name: str
    durable: bool
    runs: list[Run]


def measure(workshop: Workshop, files: int, runs: int) -> dict[str, Any]:
    """Return the medians; the tools take turns on the same sources."""
    ours = Tool("syncd, from its start", True, [])
    ready = Tool("syncd, from being ready", True, [])
    rsyncs = [Tool(RSYNC, False, []), Tool(RSYNC_DURABLE, True, [])]
    there = shutil.which("rsync")
    for _ in range(runs):
        with workshop.daemon() as daemon:
            fill(daemon.folder("A"), files)
            for tool in rsyncs if there else []:
                target = workshop.new_folder()
                tool.runs.append(_rsync(tool.name, daemon.folder("A"), target))
            started, served = _syncd(daemon, files)
            ours.runs.append(started)
            ready.runs.append(served)
    return _told([ours, ready, *rsyncs], files)


def fill(root: Path, files: int) -> None:
    """Write random files, a hundred to a folder."""
    for number in range(files):
        folder = root / f"{number // PER_FOLDER:03}"
        if number % PER_FOLDER == 0:
            folder.mkdir()
        (folder / f"{number % PER_FOLDER:02}").write_bytes(os.urandom(SIZE))
    os.sync()


def _syncd(daemon: Daemon, files: int) -> tuple[Run, Run]:
    begin = time.perf_counter()
    daemon.start(ready=False)
    wait_for(daemon.is_ready, PATIENCE, daemon.log_end, POLL)
    ready = time.perf_counter()
    wait_for(lambda: _is_copied(daemon, files), PATIENCE, daemon.status, POLL)
    end = time.perf_counter()
    cpu = sum(sum(each.cpu_times()[:2]) for each in daemon.processes())
    _assert_equal(daemon.folder("A"), daemon.folder("B"))
    return Run(end - begin, cpu), Run(end - ready, cpu)


def _is_copied(daemon: Daemon, files: int) -> bool:
    """Tell whether the API says that both entries hold everything."""
    return all(
        entry["files"] == files and not entry["pending"]
        for entry in daemon.status()["entries"]
    )


def _rsync(command: str, source: Path, target: Path) -> Run:
    before = _children_cpu()
    begin = time.perf_counter()
    subprocess.run(
        [*command.split(), "--exclude=.syncd-*", f"{source}/", f"{target}/"], check=True
    )
    run = Run(time.perf_counter() - begin, _children_cpu() - before)
    _assert_equal(source, target)
    return run


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _assert_equal(one: Path, other: Path) -> None:
    told = difference(tree(one), tree(other))
    assert not told, told


def _told(tools: list[Tool], files: int) -> dict[str, Any]:
    seconds = {
        tool.name: median(r.seconds for r in tool.runs) for tool in tools if tool.runs
    }
    ours = seconds[tools[0].name]
    return {
        "files": files,
        "size": SIZE,
        "tools": [
            {
                "name": tool.name,
                "durable": tool.durable,
                "seconds": seconds[tool.name],
                "cpu": median(run.cpu for run in tool.runs),
                "runs": len(tool.runs),
            }
            for tool in tools
            if tool.runs
        ],
        "ratios": {
            name: ours / seconds[name]
            for name in (RSYNC, RSYNC_DURABLE)
            if name in seconds
        },
    }
