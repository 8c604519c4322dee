"""python -m tests.benchmarks: the two figures that people notice.

Every run gets new folders and nothing is deleted before the end: a filesystem
from which thousands of files were just deleted is slow for minutes.
"""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tests.benchmarks import copying, latency
from tests.benchmarks.workshop import Workshop

P50_TARGET = 15.0
"""Milliseconds."""
RATIO_TARGET = 3.0


@click.command()
@click.option("--quick", is_flag=True, help="Fewer and smaller runs.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Keep the figures."
)
def main(quick: bool, file: Path | None) -> None:
    """Measure a real daemon on local folders."""
    with Workshop() as workshop:
        figures = {
            "latency": latency.measure(workshop, writes=50 if quick else 500),
            "first_copy": copying.measure(
                workshop, files=1000 if quick else 10_000, runs=1 if quick else 3
            ),
        }
    show(figures)
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n")


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    out = Console(highlight=False)
    quiet, copy = figures["latency"], figures["first_copy"]
    out.print(
        f"\nOne new file of {quiet['size']} bytes on A, complete on B,"
        f" {quiet['writes']} times:\n"
        f"  p50 {quiet['p50']:.1f} ms, p90 {quiet['p90']:.1f} ms,"
        f" p99 {quiet['p99']:.1f} ms, max {quiet['max']:.1f} ms"
        f"  (aim: p50 at most {P50_TARGET:g} ms)"
    )
    table = Table(
        title=f"First copy of {copy['files']:,} files of {copy['size']:,} bytes"
    )
    for column in ("tool", "survives a power cut", "seconds", "CPU seconds", "n"):
        table.add_column(column, justify="left" if column == "tool" else "right")
    for tool in copy["tools"]:
        table.add_row(
            tool["name"],
            "yes" if tool["durable"] else "no",
            f"{tool['seconds']:.2f}",
            f"{tool['cpu']:.2f}",
            str(tool["runs"]),
        )
    out.print(table)
    for name, ratio in copy["ratios"].items():
        out.print(f"  syncd takes {ratio:.2f} x {name}")
    out.print(f"  (aim: at most {RATIO_TARGET:g} x rsync -a)")


if __name__ == "__main__":
    main()
