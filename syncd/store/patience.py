"""How long somebody may have the database search: what people ask can take for ever."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from syncd import clock
from syncd.errors import BadRequest

LONGEST = 5.0
"""Seconds."""

STEPS = 10_000
"""Steps of the database between two looks at the clock: well under a millisecond."""


@contextmanager
def limited(db: Connection) -> Iterator[None]:
    """Have what is asked of the database meanwhile end in time; raise BadRequest."""
    connection: sqlite3.Connection = db.connection.dbapi_connection  # type: ignore[assignment]
    until = clock.monotonic() + LONGEST
    connection.set_progress_handler(lambda: clock.monotonic() > until, STEPS)
    try:
        yield
    except DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code != sqlite3.SQLITE_INTERRUPT:
            raise
        raise BadRequest(
            f"what is asked for takes longer than {LONGEST:.0f} seconds to find; ask"
            " with fewer filters, or for less"
        ) from None
    finally:
        connection.set_progress_handler(None, 0)
