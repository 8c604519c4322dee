"""A command on the index, beside the daemon that uses it."""

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import Connection

from syncd.errors import Damaged, Unavailable
from syncd.store import beside, settings
from syncd.store.database import Store


def add_one(db: Connection) -> None:
    settings.put(db, "number", str(int(settings.get(db, "number") or 0) + 1))


def test_an_index_is_made_when_there_is_none(tmp_path):
    index = tmp_path / "index.db"
    assert not beside.is_current(index)

    beside.make(index)

    assert beside.is_current(index)
    beside.run(index, add_one)
    assert beside.run(index, lambda db: settings.get(db, "number")) == "1"


def test_what_fails_changes_nothing(tmp_path):
    index = tmp_path / "index.db"
    beside.make(index)

    def fail(db: Connection) -> None:
        add_one(db)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        beside.run(index, fail)
    assert beside.run(index, lambda db: settings.get(db, "number")) is None


async def test_two_that_write_wait_for_each_other(tmp_path):
    def note(db: Connection, number: int) -> None:
        settings.put(db, "daemon", str(number))

    index = tmp_path / "index.db"
    async with Store(index) as store:
        ours = [asyncio.to_thread(beside.run, index, add_one) for _ in range(20)]
        await asyncio.gather(*ours, *(store.run(note, n) for n in range(20)))

        assert await store.read(settings.get, "number") == "20"
        assert await store.read(settings.get, "daemon") == "19"


async def test_it_waits_for_a_transaction_of_the_daemon(tmp_path):
    index = tmp_path / "index.db"
    async with Store(index) as store:
        inside, go_on = threading.Event(), threading.Event()

        def slow(db: Connection) -> None:
            settings.put(db, "number", "41")
            inside.set()
            assert go_on.wait(30)

        writing = asyncio.create_task(store.run(slow))
        await asyncio.to_thread(inside.wait, 30)
        waiting = asyncio.create_task(asyncio.to_thread(beside.run, index, add_one))
        go_on.set()
        await asyncio.gather(writing, waiting)

        assert await store.read(settings.get, "number") == "42"


def test_an_index_of_another_version_is_left_alone(tmp_path):
    index = tmp_path / "index.db"
    beside.make(index)
    with sqlite3.connect(index) as db:
        db.execute("UPDATE alembic_version SET version_num = '0001'")
    db.close()

    assert not beside.is_current(index)
    with pytest.raises(Unavailable, match="is of another version than this command"):
        beside.run(index, add_one)


def test_a_damaged_index_is_told_and_stays(tmp_path):
    index = tmp_path / "index.db"
    index.write_bytes(b"not a database " * 1000)

    with pytest.raises(Damaged):
        beside.is_current(index)
    with pytest.raises(Damaged):
        beside.run(index, add_one)
    assert index.read_bytes() == b"not a database " * 1000
