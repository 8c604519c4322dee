"""What a vault of nodes says of itself: ``zookeeper.json`` within it."""

from pathlib import Path

import msgspec
from msgspec import Struct

from syncd.backup_sources.zookeeper.nodes import Node
from syncd.errors import StorageError

NAME = "zookeeper.json"
FORMAT = 1
MOST_NAMED = 1000
"""Nodes that moved, which are named; all are counted."""


class Consistency(Struct, frozen=True, kw_only=True):
    """From when to when was read, in transactions of the servers (zxid)."""

    begun: int
    surveyed: int
    """What did not move was at this transaction as it is in the vault."""
    ended: int
    consistent: bool
    moved: int = 0
    moved_nodes: list[str] = []
    """The first of them."""


class Root(Struct, frozen=True, kw_only=True):
    """One database of the vault."""

    name: str
    """Its path, without the first slash."""
    file: str
    """Empty where snapshots and logs hold it."""
    sha256: str
    nodes: int
    bytes: int
    ephemeral: int = 0
    """Nodes that are recorded, and never restored."""
    above: list[Node] = []
    """The nodes above it, the topmost first, without the root of all."""


class Manifest(Struct, frozen=True, kw_only=True):
    """See the module."""

    format: int
    server: str
    consistency: Consistency
    root: Node | None = None
    """The root of all, where everything was backed up."""
    roots: list[Root] = []
    files: list[str] = []
    """Of a transactional backup: the snapshot, and the logs after it, oldest first."""
    failed: dict[str, str] = {}
    """Nodes that could not be read, or not wholly."""

    def find(self, database: str) -> Root | None:
        """Return the root that a database is, or lies in."""
        for root in self.roots:
            if database == root.name or database.startswith(f"{root.name}/"):
                return root
        return None


def write(folder: Path, manifest: Manifest) -> None:
    """Write it into a folder, for people, too."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / NAME).write_bytes(text + b"\n")


def read(text: bytes) -> Manifest:
    """Return what was written; raise StorageError for anything else."""
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{NAME} cannot be read: {error}") from None
    if manifest.format != FORMAT:
        raise StorageError(
            f"{NAME} is of format {manifest.format}; this syncd reads {FORMAT}"
        )
    return manifest
