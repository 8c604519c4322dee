"""How long a first copy takes: many files, very many, three targets, a large one."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks import trees
from tests.benchmarks.contestant import Contestant, Durable, turns
from tests.benchmarks.followers import Lsyncd, until_copied
from tests.benchmarks.ours import Syncd
from tests.benchmarks.peers import Copy, Rclone, Rsync, RsyncDurable, Unison
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.syncthing import Syncthing
from tests.benchmarks.usage import Usage
from tests.benchmarks.workshop import Workshop

OURS = Syncd.name
YARDSTICK = Rsync.name
GIGABYTE = 2**30


class SyncdToThree(Syncd):
    """One source, three targets."""

    name = "syncd, three targets"

    def copy(self, source: Path, target: Path, work: Path) -> Usage:
        targets = [target / f"{number}" for number in range(3)]
        for each in targets:
            each.mkdir()
        files = trees.count(source)
        with self.spreading(source, targets, work) as tool:
            usage = until_copied(tool, files)
        trees.remove_markers(source)
        for each in targets:
            trees.assert_equal(source, each)
        return usage


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return what a first copy takes all the tools."""
    files, size = plan.pick(10_000, 1000), 4096
    source = workshop.new_folder()
    trees.fill(source, files, size)
    tools: list[Contestant] = [
        Copy(),
        Rsync(),
        RsyncDurable(),
        Rclone(),
        Unison(),
        Lsyncd(0),
        Lsyncd(1),
        Syncthing(),
        Syncd(),
    ]
    title = f"First copy of {files:,} files of {size:,} bytes"
    return race(workshop, title, tools, source, plan.pick(5, 1))


def measure_many(workshop: Workshop, plan: Plan) -> Result:
    """Return what a first copy of very many files takes, to one and three targets."""
    files, size = plan.pick(100_000, 2000), 1024
    source = workshop.new_folder()
    trees.fill(source, files, size)
    tools: list[Contestant] = [
        Rsync(),
        RsyncDurable(),
        Rclone(),
        Syncd(),
        SyncdToThree(),
    ]
    title = f"First copy of {files:,} files of {size:,} bytes"
    return race(workshop, title, tools, source, plan.pick(3, 1))


def measure_big(workshop: Workshop, plan: Plan) -> Result:
    """Return what a first copy of one large file takes."""
    size = plan.pick(4 * GIGABYTE, GIGABYTE // 16)
    source = workshop.new_folder()
    trees.fill_one(source / "big", size)
    tools: list[Contestant] = [Copy(), Rsync(), RsyncDurable(), Syncd()]
    title = f"First copy of one file of {size / GIGABYTE:g} GiB"
    return race(workshop, title, tools, source, plan.pick(3, 1), keep=False)


def race(
    workshop: Workshop,
    title: str,
    tools: Sequence[Contestant],
    source: Path,
    runs: int,
    *,
    keep: bool = True,
) -> Result:
    """Return the medians; the tools take turns, each into new folders.

    Copies stay until all is over, unless they are few and large.
    """
    taken: dict[str, list[Usage]] = {tool.name: [] for tool in tools}
    for tool in turns(tools, runs):
        target, work = workshop.new_folder(), workshop.new_folder()
        trees.settle_disk()
        taken[tool.name].append(tool.copy(source, target, work))
        if not keep:
            shutil.rmtree(target)
    return _told(title, [tool for tool in tools if taken[tool.name]], taken)


def _told(
    title: str, tools: Sequence[Contestant], taken: dict[str, list[Usage]]
) -> Result:
    seconds = {
        tool.name: median(usage.seconds for usage in taken[tool.name]) for tool in tools
    }
    peers = {name: took for name, took in seconds.items() if not name.startswith(OURS)}
    result = Result(title)
    for tool in sorted(tools, key=lambda tool: seconds[tool.name]):
        row: Row = {
            "tool": tool.name,
            "survives a power cut": str(tool.durable),
            "seconds": seconds[tool.name],
        }
        if peers:
            row["x best peer"] = seconds[tool.name] / min(peers.values())
        if YARDSTICK in seconds:
            row[f"x {YARDSTICK}"] = seconds[tool.name] / seconds[YARDSTICK]
        row["CPU seconds"] = median(usage.cpu for usage in taken[tool.name])
        row["peak RSS MB"] = median(usage.megabytes for usage in taken[tool.name])
        row["n"] = len(taken[tool.name])
        result.rows.append(row)
    durable = [tool.name for tool in tools if tool.durable is not Durable.NO]
    result.notes += _ratios(seconds, [name for name in durable if name in peers])
    return result


def _ratios(seconds: dict[str, float], durable: Sequence[str]) -> list[str]:
    notes = []
    if durable:
        best = min(durable, key=seconds.__getitem__)
        ratio = seconds[OURS] / seconds[best]
        notes.append(
            f"syncd takes {ratio:.2f} x {best}, the fastest peer whose copy"
            " survives a power cut"
        )
    if SyncdToThree.name in seconds:
        ratio = seconds[SyncdToThree.name] / seconds[OURS]
        notes.append(f"three targets take {ratio:.2f} x one target")
    return notes
