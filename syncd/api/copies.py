"""What is measured of backups, for Prometheus; every label is there from the start."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from syncd.api.backups import Counted
from syncd.core.job import Job, Kind, State

SOURCES = {
    "last_success_timestamp_seconds": (
        "last_success",
        "When the newest valid vault was made; 0 if there is none.",
    ),
    "last_proven_timestamp_seconds": (
        "last_proven",
        "When a vault was last restored in a drill; 0 if none ever was.",
    ),
    "vaults": ("vaults", "Vaults in the store."),
    "vaults_not_valid": ("failed", "Vaults that cannot be restored from."),
    "stored_bytes": ("bytes", "What the vaults added to their store."),
}
"""What is told of each source, by the name of its metric."""


class CopiesCollector(Collector):
    """Looks at jobs and vaults when somebody asks."""

    def __init__(self, counted: Counted, now: Callable[[], float]) -> None:
        self._counted = counted
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Give every metric."""
        yield from self._open()
        yield from self._ended()
        yield from self._sources()

    def _open(self) -> Iterator[Metric]:
        jobs, now = list(self._counted.known), self._now()
        about = "Jobs that have not ended, by what they do and how they are."
        count = GaugeMetricFamily("syncd_jobs", about, labels=["kind", "state"])
        about = (
            "How long the job of that kind has waited, or run, that does so longest."
        )
        age = GaugeMetricFamily(
            "syncd_job_oldest_seconds", about, labels=["kind", "state"]
        )
        for kind in Kind:
            for state in State:
                if not state.final:
                    some = [j for j in jobs if (j.kind, j.state) == (kind, state)]
                    labels = [str(kind), str(state)]
                    count.add_metric(labels, len(some))
                    since = min(map(_since, some), default=now)
                    age.add_metric(labels, max(0.0, now - since))
        yield count
        yield age

    def _ended(self) -> Iterator[Metric]:
        figures = self._counted.figures
        about = "Jobs that have ended, since the daemon was started."
        ended = CounterMetricFamily("syncd_jobs_ended", about, labels=["kind", "state"])
        about = "How long jobs took."
        took = HistogramMetricFamily("syncd_job_seconds", about, labels=["kind"])
        names = [*map(str, self._counted.buckets), "+Inf"]
        for kind in Kind:
            for state in State:
                if state.final:
                    number = figures.ended.get((kind, state), 0)
                    ended.add_metric([str(kind), str(state)], number)
            sums = accumulate(figures.seconds[kind])
            buckets = list(zip(names, map(float, sums), strict=True))
            took.add_metric([str(kind)], buckets, figures.total.get(kind, 0) / 1000)
        yield ended
        yield took

    def _sources(self) -> Iterator[Metric]:
        sources = self._counted.figures.sources
        labels = ["store", "source"]
        for name, (field, about) in SOURCES.items():
            gauge = GaugeMetricFamily(f"syncd_backup_{name}", about, labels=labels)
            for key, figures in sources.items():
                gauge.add_metric(list(key), getattr(figures, field))
            yield gauge
        about = "Whether the vaults of the store can be reached."
        gauge = GaugeMetricFamily(
            "syncd_backup_store_reachable", about, labels=["store"]
        )
        for store in sorted({store for store, _ in sources}):
            gauge.add_metric([store], float(not self._counted.trouble(store)))
        yield gauge
        about = "Whether the newest valid vault is older than it may be."
        gauge = GaugeMetricFamily("syncd_backup_stale", about, labels=labels)
        stale = self._counted.stale()
        for key in sources:
            gauge.add_metric(list(key), float(key in stale))
        yield gauge
        yield from self._sounded()

    def _sounded(self) -> Iterator[Metric]:
        known = self._counted.sounding.look()
        labels = ["store", "source"]
        about = "Whether the source could be backed up when it was asked last."
        there = GaugeMetricFamily("syncd_source_reachable", about, labels=labels)
        about = "When the source was last asked how it is."
        at = GaugeMetricFamily(
            "syncd_source_asked_timestamp_seconds", about, labels=labels
        )
        about = "What the source says of itself, in its own words."
        said = GaugeMetricFamily(
            "syncd_source_figure", about, labels=[*labels, "figure"]
        )
        for key, one in known.items():
            there.add_metric(list(key), float(one.health.reachable))
            at.add_metric(list(key), one.at)
            for name, figure in one.health.figures.items():
                said.add_metric([*key, name], figure)
        yield from (there, at, said)


def _since(job: Job) -> float:
    return job.created if job.started is None else job.started
