"""How answers look: tables and colours for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from syncd import text
from syncd.core import path

STYLES = {
    "active": "green",
    "starting": "cyan",
    "stopped": "dim",
    "suspended": "bold red",
    "failing": "bold red",
    "held": "yellow",
    "queued": "cyan",
    "running": "cyan",
    "canceling": "yellow",
    "successful": "green",
    "failed": "bold red",
    "canceled": "yellow",
}
"""The colour of an entry's state, and of a job's."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def console(*, stderr: bool = False) -> Console:
    """Return where to write for people: in colour on terminals, unless NO_COLOR is set.

    A pipe gets lines of any length, so that grep finds whole paths.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(
        file=stream, width=width, highlight=False, soft_wrap=width is not None
    )


def document(text: str) -> None:
    """Print a JSON document as it came."""
    click.echo(text.rstrip("\n"))


def made(value: Any) -> None:
    """Print a JSON document of our own."""
    document(json.dumps(value, ensure_ascii=False))


def table(*columns: str, right: Iterable[str] = ()) -> Table:
    """Return an empty table; the columns in ``right`` hold figures."""
    result = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold"
    )
    for column in columns:
        figures = column in right
        result.add_column(
            column,
            justify="right" if figures else "left",
            no_wrap=figures,
            overflow="fold",
        )
    return result


def row(to: Table, *cells: object) -> None:
    """Add a line of plain texts (nothing in a name is taken for markup)."""
    to.add_row(
        *(
            cell if isinstance(cell, Text) else Text(printable(str(cell)))
            for cell in cells
        )
    )


def state(name: str) -> Text:
    """Return the state of an entry or a job in its colour."""
    return Text(name, style=STYLES.get(name, ""))


def amount(size: float | None) -> str:
    """Return a number of bytes for people: 0 B, 4 KiB, 1.5 GiB."""
    if size is None:
        return ""
    power = 0
    while size >= 1024 and power < len(UNITS) - 1:
        size, power = size / 1024, power + 1
    digits = f"{size:.1f}".removesuffix(".0") if size < 100 else f"{size:.0f}"
    return f"{digits} {UNITS[power]}"


def span(seconds: float | None) -> str:
    """Return a duration for people: 0.3 s, 5 min 10 s, 3 h 2 min."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def moment(seconds: float | None) -> str:
    """Return a time in seconds since 1970 as local date and time."""
    if seconds is None:
        return ""
    return (
        datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    )


def instant(seconds: float) -> str:
    """Return a time in seconds since 1970 as local time, with milliseconds."""
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"


def counted(number: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``, ``10,000 entries``."""
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {plural}"


def listed(names: Sequence[str]) -> str:
    """Return names for people: ``A, B and C``."""
    if len(names) < 2:
        return names[0] if names else "none"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def printable(name: str) -> str:
    """Return a text, perhaps a name of a file, on one line and harmless."""
    return text.printable(path.readable(name))


def unheard(entries: Iterable[dict[str, str]]) -> None:
    """Say which entries could not tell what they keep."""
    for one in entries:
        words = f"{one['entry']} could not tell: {one['reason']}"
        console().print(Text(printable(words), style="yellow"))
