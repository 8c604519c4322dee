"""How figures are shown and kept, and where they were taken."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.contestant import program
from tests.benchmarks.plan import Result

VERSIONS = {
    "rsync": "--version",
    "lsyncd": "--version",
    "unison": "-version",
    "syncthing": "--version",
    "rclone": "version",
    "restic": "version",
    "borg": "--version",
    "cp": "--version",
}
OUT = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def show(result: Result) -> None:
    """Print one table."""
    columns = _columns(result)
    table = Table(title=result.title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in result.rows:
        table.add_row(*(_cell(row.get(column, "")) for column in columns))
    OUT.print()
    OUT.print(table)
    for note in result.notes:
        OUT.print(f"  {note}")


def keep(file: Path, machine: Mapping[str, Any], results: Mapping[str, Result]) -> None:
    """Write the figures so far as JSON."""
    figures = {name: asdict(result) for name, result in results.items()}
    document = {"machine": machine, "figures": figures}
    file.write_text(json.dumps(document, indent=2) + "\n")


def as_page(machine: Mapping[str, Any], results: Mapping[str, Result]) -> str:
    """Return all figures as a part of the documentation."""
    versions = ", ".join(machine["versions"].values())
    lines = [
        f"Taken {machine['time'][:10]} on {machine['cores']} cores,"
        f" {machine['memory GiB']} GiB of memory, {machine['filesystem']},"
        f" Linux {machine['kernel']}, Python {machine['python']}; {versions}.",
    ]
    for result in results.values():
        columns = _columns(result)
        rows = [[_cell(row.get(name, "")) for name in columns] for row in result.rows]
        lines += ["", f".. csv-table:: {result.title}", "   :header-rows: 1", ""]
        lines += [
            "   " + ", ".join(f'"{cell}"' for cell in row) for row in (columns, *rows)
        ]
        for note in result.notes:
            lines += ["", f"* {note}"]
    return "\n".join(lines) + "\n"


def machine(place: Path) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory GiB": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "filesystem": _filesystem(place),
        "python": platform.python_version(),
        "versions": {name: told for name in VERSIONS if (told := _version(name))},
    }


def _columns(result: Result) -> list[str]:
    return list(dict.fromkeys(key for row in result.rows for key in row))


def _cell(figure: float | str) -> str:
    if isinstance(figure, float):
        return f"{figure:.1f}" if figure >= 100 else f"{figure:.2f}"
    return f"{figure:,}" if isinstance(figure, int) else figure


def _filesystem(place: Path) -> str:
    mounts = [
        each
        for each in psutil.disk_partitions(all=True)
        if place.resolve().is_relative_to(each.mountpoint)
    ]
    best = max(mounts, key=lambda each: len(each.mountpoint), default=None)
    return best.fstype if best else "unknown"


def _version(name: str) -> str:
    path = program(name)
    if path is None:
        return ""
    told = subprocess.run(
        [path, VERSIONS[name]], capture_output=True, text=True, check=False
    )
    words = (told.stdout or told.stderr).partition("\n")[0].strip()
    return words if name in words else f"{name}, {words}"
