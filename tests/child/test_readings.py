"""A content that many want at the same time is read once."""

import asyncio

import pytest

from syncd.child import readings
from syncd.child.readings import Readings
from syncd.drivers.memory import Memory
from syncd.errors import StorageBusy, StorageChanged
from tests.child.rig import file

MIB = 1 << 20


class Counted(Memory):
    """A storage that counts what is read of it, and reads when it is let."""

    def __init__(self):
        super().__init__()
        self.opened = self.given = self.closed = 0
        self.go = asyncio.Event()
        self.go.set()
        self.breaks_after: int | None = None

    async def read(self, path, stamp, start=0, length=None):
        self.opened += 1
        try:
            async for chunk in super().read(path, stamp, start, length):
                await self.go.wait()
                if self.given == self.breaks_after:
                    raise StorageBusy("the line is cut")
                self.given += 1
                yield chunk
        finally:
            self.closed += 1


@pytest.fixture
def driver():
    return Counted()


@pytest.fixture
def shared(driver):
    return Readings(driver)


def content(size):
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4))


async def whole(chunks):
    return b"".join([chunk async for chunk in chunks])


async def test_many_at_the_same_time_make_one_reading(driver, shared):
    seen = driver.set("a", file(content(5 * MIB)))
    driver.go.clear()
    many = [asyncio.create_task(whole(shared.read("a", seen.stamp))) for _ in range(4)]
    await asyncio.sleep(0)
    driver.go.set()

    for one in many:
        assert await one == content(5 * MIB)
    assert (driver.opened, driver.given, driver.closed) == (1, 5, 1)


async def test_who_comes_in_the_middle_takes_what_is_kept(driver, shared):
    seen = driver.set("a", file(content(5 * MIB)))
    first = shared.read("a", seen.stamp)
    begin = [await anext(first) for _ in range(3)]
    second = shared.read("a", seen.stamp)

    assert await whole(second) == content(5 * MIB)
    assert b"".join(begin) + await whole(first) == content(5 * MIB)
    assert (driver.opened, driver.given) == (1, 5)


async def test_who_wants_a_small_one_a_little_later_takes_what_is_kept(driver, shared):
    stamps = {name: driver.set(name, file(name.encode())).stamp for name in ("a", "b")}
    for name, stamp in stamps.items():
        assert await whole(shared.read(name, stamp)) == name.encode()
    for name, stamp in stamps.items():
        assert await whole(shared.read(name, stamp)) == name.encode()

    assert driver.opened == 2


async def test_what_is_kept_is_not_kept_for_long(driver, shared, monkeypatch):
    seen = driver.set("a", file(b"a"))
    await whole(shared.read("a", seen.stamp))
    shared.tidy()
    await whole(shared.read("a", seen.stamp))
    assert driver.opened == 1

    monkeypatch.setattr(readings, "KEPT", -1.0)
    shared.tidy()

    await whole(shared.read("a", seen.stamp))
    assert driver.opened == 2


async def test_what_is_kept_is_bounded(driver, shared, monkeypatch):
    monkeypatch.setattr(readings, "WINDOW", 3 * MIB)
    stamps = [driver.set(f"{n}", file(content(MIB))).stamp for n in range(4)]
    for number, stamp in enumerate(stamps):
        await whole(shared.read(f"{number}", stamp))

    await whole(shared.read("3", stamps[3]))
    assert driver.opened == 4
    await whole(shared.read("0", stamps[0]))
    assert driver.opened == 5


async def test_even_empty_ones_are_not_kept_without_end(driver, shared, monkeypatch):
    monkeypatch.setattr(readings, "WINDOW", 10 << 10)
    for number in range(30):
        stamp = driver.set(f"{number}", file()).stamp
        assert await whole(shared.read(f"{number}", stamp)) == b""

    assert len(shared._whole) == 10


async def test_who_falls_behind_reads_alone(driver, shared, monkeypatch):
    monkeypatch.setattr(readings, "WINDOW", 2 * MIB)
    seen = driver.set("a", file(content(8 * MIB)))
    slow, fast = (shared.read("a", seen.stamp) for _ in range(2))
    begin = await anext(slow)
    assert await whole(fast) == content(8 * MIB)

    assert begin + await whole(slow) == content(8 * MIB)
    assert driver.opened == 2
    assert driver.given == 8 + 7  # Not from the beginning.
    assert shared._live == {}


async def test_a_part_is_read_for_who_wants_it(driver, shared):
    seen = driver.set("a", file(content(3 * MIB)))

    assert await whole(shared.read("a", seen.stamp, 4, 8)) == content(MIB)[4:12]
    assert await whole(shared.read("a", seen.stamp, MIB)) == content(3 * MIB)[MIB:]
    assert driver.opened == 2


async def test_another_version_is_another_reading(driver, shared):
    old = driver.set("a", file(b"old"))
    assert await whole(shared.read("a", old.stamp)) == b"old"
    new = driver.set("a", file(b"newer"))

    assert await whole(shared.read("a", new.stamp)) == b"newer"


async def test_a_source_that_changes_is_told_to_everybody_and_not_kept(driver, shared):
    seen = driver.set("a", file(content(3 * MIB)))
    first, second = (shared.read("a", seen.stamp) for _ in range(2))
    await anext(first)
    await anext(second)
    driver.set("a", file(b"changed"))

    for one in (first, second):
        with pytest.raises(StorageChanged):
            await whole(one)
    with pytest.raises(StorageChanged):
        await whole(shared.read("a", seen.stamp))


async def test_after_a_failure_a_new_reading_begins(driver, shared):
    seen = driver.set("a", file(content(3 * MIB)))
    driver.breaks_after = 1
    with pytest.raises(StorageBusy):
        await whole(shared.read("a", seen.stamp))
    driver.breaks_after = None

    assert await whole(shared.read("a", seen.stamp)) == content(3 * MIB)
    assert driver.opened == driver.closed == 2


async def test_one_that_goes_away_disturbs_nobody(driver, shared):
    seen = driver.set("a", file(content(3 * MIB)))
    first, second = (shared.read("a", seen.stamp) for _ in range(2))
    await anext(first)
    await anext(second)
    await first.aclose()
    assert driver.closed == 0

    assert len(await whole(second)) == 2 * MIB
    assert (driver.opened, driver.closed) == (1, 1)


async def test_the_last_that_goes_away_ends_the_reading(driver, shared):
    seen = driver.set("a", file(content(3 * MIB)))
    only = shared.read("a", seen.stamp)
    await anext(only)

    await only.aclose()

    assert driver.closed == 1
    assert shared._live == {}
    assert shared._whole == {}


async def test_one_called_off_while_it_reads_fails_the_others_for_now(driver, shared):
    seen = driver.set("a", file(content(2 * MIB)))
    driver.go.clear()
    first, second = (
        asyncio.create_task(whole(shared.read("a", seen.stamp))) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    driver.go.set()

    with pytest.raises(StorageBusy, match="called off"):
        await second
