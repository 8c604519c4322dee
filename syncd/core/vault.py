"""What a backup is made of, and what it says of itself."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class ItemKind(StrEnum):
    """What a backup can hold."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Item(Struct, frozen=True, kw_only=True):
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
    trouble: str
