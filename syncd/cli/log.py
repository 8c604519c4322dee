"""syncd log: what a job says."""

import sys

import click

from syncd.cli import waiting
from syncd.cli.client import client
from syncd.cli.options import segment, talks


@click.command()
@click.argument("job")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@talks
def log(job: str, follow: bool) -> None:
    """Print the output of a job, or of the backup that makes a vault.

    With --follow an end that is not good is an error: 74 if it failed, 75 if somebody
    ended it.

    \b
    Example:  syncd log 20260101T030000 --follow
    """
    with client() as daemon:
        if not follow:
            text = daemon.text(f"/jobs/{segment(job)}/log")
            sys.stdout.write(waiting.harmless(text))
            return
        ended = waiting.until_ended(daemon, job, log=True)
    waiting.end(ended, lambda: "")
