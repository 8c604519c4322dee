"""syncd itself, as one of the tools that follow changes."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.benchmarks.contestant import Durable
from tests.benchmarks.followers import PATIENCE, Follower, Following
from tests.benchmarks.usage import Usage

SETTINGS = {"guard": {"deletions": 0, "overwrites": 0, "rollbacks": 0}}
"""What entries are told beside their roots: a storm deletes more than guards allow."""

POLL = 0.03
"""Seconds between two questions: each costs the daemon a millisecond or two."""

BUCKET = re.compile(r'^syncd_loop_blocked_seconds_bucket\{le="(\S+)"\} (\S+)$', re.M)


class Placed(Daemon):
    """A daemon whose entries are folders that were there before."""

    worst_block = 0.0
    """How long a loop was blocked, in seconds, at most: a bound of the histogram."""

    def __init__(self, home: Path, roots: Mapping[str, Path]) -> None:
        self._roots = roots
        settings = dict.fromkeys(roots, SETTINGS)
        super().__init__(*roots, settings=settings, started=False, home=home)

    def folder(self, entry: str) -> Path:
        return self._roots[entry]

    @property
    def pid(self) -> int:
        """The supervising process."""
        assert self.process is not None
        return self.process.pid

    def start_unready(self) -> float:
        """Start it; return when, by ``perf_counter``."""
        begun = time.perf_counter()
        self.start(ready=False)
        return begun

    def until_ready(self) -> None:
        """Wait until it serves."""
        wait_for(self.is_ready, PATIENCE, self.log_end, POLL)

    def until_settled(self) -> None:
        """Wait until nothing is left to do."""
        wait_for(lambda: not self.total_pending(), PATIENCE, self.status, POLL)

    def holds(self, files: int) -> bool:
        """Tell whether the API says that all entries hold so many, and it is idle."""
        assert self.process is not None
        assert self.process.poll() is None, self.log_end()
        try:
            answer = self.http("GET", "/status")
        except httpx.TransportError:
            return False
        entries = answer.json()["entries"] if answer.status_code == 200 else [{}]
        return all(
            each.get("files") == files and not each["pending"] for each in entries
        )

    def listen(self, path: str) -> None:
        """Take a stream of events until it ends."""
        headers = {"Accept": "text/event-stream"}
        with self._http.stream("GET", f"/api/v1.0{path}", headers=headers) as events:
            for _ in events.iter_lines():
                pass

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            told = self.http("GET", "/metrics").text
            Placed.worst_block = max(Placed.worst_block, _longest(told))
        super().stop()


class Syncd(Follower):
    """What this is all about."""

    name = "syncd"
    durable = Durable.BY_BATCH

    @contextmanager
    def following(self, source: Path, target: Path, work: Path) -> Iterator[Following]:
        with self.spreading(source, [target], work) as tool:
            yield tool

    @contextmanager
    def spreading(
        self, source: Path, targets: Sequence[Path], work: Path
    ) -> Iterator[Following]:
        """Run it from one folder to several."""
        roots = {f"T{number}": root for number, root in enumerate(targets)}
        with Placed(work, {"A": source, **roots}) as daemon:
            begun = daemon.start_unready()
            yield Following(begun, [daemon.pid], daemon.holds, POLL)


class Stock:
    """A daemon whose two entries hold the same many files; stopped until asked for."""

    def __init__(self, daemon: Placed, files: int, first: Usage) -> None:
        self.daemon = daemon
        self.files = files
        self.first = first
        """What the first copy took."""

    @contextmanager
    def running(self) -> Iterator[Placed]:
        """Run it until the end; it is at rest when it is lent."""
        since = time.time()
        self.daemon.start_unready()
        try:
            self.daemon.until_ready()
            wait_for(lambda: self.daemon.walked(since), PATIENCE, every=POLL)
            yield self.daemon
        finally:
            self.daemon.stop()


def _longest(metrics: str) -> float:
    buckets = [(float(bound), float(n)) for bound, n in BUCKET.findall(metrics)]
    everything = buckets[-1][1]
    return next(bound for bound, n in buckets if n == everything)
