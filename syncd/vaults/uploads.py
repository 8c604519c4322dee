"""Archives that somebody sent: unpacked into a folder, whatever they are made of.

No member leaves the folder or is anything but a file, folder or link; how much comes
out is bounded, in bytes, in members and against the archive's own size. Every refusal
names the member.
"""

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from syncd.core.path import from_bytes, to_bytes
from syncd.core.vault import ItemKind
from syncd.errors import BadRequest, TooLarge
from syncd.text import printable
from syncd.vaults.coding import CHUNK, Readable
from syncd.vaults.durable import telling
from syncd.vaults.streams import Bounded, Forward

_LONGEST_PART = 255
_LONGEST = 3000
_LONGEST_TARGET = 4095
_UNIX = 3
_TIME = 0x5455
"""The extra field of a zip that tells the time in seconds since 1970."""
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeError,
    ValueError,
)


class Limits(Struct, frozen=True):
    """How much may come out of an archive."""

    bytes: int = 1 << 40
    count: int = 2_000_000
    ratio: int = 200
    """Times the archive's size, ..."""
    unsuspicious: int = 64 << 20
    """... beyond so many bytes, which any archive may have."""


class Member(Struct, frozen=True):
    """One member of an archive, as it claims to be."""

    name: str
    kind: ItemKind
    mode: int
    mtime: float | None
    target: str = ""
    content: Readable | None = None


def take_in(archive: Path, folder: Path, limits: Limits | None = None) -> int:
    """Unpack a .zip or .tgz into an empty folder; return how many members it had.

    Its kind is told by its content. Raise BadRequest for what must not, TooLarge for
    what may not be unpacked, StorageError if there is no room. Then what the folder
    holds is of no use.
    """
    limits = limits or Limits()
    with telling(archive), archive.open("rb") as file:
        beginning = file.read(4)
        file.seek(0)
        allowed = limits.ratio * archive.stat().st_size
        allowed = min(limits.bytes, max(allowed, limits.unsuspicious))
        taking = _Taking(folder, limits, allowed)
        try:
            if beginning.startswith(b"PK"):
                members = _zip_members(Bounded(file))
            elif beginning.startswith(b"\x1f\x8b"):
                members = _tar_members(file, allowed)
            else:
                raise BadRequest("the archive is neither a .zip nor a .tgz")
            for member in members:
                taking.take(member)
        except _BROKEN as error:
            raise BadRequest(f"{taking.where}: {error}") from None
    return taking.finish()


