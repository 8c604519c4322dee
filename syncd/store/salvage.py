"""What can still be read of a damaged index and nowhere else: who may come in."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table

from syncd.core.permission import Role
from syncd.store.schema import tokens, users
from syncd.store.users import changed

Rows = list[dict[str, Any]]


def accounts(old: Path) -> tuple[Rows, Rows]:
    """Return users and their tokens as a damaged index has them; nothing if unread."""
    address = f"{old.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            people = [row for row in _rows(connection, users) if _is_sound(row)]
            theirs = _rows(connection, tokens)
    except (sqlite3.Error, UnicodeDecodeError):
        return [], []
    known = {row["id"] for row in people}
    good = [row for row in theirs if isinstance(row["secret"], bytes)]
    return people, [row for row in good if row["user_id"] in known]


def put(db: Connection, people: Rows, theirs: Rows) -> None:
    """Keep users and tokens in an index that has none."""
    if people:
        db.execute(users.insert(), people)
    if theirs:
        db.execute(tokens.insert(), theirs)
    changed(db)


def _rows(connection: sqlite3.Connection, table: Table) -> Rows:
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    names = [column.name for column in table.columns if column.name in there]
    found = connection.execute(f"SELECT {', '.join(names)} FROM {table.name}")
    return [dict(zip(names, row, strict=True)) for row in found]


def _is_sound(row: dict[str, Any]) -> bool:
    row["disabled"] = bool(row["disabled"])
    known = row["role"] in frozenset(Role)
    return known and isinstance(row["email"], str) and isinstance(row["epoch"], int)
