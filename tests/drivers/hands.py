"""The hands of a person who uses the same storage, and short words for orders."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3

from syncd.core.change import Put
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.path import from_bytes, to_bytes
from syncd.drivers.contract import Driver, Writing, Written
from syncd.drivers.memory import Memory, Thing

HOUR = 3_600_000_000_000
YESTERDAY = 1_700_000_000_123_456_789


class Hand(Protocol):
    """A person at work on the storage, past the driver."""

    def write(self, path: str, content: bytes) -> None: ...
    def folder(self, path: str) -> None: ...
    def link(self, path: str, target: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def content(self, path: str) -> bytes: ...
    def names(self) -> set[str]: ...
    def lose(self) -> None: ...
    def lose_marker(self) -> None: ...


class MemoryHand:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def write(self, path: str, content: bytes) -> None:
        self._memory.set(path, Thing(Kind.FILE, content, mtime_ns=HOUR))

    def folder(self, path: str) -> None:
        self._memory.set(path, Thing(Kind.DIRECTORY, mode=0o755))

    def link(self, path: str, target: str) -> None:
        self._memory.set(path, Thing(Kind.LINK, mode=0o777, target=target))

    def remove(self, path: str) -> None:
        self._memory.remove(path)

    def rename(self, old: str, new: str) -> None:
        self._memory.set(new, self._memory.remove(old))

    def content(self, path: str) -> bytes:
        return self._memory.things[path].content

    def names(self) -> set[str]:
        return set(self._memory.things)

    def lose(self) -> None:
        self._memory.present = False

    def lose_marker(self) -> None:
        self._memory.carried = None


class LocalHand:
    def __init__(self, root: Path) -> None:
        self._root = root

    def at(self, path: str) -> Path:
        return self._root / os.fsdecode(to_bytes(path))

    def write(self, path: str, content: bytes) -> None:
        self.at(path).write_bytes(content)

    def folder(self, path: str) -> None:
        self.at(path).mkdir()

    def link(self, path: str, target: str) -> None:
        self.at(path).symlink_to(os.fsdecode(to_bytes(target)))

    def remove(self, path: str) -> None:
        at = self.at(path)
        if at.is_dir() and not at.is_symlink():
            at.rmdir()
        else:
            at.unlink()

    def rename(self, old: str, new: str) -> None:
        self.at(old).rename(self.at(new))

    def content(self, path: str) -> bytes:
        return self.at(path).read_bytes()

    def names(self) -> set[str]:
        return {
            from_bytes(os.fsencode(path.relative_to(self._root)))
            for path in self._root.rglob("*")
            if path.name != ".syncd-marker"
            and ".syncd-trash" not in path.relative_to(self._root).parts
        }

    def lose(self) -> None:
        self._root.rename(self._root.with_name("elsewhere"))

    def lose_marker(self) -> None:
        (self._root / ".syncd-marker").unlink()


def put(path: str, content: bytes = b"", **others: Any) -> Put:
    """Return an order for a file of that content, to a free path."""
    fields: dict[str, Any] = {
        "id": 7,
        "kind": Kind.FILE,
        "size": len(content),
        "mtime_ns": YESTERDAY,
        "mode": 0o640,
        "target": None,
        "digest": blake3(content).digest(),
        "sources": [],
        "replaces": None,
    }
    return Put(path=path, **{**fields, **others})


def folder(path: str, mode: int = 0o750) -> Writing:
    return Writing(put(path, kind=Kind.DIRECTORY, mode=mode, digest=None), None)


def link(path: str, target: str, **others: Any) -> Writing:
    return Writing(
        put(path, kind=Kind.LINK, target=target, digest=None, **others), None
    )


def chunks(*parts: bytes, then: BaseException | None = None):
    """Return a content that comes in these parts, and may end in an error."""

    async def give():
        for part in parts:
            await asyncio.sleep(0)
            yield part
        if then is not None:
            raise then

    return give


async def write(driver: Driver, *items: Writing) -> list[Any]:
    return list(await driver.write(items, lambda *_: None))


async def placed(driver: Driver, path: str, content: bytes, **others: Any) -> Seen:
    """Write a file and return what lies there."""
    item = Writing(put(path, content, **others), chunks(content))
    [written] = await write(driver, item)
    assert isinstance(written, Written), written
    return written.seen


async def look(driver: Driver, path: str) -> Any:
    [found] = await driver.look([path])
    return found


async def stamp(driver: Driver, path: str) -> Stamp:
    found = await look(driver, path)
    assert isinstance(found, Seen), found
    return found.stamp


async def read(driver: Driver, path: str, *range_: int) -> bytes:
    at = await stamp(driver, path)
    return b"".join([chunk async for chunk in driver.read(path, at, *range_)])


async def tree(driver: Driver, below: str = "") -> dict[str, Kind]:
    return {
        seen.path: seen.kind async for _, found in driver.walk(below) for seen in found
    }


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it holds; fail after a while."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def counts(driver: Any) -> tuple[int, int]:
    """Return how many folders are watched, and how many are polled."""
    watched = driver.watched()
    return watched.folders, watched.polled
