"""What a backup is made of, and what it says of itself."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class ItemKind(StrEnum):
    """What a backup can hold."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Item(Struct, frozen=True, kw_only=True, gc=False):
    """One file, folder or symbolic link of a vault."""

    path: str
    """From the vault's root, no slash before it; surrogateescape for odd bytes.

    Its first part is the database it belongs to.
    """
    kind: ItemKind = ItemKind.FILE
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0o644
    target: str | None = None
    """Where a link points."""
    sha256: bytes | None = None
    """Of the content as it was read; None until it was."""


class Summary(Struct, frozen=True, kw_only=True):
    """What a vault says of itself (``vault.json``)."""

    name: str
    source: str
    """Name of the source; its kind is in ``origin``."""
    made: float
    """Seconds since 1970, when the backup was asked to begin."""
    origin: dict[str, Any] = {}
    """The source's own words: kind, versions, positions, consistency."""
    databases: list[str] | None = None
    """What it holds of the source; None: all of it."""
    listed: list[str] = []
    """The databases that can be restored from it."""
    partial: bool = False
    """Made of chosen databases only."""
    files: int = 0
    bytes: int = 0
    """Of all contents, as they were read."""
    stored: int = 0
    """Bytes that this vault added to its store."""
    seconds: float = 0.0
    torn: list[str] = []
    """Items that kept changing while they were read."""
    variables: dict[str, Any] = {}
    """What the asker gave besides, secrets left out."""
    failed: str | None = None
    """Why it is no good: kept for its log, never restored from unasked."""
    exit_code: int | None = None


class Pin(Struct, frozen=True):
    """A person's word that a vault must stay."""

    reason: str
    by: str
    since: float
    until: float | None = None
    """Seconds since 1970; None: until it is taken away."""


class Fault(Struct, frozen=True):
    """Something a verification found to be wrong."""

    path: str
    """The vault's own file that is wrong; for a file in a pack ``PACK: PATH``."""
    trouble: str


class Checked(Struct, frozen=True):
    """What came of the last verification of a vault."""

    at: float
    """When it ended, in seconds since 1970."""
    faults: list[Fault] = []


def path_trouble(path: str) -> str:
    """Return why nothing in a vault can have this path; empty if it can."""
    if not path or path[0] == "/" or path[-1] == "/":
        return "it is empty, or has a slash around it"
    if "\0" in path:
        return "it holds a zero byte"
    if "//" in path or path[0] == "." or "/." in path:
        for part in path.split("/"):
            if part in ("", ".", ".."):
                return f"it has a part {part!r}"
    return ""
