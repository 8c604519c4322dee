"""A damaged index gives up what it knows of accounts, if that can be read."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from syncd.core.permission import Role
from syncd.store import salvage, settings, tokens, users
from syncd.store.check import Check
from syncd.store.cyborg import keeping, tables
from syncd.store.cyborg import settings as cyborg_settings
from syncd.store.database import Store
from tests.store.cyborg.test_launching import BY, furnish


async def filled(path: Path) -> str:
    """Make an index with two users and a token, and a lot else behind them."""
    async with Store(path) as store:
        await store.run(users.add, "a@example.org", Role.ADMIN, "hash", 1.0)
        await store.run(users.add, "b@example.org", Role.VIEWER, "other", 2.0)
        await store.run(users.disable, "b@example.org", True)
        user = await store.read(users.get, "a@example.org")
        words = await store.run(
            lambda db: tokens.create(
                db, user, name="ci", actions=[], expires_at=None, now=1.0
            )
        )
        for number in range(100):
            await store.run(settings.put, f"key {number}", "x" * 4000)
    return words.secret


async def test_accounts_survive_a_damaged_index(tmp_path):
    index = tmp_path / "index.db"
    secret = await filled(index)
    size = index.stat().st_size
    with index.open("r+b") as file:  # As a dying disk may, behind the accounts.
        file.seek(size // 2)
        file.write(os.urandom(size - size // 2))

    async with Store(index, Check.QUICK) as store:
        assert store.replaced is not None
        people = {one.email: one for one in await store.read(users.everything)}
        assert people["a@example.org"].role is Role.ADMIN
        assert people["b@example.org"].disabled
        [token] = await store.read(tokens.everything)
        assert token.user_id == people["a@example.org"].id
        assert token.fits(secret)
        await store.run(users.add, "c@example.org", Role.VIEWER, "hash", 3.0)
        assert await store.read(settings.get, "key 1") is None


async def test_machines_survive_it_too(tmp_path):
    index = tmp_path / "index.db"
    async with Store(index) as store:
        await store.run(furnish)
        await store.run(cyborg_settings.fill, 1.0)
        for number in range(100):
            await store.run(settings.put, f"key {number}", "x" * 4000)
        before = await store.read(kept)
    size = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size - size // 2))

    async with Store(index, Check.QUICK) as store:
        assert store.replaced is not None
        assert await store.read(kept) == before
        await store.run(keeping.remove, "clients", 3)
        row = {"name": "t", "crontab": "* * * * *", "enabled": True}
        assert await store.run(keeping.add, "schedules", row, BY) == 2


def kept(db: Connection) -> list[list[Any]]:
    """Return all that is said of machines."""
    plans = (tables.clients, tables.schedules, tables.repositories, tables.policies)
    all_ = (*plans, tables.policy_clients, tables.settings)
    found = [[*db.execute(one.select())] for one in all_]
    assert all(found)
    return found


async def test_machines_that_make_no_sense_keep_no_daemon_down(tmp_path, monkeypatch):
    index = tmp_path / "index.db"
    index.write_bytes(b"not a database " * 1000)
    row = {"id": 1, "enabled": "perhaps"}
    found = [(tables.schedules, [row]), (tables.policy_clients, [ONE])]
    monkeypatch.setattr(salvage, "machines", lambda _: found)

    async with Store(index, Check.QUICK) as store:
        assert (
            await store.read(lambda db: db.execute(tables.schedules.select()).all())
            == []
        )
        [one] = await store.read(
            lambda db: db.execute(tables.policy_clients.select()).mappings().all()
        )
        assert dict(one) == ONE


ONE = {"policy_id": 1, "client_id": 2}


async def test_an_index_that_cannot_be_read_gives_nothing(tmp_path):
    index = tmp_path / "index.db"
    index.write_bytes(b"not a database " * 1000)

    async with Store(index, Check.QUICK) as store:
        assert store.replaced is not None
        assert await store.read(users.everything) == []


async def test_what_makes_no_sense_is_left_out(tmp_path):
    index = tmp_path / "index.db"
    await filled(index)
    async with Store(index) as store:
        await store.run(
            lambda db: db.exec_driver_sql(
                "UPDATE users SET role = 'king' WHERE email LIKE 'a%'"
            )
        )

    people, theirs = salvage.accounts(index)

    assert [one["email"] for one in people] == ["b@example.org"]
    assert theirs == []
    assert salvage.accounts(tmp_path / "none") == ([], [])


async def test_what_cannot_be_put_keeps_no_daemon_down(tmp_path, monkeypatch):
    index = tmp_path / "index.db"
    index.write_bytes(b"not a database " * 1000)
    one = {"id": 1, "email": "a@b", "role": "admin", "password": None}
    monkeypatch.setattr(salvage, "accounts", lambda _: ([one], []))

    async with Store(index, Check.QUICK) as store:
        assert await store.read(users.everything) == []


async def test_an_older_index_knows_less_of_users(tmp_path):
    index = tmp_path / "index.db"
    await filled(index)
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("ALTER TABLE users DROP COLUMN first_name")
        connection.commit()

    people, theirs = salvage.accounts(index)

    assert [row["email"] for row in people] == ["a@example.org", "b@example.org"]
    assert len(theirs) == 1
    async with Store(tmp_path / "new.db") as store:
        await store.run(salvage.put, people, theirs)
        assert (await store.read(users.everything))[0].first_name == ""
