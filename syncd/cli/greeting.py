"""What a person on a terminal is told when the daemon is ready."""

from typing import Any

from rich.text import Text

from syncd.cli import show
from syncd.cli.options import PREFIX, segment
from syncd.config import Config


def greet(config: Config) -> None:
    """Say what is served and what to try."""
    out = show.console(stderr=True)
    url = f"{'https' if config.tls else 'http'}://{config.listen[0]}"
    entries = [(name, _where(entry.shown())) for name, entry in config.entries.items()]
    out.print(Text(f"\nsyncd keeps {show.counted(len(entries), 'entry')} in step."))
    table = show.table("entry", "where")
    for name, where in entries:
        show.row(table, name, where)
    out.print(table)
    out.print(Text(f"It answers at {url}. In another terminal, try:\n"))
    for line in _tries(url, entries):
        out.print(Text("  " + line, style="cyan"))
    out.print(Text("\nCtrl-C ends it."))


def _where(options: dict[str, Any]) -> str:
    """Return where an entry lies: its root, or else all its options."""
    if "root" in options:
        return str(options["root"])
    return ", ".join(f"{name}: {value}" for name, value in options.items())


def _tries(url: str, entries: list[tuple[str, str]]) -> list[str]:
    name, _ = entries[0]
    return [
        f"curl {url}{PREFIX}/files",
        f"curl {url}{PREFIX}/entries/{segment(name)}/status",
        f"curl -N {url}{PREFIX}/events",
        "syncd status --watch",
    ]
