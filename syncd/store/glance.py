"""A first look into the index, with the least that can be loaded for it."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path


def stopped(index: Path, default: Iterable[str]) -> frozenset[str]:
    """Return the entries that a person stopped, or if it cannot be told the default."""
    if not index.exists():
        return frozenset()
    address = f"{index.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            rows = connection.execute("SELECT name FROM entries WHERE stopped")
            return frozenset(name for (name,) in rows)
    except sqlite3.Error:
        return frozenset(default)