class _Taking:
    def __init__(self, folder: Path, limits: Limits, allowed: int) -> None:
        self._folder = folder
        self._limits = limits
        self._left = allowed
        self._seen: dict[str, ItemKind] = {}
        self._links: list[tuple[Path, Member]] = []
        self._folders: list[tuple[Path, Member]] = []
        self._count = 0
        self.where = "the archive cannot be read"

    def take(self, member: Member) -> None:
        """Unpack one member; raise BadRequest or TooLarge."""
        shown = printable(member.name)
        self.where = f"the archive cannot be read at {shown}"
        self._count += 1
        if self._count > self._limits.count:
            raise TooLarge(f"{shown}: more than {self._limits.count} members")
        inside = _inside(member.name)
        if not inside and member.kind is ItemKind.DIRECTORY:
            return
        self._note(inside, member.kind, shown)
        path = self._folder / os.fsdecode(to_bytes(inside))
        with telling(path):
            if member.kind is ItemKind.DIRECTORY:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._folders.append((path, member))
                return
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if member.kind is ItemKind.LINK:
                self._links.append((path, member))
            else:
                self._write(path, member, shown)

    def finish(self) -> int:
        """Make the links, which could have led contents astray; return the count."""
        for path, member in self._links:
            target = os.fsdecode(to_bytes(member.target))
            shown = f"{printable(member.name)} -> {printable(member.target)}"
            if not target or "\0" in target or len(target) > _LONGEST_TARGET:
                raise BadRequest(f"{shown}: this is no target of a link")
            if target.startswith("/"):
                raise BadRequest(f"{shown}: a link must not leave the archive")
            with telling(path):
                path.symlink_to(target)
        root = os.path.realpath(self._folder)
        for path, member in self._links:
            # Only now: a link may lead out by way of another one.
            real = os.path.realpath(path)
            if real != root and not real.startswith(f"{root}/"):
                shown = f"{printable(member.name)} -> {printable(member.target)}"
                raise BadRequest(f"{shown}: a link must not leave the archive")
        for path, member in reversed(self._folders):
            with telling(path):
                _dress(path, member)
        return self._count

    def _note(self, path: str, kind: ItemKind, shown: str) -> None:
        before = self._seen.get(path)
        both_folders = before is kind is ItemKind.DIRECTORY
        if before is not None and not both_folders:
            raise BadRequest(f"{shown}: the archive has this name twice")
        self._seen[path] = kind
        while path := path.rpartition("/")[0]:
            above = self._seen.setdefault(path, ItemKind.DIRECTORY)
            if above is not ItemKind.DIRECTORY:
                raise BadRequest(f"{shown}: it lies below a {above}")

    def _write(self, path: Path, member: Member, shown: str) -> None:
        assert member.content is not None
        with path.open("xb") as file:
            while chunk := member.content.read(CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise TooLarge(f"{shown}: more comes out of the archive than may")
                file.write(chunk)
        _dress(path, member)


def _dress(path: Path, member: Member) -> None:
    path.chmod(member.mode & 0o777)
    if member.mtime is not None:
        nanoseconds = int(member.mtime * 1_000_000_000)
        os.utime(path, ns=(nanoseconds, nanoseconds))


def _inside(name: str) -> str:
    """Return the name without what means nothing; raise BadRequest if it leads out."""
    shown = printable(name)
    if name.startswith("/"):
        raise BadRequest(f"{shown}: a member must not have an absolute name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadRequest(f"{shown}: a member must not lead out of the archive")
    if "\0" in name or not name:
        raise BadRequest(f"{shown}: this is no name")
    path = "/".join(parts)
    sizes = [len(to_bytes(part)) for part in parts]
    if len(to_bytes(path)) > _LONGEST or max(sizes, default=0) > _LONGEST_PART:
        raise BadRequest(f"{shown[:80]}...: this name is too long")
    return path


def _zip_members(file: Bounded) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
            kind = _zip_kind(info, mode)
            mtime = _zip_time(info)
            if kind is ItemKind.DIRECTORY:
                yield Member(info.filename, kind, mode or 0o755, mtime)
                continue
            with archive.open(info) as content:
                if kind is ItemKind.LINK:
                    read = content.read(_LONGEST_TARGET + 1)
                    target = from_bytes(read)
                    yield Member(info.filename, kind, 0o777, mtime, target)
                else:
                    mode = mode or 0o644
                    yield Member(info.filename, kind, mode, mtime, content=content)


def _zip_kind(info: zipfile.ZipInfo, mode: int) -> ItemKind:
    if info.flag_bits & 1:
        raise BadRequest(f"{printable(info.filename)}: it is encrypted")
    if info.is_dir():
        return ItemKind.DIRECTORY
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        return ItemKind.LINK
    if kind in (0, stat.S_IFREG):
        return ItemKind.FILE
    raise BadRequest(
        f"{printable(info.filename)}: it is a device, pipe or the like;"
        " pack files, folders and links"
    )


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _TIME and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack_from("<l", extra, 5)[0])
        extra = extra[4 + size :]
    try:
        return datetime(*info.date_time).astimezone().timestamp()
    except (ValueError, OverflowError):
        return None


def _tar_members(file: BinaryIO, allowed: int) -> Iterator[Member]:
    with GzipFile(fileobj=file) as unzipped:
        # Headers come out of it, too.
        source = Forward(unzipped, 2 * allowed)
        with tarfile.open(
            fileobj=source,  # type: ignore[call-overload]
            mode="r:",
            errors="surrogateescape",
            encoding="utf-8",
        ) as tar:
            for info in tar:
                yield _tar_member(tar, info)
                tar.members.clear()
        while source.read(CHUNK):  # Only at its end the archive tells if it is whole.
            pass


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Member:
    name = _text(info.name)
    mtime = float(info.mtime)
    if info.isdir():
        return Member(name, ItemKind.DIRECTORY, info.mode, mtime)
    if info.issym():
        return Member(name, ItemKind.LINK, info.mode, mtime, _text(info.linkname))
    if info.isfile():
        content = tar.extractfile(info)
        return Member(name, ItemKind.FILE, info.mode, mtime, content=content)
    kind = "a hard link" if info.islnk() else "a device, pipe or the like"
    raise BadRequest(f"{printable(name)}: it is {kind}; pack files, folders and links")


def _text(name: str) -> str:
    return from_bytes(name.encode("utf-8", "surrogateescape"))
