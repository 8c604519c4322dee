"""syncd files: what is known."""

import click

from syncd.cli import show
from syncd.cli.client import client, raw
from syncd.cli.options import talks, wants_json

STATES = ("uptodate", "pending", "blocked", "conflict", "held")


@click.command()
@click.option("--path", metavar="PATH", help="Only this file, or what lies below it.")
@click.option(
    "--owner", metavar="ENTRY", help="Only files that this entry should hold."
)
@click.option("--state", type=click.Choice(STATES), help="Only files in this state.")
@click.option("--offset", type=int, help="How many to skip.  [0]")
@click.option("--limit", type=int, help="How many to show at most.  [20]")
@talks
def files(
    path: str | None,
    owner: str | None,
    state: str | None,
    offset: int | None,
    limit: int | None,
) -> None:
    """List files: who should hold each, and who does.

    \b
    Example:  syncd files --path photos --state pending --limit 100
    """
    with client() as daemon:
        answer = daemon.get(
            "/files",
            path=None if path is None else raw(path),
            owner=owner,
            state=state,
            offset=offset,
            limit=limit,
        )
    if wants_json():
        return show.document(answer.text)
    table = show.table("file", "size", "owners", "up to date", right=["size"])
    for file in answer.document["files"]:
        owners, uptodate = file["owners"], file["uptodate"]
        show.row(
            table,
            file["filename"],
            show.amount(file["size"]),
            ", ".join(owners),
            "all" if set(owners) <= set(uptodate) else ", ".join(uptodate) or "none",
        )
    out = show.console()
    out.print(table)
    shown, total = len(answer.document["files"]), answer.document.get("total")
    if total is not None and total > shown:
        out.print(f"{shown:,} of {show.counted(total, 'file')}", style="dim")
    return None
