"""python -m tests.benchmarks: real daemons on local folders, beside their peers."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import httpx

from tests.benchmarks import (
    backing,
    cataloguing,
    copying,
    couching,
    idling,
    latency,
    listing,
    nodes,
    probes,
    report,
    restarting,
    ruling,
    storms,
    vaulting,
)
from tests.benchmarks.contestant import program
from tests.benchmarks.ours import Placed
from tests.benchmarks.plan import Plan, Result
from tests.benchmarks.workshop import Workshop

TABLES: dict[str, Callable[[Workshop, Plan], Result]] = {
    "latency": latency.measure,
    "copy": copying.measure,
    "copy-many": copying.measure_many,
    "copy-big": copying.measure_big,
    "probes": probes.measure,
    "restart": restarting.measure,
    "idle": idling.measure,
    "listing": listing.measure,
    "rules": ruling.measure,
    "backup": backing.measure,
    "vaults": vaulting.measure,
    "zookeeper": nodes.measure,
    "borg-catalogue": cataloguing.measure,
    "couch": couching.measure,
    "storms": storms.measure,
}
"""In the order in which they are run; what deletes comes last."""

FAILURES = (AssertionError, OSError, httpx.HTTPError, subprocess.SubprocessError)
"""What ends one table, but not the others."""

PEERS = ("rsync", "rclone", "unison", "lsyncd", "syncthing", "restic", "borg")


@click.command()
@click.option("--quick", is_flag=True, help="One small run each: does it work?")
@click.option("--only", multiple=True, type=click.Choice(list(TABLES)))
@click.option("--million", is_flag=True, help="Restart with a million files.")
@click.option("--idle-seconds", default=30.0, help="How long to watch it do nothing.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Keep the figures."
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    help="Write them as a part of the documentation.",
)
@click.option(
    "--place",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(tempfile.gettempdir()),
    help="Where to work; all of it (35 GB without --quick) is removed at the end.",
)
def main(
    *,
    quick: bool,
    only: tuple[str, ...],
    million: bool,
    idle_seconds: float,
    file: Path | None,
    page: Path | None,
    place: Path,
) -> None:
    """Measure syncd and what else is installed, by turns."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    plan = Plan(quick, million, idle_seconds)
    machine = report.machine(place)
    for name, figure in machine.items():
        report.OUT.print(f"{name}: {figure}")
    for name in PEERS:
        if program(name) is None:
            report.OUT.print(f"{name} is not installed; it is left out")
    results: dict[str, Result] = {}
    failed = []
    with Workshop(place) as workshop:
        for name in [name for name in TABLES if name in only or not only]:
            begin = time.monotonic()
            try:
                results[name] = TABLES[name](workshop, plan)
            except FAILURES as error:
                failed.append(name)
                report.OUT.print(f"\n{name} failed: {error}", markup=False)
                continue
            report.show(results[name])
            report.OUT.print(f"  ({time.monotonic() - begin:.0f} s)")
            results.pop("loop", None)
            results["loop"] = loop_blocked()
            if file is not None:
                report.keep(file, machine, results)
            if page is not None:
                page.write_text(report.as_page(machine, results))
        report.show(loop_blocked())
    sys.exit(1 if failed else 0)


def loop_blocked() -> Result:
    """Return how long an event loop of ours stood still, in all runs so far."""
    worst = Placed.worst_block
    title = "How late the loop of the supervising process was, in all these runs"
    return Result(title, [{"looked at": "every 0.25 s", "at most s": worst}])


if __name__ == "__main__":
    main()
