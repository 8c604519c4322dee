"""Telling a damaged index from one that only cannot be used now, and making way."""

import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DatabaseError

from syncd.core.file import File
from syncd.errors import Damaged, NoRoom, SyncdError, Unavailable

_decode = msgspec.msgpack.Decoder(File).decode
_PRIMARY = 0xFF
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREADABLE = "Could not decode"
"""How Python's own words about a text that is none begin; they have no code."""


def found(error: BaseException | None) -> str | None:
    """Return what the error says is broken about the file; None: nothing is."""
    if isinstance(error, msgspec.DecodeError):
        return "a record makes no sense"
    if isinstance(error, Damaged):
        return str(error)
    original = getattr(error, "orig", error)
    code = getattr(original, "sqlite_errorcode", None)
    if code is None:
        broken = str(original).startswith(_UNREADABLE)
    else:
        broken = code & _PRIMARY in _BROKEN
    return str(original) if broken else None


def explained(error: DatabaseError | msgspec.DecodeError, file: Path) -> SyncdError:
    """Return what an error of the database means for whoever asked."""
    broken = found(error)
    if broken is not None:
        return Damaged(_WORDS.format(file=file, what=broken))
    original = getattr(error, "orig", error)
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    told = f"the index cannot be used: {original}"
    if code == sqlite3.SQLITE_FULL:
        return NoRoom(f"{told}; make room on the disk of {file.parent}")
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
        return Unavailable(f"{told}; see to the disk of {file.parent}")
    return Unavailable(told)


def check(db: Connection, *, thorough: bool) -> None:
    """Raise Damaged if the index is; thorough looks at every record, too.

    A million files take 0.3 seconds, thorough 3 (where the disk is as fast).
    """
    pragma = "integrity_check" if thorough else "quick_check"
    verdict = db.exec_driver_sql(f"PRAGMA {pragma}(1)").scalar()
    if verdict != "ok":
        raise Damaged(" ".join(str(verdict).split()))
    if thorough and inspect(db).has_table("files"):
        for (record,) in db.exec_driver_sql("SELECT record FROM files"):
            _decode(record)


def move_aside(file: Path, now: datetime) -> Path:
    """Give the database, and what belongs to it, a name with the time; return it."""
    stem = f"{file.stem}.broken-{now:%Y%m%d-%H%M%S}"
    aside, number = file.with_name(stem), 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{stem}-{number}")
    # The file first: what is left of it, if we die here, SQLite takes for nothing.
    for tail in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + tail).rename(aside.with_name(aside.name + tail))
    return aside


_WORDS = (
    "the index {file} is damaged ({what}): syncd ends. At the next start it is looked "
    "through and, if it is broken, moved aside; a new one is made from the entries, "
    "and nothing is deleted"
)
