"""What a server has of a database: its answers, and what is noted of them."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from msgspec import Struct

TOGETHER = 500
"""Ids that are given at once."""

_TABLE = """
CREATE TABLE there (
    id TEXT PRIMARY KEY, leaves TEXT NOT NULL, dead INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""
_MADE = """
CREATE TABLE made (
    id TEXT PRIMARY KEY, revision TEXT, leaves TEXT, seen INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
"""


class Said(Struct, frozen=True):
    """What the server says of one document that was written."""

    id: str = ""
    rev: str = ""
    """What was made of it; empty where it was not written."""
    error: Any = None
    name: Any = None
    reason: Any = None

    @property
    def word(self) -> str:
        """Return what kind of failure it is; empty for none."""
        said = self.error if isinstance(self.error, str) else self.name
        return str(said or "failed") if self.error else ""


class Row(Struct, frozen=True):
    """What the server has under an id."""

    key: str
    value: dict[str, Any] | None = None
    doc: dict[str, Any] | None = None

    @property
    def revision(self) -> str:
        """Return the revision that is read, or was deleted; empty: there is none."""
        return str(self.value["rev"]) if self.value else ""

    @property
    def lives(self) -> bool:
        """Tell whether it can be read."""
        return bool(self.value) and not (self.value or {}).get("deleted")

    @property
    def conflicts(self) -> list[str]:
        """Return the other leaves that live."""
        found: list[str] = (self.doc or {}).get("_conflicts", [])
        return found


class Rows(Struct, frozen=True):
    """What the server has under some ids."""

    rows: list[Row]


class There:
    """What the server has of a database: by id, the leaves; on disk."""

    def __init__(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        self._lock = Lock()
        self._db = sqlite3.connect(file, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(_TABLE)
        self._db.execute(_MADE)

    def put(self, rows: Sequence[tuple[str, str, bool]]) -> None:
        """Take ids with their leaves, and whether they are deleted."""
        with self._lock, self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO there (id, leaves, dead) VALUES (?, ?, ?)", rows
            )

    def known(self, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
        """Return what there is under these ids, and note that the vault has them."""
        found: dict[str, tuple[str, bool]] = {}
        with self._lock, self._db:
            for id_ in ids:
                ask = "SELECT leaves, dead FROM there WHERE id = ?"
                row = self._db.execute(ask, (id_,)).fetchone()
                if row is not None:
                    found[id_] = (row[0], bool(row[1]))
            note = "UPDATE there SET held = 1 WHERE id = ?"
            self._db.executemany(note, [(id_,) for id_ in found])
        return found

    def has(self, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that there is anything under."""
        ask = "SELECT 1 FROM there WHERE id = ?"
        with self._lock:
            return {id_ for id_ in ids if self._db.execute(ask, (id_,)).fetchone()}

    def expect(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Note that documents are made: with which revision, and which leaves."""
        with self._lock, self._db:
            ask = "INSERT OR REPLACE INTO made (id, revision, leaves) VALUES (?, ?, ?)"
            self._db.executemany(ask, rows)

    def see(self, rows: Sequence[tuple[str, str]]) -> None:
        """Take in the leaves that documents have now."""
        with self._lock, self._db:
            ask = "UPDATE made SET seen = 1 WHERE id = ? AND leaves = ?"
            self._db.executemany(ask, rows)

    def judged(self) -> tuple[int, set[str]]:
        """Return how many are as they were to become, and the ids of the others.

        What was made without leaves to expect was looked at when it was made.
        """
        with self._lock:
            ask = "SELECT count(*) FROM made WHERE seen"
            (seen,) = self._db.execute(ask).fetchone()
            ask = "SELECT id FROM made WHERE NOT seen AND leaves <> ''"
            found = self._db.execute(ask)
            return seen, {row[0] for row in found}

    def all_made(self) -> Iterator[dict[str, str]]:
        """Give the revisions of what was made."""
        found = self._db.execute("SELECT id, revision FROM made ORDER BY id")
        while some := found.fetchmany(TOGETHER):
            yield dict(some)

    def others(self) -> Iterator[list[str]]:
        """Give the living ids that the vault has not."""
        ask = "SELECT id FROM there WHERE NOT held AND NOT dead ORDER BY id"
        found = self._db.execute(ask)
        while some := found.fetchmany(TOGETHER):
            yield [row[0] for row in some]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
