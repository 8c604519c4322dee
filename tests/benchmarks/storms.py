"""A thousand changes at once: created, overwritten, renamed with their folder, deleted.

Deletions free inodes, and creating files after that is slow for minutes: all
rounds of one kind come before any of the next, and this table is the last one.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks import trees
from tests.benchmarks.contestant import turns
from tests.benchmarks.followers import Follower, Following, Lsyncd, wait_gently
from tests.benchmarks.ours import Syncd
from tests.benchmarks.plan import Plan, Result, Row, against
from tests.benchmarks.usage import cpu_seconds
from tests.benchmarks.workshop import Workshop

SIZE = 1024
OVERWRITTEN = 1000
"""Bytes; another size, so that looking at the folders is enough to see it arrive."""


class Site(NamedTuple):
    """A tool at work, and where."""

    tool: Following
    source: Path
    target: Path
    used_before: float
    """CPU seconds until it was ready for the first storm."""


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return seconds from the start of an action until the folders are equal."""
    files, runs = plan.pick((1000, 5), (200, 1))
    followers: list[Follower] = [Syncd(), Lsyncd(0)]
    kinds: dict[str, Callable[[Path, int], None]] = {
        "create s": lambda root, run: _write(root / f"{run}", files, SIZE),
        "overwrite s": lambda root, run: _write(root / f"{run}", files, OVERWRITTEN),
        "rename folder s": _rename,
        "delete s": lambda root, run: shutil.rmtree(root / f"renamed {run}"),
    }
    result = Result(f"Storms of {files:,} files of {SIZE:,} bytes in one folder")
    with ExitStack() as stack:
        sites = {
            each.name: _open(stack, workshop, each)
            for each in followers
            if each.is_here()
        }
        rows: dict[str, Row] = {name: {"tool": name} for name in sites}
        for kind, act in kinds.items():
            took = _rounds(followers, sites, runs, act)
            for name, row in rows.items():
                row[kind] = median(took[name])
        for name, row in rows.items():
            site = sites[name]
            row["CPU seconds, all"] = cpu_seconds(site.tool.pids) - site.used_before
            row["n"] = runs
            trees.assert_equal(site.source, site.target)
    result.rows = list(rows.values())
    result.notes = against(result.rows, Lsyncd(0).name, list(kinds))
    return result


def _open(stack: ExitStack, workshop: Workshop, follower: Follower) -> Site:
    source, target, work = (workshop.new_folder() for _ in range(3))
    trees.fill(source / "there before", trees.PER_FOLDER, SIZE)
    tool = stack.enter_context(follower.following(source, target, work))
    wait_gently(lambda: tool.has_copied(trees.PER_FOLDER))
    return Site(tool, source, target, cpu_seconds(tool.pids))


def _rounds(
    followers: Sequence[Follower],
    sites: dict[str, Site],
    runs: int,
    act: Callable[[Path, int], None],
) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in sites}
    turn: dict[str, int] = dict.fromkeys(sites, 0)
    for follower in turns(followers, runs):
        name = follower.name
        os.sync()
        took[name].append(_once(sites[name], turn[name], act))
        turn[name] += 1
    return took


def _once(site: Site, run: int, act: Callable[[Path, int], None]) -> float:
    begin = time.perf_counter()
    act(site.source, run)
    names = (f"{run}", f"renamed {run}")
    wanted = [trees.sizes(site.source / name) for name in names]
    wait_gently(lambda: [trees.sizes(site.target / name) for name in names] == wanted)
    took = time.perf_counter() - begin
    files = trees.count(site.source)
    wait_gently(lambda: site.tool.has_copied(files), site.tool.look_every)
    return took


def _write(folder: Path, files: int, size: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(files):
        (folder / f"{number}").write_bytes(os.urandom(size))


def _rename(root: Path, run: int) -> None:
    (root / f"{run}").rename(root / f"renamed {run}")
