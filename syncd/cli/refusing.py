"""How a command says that it did not work; loads nothing that draws tables."""

import os

import click

from syncd.core import path
from syncd.text import printable


def refused(reason: str) -> None:
    """Say on stderr why it did not work; several faults stand on lines of their own."""
    colour = False if os.environ.get("NO_COLOR") else None
    for line in reason.splitlines() or ["it did not work"]:
        click.secho("syncd: ", fg="red", bold=True, nl=False, err=True, color=colour)
        click.echo(printable(path.readable(line)), err=True, color=colour)
