"""syncd explain: why a file is where it is, as a story."""

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from syncd.cli import show
from syncd.cli.client import client
from syncd.cli.naming import asked
from syncd.cli.options import talks, wants_json

STYLES = {
    "uptodate": "green",
    "pending": "cyan",
    "transferring": "cyan",
    "blocked": "red",
    "waiting to try again": "yellow",
}

NOTICED = {"found": "something new was found", "gone": "it was gone"}


@click.command()
@click.argument("path")
@talks
def explain(path: str) -> None:
    """Tell why a file is where it is: the rules, and how it stands on every entry.

    PATH is the name inside the entries, or where the file lies on this disk.

    \b
    Example:  syncd explain docs/a.txt
    """
    with client() as daemon:
        answer = asked(daemon, path, lambda fid: daemon.get(f"/files/{fid}/explain"))
    if wants_json():
        return show.document(answer.text)
    return show.console().print(Text("\n").join(story(answer.document)))


def story(said: dict[str, Any]) -> Iterator[Text]:
    """Give the explanation line by line."""
    file = said["file"]
    yield Text.assemble(
        (show.printable(file["filename"]), "bold"),
        f", {show.amount(file['size'])}, changed {show.moment(file['mtime'])}",
    )
    if file.get("conflict_of"):
        of = show.printable(file["conflict_of"])
        yield Text(f"kept from a conflict over {of}", style="yellow")
    if said.get("moved_from"):
        yield Text(f"moved here from {show.printable(said['moved_from'])}")
    if said.get("deleted"):
        yield Text(f"deleted; was to be on {show.listed(file['owners'])}", style="red")
    else:
        yield Text(f"should be on {show.listed(file['owners'])}")
    yield Text()
    yield Text("Rules that match:" if said["rules"] else "No rule matches: it stays.")
    for rule in said["rules"]:
        words = json.dumps(rule["rule"], ensure_ascii=False)
        yield Text(f"  {rule['number']}. {show.printable(words)}")
    yield Text()
    for copy in said["entries"]:
        yield from _on_one(copy)
    if said.get("story"):
        yield Text()
        yield Text(f"Its last change ({show.printable(said['cause'])}):")
        yield from map(_happened, said["story"])


def _on_one(copy: dict[str, Any]) -> Iterator[Text]:
    state = Text(copy["state"], style=STYLES.get(copy["state"], "dim"))
    yield Text.assemble(
        (show.printable(copy["entry"]), "bold"),
        ": ",
        state,
        f"; {show.printable(copy['because'])}",
    )
    if copy.get("reason"):
        yield Text("  " + show.printable(copy["reason"]), style="red")
    if copy.get("retry_at"):
        tried = show.counted(copy.get("attempts", 0), "attempt")
        yield Text(f"  {tried}, next at {show.moment(copy['retry_at'])}")


def _happened(step: dict[str, Any]) -> Text:
    """Return a line for one step on the way of a change."""
    entry = show.printable(step.get("entry", ""))
    owners = show.listed(step.get("entries", []))
    told = {
        "noticed": f"{entry}: {NOTICED.get(step['what'], step['what'])}",
        "decided": f"decided: {step['what']}; should be on {owners}",
        "ordered": f"{entry}: told to {step['what']} it" + _from(step),
        "done": f"{entry}: {step['what']} done" + _copied(step),
        "failed": f"{entry}: {step['what']} failed: {step.get('reason', '')}",
    }
    style = "red" if step["step"] == "failed" else ""
    words = told.get(step["step"], f"{entry}: {step['step']} {step['what']}")
    return Text.assemble(
        (f"  {show.instant(step['at'])}  ", "dim"), (show.printable(words), style)
    )


def _from(step: dict[str, Any]) -> str:
    sources = step.get("sources", [])
    return f", from {' or '.join(sources)}" if sources else ""


def _copied(step: dict[str, Any]) -> str:
    size = step.get("bytes", 0)
    return f", {show.amount(size)} copied" if size else ""
