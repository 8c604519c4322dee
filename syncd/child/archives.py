"""Vaults as zip archives: given away as a stream, and made of what somebody sent."""

import os
import socket
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from syncd.child.frames import frame
from syncd.core.backup import Report
from syncd.core.vault import Item, ItemKind
from syncd.errors import BadRequest, StorageError, StorageFull
from syncd.vaults.contract import Staging, Vault
from syncd.wire import Chunk, End

AT_ONCE = 1000
"""Items that are asked for together."""

PIECE = 1 << 20
PATIENCE = 60.0
"""Seconds that whoever takes the zip may need for a piece of it."""

MEMBERS_MOST = 1_000_000
FREELY = 100 << 20
"""Bytes that an archive may unpack to, however small it is ..."""
RATIO = 200
"""... and how many times its own size it may unpack to beyond that."""

_FIRST = datetime(1980, 1, 1, tzinfo=UTC)
"""The oldest time that a zip can tell."""


def given(vault: Vault, path: Path, stopping: Callable[[], bool]) -> None:
    """Give the vault's files as a zip to whoever connects to the socket first.

    Raise StorageError if the vault is not what was stored: what was given before
    is then of no use, and whoever takes it is told so.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.settimeout(PATIENCE)
        listening.listen(1)
        try:
            taker, _ = listening.accept()
        finally:
            path.unlink(missing_ok=True)
    with taker:
        taker.settimeout(PATIENCE)
        try:
            for piece in zipped(vault):
                _go_on(stopping)
                taker.sendall(frame(Chunk(piece)))
            taker.sendall(frame(End()))
        except StorageError as error:
            taker.sendall(frame(End(str(error), type(error).__name__)))
            raise


def _go_on(stopping: Callable[[], bool]) -> None:
    if stopping():
        raise StorageError("syncd ended the download")


def zipped(vault: Vault) -> Iterator[bytes]:
    """Give a zip of the vault's files; the same bytes each time."""
    from stream_zip import ZIP_AUTO, stream_zip  # noqa: PLC0415 - only downloads

    members = (
        (
            _printable(item.path),
            _time(item),
            stat.S_IFREG | item.mode,
            ZIP_AUTO(item.size, level=1),
            _pieces(content),
        )
        for item, content in _contents(vault)
    )
    return cast("Iterator[bytes]", stream_zip(members, chunk_size=PIECE))


def taken(archive: Path, staging: Staging, count: Callable[[int, int], None]) -> Report:
    """Put an archive's files into the staging, and return what they are.

    Raise BadRequest for what is no zip, or holds what could do harm: names that lead
    elsewhere, links, encrypted members, more than its size could be good for.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked(opened, archive.stat().st_size)
            _room(staging.folder, sum(one.file_size for one in members))
            for member in members:
                with opened.open(member) as content:
                    staging.add(_item(member), cast("BinaryIO", content))
                count(member.file_size, 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadRequest(f"the archive is no sound zip: {error}") from None
    return Report(databases=sorted({one.filename.split("/")[0] for one in members}))


def _checked(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    every = archive.infolist()
    if len(every) > MEMBERS_MOST:
        raise BadRequest(f"the archive has {len(every)} members; that is too many")
    members = [one for one in every if not one.is_dir()]
    if sum(one.file_size for one in members) > FREELY + RATIO * size:
        raise BadRequest(
            "the archive would unpack to far more than its size is good for"
        )
    seen = set()
    for member in every:
        trouble = _trouble(member)
        if member.filename in seen:
            trouble = "is there twice"
        seen.add(member.filename)
        if trouble:
            raise BadRequest(f"the archive's member {member.filename!r} {trouble}")
    return members


def _trouble(member: zipfile.ZipInfo) -> str:
    name = member.filename
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in name or "\0" in name:
        return "has a name that leads elsewhere"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is neither a file nor a folder"
    return "is encrypted" if member.flag_bits & 1 else ""


def _room(folder: Path, wanted: int) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if wanted > free:
        raise StorageFull(f"the archive needs {wanted} bytes, and {free} are free")


def _item(member: zipfile.ZipInfo) -> Item:
    mode = stat.S_IMODE(member.external_attr >> 16) or 0o644
    made = datetime(*member.date_time, tzinfo=UTC) if _is_date(member) else _FIRST
    return Item(
        path=member.filename,
        size=member.file_size,
        mtime_ns=int(made.timestamp()) * 10**9,
        mode=mode,
    )


def _is_date(member: zipfile.ZipInfo) -> bool:
    try:
        datetime(*member.date_time, tzinfo=UTC)
    except ValueError:
        return False
    return True


def _contents(vault: Vault) -> Iterator[tuple[Item, BinaryIO]]:
    items = vault.items()
    while some := list(islice(items, AT_ONCE)):
        yield from vault.open([one for one in some if one.kind is ItemKind.FILE])


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(PIECE):
        yield piece


def _time(item: Item) -> datetime:
    return max(_FIRST, datetime.fromtimestamp(item.mtime_ns / 1e9, UTC))


def _printable(path: str) -> str:
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
