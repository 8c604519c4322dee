"""Things to put into vaults, and what is found there again."""

import io
from collections.abc import Mapping
from pathlib import Path

from syncd.core.vault import Item, ItemKind, Summary
from syncd.vaults.local import LocalStore
from syncd.vaults.vault import LocalVault

OLD = 1_700_000_000_000_000_000
"""A time long before any backup of these tests."""
MADE = 1_790_000_000.0

Goods = Mapping[str, bytes | str | None]
"""Path -> content of a file, target of a link; None for a folder."""


def item(path: str, what: bytes | str | None, mtime_ns: int = OLD) -> Item:
    """Return the item of one of the goods, unread."""
    if what is None:
        return Item(path=path, kind=ItemKind.DIRECTORY, mtime_ns=mtime_ns, mode=0o755)
    if isinstance(what, str):
        return Item(path=path, kind=ItemKind.LINK, mtime_ns=mtime_ns, target=what)
    return Item(path=path, size=len(what), mtime_ns=mtime_ns, mode=0o640)


def keep(
    store: LocalStore,
    name: str,
    goods: Goods,
    *,
    times: Mapping[str, int] | None = None,
    made: float = MADE,
    failed: str | None = None,
    source: str = "default",
    partial: bool = False,
) -> tuple[Summary, list[str]]:
    """Make a vault as a source does; return its summary, and what had to be read."""
    items = [
        item(path, what, (times or {}).get(path, OLD)) for path, what in goods.items()
    ]
    with store.stage(name, source, job="job") as staging:
        staging.log.write_text(f"log of {name}\n")
        read = []
        for one in staging.unchanged(items):
            what = goods[one.path]
            content = io.BytesIO(what) if isinstance(what, bytes) else None
            staging.add(one, content)
            read.append(one.path)
        summary = Summary(
            name=name, source=source, made=made, failed=failed, partial=partial
        )
        return staging.seal(summary), read


def written(store: LocalStore, names: str, contents: Mapping[str, bytes]) -> None:
    """Make vaults as a command does, each of the same contents below ``db``."""
    for name in names:
        with store.stage(name, "s", job="j") as staging:
            (staging.folder / "db").mkdir()
            for path, content in contents.items():
                (staging.folder / path).write_bytes(content)
            staging.seal(Summary(name="", source="", made=MADE))


def held(vault: LocalVault) -> dict[str, bytes | str | None]:
    """Return all that a vault holds, as goods."""
    found: dict[str, bytes | str | None] = {}
    files: list[Item] = []
    for one in vault.items():
        found[one.path] = one.target if one.kind is ItemKind.LINK else None
        if one.kind is ItemKind.FILE:
            files.append(one)
    for file, content in vault.open(files):
        found[file.path] = content.read()
    return found


def files_of(folder: Path) -> list[Path]:
    """Return every file below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def nothing(_bytes: int, _items: int) -> None:
    """Count nothing."""
