"""What it costs to have it running."""

import time
from collections.abc import Sequence

from tests.benchmarks import trees
from tests.benchmarks.followers import Follower, Lsyncd, settled
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.restarting import stock
from tests.benchmarks.usage import (
    cpu_seconds,
    family,
    megabytes,
    proportional_megabytes,
)
from tests.benchmarks.workshop import Workshop


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return memory and CPU at rest, with all the files in place."""
    many = stock(workshop, plan)
    seconds = plan.pick(plan.idle_seconds, 2.0)
    result = Result(f"At rest for {seconds:g} s, {many.files:,} files in place")
    with many.running() as daemon:
        result.rows.append(_idle("syncd", [daemon.pid], seconds))
    peer: Follower = Lsyncd(0)
    if peer.is_here():
        source, target, work = (workshop.new_folder() for _ in range(3))
        trees.fill(source, many.files, 1024)
        with peer.following(source, target, work) as tool:
            settled(tool, source)
            result.rows.append(_idle(peer.name, tool.pids, seconds))
    result.notes += [
        f"syncd's peak while copying them: {many.first.megabytes:.0f} MB (RSS)",
        "RSS counts what processes share once for each; PSS counts it once",
    ]
    return result


def _idle(tool: str, pids: Sequence[int], seconds: float) -> Row:
    before, begin = cpu_seconds(pids), time.perf_counter()
    time.sleep(seconds)
    used, took = cpu_seconds(pids) - before, time.perf_counter() - begin
    return {
        "tool": tool,
        "RSS MB": megabytes(pids),
        "PSS MB": proportional_megabytes(pids),
        "processes": len(family(pids)),
        "idle CPU %": 100 * used / took,
    }
