"""One writer, several readers: the database behind every other part of the room."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import msgspec
import structlog
from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, StatementError

from syncd import clock
from syncd.errors import Damaged
from syncd.store import damage, salvage, values
from syncd.store.check import Check

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2

log = structlog.get_logger(__name__)


class Store:
    """The open index: work is a function over a connection, one transaction each.

    Writers queue up in one thread, so nothing needs a lock, and what one reads
    nobody changes before it writes. Readers see the last committed state.

    An index that proves to be damaged when it is opened is moved aside, and a new
    one made: ``replaced`` tells where the old one is. One that proves so later
    raises Damaged at whoever asked, and at whoever waits for ``until_damaged``.
    """

    def __init__(self, path: Path, check: Check = Check.NONE) -> None:
        self.replaced: Path | None = None
        self.transactions = 0
        """How many there were."""
        self._path = path
        self._check = check
        self._damage: Damaged | None = None
        self._damaged = asyncio.Event()
        self._url = URL.create("sqlite", database=str(path))
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._engine = create_engine(self._url, pool_size=READERS + 1)
        event.listen(self._engine, "connect", prepare)

    async def __aenter__(self) -> Self:
        try:
            await self._in(self._writer, self._open)
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

        Raise Unavailable when the database cannot write (a full disk: NoRoom).
        """
        self.transactions += 1

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

    async def until_damaged(self) -> None:
        """Raise Damaged as soon as the index proves to be damaged."""
        await self._damaged.wait()
        assert self._damage is not None
        raise self._damage

    async def _close(self) -> None:
        self._readers.shutdown(wait=True)
        await self._in(self._writer, self._engine.dispose)
        self._writer.shutdown(wait=True)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except (DatabaseError, msgspec.DecodeError) as error:
            told = damage.explained(error, self._path)
            if isinstance(told, Damaged):
                self._damage = told
                self._damaged.set()
            raise told from error

    def _open(self) -> None:
        broken = self._opened()
        if broken is not None:
            self._engine.dispose()
            self.replaced = damage.move_aside(self._path, clock.now())
            kept = str(self.replaced)
            log.error(_REPLACED, action="index", kept=kept, found=broken)
            self._open_what_is_there()
            self._take_over_accounts(self.replaced)
            self._take_over_machines(self.replaced)

    def _take_over_accounts(self, old: Path) -> None:
        people, theirs = salvage.accounts(old)
        try:
            with self._engine.begin() as connection:
                salvage.put(connection, people, theirs)
        except DatabaseError as error:
            said = {"action": "index", "reason": str(error.orig)}
            log.warning("accounts not taken over", **said)
            return
        if people:
            log.warning("accounts taken over", action="index", users=len(people))

    def _take_over_machines(self, old: Path) -> None:
        for table, rows in salvage.machines(old):
            said = {"action": "index", "table": table.name, "rows": len(rows)}
            try:
                with self._engine.begin() as connection:
                    connection.execute(table.insert(), rows)
            except StatementError as error:
                log.warning("machines not taken over", reason=str(error.orig), **said)
            else:
                log.warning("machines taken over", **said)

    def _opened(self) -> str | None:
        """Open what is there; return what proves to be broken about it."""
        if self._check is Check.REPLACE:
            return "it was found damaged twice in a row"
        try:
            self._open_what_is_there()
        except (DatabaseError, msgspec.DecodeError, Damaged) as error:
            broken = damage.found(error)
            if broken is None:
                raise
            return broken
        return None

    def _open_what_is_there(self) -> None:
        with self._engine.connect() as connection:
            if self._check in (Check.QUICK, Check.THOROUGH):
                self._look_through(connection)
            fresh = not inspect(connection).has_table("alembic_version")
            found = None if fresh else version(connection)
        if fresh:
            self._make()
        elif found != NEWEST:
            self._migrate()

    def _look_through(self, connection: Connection) -> None:
        log.info("looking through the index", action="index", how=self._check.name)
        begun = clock.monotonic()
        damage.check(connection, thorough=self._check is Check.THOROUGH)
        seconds = round(clock.monotonic() - begun, 1)
        log.info("the index is sound", action="index", seconds=seconds)

    def _make(self) -> None:
        """Make a new index as the newest migration would leave it."""
        # With all tables; whoever finds an index need not know of every one at once.
        from syncd.store.cyborg.tables import metadata  # noqa: PLC0415

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
            migrate(connection, self._path)


_REPLACED = (
    "the index is damaged and was moved aside; a new one is made from the entries: "
    "nothing is deleted, differing contents become conflicts, what was deleted "
    "shortly before may come back, and entries that were stopped run again"
)

_MAKE_VERSION = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)

NEWEST = "0006"
"""The newest migration; a test holds it to the folder of migrations."""


def version(connection: Connection) -> str | None:
    """Return the newest migration that an index has seen."""
    row = connection.execute(text("SELECT version_num FROM alembic_version"))
    return row.scalar()


def prepare(connection: Any, _: object) -> None:
    """Set up a new connection, as every one needs it."""
    # FULL: what was answered "noted" or "done" survives a power cut.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
    # What filters compare texts by (store/filters).
    connection.create_function("folded", 1, values.folded, deterministic=True)
    connection.create_function("matches", 2, values.matches, deterministic=True)
