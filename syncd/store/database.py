"""One writer, several readers: the database behind every other part of the room."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from syncd.errors import Unavailable
from syncd.store.schema import metadata

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2


class Store:
    """The open index: work is a function over a connection, one transaction each.

    Writers queue up in one thread, so nothing needs a lock, and what one reads
    nobody changes before it writes. Readers see the last committed state.
    """

    def __init__(self, path: Path) -> None:
        self._url = URL.create("sqlite", database=str(path))
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._engine: Engine

    async def __aenter__(self) -> Self:
        try:
            await self._in(self._writer, self._open)
        except DatabaseError as error:
            await self._close()
            raise Unavailable(_DAMAGED.format(self._url.database, error.orig)) from None
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run work(connection, ...) in a transaction; all of it holds, or none.

        Raise Unavailable when the database cannot write (a full disk).
        """

        def transaction() -> T:
            with self._engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._in(self._writer, transaction)

    async def read(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run work(connection, ...) on the last committed state, beside writers."""

        def look() -> T:
            with self._engine.connect() as connection:
                return work(connection, *args, **kwargs)

        return await self._in(self._readers, look)

    async def _close(self) -> None:
        self._readers.shutdown(wait=True)
        await self._in(self._writer, self._engine.dispose)
        self._writer.shutdown(wait=True)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OperationalError as error:
            raise Unavailable(f"the index cannot be used: {error.orig}") from error

    def _open(self) -> None:
        self._engine = create_engine(self._url, pool_size=READERS + 1)
        event.listen(self._engine, "connect", _prepare)
        with self._engine.connect() as connection:
            fresh = not inspect(connection).has_table("alembic_version")
            version = None if fresh else _version(connection)
        if fresh:
            self._make()
        elif version != NEWEST:
            self._migrate()

    def _make(self) -> None:
        """Make a new index as the newest migration would leave it."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Tables, too: all or none.
            metadata.create_all(connection)
            connection.execute(text(_MAKE_VERSION))
            connection.execute(
                text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": NEWEST}
            )

    def _migrate(self) -> None:
        # Loaded only here: it takes longer than opening an index that is up to date.
        from syncd.store.migrating import migrate  # noqa: PLC0415

        with self._engine.begin() as connection:
            migrate(connection)


_DAMAGED = (
    "the index {} is damaged ({}); move it away, with its -wal and -shm files, and"
    " start again: a new one is made from the entries, and nothing is deleted"
)

_MAKE_VERSION = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)

NEWEST = "0001"
"""The newest migration; a test holds it to the folder of migrations."""


def _version(connection: Connection) -> str | None:
    row = connection.execute(text("SELECT version_num FROM alembic_version"))
    return row.scalar()


def _prepare(connection: Any, _: object) -> None:
    # FULL: what was answered "noted" or "done" survives a power cut.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
