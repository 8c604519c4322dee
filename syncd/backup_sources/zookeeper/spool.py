"""Files of a backup of nodes: written as a stream, digested, and read line by line."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

PORTION = 1 << 20
"""Bytes that are gathered before they are written."""

_LONGEST = 200


def file_of(database: str) -> str:
    """Return the name of the file for a database, whatever that is called.

    Node names may be longer than file names, and hold what these must not.
    """
    plain = quote(database, safe="")
    if len(plain) > _LONGEST:
        plain = f"%-{hashlib.sha256(database.encode()).hexdigest()}"
    return f"roots/{plain}.jsonl"


class Writer:
    """One file in the making; an async context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._gathered = bytearray()
        self._file: BinaryIO

    async def __aenter__(self) -> "Writer":
        # Not in a thread: whoever is called off meanwhile would never close it.
        self._file = self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._close)

    async def line(self, line: bytes) -> int:
        """Add a line, and return where it begins."""
        start = self.size
        self._gathered += line + b"\n"
        self.size += len(line) + 1
        if len(self._gathered) >= PORTION:
            await asyncio.to_thread(self._write)
        return start

    async def flush(self) -> None:
        """Have everything be in the file, so that it can be read."""
        await asyncio.to_thread(self._write)

    @property
    def sha256(self) -> str:
        """Return the digest of what was written so far."""
        return self._digest.hexdigest()

    def _open(self) -> BinaryIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.path.open("wb", buffering=0)

    def _write(self) -> None:
        self._digest.update(self._gathered)
        self._file.write(self._gathered)
        self._gathered.clear()

    def _close(self) -> None:
        try:
            self._write()
        finally:
            self._file.close()


def lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a file, without their ends."""
    with path.open("rb", buffering=PORTION) as file:
        for line in file:
            yield line[:-1]
