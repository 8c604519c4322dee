"""What notices changes, put together in this process around a storage in memory."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from syncd import wire
from syncd.child.ledger import Ledger
from syncd.child.link import Log
from syncd.child.news import News
from syncd.child.notice import Notice
from syncd.child.picture import Picture
from syncd.child.walk import Walker
from syncd.child.watch import Watch
from syncd.core.change import Change, Found
from syncd.core.file import Kind
from syncd.drivers.memory import Memory, Thing


def file(content: bytes = b"", mtime_ns: int = 1) -> Thing:
    return Thing(Kind.FILE, content, mtime_ns)


FOLDER = Thing(Kind.DIRECTORY)


class Half(Memory):
    """A storage of which some folders cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: set[str] = set()

    async def walk(self, below: str = "", *, deep: bool = True) -> Any:
        async for folder, listing in super().walk(below, deep=deep):
            if not self._is_closed(folder):
                yield folder, listing

    async def look(self, paths: Any) -> Any:
        # Like a disk that no longer finds what it cannot read.
        looked = await super().look(paths)
        return [
            None if self._is_closed(path.rpartition("/")[0]) else seen
            for path, seen in zip(paths, looked, strict=True)
        ]

    def unreadable(self) -> dict[str, str]:
        return dict.fromkeys(self.closed, "closed")

    def _is_closed(self, folder: str) -> bool:
        return any(folder == c or folder.startswith(f"{c}/") for c in self.closed)


class Rig:
    """Everything between a driver and the line, and what was said on the line."""

    def __init__(self, driver: Memory, ledger: Ledger) -> None:
        self.driver = driver
        self.sent: list[wire.Up] = []
        self.picture = Picture(ledger)
        self.news = News(self.picture, self.send)
        self.log = Log(self.send)
        self.watch = Watch(driver, self.picture, self)  # type: ignore[arg-type]
        self.notice = Notice(driver, self.picture, self.news, self.watch.busy, self.log)
        self.notice.touched = self.watch.touched
        self.notice.unseen = self.watch.unseen
        self.walker = Walker(
            driver,
            ledger,
            self.picture,
            self.notice,
            self.log,
            touched=self.watch.touched,
        )

    def send(self, message: wire.Up) -> None:
        self.sent.append(message)
        if isinstance(message, wire.Changes):
            self.news.noted(message.number)

    def changes(self) -> list[Change]:
        batches = [m for m in self.sent if isinstance(m, wire.Changes)]
        return [change for batch in batches for change in batch.changes]

    def told(self) -> list[str]:
        """The changes in short: +new, -gone, new<old."""
        return [
            f"{c.seen.path}<{c.old}"
            if isinstance(c, Found) and c.old
            else f"+{c.seen.path}"
            if isinstance(c, Found)
            else f"-{c.path}"
            for c in self.changes()
        ]

    def mirror(self) -> dict[str, Any]:
        """What an index knows that heard every change."""
        known: dict[str, Any] = {}
        for change in self.changes():
            if isinstance(change, Found):
                known[change.seen.path] = change.seen
            else:
                known.pop(change.path, None)
        return known

    async def walk(self) -> list[str]:
        """Walk everything, and return what that told."""
        self.sent.clear()
        await self.walker.walk()
        await self.picture.commit()
        return self.told()

    @asynccontextmanager
    async def running(self) -> Any:
        await self.watch.open()
        tasks = [
            asyncio.create_task(self.watch.settle(self.notice)),
            asyncio.create_task(self.watch.follow_trees(self.notice, self.walker)),
            asyncio.create_task(self.picture.keep()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            assert task.cancelled(), task.exception()
