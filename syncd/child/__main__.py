"""python -m syncd.child NAME --link PATH --parent PID: tend one entry."""

import argparse
import asyncio
import gc
import os
import resource
import selectors
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from syncd import clock
from syncd.child import parents
from syncd.child.entry import Entry

GRACE = 4.0
"""Seconds to end in an orderly way; then whatever still runs is cancelled ..."""

LAST_RESORT = 9
"""... and then the system ends us; what a write leaves, the next start clears."""

SWITCH = 0.0002
"""Seconds after which a busy thread lets another one go on.

A thread that writes files asks for its turn after every system call; with the
5 ms that Python gives the loop otherwise, it would mostly wait.
"""

SEARCHES = (10_000, 20, 100)
"""How rarely to search for garbage: almost all that a batch makes goes by itself."""


class TimedSelector(selectors.EpollSelector):
    """Measures how long the loop does something else than wait for news."""

    def __init__(self) -> None:
        super().__init__()
        self._woke = clock.monotonic()
        self._longest = 0.0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for news."""
        self._longest = max(self._longest, clock.monotonic() - self._woke)
        news = super().select(timeout)
        self._woke = clock.monotonic()
        return news

    def longest(self) -> float:
        """Return the longest time since this was last asked."""
        longest, self._longest = self._longest, 0.0
        return longest


async def tend(name: str, link: Path, parent: int, blocked: Callable[[], float]) -> int:
    """Tend the entry until the parent says so, or dies; return the exit code."""
    entry = Entry(name, link, blocked)
    work = asyncio.create_task(entry.run(), name=f"entry {name}")
    failures: list[BaseException] = []

    def stop(how: Callable[[], None]) -> None:
        signal.alarm(LAST_RESORT)
        how()
        loop.call_later(GRACE, work.cancel)

    def fail(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        known = isinstance(error, BaseException)
        failures.append(error if known else RuntimeError(str(context)))  # type: ignore[arg-type]
        work.cancel()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fail)
    loop.add_signal_handler(signal.SIGTERM, stop, entry.stop)
    watched = parents.watch(parent, lambda: stop(entry.orphaned))
    await asyncio.wait([work])
    if not work.cancelled() and (error := work.exception()) is not None:
        failures.append(error)
    for error in failures:
        entry.tell_end(error)
    entry.close()
    loop.remove_reader(watched)
    os.close(watched)
    parents.deaf(loop)
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one child; SIGINT is the business of the parent, whose terminal we share."""
    parser = argparse.ArgumentParser(prog="syncd.child", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--link", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    args = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.setswitchinterval(SWITCH)
    gc.freeze()
    gc.enable()
    gc.set_threshold(*SEARCHES)
    selector = TimedSelector()
    with asyncio.Runner(
        loop_factory=lambda: asyncio.SelectorEventLoop(selector)
    ) as runner:
        return runner.run(tend(args.name, args.link, args.parent, selector.longest))


if __name__ == "__main__":
    sys.exit(main())
