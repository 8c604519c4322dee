"""A damaged index gives up what it knows of accounts, if that can be read."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from syncd.core.permission import Role
from syncd.store import salvage, settings, tokens, users
from syncd.store.check import Check
from syncd.store.database import Store


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
