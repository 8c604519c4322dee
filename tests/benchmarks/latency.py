"""How long one small change takes from A to B on an idle daemon."""

import os
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.benchmarks.workshop import Workshop

SIZE = 128
WARM_UP = 10
PAUSE = 0.02
"""Seconds between two writes, so that each meets an idle daemon."""
LOST = 10.0


def measure(workshop: Workshop, writes: int) -> dict[str, Any]:
    """Return the spread of the time from the write to the complete copy."""
    with workshop.daemon() as daemon:
        daemon.start()
        source, target = daemon.folder("A"), daemon.folder("B")
        times = [
            _once(source / f"{number}", target / f"{number}")
            for number in range(WARM_UP + writes)
        ][WARM_UP:]
        daemon.converged()
    cuts = quantiles(times, n=100, method="inclusive")
    return {
        "size": SIZE,
        "writes": writes,
        "p50": cuts[49] * 1000,
        "p90": cuts[89] * 1000,
        "p99": cuts[98] * 1000,
        "max": max(times) * 1000,
    }


def _once(source: Path, target: Path) -> float:
    time.sleep(PAUSE)
    content = os.urandom(SIZE)
    begin = time.perf_counter()
    source.write_bytes(content)
    while not _is_complete(target):
        if time.perf_counter() - begin > LOST:
            raise AssertionError(f"{target} did not come")
        time.sleep(0.0002)
    took = time.perf_counter() - begin
    assert target.read_bytes() == content
    return took


def _is_complete(target: Path) -> bool:
    try:
        return os.stat(target).st_size == SIZE  # noqa: PTH116 - in the measured loop
    except FileNotFoundError:
        return False
