"""What is damage and what is not; and that what is moved aside is kept."""

import errno
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from syncd.errors import Damaged, NoRoom, Unavailable
from syncd.store import damage

FILE = Path("/state/index.db")


def failed(code: int | None, words: str = "words") -> DatabaseError:
    error = sqlite3.OperationalError(words)
    if code is not None:
        error.sqlite_errorcode = code
    return OperationalError("SELECT", None, error)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (failed(sqlite3.SQLITE_CORRUPT), Damaged, "moved aside"),
        (failed(sqlite3.SQLITE_CORRUPT_INDEX), Damaged, "moved aside"),
        (failed(sqlite3.SQLITE_NOTADB), Damaged, "moved aside"),
        (failed(None, "Could not decode to UTF-8"), Damaged, "moved aside"),
        (msgspec.DecodeError("x"), Damaged, "a record makes no sense"),
        (failed(sqlite3.SQLITE_FULL), NoRoom, "make room on the disk of /state"),
        (failed(sqlite3.SQLITE_IOERR_WRITE), Unavailable, "see to the disk of /state"),
        (failed(sqlite3.SQLITE_READONLY), Unavailable, "see to the disk of /state"),
        (failed(sqlite3.SQLITE_BUSY), Unavailable, "the index cannot be used: words"),
        (failed(None), Unavailable, "the index cannot be used: words"),
    ],
)
def test_what_an_error_means(error, kind, words):
    told = damage.explained(error, FILE)

    assert type(told) is kind
    assert words in str(told)


def test_a_disk_that_cannot_be_read_is_no_damage():
    assert damage.found(OSError(errno.EIO, "x")) is None
    assert damage.found(None) is None


def test_everything_that_belongs_together_is_moved_and_nothing_written_over(tmp_path):
    noon = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
    names = []
    for number in range(2):
        for tail in ("", "-wal"):
            (tmp_path / f"index.db{tail}").write_text(f"{number}{tail}")
        names.append(damage.move_aside(tmp_path / "index.db", noon).name)

    assert names == ["index.broken-20300102-120000", "index.broken-20300102-120000-2"]
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "index.broken-20300102-120000": "0",
        "index.broken-20300102-120000-wal": "0-wal",
        "index.broken-20300102-120000-2": "1",
        "index.broken-20300102-120000-2-wal": "1-wal",
    }
