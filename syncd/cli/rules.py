"""syncd rules: look at them, try new ones, put them in force."""

from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.text import Text

from syncd.cli import show
from syncd.cli.client import client
from syncd.cli.options import talks, wants_json
from syncd.core.rules import parse
from syncd.replication import rules_file


@click.group()
@talks
def rules() -> None:
    """See, try and apply the rules that say which entries should own a file.

    \b
    Example:  syncd rules plan new-rules.yaml
    """


@rules.command("show")
@talks
def show_() -> None:
    """Print the rules as a rules file says them.

    \b
    Example:  syncd rules show > rules.yaml
    """
    with client() as daemon:
        answer = daemon.get("/rules")
    if wants_json():
        return show.document(answer.text)
    text = yaml.safe_dump(
        answer.document, allow_unicode=True, sort_keys=False, default_flow_style=None
    )
    return show.document(text)


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@talks
def plan(file: Path) -> None:
    """Tell what the rules in FILE (YAML or JSON) would do; change nothing.

    \b
    Example:  syncd rules plan new-rules.yaml
    """
    with client() as daemon:
        answer = daemon.post("/rules/plan", _read(file))
    if wants_json():
        return show.document(answer.text)
    return _planned(answer.document)


@rules.command()
@talks
def reload() -> None:
    """Read the rules file again and apply it, if it changed.

    \b
    Example:  syncd rules reload
    """
    with client() as daemon:
        answer = daemon.put("/rules/reload")
    if wants_json():
        return show.document(answer.text)
    return click.echo("The rules file is in force.")


def _planned(said: dict[str, Any]) -> None:
    """Say what would be copied and let go on every entry, with a few examples."""
    figures = ["would get", "size", "would let go"]
    table = show.table("entry", *figures, right=figures)
    for name, share in said["entries"].items():
        copy, stop = share["copy"], share["stop"]
        size = show.amount(copy["bytes"])
        show.row(table, name, f"{copy['files']:,}", size, f"{stop['files']:,}")
    out = show.console()
    out.print(table)
    for name, share in said["entries"].items():
        _examples(out, f"{name} would get", share["copy"])
        _examples(out, f"{name} would let go, and keep as it is", share["stop"])
    undecided = said["total"]["undecided"]
    if undecided:
        files = show.counted(undecided, "file")
        out.print(Text(f"{files} depend on a MIME type that is not known yet."))
    judged = show.counted(said["total"]["files"], "file")
    out.print(Text(f"{judged} judged; nothing was changed.", style="dim"))


def _examples(out: Console, words: str, some: dict[str, Any]) -> None:
    if not some["files"]:
        return
    out.print(Text(f"{show.printable(words)}:"))
    for name in some["examples"]:
        out.print(Text("  " + show.printable(name)))
    more = some["files"] - len(some["examples"])
    if more:
        out.print(Text(f"  and {more:,} more", style="dim"))


def _read(file: Path) -> Any:
    """Return the rules in the file; raise RuleFaults if they cannot be rules."""
    document = rules_file.read(file)
    parse(document, None)  # YAML says more than JSON, which the daemon would not get.
    return document
