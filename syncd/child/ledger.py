"""What the index has acknowledged of this entry, path by path: one SQLite file.

It is only ever behind: what is not in it is found, and said, again. Reading
happens on the loop, a few rows at a time; writing in a thread, grouped.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncd import clock
from syncd.child.held import Held
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.path import name, parent
from syncd.errors import AlreadyRunning

ORPHAN_PATIENCE = 10.0
"""Seconds an earlier child of this entry may take to end."""

PAUSE = 1.0
"""Seconds before what could not be written (a full disk) is written again."""

PAGE = 500
"""Rows read at a time, so that the loop is never held up for long."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paths (
    folder TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, tag TEXT NOT NULL, mode INTEGER NOT NULL,
    target TEXT, implicit INTEGER NOT NULL,
    PRIMARY KEY (folder, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fingerprints (
    folder TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, paths INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_inode ON paths (inode) WHERE inode <> 0;
"""
_PUT = "INSERT OR REPLACE INTO paths VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_DROP = "DELETE FROM paths WHERE folder = ? AND name = ?"
_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
_GET = "SELECT * FROM paths WHERE folder = ? AND name = ?"
_AT_INODES = "SELECT * FROM paths WHERE inode <> 0 AND inode IN (%s)"
_INSIDE = (
    "SELECT * FROM paths WHERE folder = ? AND name > ? AND (? IS NULL OR name <= ?)"
)
_BELOW = (
    "SELECT folder, name FROM paths WHERE (folder, name) > (?, ?)"
    " AND (folder, name) < (?, ?) ORDER BY folder DESC, name DESC LIMIT ?"
)
_SOME = "SELECT name FROM paths WHERE folder = ? LIMIT ?"
_FINGERPRINT = "SELECT fingerprint, paths FROM fingerprints WHERE folder = ?"
_REMEMBER = "INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?)"
_CHANGED = "DELETE FROM fingerprints WHERE folder = ?"
_AFTER = "SELECT min(folder) FROM paths WHERE folder > "
# Each is looked up behind the one before: DISTINCT would read every row in between.
_FOLDERS = (
    f"WITH RECURSIVE next (folder) AS ({_AFTER}? UNION ALL SELECT ({_AFTER}next.folder)"
    " FROM next WHERE folder IS NOT NULL LIMIT ?)"
    " SELECT folder FROM next WHERE folder IS NOT NULL"
)

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)

_KINDS = (Kind.FILE, Kind.DIRECTORY, Kind.LINK)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_LAST = "\U0010ffff" * 2


class Known(Struct, frozen=True, gc=False):
    """What the index knows of a path here."""

    seen: Seen
    implicit: bool = False
    """A folder only made to hold something, of which nobody is told."""


class Ledger:
    """The rows, and the two facts they stand or fall with."""

    def __init__(
        self,
        folder: Path,
        *,
        check: bool = False,
        tell: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """Open the ledger in the folder; a broken one is moved aside first.

        With ``check`` it is looked through. ``tell`` is told why nothing can be
        written, once; None when it can again.
        """
        self.moved: Path | None = None
        """Where a broken file was put."""
        self._tell = tell
        self._told = False
        self._waits = True
        self._file = folder / "ledger.db"
        self._connections: list[sqlite3.Connection] = []
        self._fingerprints: dict[str, tuple[str, bytes, int]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        try:
            self._open()
            if check:
                self._look_through()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._disconnect()
            self.move_aside()
            self._open()
        self._held = Held(lambda folder: self.inside(folder, "", None), self.some)
        self.index = self.fact("index")
        self.noted = int(self.fact("noted") or 0)

    def close(self) -> None:
        """Finish what is being written, and let go of the file."""
        self._thread.shutdown()
        self._disconnect()

    def _disconnect(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def move_aside(self) -> None:
        """Put a broken file out of the way; the next start makes a new one.

        Who still has it open goes on with the broken one.
        """
        name = f"ledger.broken-{clock.now():%Y%m%d-%H%M%S}-{os.getpid()}"
        self.moved = self._file.with_name(name)
        # The file first: what is left of it, if we die here, is taken for nothing.
        for tail in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                old = self._file.with_name(self._file.name + tail)
                old.rename(self.moved.with_name(self.moved.name + tail))

    def wait_no_more(self) -> None:
        """Fail from now on where nothing can be written: there is no time left."""
        self._waits = False

    def fact(self, key: str) -> str | None:
        """Return one of the facts kept beside the rows."""
        row = self._reader.execute(
            "SELECT value FROM facts WHERE key = ?", [key]
        ).fetchone()
        return str(row[0]) if row else None

    def get(self, path: str) -> Known | None:
        """Return what is known of the path."""
        folder = parent(path)
        held = self._held.of(folder)
        if held is not None:
            return held.get(path)
        row = self._reader.execute(_GET, (folder, name(path))).fetchone()
        return _known(row) if row else None

    def at_inodes(self, inodes: Sequence[int]) -> list[Known]:
        """Return every path known to have one of the inodes."""
        result = []
        for start in range(0, len(inodes), PAGE):
            some = [_signed(inode) for inode in inodes[start : start + PAGE]]
            query = _AT_INODES % ",".join("?" * len(some))
            result += [_known(row) for row in self._reader.execute(query, some)]
        return result

    def inside(self, folder: str, after: str, upto: str | None) -> list[Known]:
        """Return what is known directly in the folder, with names in (after, upto]."""
        rows = self._reader.execute(_INSIDE, (folder, after, upto, upto)).fetchall()
        return [_known(row) for row in rows]

    def some(self, folder: str, but: int) -> list[str]:
        """Return paths directly in the folder: one more than that, if there are."""
        rows = self._reader.execute(_SOME, (folder, but + 1)).fetchall()
        return [_path(folder, last) for (last,) in rows]

    def below(self, folder: str) -> Iterator[list[str]]:
        """Give the paths below the folder, a page at a time, content before folders."""
        # Between "a" and "a/" lie others, like "a!": deep ones first, then its own.
        deep = (f"{folder}/", "") if folder else ("", _LAST)
        yield from self._between(deep, (f"{folder}0" if folder else _LAST, ""))
        yield from self._between((folder, ""), (folder, _LAST))

    def _between(
        self, low: tuple[str, str], high: tuple[str, str]
    ) -> Iterator[list[str]]:
        while rows := self._reader.execute(_BELOW, (*low, *high, PAGE)).fetchall():
            yield [_path(*row) for row in rows]
            high = rows[-1]

    def fingerprint(self, folder: str) -> tuple[bytes, int] | None:
        """Return what a folder is known by that is just as the rows say.

        And how many paths are in it. The fingerprint is empty where nobody told one;
        None where nothing is known in the folder. It can be called in any thread.
        """
        query = self._glancer.execute(_FINGERPRINT, [folder])
        row: tuple[bytes, int] | None = query.fetchone()
        if row is None and self._glancer.execute(_SOME, (folder, 1)).fetchone():
            return b"", 0
        return row

    def remember(self, folder: str, fingerprint: bytes, paths: int) -> None:
        """Note, for ``keep_fingerprints``, that the folder is just as the rows say."""
        self._fingerprints[folder] = (folder, fingerprint, paths)

    async def keep_fingerprints(self) -> None:
        """Write what was remembered; if it cannot be, the next walk takes longer."""
        rows, self._fingerprints = list(self._fingerprints.values()), {}

        def run() -> None:
            with suppress(sqlite3.OperationalError), self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.executemany(_REMEMBER, rows)

        if rows:
            await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def forget_fingerprints(self) -> None:
        """Know no folder by its fingerprint any more."""
        self._fingerprints.clear()
        await self._transaction(lambda db: db.execute("DELETE FROM fingerprints"))

    def folders(self) -> Iterator[str]:
        """Give every folder that something is known in, but the root."""
        after = ""
        while rows := self._reader.execute(_FOLDERS, (after, PAGE)).fetchall():
            for (after,) in rows:
                yield after

    async def write(
        self,
        rows: Sequence[tuple[str, Known | None]],
        facts: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Make it all hold, or nothing: what is known of each path (None: nothing)."""
        facts = list(facts)
        folders = {parent(path) for path, _ in rows}
        for folder in folders:
            self._fingerprints.pop(folder, None)

        def work(db: sqlite3.Connection) -> None:
            gone = [(parent(p), name(p)) for p, known in rows if known is None]
            db.executemany(_DROP, gone)
            db.executemany(_PUT, (_row(known) for _, known in rows if known))
            db.executemany(_CHANGED, [(folder,) for folder in folders])
            db.executemany(_FACT, facts)

        await self._transaction(work)
        self._held.drop(folders)
        for key, value in facts:
            if key == "noted":
                self.noted = int(value)

    async def forget(self, index: str) -> None:
        """Start anew, in step with that index."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM paths")
            db.execute("DELETE FROM fingerprints")
            db.execute("DELETE FROM facts")
            db.execute(_FACT, ("index", index))

        self._fingerprints.clear()
        await self._transaction(work)
        self._held.clear()
        self.index, self.noted = index, 0

    async def _transaction(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        """Do the work, as soon as the disk takes it: until then nothing is lost."""

        def run() -> None:
            with self._writer:
                self._writer.execute("BEGIN IMMEDIATE")
                work(self._writer)

        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, run)
            except sqlite3.OperationalError as error:
                if not (self._waits and _passes(error)):
                    raise
                self._say(f"{self._file} cannot be written: {error}; see to its disk")
                await asyncio.sleep(PAUSE)
            else:
                self._say(None)
                return

    def _say(self, trouble: str | None) -> None:
        if self._told != (trouble is not None):
            self._told = trouble is not None
            self._tell(trouble)

    def _look_through(self) -> None:
        (verdict,) = self._reader.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _open(self) -> None:
        self._writer = self._connection()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = NORMAL")
        self._writer.executescript(_SCHEMA)
        self._reader = self._connection()
        self._glancer = self._connection()

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, isolation_level=None, check_same_thread=False, timeout=30
        )
        self._connections.append(connection)
        return connection


async def hold(folder: Path) -> int:
    """Return a lock on the folder, held until closed; wait for an orphan to end.

    Raise AlreadyRunning if another child of this entry stays.
    """
    lock = _lock(folder)
    deadline = clock.monotonic() + ORPHAN_PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() > deadline:
                os.close(lock)
                raise AlreadyRunning(f"another child holds {folder}") from None
            await asyncio.sleep(0.05)
        else:
            return lock


def _lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def is_broken(error: BaseException) -> bool:
    """Tell whether the error says that the file itself is damaged."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_broken(one) for one in error.exceptions)
    kinds = (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.IntegrityError)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, kinds)


def _passes(error: sqlite3.OperationalError) -> bool:
    """Tell whether the disk refused, which it may not do for ever."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in _PASSING


def _known(row: tuple[Any, ...]) -> Known:
    folder, last, kind, size, mtime_ns, ctime_ns, inode, tag, mode, target, made = row
    stamp = Stamp(size, mtime_ns, ctime_ns, inode & 0xFFFFFFFFFFFFFFFF, tag)
    seen = Seen(_path(folder, last), _KINDS[kind], stamp, mode, target)
    return Known(seen, bool(made))


def _row(known: Known) -> tuple[Any, ...]:
    seen, stamp = known.seen, known.seen.stamp
    return (
        parent(seen.path),
        name(seen.path),
        _NUMBERS[seen.kind],
        stamp.size,
        stamp.mtime_ns,
        stamp.ctime_ns,
        _signed(stamp.inode),
        stamp.tag,
        seen.mode,
        seen.target,
        known.implicit,
    )


def _signed(inode: int) -> int:
    """Return an unsigned 64-bit number as SQLite can keep it."""
    return inode - (1 << 64) if inode >= 1 << 63 else inode


def _path(folder: str, last: str) -> str:
    return f"{folder}/{last}" if folder else last
