"""The index as a command opens it for a moment, whether a daemon uses it or not."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, create_engine, event, inspect
from sqlalchemy.exc import DatabaseError

from syncd.errors import Unavailable
from syncd.store import damage
from syncd.store.database import NEWEST, Store, prepare, version

T = TypeVar("T")


def run(index: Path, work: Callable[[Connection], T]) -> T:
    """Run work(connection) in a transaction on an index that is as we know it.

    Raise Unavailable if it cannot be used now, Damaged if it proves to be: nothing
    is moved aside here, that is for the daemon's next start.
    """
    with _opened(index) as connection:
        # At once, as another process writes as well: a transaction that only reads
        # at first is refused if the index has changed before it writes.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _version(connection) != NEWEST:
            raise Unavailable(_OTHER.format(index))
        result = work(connection)
        connection.commit()
        return result


def is_current(index: Path) -> bool:
    """Tell whether the index is there, as this version of syncd makes it."""
    if not index.exists():
        return False
    with _opened(index) as connection:
        return _version(connection) == NEWEST


def make(index: Path) -> None:
    """Make the index, or take an older one up to date; nobody else may use it now.

    Raise SyncdError if it cannot be had.
    """

    async def open_it() -> None:
        async with Store(index):
            pass

    asyncio.run(open_it())


@contextmanager
def _opened(index: Path) -> Iterator[Connection]:
    engine = create_engine(URL.create("sqlite", database=str(index)))
    event.listen(engine, "connect", prepare)
    try:
        with engine.connect() as connection:
            yield connection
    except DatabaseError as error:
        raise damage.explained(error, index) from error
    finally:
        engine.dispose()


def _version(connection: Connection) -> str | None:
    known = inspect(connection).has_table("alembic_version")
    return version(connection) if known else None


_OTHER = (
    "the index {} is of another version than this command: use the syncd that the"
    " daemon runs, or start the daemon anew"
)
