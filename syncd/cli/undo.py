"""syncd undo: bring back what syncd replaced or deleted."""

import base64
import os
from typing import Any

import click

from syncd.cli import show
from syncd.cli.client import Client, client
from syncd.cli.moments import FORMS, Moment
from syncd.cli.naming import inside_an_entry
from syncd.cli.options import talks, wants_json
from syncd.core import path as paths
from syncd.errors import BadRequest, NotFound


@click.command()
@click.argument("path")
@click.option("--at", type=Moment(), metavar="TIME", help=f"As it was then: {FORMS}.")
@click.option("--version", metavar="VERSION", help="One that `syncd history` lists.")
@click.option("--entry", metavar="ENTRY", help="Only what this entry keeps.")
@click.option("--dry-run", is_flag=True, help="Only tell what would come back.")
@talks
def undo(
    path: str,
    at: float | None,
    version: str | None,
    entry: str | None,
    dry_run: bool,
) -> None:
    """Bring back what syncd replaced or deleted, a file or all below a folder.

    Of a file, the content before its last change comes back; below a folder, what is
    gone. With --at, all that has changed since comes back as it was then. It spreads
    like any other change, and what it replaces is kept, so that it can be undone.

    PATH is the name inside the entries, or the place on this disk; / is everything.

    \b
    Example:  syncd undo docs --at 14:30 --dry-run
    """
    wish = {"entry": entry, "version": version, "at": at}
    with client() as daemon:
        if version is not None:
            if at is not None or dry_run:
                raise BadRequest("--version says all; leave out --at and --dry-run")
            answer = _ask_one(daemon, path, wish)
        else:
            answer = _ask(daemon, path, {**wish, "dry_run": dry_run})
    if wants_json():
        return show.document(answer.text)
    if version is not None:
        return _print_one(answer.document["restored"])
    return _print(answer.document)


def _ask(daemon: Client, path: str, wish: dict[str, Any]) -> Any:
    """Ask by name, and by the place on this disk if there is no such name."""
    body = {key: value for key, value in wish.items() if value is not None}
    try:
        return daemon.post("/undo", {**body, **_named(path)})
    except NotFound:
        inside = inside_an_entry(daemon, path)
        if inside is None:
            raise
    return daemon.post("/undo", {**body, **_named(inside)})


def _ask_one(daemon: Client, path: str, wish: dict[str, Any]) -> Any:
    body = {key: value for key, value in wish.items() if value is not None}
    try:
        return daemon.post(f"/files/{_fid(path)}/undo", body)
    except NotFound:
        inside = inside_an_entry(daemon, path)
        if inside is None:
            raise
    return daemon.post(f"/files/{_fid(inside)}/undo", body)


def _fid(path: str) -> str:
    return paths.fid(paths.checked(paths.from_bytes(os.fsencode(path))))


def _named(path: str) -> dict[str, str]:
    raw = os.fsencode("" if path == "." else path)
    try:
        return {"path": raw.decode()}
    except UnicodeDecodeError:
        return {"path_base64": base64.b64encode(raw).decode()}


def _print(said: dict[str, Any]) -> None:
    out = show.console()
    table = show.table("file", "size", "taken away", "why", "from", right=["size"])
    for one in said["examples"]:
        show.row(
            table,
            one["filename"],
            show.amount(one["size"]),
            show.moment(one["at"]),
            one["why"],
            one["entry"],
        )
    if said["examples"]:
        out.print(table)
    more = said["files"] - len(said["examples"])
    if more:
        out.print(f"and {more:,} more", style="dim")
    what = f"{show.counted(said['files'], 'file')}, {show.amount(said['bytes'])}"
    told = "would come back; nothing was changed" if said["dry_run"] else "came back"
    out.print(f"{what}, {told}")
    for one in said["passed_over"]:
        words = f"{one['filename']}: {one['reason']}"
        out.print(show.printable(words), style="yellow", markup=False)
    show.unheard(said["unheard"])


def _print_one(one: dict[str, Any]) -> None:
    size, taken = show.amount(one["size"]), show.moment(one["at"])
    words = f"{one['filename']}, {size}, taken away {taken}, came back"
    show.console().print(show.printable(words), markup=False)
