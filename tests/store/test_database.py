"""Transactions, readers beside them, a full disk, migrations."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from syncd.errors import Damaged, NoRoom, Unavailable
from syncd.store import database, files, migrating, settings
from syncd.store.check import Check
from syncd.store.database import Store
from syncd.store.migrating import migrate
from syncd.store.schema import metadata

MIGRATIONS = Path(database.__file__).parent / "migrations"


def put_and_fail(db: Connection, *_: object) -> None:
    settings.put(db, "color", "red")
    raise ZeroDivisionError


async def test_a_transaction_holds_as_a_whole_or_not_at_all(store: Store):
    with pytest.raises(ZeroDivisionError):
        await store.run(put_and_fail)
    assert await store.read(settings.get, "color") is None

    await store.run(settings.put, "color", "blue")
    assert await store.read(settings.get, "color") == "blue"


async def test_what_a_failed_transaction_replaced_is_still_there(store: Store):
    await store.run(settings.put, "color", "blue")
    with pytest.raises(ZeroDivisionError):
        await store.run(put_and_fail)

    assert await store.read(settings.get, "color") == "blue"


async def test_readers_see_what_was_committed_last(store: Store):
    written, go_on = threading.Event(), threading.Event()

    def slow(db: Connection) -> None:
        settings.put(db, "color", "red")
        written.set()
        assert go_on.wait(10)

    writing = asyncio.create_task(store.run(slow))
    await asyncio.to_thread(written.wait, 10)
    during = await asyncio.wait_for(store.read(settings.get, "color"), 30)
    go_on.set()
    await writing

    assert during is None
    assert await store.read(settings.get, "color") == "red"


async def test_writers_wait_for_each_other(store: Store):
    def more(db: Connection) -> None:
        number = int(settings.get(db, "number") or 0)
        settings.put(db, "number", str(number + 1))

    await asyncio.gather(*(store.run(more) for _ in range(50)))

    assert await store.read(settings.get, "number") == "50"


async def test_what_was_written_is_there_after_reopening(tmp_path: Path):
    for expected in (None, "blue", "blue"):
        async with Store(tmp_path / "index.db") as store:
            assert await store.read(settings.get, "color") == expected
            await store.run(settings.put, "color", "blue")


async def test_what_is_committed_survives_a_power_cut(store: Store):
    def pragma(db: Connection, name: str) -> object:
        return db.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert await store.run(pragma, "journal_mode") == "wal"
    assert await store.run(pragma, "synchronous") == 2  # FULL


async def test_a_full_disk_is_told_and_harms_nothing(store: Store):
    def limit(db: Connection, pages: int) -> None:
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await store.run(settings.put, "small", "kept")
    await store.run(limit, 1)  # SQLite takes the least that is possible: no growth.
    with pytest.raises(NoRoom, match=r"the index cannot be used: .*full; make room"):
        await store.run(settings.put, "large", "x" * 100_000)
    assert await store.read(settings.get, "large") is None
    assert await store.read(settings.get, "small") == "kept"

    await store.run(limit, 1_000_000)  # Room again.
    await store.run(settings.put, "large", "x" * 100_000)
    assert await store.read(settings.get, "large") == "x" * 100_000


async def test_an_index_that_cannot_be_opened_is_told(tmp_path: Path):
    (tmp_path / "index.db").mkdir()
    with pytest.raises(Unavailable, match="unable to open"):
        async with Store(tmp_path / "index.db"):
            raise AssertionError("opened")


async def test_what_is_no_index_is_moved_aside_and_kept(tmp_path: Path):
    (tmp_path / "index.db").write_bytes(b"not a database " * 1000)

    async with Store(tmp_path / "index.db") as store:
        assert store.replaced is not None
        assert store.replaced.read_bytes() == b"not a database " * 1000
        await store.run(settings.put, "color", "blue")
    async with Store(tmp_path / "index.db") as store:
        assert store.replaced is None
        assert await store.read(settings.get, "color") == "blue"


async def filled(path: Path) -> None:
    async with Store(path) as store:
        for number in range(100):
            await store.run(settings.put, f"key {number}", "x" * 1000)


def garble(path: Path, but: int = 4096) -> None:
    """Write over everything after the first page, as a dying disk may."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(but)
        file.write(os.urandom(size - but))


