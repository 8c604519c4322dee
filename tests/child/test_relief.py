"""Who was full, or read-only, and says so when it is no more."""

import asyncio
from typing import Any

import pytest

from syncd import wire
from syncd.child import relief
from syncd.child.relief import Relief
from syncd.core.change import Delete, Order, Put
from syncd.core.file import Kind, Stamp
from syncd.core.room import Room
from syncd.drivers.memory import Memory
from syncd.errors import (
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUntrusted,
)


def put(size: int) -> Order:
    return Put(1, "a", Kind.FILE, size, 0, 0o644, None, None, [], None)


class Hearing:
    """A storage whose room is watched, and what is said of it."""

    def __init__(self) -> None:
        self.driver = Memory()
        self.driver.carried = "x"
        self.said: list[wire.Up] = []
        link: Any = self
        self.relief = Relief(self.driver, link)
        self.watching = asyncio.create_task(self.relief.watch())

    def send(self, message: wire.Up) -> None:
        self.said.append(message)

    async def looks(self, room: Room) -> None:
        """Let there be that room, and be looked at some times."""
        self.driver.limits = room
        await asyncio.sleep(0.1)


@pytest.fixture
async def hearing(monkeypatch):
    monkeypatch.setattr(relief, "LOOK_EVERY", 0.01)
    hearing = Hearing()
    yield hearing
    hearing.watching.cancel()
    await asyncio.wait([hearing.watching])


@pytest.mark.parametrize(
    ("error", "at", "now"),
    [
        (StorageFull("x"), Room(free=10), Room(free=1000)),
        (StorageFull("x"), Room(names=0), Room(names=1)),
        (StorageReadOnly("x"), Room(read_only=True), Room()),
    ],
)
async def test_relief_is_told_once(hearing, error, at, now):
    hearing.driver.limits = at
    hearing.relief.failed(put(1000), error)
    hearing.relief.failed(put(5000), error)
    await hearing.looks(at)
    assert hearing.said == []
    assert hearing.relief.obstacle == at.obstacle

    await hearing.looks(now)
    await hearing.looks(now)

    assert hearing.said == [wire.Relieved()]
    assert hearing.relief.obstacle == ""


async def test_other_trouble_waits_for_nothing(hearing):
    hearing.relief.failed(put(1), StorageError("permission denied"))
    await hearing.looks(Room(free=10))
    await hearing.looks(Room(free=1000))

    assert hearing.said == []
    assert hearing.relief.obstacle == ""


async def test_what_is_refused_again_with_more_room_needs_still_more(hearing):
    """A limit that does not show, like a quota: it is not asked for ever."""
    hearing.driver.limits = Room(free=10_000)
    hearing.relief.failed(put(1000), StorageFull("quota"))
    await hearing.looks(Room(free=10_000))
    await hearing.looks(Room(free=20_000))
    assert hearing.said == [wire.Relieved()]

    hearing.relief.failed(put(1000), StorageFull("quota"))
    await hearing.looks(Room(free=20_000))
    assert len(hearing.said) == 1
    await hearing.looks(Room(free=20_001))
    assert len(hearing.said) == 2


async def test_what_is_refused_no_more_is_forgotten(hearing, monkeypatch):
    monkeypatch.setattr(relief, "MEMORY", 0.05)
    hearing.driver.limits = Room(free=10)
    hearing.relief.failed(put(1000), StorageFull("x"))
    await hearing.looks(Room(free=10))
    await hearing.looks(Room(free=2000))

    assert hearing.said == []
    assert hearing.relief.obstacle == ""


async def test_what_is_no_content_needs_any_room(hearing):
    hearing.driver.limits = Room(free=0)
    hearing.relief.failed(put(1000), StorageFull("x"))
    hearing.relief.failed(Delete(1, "a", Kind.FILE, Stamp()), StorageFull("x"))
    await hearing.looks(Room(free=0))
    await hearing.looks(Room(free=1))

    assert hearing.said == [wire.Relieved()]


async def test_a_storage_that_cannot_tell_is_asked_again(hearing, monkeypatch):
    async def trouble() -> Room:
        raise StorageError("busy")

    hearing.driver.limits = Room(free=10)
    with monkeypatch.context() as patched:
        patched.setattr(hearing.driver, "room", trouble)
        hearing.relief.failed(put(1000), StorageFull("x"))
        await asyncio.sleep(0.1)
    await hearing.looks(Room(free=10))
    await hearing.looks(Room(free=1000))

    assert hearing.said == [wire.Relieved()]


async def test_a_storage_that_is_lost_ends_it(hearing):
    hearing.driver.limits = Room(free=10)
    hearing.driver.present = False
    hearing.relief.failed(put(1000), StorageFull("x"))
    await asyncio.wait([hearing.watching])

    with pytest.raises(StorageUntrusted):
        hearing.watching.result()
