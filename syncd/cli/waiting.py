"""Waiting for a job, with a bar on a terminal, and what its end means for a command."""

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from syncd.cli import show
from syncd.cli.client import Client, Event
from syncd.cli.options import segment
from syncd.errors import Conflict, StorageError, Unavailable

TRIES = 30
"""How often a daemon that went away is asked again, a second apart."""

LAST = 5
"""Lines of its log that are told of a job that failed."""


def until_ended(daemon: Client, id: str, *, log: bool = False) -> dict[str, Any]:
    """Return a job once it has ended; show how far it is, or its output.

    A daemon that goes away is waited for. Raise Unavailable if it does not come back.
    """
    if log:
        return _follow(daemon, id, _print)
    if not sys.stderr.isatty():
        return _follow(daemon, id, lambda _: None)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30)
    with Progress(*columns, console=show.console(stderr=True), transient=True) as bars:
        bar = bars.add_task("waiting", total=None)

        def hear(event: Event) -> None:
            if event.name in ("progress", "end"):
                done, total = how_far(event.document)
                said = show.printable(described(event.document))
                bars.update(bar, completed=done, total=total, description=said)

        return _follow(daemon, id, hear)


def end(job: dict[str, Any], tail: Callable[[], str]) -> None:
    """Raise what the end of a job means, unless it was a good one.

    StorageError for one that failed, with the last lines of its log; Conflict for one
    that somebody ended.
    """
    if job["state"] == "canceled":
        raise Conflict(f"the {job['kind']} was ended: {job['error']}")
    if job["state"] == "failed":
        lines = [f"the {job['kind']} failed: {job['error']}"]
        lines += [f"  {line}" for line in tail().splitlines()[-LAST:]]
        raise StorageError("\n".join(lines))


def tail(daemon: Client, id: str) -> Callable[[], str]:
    """Return what fetches the log of a job."""
    return lambda: daemon.text(f"/jobs/{segment(id)}/log")


def how_far(job: dict[str, Any]) -> tuple[float, float | None]:
    """Return how much of a job is done, and of how much; None: nobody can tell."""
    told = job["progress"]
    if told["total_bytes"]:
        return told["bytes"], told["total_bytes"]
    return told["items"], told["total_items"] or None


def described(job: dict[str, Any]) -> str:
    """Return how far a job is, in words."""
    told, parts = job["progress"], [job["state"]]
    if told["phase"]:
        parts.append(told["phase"])
    if told["items"]:
        parts.append(show.counted(told["items"], "item"))
    if told["bytes"]:
        parts.append(show.amount(told["bytes"]))
    if job["seconds_left"] is not None:
        parts.append(f"{show.span(job['seconds_left'])} left")
    return ", ".join(parts)


def _follow(daemon: Client, id: str, hear: Callable[[Event], None]) -> dict[str, Any]:
    last, tries = "", 0
    while True:
        try:
            for event in daemon.events(f"/jobs/{segment(id)}/log", last):
                last, tries = event.id, 0
                hear(event)
                if event.name == "end":
                    ended: dict[str, Any] = event.document
                    return ended
        except Unavailable:
            tries += 1
            if tries > TRIES:
                raise
        time.sleep(1.0 if tries else 0.1)


def _print(event: Event) -> None:
    if event.name == "log":
        sys.stdout.write(harmless(event.document["text"]))
        sys.stdout.flush()


def harmless(text: str) -> str:
    """Return output as it may be shown: on a terminal nothing in it acts up."""
    if not sys.stdout.isatty():
        return text
    lines = text.split("\n")
    return "\n".join(show.printable(line.replace("\t", "    ")) for line in lines)
