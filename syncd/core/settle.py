"""Turn a storm of raw file events into paths that are at rest and worth a look.

It never looks at a clock or a disk: whoever feeds it says what time it is and
what was found. A path is *due* when it should be looked at. Looked at, it is
either at rest, or due again later:

* closed after writing: at rest at once, unless some process still has it open
  for writing;
* gone: a moment later, so that what was only renamed is found at its new place
  before its absence is noticed; and where much goes, when it pauses, so that it is
  noticed as one;
* only touched: a folder or a link at once, a file after it kept size and
  modification time for the quiet time with nobody writing.
"""

import heapq

from msgspec import Struct

Evidence = tuple[int, int]
"""What must not change while a file is watched for rest: size and mtime."""

SOON = 0.005
"""Seconds until a file is looked at again that was closed but not by everybody."""


DEPARTED = 0.02
"""Seconds until a path that something left is looked at."""

BULK = 10
"""So many paths left at once are much."""
LULL, PATIENCE = 0.05, 0.25
"""Seconds after which much pauses, and for which that is waited for at most."""

AGAIN, LONGEST = 1.0, 60.0
"""Seconds until a path that could not be looked at is tried again: doubled each time,
from first to longest."""


class _Path(Struct):
    due: float
    """When to look at it; negative while it is being looked at."""
    since: float
    """When it last showed signs of being written to."""
    sure: bool = False
    """Whether a close or a deletion said that it came to rest."""
    pause: float = SOON
    again: float = AGAIN
    evidence: Evidence | None = None
    departed: bool = False
    """Whether something left it, and nobody has looked since."""


class Settler:
    """Remembers paths that something happened to, until they are at rest."""

    def __init__(self, quiet: float = 2.0) -> None:
        self._quiet = quiet
        self._paths: dict[str, _Path] = {}
        self._queue: list[tuple[float, str]] = []
        self.departed = 0
        """How many paths are still to be looked at because something left them."""
        self._first_left = self._last_left = 0.0

    def __len__(self) -> int:
        return len(self._paths)

    def touch(self, path: str, now: float) -> None:
        """Note that something happened to the path, and more may follow."""
        known = self._paths.get(path)
        if known is None or known.due < 0:
            self._enter(path, _Path(due=now, since=now))
        else:
            known.since = now

    def closed(self, path: str, now: float) -> None:
        """Note that the path came to rest: closed after writing, or come complete."""
        self._enter(path, _Path(due=now, since=now, sure=True))

    def gone(self, path: str, now: float) -> None:
        """Note that nothing may lie at the path any more."""
        if not self.departed:
            self._first_left = now
        self._last_left = now
        self._enter(path, _Path(now + DEPARTED, now, sure=True, departed=True))

    def has_departed(self, path: str) -> bool:
        """Tell whether the path is still to be looked at because something left it."""
        known = self._paths.get(path)
        return known is not None and known.departed

    def lull(self, now: float) -> float:
        """Return after how many seconds what leaves in bulk pauses; 0: none does."""
        if self.departed < BULK:
            return 0.0
        until = min(self._last_left + LULL, self._first_left + PATIENCE)
        return max(0.0, until - now)

    def due(self, now: float, most: int) -> list[str]:
        """Return, and take off, the paths to look at now; tell ``looked`` of each.

        After ``most`` it stops, put off or not: there may be as many more.
        """
        ready: list[str] = []
        lull = self.lull(now)
        for _ in range(most):
            if not self._queue or self._queue[0][0] > now:
                break
            due, path = heapq.heappop(self._queue)
            known = self._paths.get(path)
            if known is None or known.due != due:
                continue
            if lull and known.departed:
                known.due = now + lull
                heapq.heappush(self._queue, (known.due, path))
            else:
                known.due = -1.0
                self.departed -= known.departed
                known.departed = False
                ready.append(path)
        return ready

    def looked(
        self,
        path: str,
        now: float,
        evidence: Evidence | None,
        *,
        written_to: bool,
        moving: bool = False,
    ) -> bool:
        """Tell whether a path that was due is at rest, and forget it if so.

        ``evidence`` is None when it is not a file, or is as it was known before.
        ``moving`` is for what is gone while places are looked through where it may
        have been moved to; that is waited for, but not longer than the quiet time.
        """
        known = self._paths.get(path)
        if known is None:
            return True
        if known.due >= 0:
            return False  # Something happened while it was looked at.
        if moving and now < known.since + self._quiet:
            self.departed += 1
            known.departed = True
            self._look_later(path, known, now)
            return False
        if not written_to and (evidence is None or known.sure):
            del self._paths[path]
            return True
        return self._wait(path, known, now, evidence, written_to)

    def failed(self, path: str, now: float) -> None:
        """Note that the path could not be looked at; it is due again later."""
        known = self._paths.get(path)
        if known is not None and known.due >= 0:
            return  # Something happened since, so it is looked at anyway.
        pause = known.again if known is not None else AGAIN
        again = min(pause * 2, LONGEST)
        self._enter(path, _Path(due=now + pause, since=now, sure=True, again=again))

    def wait(self, now: float) -> float | None:
        """Return how long to sleep until a path is due; None if none is."""
        while self._queue:
            due, path = self._queue[0]
            known = self._paths.get(path)
            if known is not None and known.due == due:
                return max(0.0, due - now)
            heapq.heappop(self._queue)
        return None

    def _enter(self, path: str, state: _Path) -> None:
        known = self._paths.get(path)
        self.departed += state.departed - (known is not None and known.departed)
        self._paths[path] = state
        heapq.heappush(self._queue, (state.due, path))

    def _wait(
        self,
        path: str,
        known: _Path,
        now: float,
        evidence: Evidence | None,
        written_to: bool,
    ) -> bool:
        """Decide for a file that may be in the middle of being written."""
        if written_to or evidence != known.evidence:
            known.since = now
        elif now >= known.since + self._quiet:
            del self._paths[path]
            return True
        known.evidence = evidence
        if known.sure:
            self._look_later(path, known, now)
        else:
            known.due = max(now, known.since + self._quiet)
            heapq.heappush(self._queue, (known.due, path))
        return False

    def _look_later(self, path: str, known: _Path, now: float) -> None:
        known.due = now + known.pause
        known.pause = min(known.pause * 2, self._quiet)
        heapq.heappush(self._queue, (known.due, path))
