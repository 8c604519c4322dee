"""What is counted of jobs and vaults, with labels that are there from the start."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from syncd.core.backup import VaultView
from syncd.core.job import Job, Kind, State

BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
"""Seconds that jobs took, at most."""

ENDS = tuple(state for state in State if state.final)


class Sourced(Struct):
    """What is known of one source's vaults."""

    last_success: float = 0.0
    """When the newest valid vault was made; 0: there is none."""
    last_proven: float = 0.0
    """When a vault was last restored in a drill; 0: never."""
    vaults: int = 0
    failed: int = 0
    bytes: int = 0
    """That the vaults added to their store."""


class Figures:
    """Counts since the daemon was started, and what the catalogue says."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[Kind, State]] = Counter()
        self.seconds: dict[Kind, list[int]] = {
            kind: [0] * (len(BUCKETS) + 1) for kind in Kind
        }
        """Jobs by how long they took: each bucket by itself, the last beyond all."""
        self.total: Counter[Kind] = Counter()
        """Milliseconds that jobs took."""
        self.sources: dict[tuple[str, str], Sourced] = {}
        """By store and source."""

    def expect(self, store: str, sources: Iterable[str]) -> None:
        """Have figures for these sources, even while there is nothing to tell."""
        for source in sources:
            self.sources.setdefault((store, source), Sourced())

    def count(self, job: Job) -> None:
        """Count a job that has ended."""
        self.ended[job.kind, job.state] += 1
        if job.started is None or job.ended is None:
            return
        took = max(0.0, job.ended - job.started)
        place = sum(took > bucket for bucket in BUCKETS)
        self.seconds[job.kind][place] += 1
        self.total[job.kind] += round(took * 1000)

    def look(self, store: str, views: Iterable[VaultView]) -> None:
        """Take in what the catalogue says of a store."""
        fresh = {key: Sourced() for key in self.sources if key[0] == store}
        for view in views:
            one = fresh.setdefault((store, view.summary.source), Sourced())
            one.vaults += 1
            one.bytes += view.summary.stored
            one.failed += not view.valid
            if view.valid:
                one.last_success = max(one.last_success, view.summary.made)
            one.last_proven = max(one.last_proven, view.proven or 0.0)
        self.sources.update(fresh)
