"""Lines reach the log soon, together, and none is lost that can be kept."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from syncd import clock
from syncd.api import trail as trails
from syncd.api.trail import TOLD, WINDOW, Trail
from syncd.core.permission import Role
from syncd.errors import NoRoom
from syncd.store import audit, tokens, users
from syncd.store.audit import Line, Outcome
from syncd.store.database import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path / "index.db") as store:
        yield store


def line(number: int = 0, **more) -> Line:
    return Line(
        **{
            "at": clock.timestamp(),
            "who": f"user {number}",
            "means": "password",
            "address": "127.0.0.1",
            "action": "login",
            "outcome": Outcome.DONE,
            **more,
        }
    )


async def kept(store: Store) -> list[Line]:
    _, lines = await store.read(lambda db: audit.page(db, offset=0, limit=1000))
    return lines


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_lines_are_written_together_and_soon(store):
    async with Trail(store, 10) as trail:
        before = store.transactions
        lines = [line(number) for number in range(100)]
        for one in lines:
            trail.add(one)

        async def all_there() -> bool:
            return len(await kept(store)) == 100

        await until(all_there)
        assert store.transactions == before + 1
    assert await kept(store) == lines[::-1]


async def test_what_waits_is_written_at_the_end(store):
    async with Trail(store, 10) as trail:
        await asyncio.sleep(0)
        trail.add(line())

    assert len(await kept(store)) == 1


async def test_who_looks_sees_what_was_just_done(store):
    async with Trail(store, 10) as trail:
        trail.add(line(1))
        trail.add(line(2))

        total, [newest] = await trail.page(offset=0, limit=1)

        assert (total, newest.who) == (2, "user 2")


async def test_old_lines_go(store):
    async with Trail(store, 10) as trail:
        trail.add(line(1, at=clock.timestamp() - 11 * 86_400))
        trail.add(line(2))
        _, lines = await trail.page(offset=0, limit=10)

    assert [one.who for one in lines] == ["user 2"]


async def test_lines_wait_while_they_cannot_be_written(store, monkeypatch):
    monkeypatch.setattr(trails, "SOON", 0.0)
    monkeypatch.setattr(trails, "LATER", 0.0)
    refused = asyncio.Event()
    real = store.run

    async def full(*_):
        refused.set()
        raise NoRoom("full")

    async with Trail(store, 10) as trail:
        monkeypatch.setattr(store, "run", full)
        for number in range(3):
            trail.add(line(number))
        trail.used(1, 5.0)
        await refused.wait()
        monkeypatch.setattr(store, "run", real)

        async def all_there() -> bool:
            return len(await kept(store)) == 3

        await until(all_there)
    assert [one.who for one in await kept(store)] == ["user 2", "user 1", "user 0"]


async def test_so_many_wait_at_most(store, monkeypatch):
    trail = Trail(store, 10)
    for number in range(trails.MOST + 5):
        trail.add(line(number))

    assert (await trail.page(offset=0, limit=1))[0] == trails.MOST


async def test_many_failures_of_one_address_become_one_line(store):
    trail, now = Trail(store, 10), clock.timestamp()
    for number in range(TOLD + 30):
        trail.add_failure(line(number, at=now, address="10.0.0.7"))
    trail.add_failure(line(999, at=now, address="10.0.0.8"))

    _, lines = await trail.page(offset=0, limit=1000)
    assert len(lines) == TOLD + 1

    trail.add_failure(line(1000, at=now + WINDOW, address="10.0.0.9"))
    _, [newest, told, *_] = await trail.page(offset=0, limit=1000)
    assert newest.who == "user 1000"
    assert (told.address, told.who) == ("10.0.0.7", "")
    assert told.reason == "and 30 more failed logins from there"


async def test_failures_not_told_yet_are_told_at_the_end(store):
    async with Trail(store, 10) as trail:
        for _ in range(TOLD + 2):
            trail.add_failure(line())

    assert (await kept(store))[0].reason == "and 2 more failed logins from there"


async def test_so_many_addresses_are_counted(store, monkeypatch):
    monkeypatch.setattr(trails, "MOST_ADDRESSES", 3)
    trail = Trail(store, 10)
    for number in range(10):
        trail.add_failure(line(number, address=f"10.0.0.{number}"))

    assert len(trail._failed) == 3


async def test_that_a_token_was_used_is_written_rarely(store):
    await store.run(users.add, "a@example.org", Role.VIEWER, "", 0.0)
    user = await store.read(users.get, "a@example.org")
    await store.run(
        lambda db: tokens.create(
            db, user, name="", actions=[], expires_at=None, now=0.0
        )
    )
    trail = Trail(store, 10)

    async def noted() -> float | None:
        await trail.page(offset=0, limit=1)
        token: tokens.Token = (await store.read(tokens.everything))[0]
        return token.used_at

    for now, told in ((1000.0, 1000.0), (1030.0, 1000.0), (1060.0, 1060.0)):
        trail.used(1, now)
        assert await noted() == told


async def test_without_a_store_nothing_is_written():
    async with Trail(None, 10) as trail:
        trail.add(line())
        trail.add_failure(structs.replace(line(), outcome=Outcome.REFUSED))

        assert await trail.page(offset=0, limit=10) == (0, [])
