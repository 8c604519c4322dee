"""The folders of a daemon's entries, and what tests do there."""

import os
from pathlib import Path

from tests.acceptance.trees import Tree, tree


class Folders:
    """Entries as numbered folders of one home, so that any entry name will do."""

    home: Path
    entries: tuple[str, ...]

    def folder(self, entry: str) -> Path:
        """Return the root of an entry."""
        return self.home / str(self.entries.index(entry))

    def path(self, entry: str, name: str | bytes) -> Path:
        """Return where a file of an entry lies."""
        return self.folder(entry) / os.fsdecode(name)

    def write(self, entry: str, name: str | bytes, data: bytes = b"0123456789") -> Path:
        """Put a file on an entry, with the folders it needs."""
        path = self.path(entry, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def read(self, entry: str, name: str | bytes) -> bytes | None:
        """Return the content of a file; None when it is not there."""
        try:
            return self.path(entry, name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def contents(self, entry: str) -> list[bytes]:
        """Return the contents of all files of an entry, in no order."""
        held = (
            self.read(entry, name)
            for name, (kind, *_) in self.tree(entry).items()
            if kind == "file"
        )
        return [data for data in held if data is not None]

    def read_size(self, entry: str, name: str) -> int:
        """Return the size of a file; -1 when it is not there."""
        try:
            return self.path(entry, name).stat().st_size
        except FileNotFoundError:
            return -1

    def tree(self, entry: str, *, metadata: bool = False) -> Tree:
        """Return all that lies on an entry."""
        return tree(self.folder(entry), metadata=metadata)
