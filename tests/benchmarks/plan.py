"""How much is measured, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from statistics import quantiles
from typing import TypeVar

T = TypeVar("T")
Row = dict[str, float | int | str]
"""Column, with its unit -> figure; what is absent was not measured."""


@dataclass(frozen=True)
class Plan:
    """How thorough a run is."""

    quick: bool = False
    million: bool = False
    idle_seconds: float = 30.0

    def pick(self, full: T, quick: T) -> T:
        """Return the first for real figures, the second to see that it works."""
        return quick if self.quick else full


@dataclass
class Result:
    """One table of figures."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def spread(seconds: list[float]) -> Row:
    """Return the usual points of a distribution, in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {
        "p50 ms": cuts[49] * 1000,
        "p90 ms": cuts[89] * 1000,
        "p99 ms": cuts[98] * 1000,
        "max ms": max(seconds) * 1000,
        "n": len(seconds),
    }


def against(
    rows: Sequence[Row],
    yardstick: str,
    columns: Sequence[str],
    named_by: Sequence[str] = ("tool",),
) -> list[str]:
    """Return notes on how ours compare with one tool; its rows are paired in order."""
    ours = [row for row in rows if str(row["tool"]).startswith("syncd")]
    theirs = [row for row in rows if row["tool"] == yardstick]
    notes = []
    for mine, other in zip(ours, cycle(theirs), strict=False):
        ratios = ", ".join(
            f"{column} x {float(mine[column]) / float(other[column]):.2f}"
            for column in columns
        )
        name = ", ".join(str(mine[column]) for column in named_by)
        notes.append(f"{name}, against {yardstick}: {ratios}")
    return notes
