"""Backups of a server's own snapshot and logs, which are of one transaction."""

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncd.backup_sources.contract import Tell
from syncd.backup_sources.zookeeper import manifest
from syncd.backup_sources.zookeeper.admin import Admin
from syncd.backup_sources.zookeeper.binary import Broken
from syncd.backup_sources.zookeeper.image import Image, number
from syncd.backup_sources.zookeeper.manifest import Consistency, Manifest, Root
from syncd.errors import BadRequest, StorageError

SNAPSHOT, LOG = "snapshot.", "log."
TRIES = 5
"""How often a folder is looked into whose files go while they are copied."""


class Taken(Struct, frozen=True):
    """What was taken of a server."""

    snapshot: str
    logs: list[str]
    begun: int
    """The transaction at which the snapshot was begun."""
    ended: int | None
    """The one up to which all is there; None: nobody says."""


async def make(
    options: Mapping[str, Any], into: Path, *, server: str, tell: Tell
) -> Manifest:
    """Bring snapshot and logs into a folder, with what they hold.

    Raise BadRequest if no way to them is configured, StorageError.
    """
    if options["admin"]:
        return await _of_admin(Admin(options), into, server, tell)
    if options["data"] is None:
        raise BadRequest(
            "a transactional backup takes admin (admin servers of ZooKeeper 3.9 or"
            " newer) or data (a server's folder) in the source's options; or leave"
            " mode out, and data, ACLs and counters are read node by node"
        )
    data = Path(options["data"])
    logs = Path(options["logs"] or data)
    return await asyncio.to_thread(_of_data, data, logs, into, server, tell)


async def _of_admin(admin: Admin, into: Path, server: str, tell: Tell) -> Manifest:
    member = await admin.best()
    tell.line(f"the snapshot of {member.url}, {member.role or 'whatever it is'}")
    path, begun = await admin.snapshot(member.url, into)

    def looked_at() -> Manifest:
        with Image() as image:
            ended = image.take_snapshot(path, begun)
            taken = Taken(path.name, [], begun, ended)
            return _written(image, taken, into, server)

    try:
        return await asyncio.to_thread(looked_at)
    except Broken as error:
        raise StorageError(f"the snapshot of {member.url}: {error}") from None


def _of_data(data: Path, logs: Path, into: Path, server: str, tell: Tell) -> Manifest:
    """Copy the newest snapshot that is whole, and the logs since."""
    trouble = "there is none"
    for _ in range(TRIES):
        for snapshot in reversed(files(data, SNAPSHOT)):
            try:
                return _copied(snapshot, files(logs, LOG), into, server)
            except FileNotFoundError as error:
                # The server has tidied up.
                trouble = f"{error.filename} went while it was copied"
                break
            except OSError as error:
                raise StorageError(f"{snapshot}: {error}") from None
            except Broken as error:
                trouble = f"{snapshot.name}: {error}"
                tell.line(f"{trouble}; one before is tried")
        else:
            break
    raise StorageError(f"no snapshot in {data} can be used; {trouble}")


def _copied(snapshot: Path, logs: list[Path], into: Path, server: str) -> Manifest:
    begun = number(snapshot.name)
    copies: list[Path] = []
    try:
        copies.append(_copy(snapshot, into))
        with Image() as image:
            image.take_snapshot(copies[0], begun)
            ends: dict[Path, int] = {}
            for log in since(logs, begun):
                copy = _copy(log, into)
                copies.append(copy)
                before = image.zxid
                ends[copy] = image.take_log(copy)
                if image.zxid == before:
                    copies.remove(copy)
                    del ends[copy]
                    copy.unlink()
            names = [copy.name for copy in ends]
            taken = Taken(snapshot.name, names, begun, image.zxid)
            made = _written(image, taken, into, server)
        for copy, end in ends.items():
            # What follows is room that the server keeps, or half a record.
            with copy.open("r+b") as file:
                file.truncate(end)
    except (OSError, StorageError):
        for copy in copies:
            copy.unlink(missing_ok=True)
        raise
    return made


def _written(image: Image, taken: Taken, into: Path, server: str) -> Manifest:
    moved = [] if taken.logs else image.since(taken.begun)
    ended = image.zxid if taken.ended is None else taken.ended
    exact = bool(taken.logs) or taken.ended == taken.begun
    roots = [
        Root(name=name, file="", sha256="", nodes=nodes, bytes=size, ephemeral=passing)
        for name, (nodes, size, passing) in image.tops().items()
    ]
    made = Manifest(
        format=manifest.FORMAT,
        server=server,
        consistency=Consistency(
            begun=taken.begun,
            surveyed=ended if exact else taken.begun,
            ended=ended,
            consistent=exact and not moved,
            moved=len(moved),
            moved_nodes=moved[: manifest.MOST_NAMED],
        ),
        root=image.node("/", len(roots)),
        roots=roots,
        files=[taken.snapshot, *taken.logs],
    )
    manifest.write(into, made)
    return made


def files(folder: Path, prefix: str) -> list[Path]:
    """Return the snapshots, or logs, of a server's folder, the oldest first.

    Raise StorageError if it cannot be looked into.
    """
    inner = folder / "version-2"
    found: dict[int, Path] = {}
    try:
        for path in (inner if inner.is_dir() else folder).iterdir():
            # What is compressed has one more point in its name, and is not read.
            if path.name.startswith(prefix):
                with suppress(StorageError):
                    found[number(path.name)] = path
    except OSError as error:
        raise StorageError(f"{folder} cannot be looked into: {error}") from None
    return [found[zxid] for zxid in sorted(found)]


def since(logs: list[Path], zxid: int) -> list[Path]:
    """Return the logs that hold what comes after a transaction; oldest first."""
    first = 0
    for place, log in enumerate(logs):
        if number(log.name) <= zxid + 1:
            first = place
    return logs[first:]


def image_of(names: list[str], folder: Path, *, whole: bool) -> Image:
    """Return the image that files make, which whoever takes it closes.

    ``whole``: nothing between them may be missing. Raise StorageError.
    """
    image = Image(whole=whole)
    try:
        snapshot, *logs = names
        image.take_snapshot(folder / snapshot, number(snapshot))
        for log in sorted(logs, key=number):
            image.take_log(folder / log)
    except Broken as error:
        image.__exit__()
        raise StorageError(f"{', '.join(names)}: {error}") from None
    except BaseException:
        image.__exit__()
        raise
    return image


def _copy(file: Path, into: Path) -> Path:
    copy = into / file.name
    shutil.copyfile(file, copy)
    return copy
