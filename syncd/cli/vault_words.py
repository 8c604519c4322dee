"""How vaults are told of: to people, and to programs."""

from typing import Any

import msgspec
from rich.text import Text

from syncd.cli import show
from syncd.core.vault import Checked, Item, Pin, Summary
from syncd.errors import StorageError
from syncd.vaults.local import LocalStore

UNKNOWN = Summary(name="", source="", made=0.0)


def row(opened: LocalStore, name: str, pin: Pin | None) -> dict[str, Any]:
    """Return what the table tells; a vault that cannot be read is damaged."""
    checked = opened.checked(name)
    try:
        summary = opened.get(name).summary()
        damaged = bool(checked and checked.faults)
    except StorageError:
        summary, damaged = UNKNOWN, True
    return {
        "name": name,
        "source": summary.source,
        "made": summary.made,
        "files": summary.files,
        "bytes": summary.bytes,
        "stored": summary.stored,
        "valid": "damaged" if damaged else "failed" if summary.failed else "yes",
        "verified": checked.at if checked else None,
        "pin": msgspec.to_builtins(pin),
    }


def valid(word: str) -> Text:
    """Return the word in its colour."""
    return Text(word, style="green" if word == "yes" else "bold red")


def item(item: Item) -> dict[str, Any]:
    """Return an item for programs."""
    return {
        "path": readable(item.path),
        "kind": item.kind.value,
        "size": item.size,
        "mtime_ns": item.mtime_ns,
        "mode": f"{item.mode:o}",
        "target": None if item.target is None else readable(item.target),
        "sha256": item.sha256.hex() if item.sha256 else None,
    }


def readable(path: str) -> str:
    """Return a path with odd bytes shown as \\xHH."""
    return path.encode("utf-8", "surrogateescape").decode(errors="backslashreplace")


def is_same(one: Item, other: Item) -> bool:
    """Tell whether two items are the same but for their time."""
    return (one.kind, one.sha256, one.target, one.mode) == (
        other.kind,
        other.sha256,
        other.target,
        other.mode,
    )


def print_summary(summary: Summary, checked: Checked | None, pin: Pin | None) -> None:
    """Print what a vault says of itself."""
    lines = {
        "vault": summary.name,
        "source": summary.source,
        "made": show.moment(summary.made),
        "files": f"{summary.files:,}, {show.amount(summary.bytes)}",
        "stored": show.amount(summary.stored),
        "databases": show.listed(summary.listed) if summary.listed else "",
        "torn": ", ".join(summary.torn),
        "failed": summary.failed or "",
        "pinned": pin.reason if pin else "",
        "verified": show.moment(checked.at) if checked else "never",
    }
    out = show.console()
    for word, text in lines.items():
        if text:
            out.print(Text(f"{word + ':':<11}{show.printable(text)}"))
    if checked and checked.faults:
        print_faults(summary.name, msgspec.to_builtins(checked.faults))


def print_faults(name: str, faults: list[dict[str, str]]) -> None:
    """Print what a verification found."""
    out = show.console()
    if not faults:
        out.print(Text.assemble(show.printable(name), ": ", ("sound", "green")))
    for fault in faults:
        words = f"{name}: {fault['path']}: {fault['trouble']}"
        out.print(Text(show.printable(words), style="bold red"))
