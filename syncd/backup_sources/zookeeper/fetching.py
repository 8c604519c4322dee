"""Finds in a vault what is wanted of it, and brings that where it can be read often."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncd.backup_sources.zookeeper import legacy, manifest, transactional
from syncd.backup_sources.zookeeper.holding import Held
from syncd.backup_sources.zookeeper.image import Image, number
from syncd.backup_sources.zookeeper.manifest import Manifest
from syncd.backup_sources.zookeeper.nodes import is_in, trouble
from syncd.backup_sources.zookeeper.special import OWN
from syncd.core.backup import Restoring
from syncd.core.vault import Item
from syncd.errors import BadRequest, NotFound, StorageError
from syncd.vaults.contract import Vault


class Way(Struct, frozen=True):
    """One tree that is to be restored, and to where."""

    database: str
    path: str
    """In the vault, ..."""
    target: str
    """... and where it goes."""


class Content(Struct, frozen=True):
    """What a vault holds."""

    items: dict[str, Item]
    manifest: Manifest | None
    """None: it was made by the daemon that went before."""
    names: list[str]
    files: list[str] = []
    """Of a transactional backup: the snapshot, and its logs."""


def opened(vault: Vault, scratch: Path) -> Content:
    """Look into a vault; raise StorageError if it holds no nodes. It blocks."""
    items = {item.path: item for item in vault.items()}
    if manifest.NAME in items:
        text = b"".join(file.read() for _, file in vault.open([items[manifest.NAME]]))
        said = manifest.read(text)
        # One of a session only is recorded, and never restored.
        names = [root.name for root in said.roots if root.nodes > root.ephemeral]
        return Content(items, said, names, said.files)
    if legacy.NAME in items:
        archive = _copied(vault, items[legacy.NAME], scratch / legacy.NAME)
        return Content(items, None, legacy.databases(archive))
    if files := _of_server(items):
        content = Content(items, None, [], files)
        with _image(vault, content, scratch) as image:
            names = [
                name for name, (all_, _, own) in image.tops().items() if all_ > own
            ]
            return Content(items, None, names, files)
    raise StorageError(
        f"{vault.name} holds neither {manifest.NAME} nor {legacy.NAME} nor a snapshot:"
        " no backup of ZooKeeper"
    )


def _of_server(items: Iterable[str]) -> list[str]:
    """Return the newest snapshot among some files, and the logs that go on from it."""
    found = sorted(
        (one for one in items if one.startswith(transactional.SNAPSHOT)), key=number
    )
    logs = [Path(one) for one in items if one.startswith(transactional.LOG)]
    if not found:
        return []
    logs.sort(key=lambda log: number(log.name))
    after = transactional.since(logs, number(found[-1]))
    return [found[-1], *(log.name for log in after)]


def _image(vault: Vault, content: Content, scratch: Path) -> Image:
    """Return the nodes that snapshot and logs of a vault make."""
    folder = scratch / "files"
    for name in content.files:
        if name not in content.items:
            raise StorageError(f"{vault.name} lacks {name}")
        if not (folder / name).exists():
            _copied(vault, content.items[name], folder / name)
    # What others made of logs lacks the sessions.
    whole = content.manifest is not None
    return transactional.image_of(content.files, folder, whole=whole)


def ways(wanted: Restoring, content: Content, name: str) -> list[Way]:
    """Return what goes where; raise BadRequest or NotFound."""
    databases = content.names if wanted.databases is None else wanted.databases
    if wanted.databases is None and content.manifest is None:
        # Nothing of what the old one kept of ZooKeeper's own is meant for a restore.
        databases = [one for one in databases if f"/{one}" != OWN]
    paths = [checked(one) for one in [*databases, *wanted.paths]]
    for one in paths:
        if not any(is_in(f"/{one}", f"/{root}") for root in content.names):
            known = ", ".join(content.names[:20]) or "none"
            raise NotFound(f"{name} holds no node {one}; it holds: {known}")
    databases, paths = paths[: len(databases)], paths[len(databases) :]
    for one in paths:
        if not any(is_in(f"/{one}", f"/{database}") for database in databases):
            raise BadRequest(f"{one} lies in no node that is restored")
    names = {checked(old): checked(new) for old, new in wanted.names.items()}
    chosen = paths if wanted.paths else databases
    for old in names:
        if old not in chosen:
            raise BadRequest(f"{old!r} is to go to another node, but not restored")
    found = [
        Way(one, f"/{one}", f"/{names.get(one, one)}") for one in dict.fromkeys(chosen)
    ]
    return _apart(found)


def _apart(found: Sequence[Way]) -> list[Way]:
    """Return the ways without those that others hold; raise BadRequest."""
    left = [
        way
        for way in found
        if way.path != way.target
        or not any(
            other is not way
            and is_in(way.path, other.path)
            and other.path == other.target
            for other in found
        )
    ]
    for place, way in enumerate(left):
        if way.path != way.target and (is_in(way.path, OWN) or is_in(way.target, OWN)):
            raise BadRequest("/zookeeper belongs to the servers: it has no other name")
        for other in left[:place]:
            if is_in(way.target, other.target) or is_in(other.target, way.target):
                raise BadRequest(
                    f"two nodes would both be restored to {way.target}; restore one"
                    " after the other"
                )
    return left


def fetch(
    vault: Vault, content: Content, some: Sequence[Way], scratch: Path
) -> dict[Way, Held]:
    """Copy what is wanted into scratch, compared with its digests; it blocks."""
    copies: dict[str, Path] = {}
    found: dict[Way, Held] = {}
    if content.files:
        with _image(vault, content, scratch) as image:
            lines = scratch / "restored"
            image.write([way.path for way in some], lines)
            copies = {way.path.split("/")[1]: lines for way in some}
    for way in some:
        held = found[way] = Held()
        if content.manifest and (root := content.manifest.find(way.path[1:])):
            held.above = list(root.above)
        held.take(_file(vault, content, way, scratch, copies), way.path, way.target)
        if not held.wanted:
            raise NotFound(f"{vault.name} holds no node {way.path}")
    return found


def _file(
    vault: Vault, content: Content, way: Way, scratch: Path, copies: dict[str, Path]
) -> Path:
    name = way.path[1:]
    if content.manifest is None or content.files:
        top = name.split("/")[0]
        if top not in copies:
            copies[top] = scratch / f"restored-{len(copies)}"
            legacy.convert(scratch / legacy.NAME, top, copies[top])
        return copies[top]
    root = content.manifest.find(name)
    assert root is not None
    if root.file not in copies:
        if root.file not in content.items:
            raise StorageError(f"{vault.name} lacks {root.file}")
        path = scratch / f"restored-{len(copies)}"
        copies[root.file] = _copied(vault, content.items[root.file], path)
    return copies[root.file]


def _copied(vault: Vault, item: Item, into: Path) -> Path:
    scratch = into.parent
    scratch.mkdir(parents=True, exist_ok=True)
    with into.open("wb") as file:
        for _, source in vault.open([item]):
            shutil.copyfileobj(source, file, 1 << 20)
    return into


def checked(name: Any) -> str:
    """Return the path of a node without its first slash; raise BadRequest."""
    if not isinstance(name, str):
        raise BadRequest(f"not the path of a node: {name!r}")
    path = name.removeprefix("/")
    if why := trouble(path):
        raise BadRequest(f"{name!r} is no path of a node: {why}")
    return path
