"""syncd vault: what lies in a store of vaults, on the store's own folder."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.text import Text

from syncd import clock
from syncd.cli import show, vault_words
from syncd.cli.exporting import export_to
from syncd.cli.options import answers, wants_json
from syncd.cli.stores import at_store, store_at
from syncd.cli.until import Until
from syncd.core.vault import ItemKind, Pin
from syncd.errors import BadRequest, NotFound, StorageError
from syncd.vaults.keys import new_identity
from syncd.vaults.listing import Located

DAMAGED = 65
DIFFERENT = 1


@click.group()
@answers
def vault() -> None:
    """Look into vaults: the finished backups of a store.

    Works on the store's folder itself, whether the daemon runs or not: on --store, or
    on the store of --config. An encrypted one needs --identity.

    \b
    Example:  syncd vault list
              syncd vault verify --all --store /mnt/usb/backups
    """


@vault.command("list")
@at_store
@answers
def list_(store: Path | None, config: Path | None, identity: Path | None) -> None:
    """List the vaults, oldest first, and what a crash has left in quarantine.

    \b
    Valid is: yes; failed (the backup failed, and is kept for its log); or damaged (a
    verification found something wrong: `syncd vault show NAME` tells what).

    \b
    Example:  syncd vault list --store /mnt/usb/backups
    """
    opened = store_at(store, config, identity)
    pins = opened.pins()
    rows = [vault_words.row(opened, name, pins.get(name)) for name in opened.vaults()]
    quarantined = opened.quarantined()
    if wants_json():
        return show.made({"vaults": rows, "quarantined": quarantined})
    right = ["files", "size", "stored"]
    table = show.table(
        "vault", "source", "made", *right, "valid", "pinned", right=right
    )
    for row in rows:
        show.row(
            table,
            row["name"],
            row["source"],
            show.moment(row["made"]),
            f"{row['files']:,}",
            show.amount(row["bytes"]),
            show.amount(row["stored"]),
            vault_words.valid(row["valid"]),
            "" if row["pin"] is None else row["pin"]["reason"],
        )
    out = show.console()
    if rows:
        out.print(table)
    else:
        out.print("no vaults")
    for name in quarantined:
        words = f"in quarantine: {name}, which was never finished"
        out.print(Text(show.printable(words), style="yellow"))
    return None


@vault.command("show")
@click.argument("name")
@click.option("--path", multiple=True, metavar="PATH", help="Only what lies below.")
@click.option("--offset", type=click.IntRange(0), default=0, help="How many to skip.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="At most."
)
@click.option("--log", is_flag=True, help="Print the log of the backup instead.")
@at_store
@answers
def show_(
    name: str,
    path: tuple[str, ...],
    offset: int,
    limit: int,
    *,
    log: bool,
    **where: Any,
) -> None:
    """Show what a vault says of itself, and its items, a page at a time.

    \b
    Example:  syncd vault show 20261121T080000 --path A/docs --limit 100
    """
    store = store_at(**where)
    one = store.get(name)
    if log:
        click.echo(one.log(), nl=False)
        return None
    summary, checked = one.summary(), store.checked(name)
    page: list[Located] = []
    total = 0
    for total, item in enumerate(one.items(path), 1):
        if offset < total <= offset + limit:
            page.append(item)
    if wants_json():
        return show.made(
            {
                "summary": msgspec.to_builtins(summary),
                "pin": msgspec.to_builtins(store.pins().get(name)),
                "checked": msgspec.to_builtins(checked),
                "total": total,
                "items": [vault_words.item(item) for item in page],
            }
        )
    vault_words.print_summary(summary, checked, store.pins().get(name))
    table = show.table("item", "size", "changed", "sha256", right=["size"])
    for item in page:
        end = {ItemKind.DIRECTORY: "/", ItemKind.LINK: f" -> {item.target}"}
        show.row(
            table,
            vault_words.readable(item.path + end.get(item.kind, "")),
            show.amount(item.size) if item.kind is ItemKind.FILE else "",
            # Folders of entries have none.
            show.moment(item.mtime_ns / 1e9) if item.mtime_ns else "",
            item.sha256.hex()[:16] if item.sha256 else "",
        )
    out = show.console()
    if page:
        out.print(table)
    if len(page) < total:
        out.print(f"{len(page):,} of {show.counted(total, 'item')}", style="dim")
    return None


@vault.command()
@click.argument("name")
@click.argument("other")
@click.option("--path", multiple=True, metavar="PATH", help="Only what lies below.")
@at_store
@answers
def diff(name: str, other: str, path: tuple[str, ...], **where: Any) -> int:
    """Tell what OTHER has that NAME has not (+), has no more (-), or otherwise (~).

    Contents are compared by their digests. Exit code 0: equal, 1: they differ.

    \b
    Example:  syncd vault diff 20261121T080000 20261122T080000
    """
    store = store_at(**where)
    before = {item.path: item for item in store.get(name).items(path)}
    after = {item.path: item for item in store.get(other).items(path)}
    changes = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(
            path
            for path in before.keys() & after.keys()
            if not vault_words.is_same(before[path], after[path])
        ),
    }
    different = DIFFERENT if any(changes.values()) else 0
    if wants_json():
        told = {
            word: list(map(vault_words.readable, paths))
            for word, paths in changes.items()
        }
        show.made(told)
        return different
    out = show.console()
    signs = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "cyan")}
    for word, (sign, style) in signs.items():
        for changed in changes[word]:
            out.print(
                Text(f"{sign} {show.printable(vault_words.readable(changed))}", style)
            )
    figures = ", ".join(f"{len(paths):,} {word}" for word, paths in changes.items())
    out.print(figures, style="dim")
    return different


@vault.command()
@click.argument("names", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="Every vault of the store.")
@at_store
@answers
def verify(names: tuple[str, ...], *, all_: bool, **where: Any) -> int:
    """Read vaults again and compare every byte with its digest.

    What is found is remembered: the vault counts as damaged, and the next backup
    stores anew what it would have shared with it. Exit code 65: something is wrong.

    \b
    Example:  syncd vault verify 20261121T080000
    """
    if bool(names) == all_:
        raise BadRequest("name the vaults to verify, or give --all")
    store = store_at(**where)
    found = {}
    for name in store.vaults() if all_ else names:
        one = store.get(name)
        with store.lend(name, "verify"):
            faults = _with_bar(name, one.size(), one.verify)
        found[name] = [msgspec.to_builtins(fault) for fault in faults]
        if not wants_json():
            vault_words.print_faults(name, found[name])
    if wants_json():
        show.made(found)
    return DAMAGED if any(found.values()) else 0


@vault.command()
@click.argument("name")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--path", multiple=True, metavar="PATH", help="Only what lies below.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@at_store
@answers
def export(
    name: str, destination: Path, path: tuple[str, ...], *, force: bool, **where: Any
) -> None:
    """Copy a vault's files out: to a .zip, a .tar, or a folder.

    They are decrypted and unpacked on the way, and compared with their digests. What
    comes out is whole, or not there. A file that exists is replaced with --force only,
    a folder never, unless it is empty.

    \b
    Example:  syncd vault export 20261121T080000 /tmp/all.zip
              syncd vault export 20261121T080000 /tmp/docs --path A/docs
    """
    store = store_at(**where)
    one = store.get(name)
    with store.lend(name, "export"):
        items = list(one.items(path))
        if not items:
            raise NotFound(f"nothing in vault {name} lies there")
        size = sum(item.size for item in items)
        _with_bar(
            name,
            size,
            lambda count: export_to(
                one, items, destination, below=path, force=force, count=count
            ),
        )
    if wants_json():
        told = {"vault": name, "items": len(items), "bytes": size}
        return show.made({**told, "destination": str(destination)})
    return show.console().print(
        f"{show.counted(len(items), 'item')}, {show.amount(size)}:"
        f" {show.printable(str(destination))}"
    )


@vault.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why it must stay, for who comes next.")
@click.option("--until", type=Until(), help="When it need not any more; else never.")
@at_store
@answers
def pin(name: str, reason: str, until: float | None, **where: Any) -> None:
    """Keep a vault from every eviction, until it is unpinned or a time has come.

    \b
    Example:  syncd vault pin 20261121T080000 --reason "before the move" --until 90d
    """
    given = Pin(reason, "the syncd command", clock.timestamp(), until)
    store_at(**where).pin(name, given)
    if wants_json():
        show.made({"vault": name, "pin": msgspec.to_builtins(given)})


@vault.command()
@click.argument("name")
@at_store
@answers
def unpin(name: str, **where: Any) -> None:
    """Take the pin from a vault.

    \b
    Example:  syncd vault unpin 20261121T080000
    """
    store_at(**where).pin(name, None)
    if wants_json():
        show.made({"vault": name, "pin": None})


@vault.command()
@click.argument("file", type=click.Path(path_type=Path))
@answers
def key(file: Path) -> None:
    """Make a key for an encrypted store; FILE must not exist.

    Whoever has the key can read the vaults, and without it nobody can: keep a copy
    in another place than the vaults. Prints the public key.

    \b
    Example:  syncd vault key /etc/syncd/vaults.key
    """
    secret, public = new_identity()
    moment = datetime.fromtimestamp(clock.timestamp()).astimezone()
    text = (
        f"# created: {moment.isoformat(timespec='seconds')}\n# public key: {public}\n"
    )
    try:
        file.touch(0o600, exist_ok=False)
        file.write_text(f"{text}{secret}\n")
    except FileExistsError:
        raise BadRequest(f"{file} exists; choose another name") from None
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror}") from None
    if wants_json():
        return show.made({"file": str(file), "recipient": public})
    return click.echo(public)


def _with_bar(name: str, size: int, work: Callable[[Any], Any]) -> Any:
    """Return what the work returns, showing how far it is on a terminal."""
    console = show.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(show.printable(name), total=size)
        return work(lambda read, _items: bar.advance(task, read))
