"""How long a restart takes when nothing has changed."""

import time
from collections.abc import Sequence
from statistics import median

from tests.acceptance.asking import wait_for
from tests.benchmarks.followers import PATIENCE
from tests.benchmarks.ours import POLL, Stock
from tests.benchmarks.peers import RsyncLooking
from tests.benchmarks.plan import Plan, Result, Row, against
from tests.benchmarks.usage import PeakMemory, Usage, cpu_seconds
from tests.benchmarks.workshop import Workshop


def stock(workshop: Workshop, plan: Plan) -> Stock:
    """Return the folders full of files that several tables are about."""
    return workshop.stock(plan.pick(100_000, 2000), 1024)


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return seconds until it serves, and until everything was walked."""
    many = workshop.stock(1_000_000, 64) if plan.million else stock(workshop, plan)
    files = many.files
    runs = plan.pick(5, 1)
    rsync = RsyncLooking()
    looked: list[Usage] = []
    ready: list[Usage] = []
    walked: list[Usage] = []
    for _ in range(runs):
        if rsync.is_here():
            roots = [many.daemon.folder(entry) for entry in many.daemon.entries]
            looked.append(rsync.copy(roots[0], roots[1], workshop.new_folder()))
        served, settled = _restart(many)
        ready.append(served)
        walked.append(settled)
    rows = [_row("syncd, until ready", ready), _row("syncd, until walked", walked)]
    rows += [_row(rsync.name, looked)] * bool(looked)
    notes = against(rows, rsync.name, ["seconds"])
    return Result(f"Restart with {files:,} files, nothing changed", rows, notes)


def _restart(many: Stock) -> tuple[Usage, Usage]:
    daemon = many.daemon
    since = time.time()
    begun = daemon.start_unready()
    with PeakMemory([daemon.pid]) as peak:
        daemon.until_ready()
        ready = time.perf_counter() - begun
        used = cpu_seconds([daemon.pid])
        wait_for(lambda: daemon.walked(since), PATIENCE, daemon.status, POLL)
        walked = time.perf_counter() - begun
        used_in_all = cpu_seconds([daemon.pid])
    daemon.stop()
    return (
        Usage(ready, used, peak.megabytes),
        Usage(walked, used_in_all, peak.megabytes),
    )


def _row(tool: str, taken: Sequence[Usage]) -> Row:
    return {
        "tool": tool,
        "seconds": median(usage.seconds for usage in taken),
        "CPU seconds": median(usage.cpu for usage in taken),
        "peak RSS MB": median(usage.megabytes for usage in taken),
        "n": len(taken),
    }
