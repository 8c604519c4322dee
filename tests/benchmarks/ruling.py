"""How long new rules take to change the owners of everything; nothing is copied."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import EVERYWHERE
from tests.benchmarks.followers import PATIENCE
from tests.benchmarks.ours import POLL, Placed
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.restarting import stock
from tests.benchmarks.workshop import Workshop

ONLY_A: list[dict[str, Any]] = [
    {"match": {"path": f"/*{digit}/*"}, "sync": ["A"]} for digit in range(10)
]
"""One rule by the last digit of the folder; B loses everything."""


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return seconds from asking until the answer, and until /status shows it.

    The entry that loses and gets back its copies is stopped meanwhile, so that
    only decisions are measured.
    """
    with stock(workshop, plan).running() as daemon:
        before = daemon.status()
        files = before["files"]
        daemon.stop_entry("B")
        loses: list[tuple[float, float]] = []
        gains: list[tuple[float, float]] = []
        for _ in range(plan.pick(5, 1)):
            daemon.write_rules(ONLY_A)
            loses.append(_reload(daemon, lambda b: b["files"] == 0))
            daemon.write_rules(EVERYWHERE)
            gains.append(_reload(daemon, lambda b: b["files"] + b["pending"] >= files))
        daemon.start_entry("B")
        wait_for(lambda: daemon.holds(files), PATIENCE, daemon.status, POLL)
    rows = [
        _row(f"B loses {files:,} files by {len(ONLY_A)} rules", loses),
        _row(f"B gets back {files:,} files by 1 rule", gains),
    ]
    return Result("New rules, decided only", rows)


def _reload(
    daemon: Placed, shown: Callable[[dict[str, Any]], bool]
) -> tuple[float, float]:
    begin = time.perf_counter()
    daemon.put("/rules/reload")
    answered = time.perf_counter() - begin
    wait_for(lambda: shown(_entry(daemon)), PATIENCE, daemon.status, POLL)
    return answered, time.perf_counter() - begin


def _entry(daemon: Placed) -> dict[str, Any]:
    found: dict[str, Any] = next(
        entry for entry in daemon.status()["entries"] if entry["name"] == "B"
    )
    return found


def _row(what: str, taken: list[tuple[float, float]]) -> Row:
    return {
        "change": what,
        "answered s": median(answered for answered, _ in taken),
        "shown s": median(shown for _, shown in taken),
        "n": len(taken),
    }