@pytest.mark.parametrize("check", [Check.QUICK, Check.THOROUGH])
async def test_a_damaged_index_is_found_when_it_is_looked_through(tmp_path, check):
    await filled(tmp_path / "index.db")
    garble(tmp_path / "index.db")

    async with Store(tmp_path / "index.db", check) as store:
        assert store.replaced is not None
        assert await store.read(settings.get, "key 1") is None


@pytest.mark.parametrize("check", list(Check))
async def test_a_sound_index_is_kept_unless_it_is_to_be_replaced(tmp_path, check):
    await filled(tmp_path / "index.db")

    async with Store(tmp_path / "index.db", check) as store:
        kept = await store.read(settings.get, "key 1")

    assert (kept is None) == (check is Check.REPLACE)


async def test_damage_met_at_work_is_told_to_whoever_asks_and_waits(tmp_path):
    await filled(tmp_path / "index.db")
    async with Store(tmp_path / "index.db") as store:
        waiting = asyncio.create_task(store.until_damaged())
        garble(tmp_path / "index.db", but=8192)
        with pytest.raises(Damaged, match=r"moved aside.*nothing is deleted"):
            for number in range(100):
                await store.read(settings.get, f"key {number}")
        with pytest.raises(Damaged):
            await asyncio.wait_for(waiting, 30)


async def test_a_record_that_makes_no_sense_is_damage(tmp_path):
    row = (1, "a", bytes(16), 0, 0, 0, 0, 0, 0, 0, 0, 0.0, None, b"\xff", 0)
    async with Store(tmp_path / "index.db") as store:
        await store.run(
            lambda db: db.exec_driver_sql(
                f"INSERT INTO files VALUES ({', '.join('?' * len(row))})", row
            )
        )
        with pytest.raises(Damaged, match="a record makes no sense"):
            await store.read(files.load, ["a"])
    async with Store(tmp_path / "index.db", Check.QUICK) as store:
        assert store.replaced is None
    async with Store(tmp_path / "index.db", Check.THOROUGH) as store:
        assert store.replaced is not None


async def test_a_migration_that_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def half(config: Config, *_: str) -> None:
        db: Connection = config.attributes["connection"]
        db.exec_driver_sql("CREATE TABLE half (a)")
        db.exec_driver_sql("INSERT INTO half VALUES (1)")
        db.exec_driver_sql("CREATE TABLE more (a)")
        raise ZeroDivisionError

    def tables(db: Connection) -> set[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return set(db.execute(text(query)).scalars())

    await filled(tmp_path / "index.db")
    with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
        patched.setattr(migrating, "upgrade", half)
        patched.setattr(database, "NEWEST", "later")
        async with Store(tmp_path / "index.db"):
            raise AssertionError("opened")

    async with Store(tmp_path / "index.db") as store:
        assert not {"half", "more"} & await store.read(tables)
        assert await store.read(settings.get, "key 1") is not None


async def test_an_index_of_a_newer_syncd_is_told(tmp_path: Path):
    async with Store(tmp_path / "index.db") as store:
        await store.run(
            lambda db: db.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        )
    with pytest.raises(Unavailable, match=r"newer syncd: install .* or move"):
        async with Store(tmp_path / "index.db"):
            raise AssertionError("opened")


async def test_the_migrations_lead_to_what_a_new_index_is(store: Store, tmp_path: Path):
    def shape(db: Connection) -> set[str]:
        rows = db.execute(text("SELECT sql FROM sqlite_master WHERE sql <> ''"))
        return {"".join(sql.replace('"', "").split()) for sql in rows.scalars()}

    with create_engine(f"sqlite:///{tmp_path / 'migrated.db'}").begin() as db:
        migrate(db, tmp_path)
        assert compare_metadata(MigrationContext.configure(db), metadata) == []
        assert shape(db) == await store.read(shape)
        version = db.execute(text("SELECT version_num FROM alembic_version")).scalar()
        assert version == database.NEWEST


async def test_an_older_index_is_brought_up_to_date(tmp_path: Path, monkeypatch):
    path = tmp_path / "index.db"
    async with Store(path):
        pass
    taken: list[Connection] = []
    monkeypatch.setattr(migrating, "migrate", lambda db, _: taken.append(db))
    monkeypatch.setattr(database, "NEWEST", "later")
    async with Store(path):
        pass

    assert len(taken) == 1


def test_the_newest_migration_is_known():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [database.NEWEST]
