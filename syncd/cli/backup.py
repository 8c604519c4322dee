"""syncd backup: ask for a backup."""

from typing import Any
from uuid import uuid4

import click

from syncd.cli import show, waiting
from syncd.cli.client import client
from syncd.cli.options import talks, wants_json


@click.command()
@click.argument("databases", nargs=-1, metavar="[DATABASE]...")
@click.option("--wait", is_flag=True, help="Return when it has ended.")
@click.option("--source", metavar="NAME", help="Of this source.  [the first]")
@click.option("--keep", metavar="REASON", help="Pin it: no policy gives it up.")
@click.option("--prefix", metavar="WORD", help="Put this before the vault's name.")
@talks
def backup(
    databases: tuple[str, ...],
    wait: bool,
    source: str | None,
    keep: str | None,
    prefix: str | None,
) -> None:
    """Make a backup of everything, or of these databases.

    Prints the vault's name, at once or with --wait when it is done. What databases
    are, its source says: where entries are backed up, they are the databases. An end
    that is not good is an error: 74 if it failed, 75 if somebody ended it.

    \b
    Example:  syncd backup --wait
    """
    asked: dict[str, Any] = {"source": source, "prefix": prefix}
    asked["databases"] = list(databases) or None
    asked["pin"] = {"reason": keep} if keep else None
    body = {name: value for name, value in asked.items() if value is not None}
    with client() as daemon:
        answer = daemon.post("/backups", body, key=str(uuid4()))
        job = answer.document
        if wait:
            job = waiting.until_ended(daemon, job["id"])
            waiting.end(job, waiting.tail(daemon, job["id"]))
    return show.made(job) if wants_json() else click.echo(job["vault"])
