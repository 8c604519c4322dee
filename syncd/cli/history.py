"""syncd history: what is kept of a file."""

import os
from typing import Any

import click

from syncd.cli import show
from syncd.cli.client import Answer, Client, client
from syncd.cli.naming import inside_an_entry
from syncd.cli.options import talks, wants_json
from syncd.core import path as paths
from syncd.errors import NotFound


@click.command()
@click.argument("path")
@talks
def history(path: str) -> None:
    """List the contents of a file that syncd replaced or deleted, and keeps.

    PATH is the name inside the entries, or where the file lies, or lay, on this disk.

    \b
    Example:  syncd history docs/a.txt
    """
    with client() as daemon:
        answer = _found(daemon, path)
    if wants_json():
        return show.document(answer.text)
    said = answer.document
    if said["versions"]:
        _print(said["versions"])
    else:
        show.console().print("nothing is kept of it")
    return show.unheard(said["unheard"])


def _print(versions: list[dict[str, Any]]) -> None:
    table = show.table("taken away", "on", "why", "size", "version", right=["size"])
    for one in versions:
        show.row(
            table,
            show.moment(one["at"]),
            one["entry"],
            one["why"],
            show.amount(one["size"]),
            one["version"],
        )
    show.console().print(table)


def _found(daemon: Client, path: str) -> Answer:
    """Return the history of a file, by its name or by its place on this disk."""
    try:
        return _asked(daemon, path)
    except NotFound as error:
        inside = inside_an_entry(daemon, path)
        if inside is None:
            raise NotFound(f"{path}: {error}") from None
    return _asked(daemon, inside)


def _asked(daemon: Client, path: str) -> Answer:
    name = paths.checked(paths.from_bytes(os.fsencode(path)))
    return daemon.get(f"/files/{paths.fid(name)}/history")
