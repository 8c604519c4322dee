"""syncd restore: bring back what a vault holds."""

from typing import Any
from uuid import uuid4

import click

from syncd.cli import show, waiting
from syncd.cli.client import client
from syncd.cli.options import talks, wants_json
from syncd.errors import BadRequest


@click.command()
@click.argument("vault")
@click.argument("databases", nargs=-1, metavar="[DATABASE]...")
@click.option(
    "--path", "paths", multiple=True, help="Only what lies below; repeatable."
)
@click.option(
    "--as", "names", multiple=True, metavar="OLD=NEW", help="Call a database NEW there."
)
@click.option(
    "--delete", is_flag=True, help="Delete what is there but not in the vault."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option("--force", is_flag=True, help="Even from a vault that failed.")
@click.option("--wait", is_flag=True, help="Return when it has ended.")
@talks
def restore(
    vault: str,
    databases: tuple[str, ...],
    *,
    paths: tuple[str, ...],
    names: tuple[str, ...],
    delete: bool,
    dry_run: bool,
    force: bool,
    wait: bool,
) -> None:
    """Bring back all that VAULT holds, or these databases.

    Nothing is deleted unless --delete says so. Prints the job's id, or with --wait
    or --dry-run what was done, or would be. An end that is not good is an error: 74
    if it failed, 75 if somebody ended it.

    \b
    Example:  syncd restore 20260101T030000 A --dry-run
    """
    asked: dict[str, Any] = {"vault": vault, "delete": delete, "dry_run": dry_run}
    asked |= {"force": force, "paths": list(paths), "names": _names(names)}
    if databases:
        asked["databases"] = list(databases)
    with client() as daemon:
        answer = daemon.post("/restores", asked, key=str(uuid4()))
        job = answer.document
        if not (wait or dry_run):
            return show.document(answer.text) if wants_json() else click.echo(job["id"])
        job = waiting.until_ended(daemon, job["id"])
        waiting.end(job, waiting.tail(daemon, job["id"]))
    return show.made(job) if wants_json() else _print(job, dry_run=dry_run)


def _names(pairs: tuple[str, ...]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        old, is_pair, new = pair.partition("=")
        if not (old and is_pair and new):
            raise BadRequest(f"--as {pair} is not OLD=NEW")
        names[old] = new
    return names


def _print(job: dict[str, Any], *, dry_run: bool) -> None:
    out = show.console()
    for line in job["result"].get("plan", []):
        out.print(show.printable(line), markup=False)
    changed = job["result"].get("changed", {})
    counts = ", ".join(f"{number:,} {deed}" for deed, number in changed.items())
    if dry_run:
        out.print(f"{counts or 'nothing more'}; nothing was changed")
    else:
        out.print(f"restored from {job['vault']}: {counts or 'done'}", markup=False)
