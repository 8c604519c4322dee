"""syncd jobs: what was asked for, and how it went."""

import click

from syncd.cli import show, waiting
from syncd.cli.client import client
from syncd.cli.options import talks, wants_json
from syncd.core.job import Kind, State

KINDS = click.Choice([str(one) for one in Kind])
STATES = click.Choice([str(one) for one in State])


@click.command()
@click.option("--kind", type=KINDS, help="Only jobs that do this.")
@click.option("--state", type=STATES, help="Only jobs in this state.")
@click.option("--vault", metavar="VAULT", help="Only those that make or read it.")
@click.option("--limit", default=20, type=click.IntRange(1, 1000), show_default=True)
@click.option("--offset", default=0, type=click.IntRange(0), help="Leave out so many.")
@talks
def jobs(
    kind: str | None, state: str | None, vault: str | None, limit: int, offset: int
) -> None:
    """List backups, restores, evictions and checks, newest first.

    \b
    Example:  syncd jobs --state failed
    """
    with client() as daemon:
        answer = daemon.get(
            "/jobs", kind=kind, state=state, vault=vault, limit=limit, offset=offset
        )
    if wants_json():
        return show.document(answer.text)
    some, total = answer.document["jobs"], answer.document["total"]
    table = show.table("job", "kind", "state", "vault", "asked", "took", "more")
    for job in some:
        ended = job["ended"] or job["started"]
        took = ended - job["started"] if job["started"] else None
        running = job["state"] in ("running", "canceling")
        show.row(
            table,
            job["id"],
            job["kind"],
            show.state(job["state"]),
            job["vault"] or "",
            show.moment(job["created"]),
            "" if running else show.span(took),
            job["error"] or (waiting.described(job) if running else ""),
        )
    out = show.console()
    if some:
        out.print(table)
    more = total - offset - len(some)
    if more > 0:
        out.print(f"and {more:,} more: --offset {offset + len(some)}", style="dim")
    elif not total:
        out.print("no jobs")
    return None
