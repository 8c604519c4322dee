"""What can still be read of a damaged index and nowhere else: people, and machines."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
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
            theirs = list(_rows(connection, tokens))
    except (sqlite3.Error, UnicodeDecodeError):
        return [], []
    known = {row["id"] for row in people}
    good = [row for row in theirs if isinstance(row["secret"], bytes)]
    return people, [row for row in good if row["user_id"] in known]


def machines(old: Path) -> list[tuple[Table, Rows]]:
    """Return whole machines, what is said of them, and the settings, table by table.

    Their repositories' keys are nowhere else. Of a table that is damaged there is what
    lies before that. Jobs are not looked for: what they did cannot be told any more.
    """
    # With their tables: only a damaged index needs these when it is opened.
    from syncd.store.cyborg import tables  # noqa: PLC0415

    plans = (tables.clients, tables.schedules, tables.repositories, tables.policies)
    found = []
    for table in (*plans, tables.policy_clients, tables.settings):
        rows: Rows = []
        with suppress(sqlite3.Error, UnicodeDecodeError):
            address = f"{old.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True)) as connection:
                rows.extend(_rows(connection, table))
        if rows:
            found.append((table, rows))
    return found


def put(db: Connection, people: Rows, theirs: Rows) -> None:
    """Keep users and tokens in an index that has none."""
    if people:
        db.execute(users.insert(), people)
    if theirs:
        db.execute(tokens.insert(), theirs)
    changed(db)


def _rows(connection: sqlite3.Connection, table: Table) -> Iterator[dict[str, Any]]:
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    names = [column.name for column in table.columns if column.name in there]
    columns = ", ".join(f'"{name}"' for name in names)
    for row in connection.execute(f"SELECT {columns} FROM {table.name}"):
        yield dict(zip(names, row, strict=True))


def _is_sound(row: dict[str, Any]) -> bool:
    row["disabled"] = bool(row["disabled"])
    known = row["role"] in frozenset(Role)
    return known and isinstance(row["email"], str) and isinstance(row["epoch"], int)
