"""The drivers under test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from syncd.core.keeping import Promise
from syncd.drivers.contract import Driver
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.drivers.memory import Memory
from tests.drivers.hands import Hand, LocalHand, MemoryHand

Made = tuple[Any, Hand]
"""A driver and the hand; Any, because a driver may also be Watching and Opening."""


@pytest.fixture(params=["memory", "local_storage"])
async def made(request, tmp_path) -> AsyncIterator[Callable[..., Any]]:
    """Makes open drivers on the storage, with patterns to ignore, and closes them.

    With a promise, they keep what is lost.
    """
    root = tmp_path / "root"
    root.mkdir()
    drivers: list[Driver] = []

    async def make(*ignore: str, promise: Promise | None = None) -> Made:
        driver: Any
        if request.param == "memory":
            driver = Memory.create({}, ignore)
            hand: Hand = MemoryHand(driver)
        else:
            driver = LocalStorage.create({"root": str(root)}, ignore)
            hand = LocalHand(root)
        drivers.append(driver)
        if promise is not None:
            driver.keep(promise)
        await driver.open()
        return driver, hand

    yield make
    for driver in drivers:
        await driver.close()


@pytest.fixture
async def pair(made) -> Made:
    result: Made = await made()
    return result


@pytest.fixture
def driver(pair: Made) -> Any:
    return pair[0]


@pytest.fixture
def hand(pair: Made) -> Hand:
    return pair[1]
