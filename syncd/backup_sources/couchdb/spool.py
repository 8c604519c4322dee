"""What is read of one database until all of it is: on disk, by id.

What changes while it is read comes again, later, and replaces what came before.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

_TABLE = """
CREATE TABLE docs (
    id TEXT PRIMARY KEY, turn INTEGER NOT NULL, record BLOB, dead INTEGER NOT NULL
) WITHOUT ROWID
"""
_PUT = """
INSERT INTO docs VALUES (?, ?, ?, ?) ON CONFLICT (id) DO
UPDATE SET turn = excluded.turn, record = excluded.record, dead = excluded.dead
WHERE excluded.turn >= docs.turn
"""

Row = tuple[str, int, bytes | None, bool]
"""An id, the turn in which it was read, the record (None: it is left out), if dead."""


class Spool:
    """One database's documents; ``put`` may be called by any thread."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._lock = Lock()
        self._db = sqlite3.connect(path, check_same_thread=False)
        # Whatever becomes of the machine, nobody reads this again.
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -8192")
        self._db.execute(_TABLE)

    def put(self, rows: Iterable[Row]) -> None:
        """Take documents; what was read in a later turn stays."""
        with self._lock, self._db:
            self._db.executemany(_PUT, rows)

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Give id and record of all that are not left out, by id."""
        found = "SELECT id, record FROM docs WHERE record IS NOT NULL ORDER BY id"
        yield from self._db.execute(found)

    def counts(self) -> tuple[int, int]:
        """Return how many live, and how many are dead."""
        found = (
            "SELECT count(*), coalesce(sum(dead), 0) FROM docs WHERE record IS NOT NULL"
        )
        kept, dead = self._db.execute(found).fetchone()
        return kept - dead, dead

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


async def finished(call: Callable[..., T], *arguments: Any) -> T:
    """Return what the call in a thread returns; when cancelled, once it has ended."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.cancelled() or task.exception()
        raise
