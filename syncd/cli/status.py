"""syncd status: how everything stands, once or live."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from syncd.cli import show
from syncd.cli.client import Answer, Client, client
from syncd.cli.options import talks, wants_json

INTERVAL = 0.5
"""Seconds between two looks."""


@click.command()
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@talks
def status(watch: bool) -> None:
    """Show every entry: its state, what it holds, what it waits for.

    While files are being copied, bars show how far it is.

    \b
    Example:  syncd status --watch
    """
    with client() as daemon:
        if watch:
            _watch(daemon)
        else:
            _show(daemon.get("/status"))


def _show(answer: Answer) -> None:
    if wants_json():
        return show.document(answer.text)
    return show.console().print(picture(answer.document))


def _watch(daemon: Client) -> None:
    """Show it live on a terminal; into a pipe, one after the other."""
    out = show.console()
    if wants_json() or not out.is_terminal:
        for _ in _turns():
            _show(daemon.get("/status"))
    with Live(console=out, auto_refresh=False) as live:
        for _ in _turns():
            live.update(picture(daemon.get("/status").document), refresh=True)


def _turns() -> Iterator[None]:
    """Give a turn every so often until Ctrl-C, which is never lost.

    Python drops an exception that is raised in a destructor: KeyboardInterrupt, too.
    """
    told: list[int] = []

    def tell(number: int, _frame: object) -> None:
        told.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, tell)
    try:
        while not told:
            yield
            time.sleep(INTERVAL)
        raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def picture(document: dict[str, Any]) -> RenderableType:
    """Return the whole of it: the table, the sum of it, and bars for what is copied."""
    parts: list[RenderableType] = [_entries(document["entries"]), _total(document)]
    parts += _unwatched(document["entries"])
    if words := _own_state(document.get("state", {})):
        parts.append(Text(words, style="red"))
    bars = _bars(document)
    if bars.row_count:
        parts += [Text(), bars]
    return Group(*parts)


def _entries(entries: list[dict[str, Any]]) -> Table:
    figures = ["files", "size", "pending", "conflicts", "held"]
    table = show.table("entry", "state", *figures, "reason", right=figures)
    for entry in entries:
        show.row(
            table,
            entry["name"],
            show.state(entry["state"]),
            f"{entry['files']:,}",
            show.amount(entry["bytes"]),
            _noticed(entry["pending"], "cyan"),
            _noticed(entry.get("conflicts", 0), "yellow"),
            _noticed(entry.get("held", 0), "yellow"),
            _reason(entry),
        )
    return table


def _reason(entry: dict[str, Any]) -> str:
    """Return why an entry is as it is, and since when a person is waited for."""
    reason = entry.get("reason") or ""
    since = entry.get("held_since")
    return reason if since is None else f"{reason} (since {show.moment(since)})"


def _noticed(number: int, style: str) -> Text:
    """Return a figure that shows only when there is something to see."""
    return Text(f"{number:,}", style=style if number else "dim")


def _total(document: dict[str, Any]) -> Text:
    pending = sum(entry["pending"] for entry in document["entries"])
    conflicts = document.get("conflicts", 0)
    held = sum(entry.get("held", 0) for entry in document["entries"])
    words = [show.counted(document["files"], "file")]
    if pending:
        words.append(f"{pending:,} pending")
    if held:
        words.append(f"{show.counted(held, 'change')} held until you decide")
    if not pending and not held:
        words.append("everything is in step")
    if conflicts:
        words.append(show.counted(conflicts, "conflict"))
    return Text(", ".join(words), style="dim")


def _unwatched(entries: list[dict[str, Any]]) -> Iterator[Text]:
    """Say of which entries not every change is told; mostly of none."""
    for entry in entries:
        if not entry.get("unwatched"):
            continue
        folders = show.counted(entry["unwatched"], "folder")
        words = f"{show.printable(entry['name'])}: {folders} cannot be watched"
        words += f" ({entry['watched_ratio']:.0%} are) and are looked into in turn"
        if (age := entry.get("oldest_unscanned_seconds")) is not None:
            words += f"; the one that waits longest was {age:,.0f} s ago"
        yield Text(words, style="yellow")


def _own_state(state: dict[str, Any]) -> str:
    """Return what people must know of syncd's own state; mostly nothing."""
    if not state.get("usable", True):
        return f"nothing is changed for now: {show.printable(state['reason'])}"
    if "replaced" in state:
        kept = show.printable(state["replaced"])
        return f"the index was damaged and made anew; the old one is {kept}"
    return ""


def _bars(document: dict[str, Any]) -> Table:
    """Return a bar for each entry that lacks something, and for its long transfers."""
    bars = Table.grid(padding=(0, 2))
    for entry in document["entries"]:
        if entry["pending"]:
            done, lacking = entry["files"], entry["pending"]
            told = f"{done:,} of {done + lacking:,}"
            _bar(bars, entry["name"], done, done + lacking, told)
        for transfer in entry.get("in_flight", ()):
            copied, size = transfer["copied"], transfer["bytes"]
            told = f"{show.amount(copied)} of {show.amount(size)}"
            _bar(bars, f"  {transfer['filename']}", copied, size, told)
    return bars


def _bar(to: Table, name: str, done: int, total: int, told: str) -> None:
    bar = ProgressBar(total=max(total, 1), completed=done, width=30)
    to.add_row(Text(show.printable(name)), bar, Text(told))
