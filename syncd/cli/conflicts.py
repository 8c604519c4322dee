"""syncd conflicts: what two entries changed without knowing of each other."""

from typing import Any

import click
from click.shell_completion import CompletionItem
from rich.table import Table

from syncd.cli import show
from syncd.cli.client import client
from syncd.cli.entries import known
from syncd.cli.naming import asked
from syncd.cli.options import talks, wants_json

BOTH = "both"


def _to_keep(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    both = [CompletionItem(BOTH)] if BOTH.startswith(incomplete) else []
    return known(context, parameter, incomplete) + both


@click.group()
@talks
def conflicts() -> None:
    """See conflicts, and decide those that wait for a person.

    \b
    Example:  syncd conflicts list
    """


@conflicts.command("list")
@click.option("--offset", type=int, help="How many to skip.  [0]")
@click.option("--limit", type=int, help="How many to show at most.  [20]")
@talks
def list_(offset: int | None, limit: int | None) -> None:
    """List conflicts: what was kept beside the winner, and what waits for a person.

    \b
    Example:  syncd conflicts list --limit 100
    """
    with client() as daemon:
        answer = daemon.get("/conflicts", offset=offset, limit=limit)
    if wants_json():
        return show.document(answer.text)
    table = show.table("file", "conflict", "size", "changed", right=["size"])
    for conflict in answer.document["conflicts"]:
        _add(table, conflict)
    out = show.console()
    out.print(table)
    shown, total = len(answer.document["conflicts"]), answer.document["total"]
    if total > shown:
        out.print(f"{shown:,} of {show.counted(total, 'conflict')}", style="dim")
    return None


@conflicts.command()
@click.argument("path")
@click.option(
    "--keep",
    required=True,
    metavar="ENTRY|both",
    shell_complete=_to_keep,
    help="Whose content all are to have; both to keep all of them beside each other.",
)
@talks
def resolve(path: str, keep: str) -> None:
    """Decide a conflict that waits for a person (conflict: manual).

    What the other entries hold is replaced, unless both are kept. PATH is the name
    inside the entries, or where the file lies on this disk.

    \b
    Example:  syncd conflicts resolve docs/a.txt --keep A
    """
    with client() as daemon:
        answer = asked(
            daemon,
            path,
            lambda fid: daemon.post(f"/conflicts/{fid}/resolve", {"keep": keep}),
        )
    if wants_json():
        return show.document(answer.text)
    what = "both are kept" if keep == BOTH else f"what {keep} holds is kept"
    return click.echo(show.printable(f"{path}: {what}"))


def _add(to: Table, conflict: dict[str, Any]) -> None:
    name, sides = conflict["filename"], conflict.get("sides", [])
    if not sides:
        _row(to, name, f"kept from {conflict['conflict_of']}", conflict)
    for side in sides:
        _row(to, name, f"waits for a decision: {side['entry']} holds this", side)


def _row(to: Table, name: str, words: str, facts: dict[str, Any]) -> None:
    size, changed = show.amount(facts["size"]), show.moment(facts["mtime"])
    show.row(to, name, words, size, changed)
