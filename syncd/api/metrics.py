"""What is measured, for Prometheus."""

import asyncio
from collections import Counter as CountOf
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from syncd import clock
from syncd.api.backups import Counted
from syncd.api.events import Item
from syncd.api.rooms import Entries, EntryDetails, Rooms, StateView
from syncd.replication.headlines import Refused, Transferred

STATES = (
    "starting",
    "active",
    "suspended",
    "failing",
    "held",
    "stopping",
    "stopped",
)
"""States of an entry that are told from the start."""

STOPS = ("clean", "killed", "power cut")
"""How a run may have ended."""

TRANSFERS = ("done", "failed")
LOOK_EVERY = 0.25
"""Seconds between two looks at how late the loop is."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

GAUGES = {
    "files": "Files of which the entry holds the newest version.",
    "bytes": "Bytes of those files.",
    "uptodate": "What the entry should hold and does.",
    "pending": "What the entry waits for.",
    "blocked": "What the entry cannot take for now.",
    "conflicts": "Conflicts among the entry's files.",
    "held": "Changes that wait for a person, since too many came at once.",
    "watched": "Folders that tell of changes.",
    "unwatched": "Folders that do not, and are looked into one by one, in turn.",
}

LIMITS = {
    "watched_ratio": "The part of the folders that tells of changes.",
    "oldest_unscanned_seconds": (
        "How long ago the folder was looked into that tells of no changes and waits"
        " longest; 0 where all are watched."
    ),
}
"""What is only told of entries at work."""

COUNTERS = {
    "restarts": "How often an entry's process was started again after it died.",
    "overflows": "How often events were lost, and all was compared, since its start.",
}


class Metrics:
    """Everything that is counted, and how long answers and the loop take."""

    def __init__(self, rooms: Rooms) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(_EntryCollector(rooms.entries))
        registry.register(_StateCollector(rooms.state))
        self._requests = Counter(
            "syncd_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "syncd_http_request_seconds",
            "How long answers took.",
            ["method", "route"],
            registry=registry,
        )
        self._late = Histogram(
            "syncd_loop_blocked_seconds",
            "How late the loop was when it was looked at.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=registry,
        )
        self._latest = Gauge(
            "syncd_loop_blocked_latest_seconds",
            "How late the loop was when last looked at.",
            registry=registry,
        )
        self._transfers = Counter(
            "syncd_transfers",
            "Files put on an entry, with or without copying bytes.",
            ["entry", "state"],
            registry=registry,
        )
        self._bytes = Counter(
            "syncd_transferred_bytes",
            "Bytes of content copied to an entry.",
            ["entry"],
            registry=registry,
        )
        for entry in rooms.entries.list():
            self._bytes.labels(entry.name)
            for state in TRANSFERS:
                self._transfers.labels(entry.name, state)
        rooms.news.hear(self._hear)

    def measure(self, copies: Counted, now: Callable[[], float]) -> None:
        """Tell of jobs and vaults, too."""
        # Loaded only now: whoever opens them has loaded more.
        from syncd.api.copies import CopiesCollector  # noqa: PLC0415

        self.registry.register(CopiesCollector(copies, now))

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    async def watch_loop(self) -> None:
        """Measure how late the loop is, until cancelled."""
        while True:
            due = clock.monotonic() + LOOK_EVERY
            await asyncio.sleep(LOOK_EVERY)
            late = max(0.0, clock.monotonic() - due)
            self._late.observe(late)
            self._latest.set(late)

    def _hear(self, _: str, items: Sequence[Item]) -> None:
        done = [item for item in items if isinstance(item, Transferred)]
        for entry, number in CountOf(item.entry for item in done).items():
            self._transfers.labels(entry, "done").inc(number)
            copied = sum(item.copied for item in done if item.entry == entry)
            self._bytes.labels(entry).inc(copied)
        for item in items:
            if isinstance(item, Refused):
                self._transfers.labels(item.entry, "failed").inc()


class _EntryCollector(Collector):
    """Looks at the entries when somebody asks."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def collect(self) -> Iterator[Metric]:
        details = list(self._entries.details())
        for name, about in GAUGES.items():
            gauge = GaugeMetricFamily(f"syncd_entry_{name}", about, labels=["entry"])
            for entry in details:
                gauge.add_metric([entry.name], getattr(entry, name))
            yield gauge
        yield from _limits(details)
        yield from _counters(details)
        yield _states(details)


class _StateCollector(Collector):
    """Looks at how it is with what syncd has to keep when somebody asks."""

    def __init__(self, state: Callable[[], StateView]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        yield GaugeMetricFamily(
            "syncd_state_usable",
            "Whether anything can be recorded; while it cannot, nothing is changed.",
            value=float(state.usable),
        )
        yield GaugeMetricFamily(
            "syncd_index_replaced",
            "Whether a damaged index was moved aside when this run began.",
            value=float(state.replaced is not None),
        )
        about = "1 for how the run before this one ended."
        gauge = GaugeMetricFamily("syncd_last_stop", about, labels=["how"])
        for how in STOPS:
            gauge.add_metric([how], float(how == state.last_stop))
        yield gauge


def _limits(details: Iterable[EntryDetails]) -> Iterator[Metric]:
    known = [entry for entry in details if entry.watched_ratio is not None]
    for name, about in LIMITS.items():
        gauge = GaugeMetricFamily(f"syncd_entry_{name}", about, labels=["entry"])
        for entry in known:
            gauge.add_metric([entry.name], getattr(entry, name) or 0.0)
        yield gauge


def _counters(details: Iterable[EntryDetails]) -> Iterator[Metric]:
    for name, about in COUNTERS.items():
        counter = CounterMetricFamily(f"syncd_entry_{name}", about, labels=["entry"])
        for entry in details:
            counter.add_metric([entry.name], getattr(entry, name))
        yield counter


def _states(details: Iterable[EntryDetails]) -> Metric:
    about = "1 for the state that the entry is in."
    gauge = GaugeMetricFamily("syncd_entry_state", about, labels=["entry", "state"])
    for entry in details:
        for state in dict.fromkeys((*STATES, entry.life)):
            gauge.add_metric([entry.name, state], float(state == entry.life))
    return gauge
