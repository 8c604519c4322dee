"""syncd entries: look after single entries."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from syncd.cli import show
from syncd.cli.client import client
from syncd.cli.options import segment, talks, wants_json
from syncd.errors import SyncdError


def known(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the entries that begin so, for the shell; none without a daemon."""
    try:
        with client(context) as daemon:
            listed = daemon.get("/entries").document["entries"]
    except SyncdError:
        return []
    names = (entry["name"] for entry in listed)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


NAME = click.argument("name", shell_complete=known)


@click.group()
@talks
def entries() -> None:
    """Look after entries: the storages that are kept in step.

    \b
    Example:  syncd entries stop A
    """


@entries.command("list")
@talks
def list_() -> None:
    """List the entries, each with its driver and options.

    \b
    Example:  syncd entries list
    """
    with client() as daemon:
        answer = daemon.get("/entries")
    if wants_json():
        return show.document(answer.text)
    table = show.table("entry", "driver", "options")
    for entry in answer.document["entries"]:
        show.row(table, entry["name"], entry["driver"], _options(entry["options"]))
    return show.console().print(table)


@entries.command()
@NAME
@talks
def start(name: str) -> None:
    """Start an entry that is stopped.

    \b
    Example:  syncd entries start A
    """
    _order(name, "start", "is running")


@entries.command()
@NAME
@talks
def stop(name: str) -> None:
    """Stop an entry, until it is started again; the daemon's restart does not.

    \b
    Example:  syncd entries stop A
    """
    _order(name, "stop", "is stopped")


@entries.command()
@NAME
@talks
def restart(name: str) -> None:
    """Stop an entry and start it again.

    \b
    Example:  syncd entries restart A
    """
    _order(name, "restart", "is running again")


@entries.command()
@NAME
@talks
def approve(name: str) -> None:
    """Let a suspended or held entry go on: what it shows now is meant so.

    After a look at the storage: a root that is another disk is accepted as it is, and
    changes that were held (syncd entries held NAME) are carried out elsewhere.

    \b
    Example:  syncd entries approve A
    """
    _order(name, "approve", "is approved and goes on")


@entries.command()
@NAME
@talks
def restore(name: str) -> None:
    """Undo what was done to a suspended or held entry, with what the others hold.

    Files that are missing come back, and contents that were held are replaced.

    \b
    Example:  syncd entries restore A
    """
    with client() as daemon:
        held = daemon.get(f"/entries/{segment(name)}/status").document.get("held")
    _order(name, "restore", "gets its files back")
    if held is not None and not wants_json():
        _hint(held)


@entries.command()
@NAME
@click.option("--offset", type=int, help="How many to skip.  [0]")
@click.option("--limit", type=int, help="How many to show at most.  [20]")
@talks
def held(name: str, offset: int | None, limit: int | None) -> None:
    """List the files of which an entry's changes are held: too many came at once.

    \b
    Example:  syncd entries held A --limit 100
    """
    with client() as daemon:
        where = f"/entries/{segment(name)}/status"
        answer = daemon.get(where, offset=offset, limit=limit)
    if wants_json():
        return show.document(answer.text)
    waiting = answer.document.get("held")
    if waiting is None:
        return click.echo(f"nothing of {show.printable(name)} is held")
    table = show.table("file", "held", "since", "size", right=["size"])
    for file in waiting["files"]:
        since, size = show.moment(file["since"]), show.amount(file["size"])
        show.row(table, file["filename"], file["change"], since, size)
    out = show.console()
    out.print(table)
    shown, total = len(waiting["files"]), waiting["total"]
    out.print(f"{shown:,} of {show.counted(total, 'file')}", style="dim")
    out.print(show.printable(waiting["reason"]), markup=False)
    return _hint(waiting)


def _hint(held: dict[str, Any]) -> None:
    """Say how to undo what was passed on before it was clear that it is too much."""
    some = [one for one in held["changes"] if one.get("passed")]
    if not some:
        return
    number = sum(one["passed"] for one in some)
    before = show.moment(min(one["passed_since"] for one in some) - 1)
    have = "has" if number == 1 else "have"
    show.console().print(
        f"{show.counted(number, 'more file')} {have} been passed on before that was"
        f" clear; to see those, and undo them: syncd undo / --at '{before}' --dry-run",
        style="yellow",
        markup=False,
    )


def _order(name: str, verb: str, done: str) -> None:
    with client() as daemon:
        answer = daemon.put(f"/entries/{segment(name)}/{verb}")
    if wants_json():
        return show.document(answer.text)
    return click.echo(f"{show.printable(name)} {done}")


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in options.items())
