"""Notices when a storage that was full, or read-only, would take something again."""

import asyncio
from typing import TYPE_CHECKING

from syncd import clock
from syncd.core.change import Order, Put
from syncd.core.room import PLENTY, Lack, Room, is_relieved
from syncd.errors import (
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUntrusted,
)
from syncd.wire import Relieved

if TYPE_CHECKING:
    from syncd.child.link import Link
    from syncd.drivers.contract import Driver

LOOK_EVERY = 1.0
"""Seconds between two looks at the room there is, while something was refused."""

MEMORY = 1200.0
"""Seconds after which what was refused no more has gone some other way."""


class Relief:
    """Is told what failed, and tells the parent when to try it again."""

    def __init__(self, driver: "Driver", link: "Link") -> None:
        self._driver = driver
        self._link = link
        self._needed = PLENTY
        self._room: Room | None = None
        self._failed = False
        """Whether something was refused since the room was looked at."""
        self._until = 0.0
        self._lacking = asyncio.Event()

    @property
    def obstacle(self) -> str:
        """Return in words why the storage takes nothing; empty while it does."""
        return self._room.obstacle if self._room is not None else ""

    def failed(self, order: Order, error: StorageError) -> None:
        """Take in that an order could not be carried out."""
        if isinstance(error, StorageFull | StorageReadOnly):
            size = order.size if isinstance(order, Put) else 0
            self._needed = min(self._needed, size)
            self._failed = True
            self._until = clock.monotonic() + MEMORY
            self._lacking.set()

    async def watch(self) -> None:
        """Tell, for ever, when there is room again; StorageUntrusted if it is lost."""
        while True:
            await self._lacking.wait()
            if await self._is_relieved():
                self._forget()
                self._link.send(Relieved())
            elif clock.monotonic() > self._until:
                self._forget()
            else:
                await asyncio.sleep(LOOK_EVERY)

    def _forget(self) -> None:
        self._lacking.clear()
        self._room, self._needed = None, PLENTY

    async def _is_relieved(self) -> bool:
        failed, self._failed = self._failed, False
        try:
            now = await self._driver.room()
        except StorageUntrusted:
            raise
        except StorageError:
            self._failed = failed
            return False
        if failed or self._room is None:
            # What was refused just now was so with as much room as there is now.
            self._room = now
            return False
        return is_relieved(Lack(self._room, self._needed), now)
