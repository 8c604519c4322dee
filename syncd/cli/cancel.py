"""syncd cancel: end a job."""

import click

from syncd.cli import show
from syncd.cli.client import client
from syncd.cli.options import segment, talks, wants_json


@click.command()
@click.argument("job")
@talks
def cancel(job: str) -> None:
    """End a job that waits or runs.

    One that waits has ended at once; one that runs is told to end, and killed if it
    does not. What a backup had read by then is kept, marked, and never restored from
    unasked.

    \b
    Example:  syncd cancel 20260101T030000
    """
    with client() as daemon:
        answer = daemon.post(f"/jobs/{segment(job)}/cancel", None)
    if wants_json():
        return show.document(answer.text)
    said = answer.document
    what = "ended" if said["state"] == "canceled" else "told to end"
    return click.echo(f"{said['kind']} {said['id']}: {what}")
