"""A local folder that fails as it is told to, while the daemon runs."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from syncd.core.change import Delete, Put
from syncd.core.file import Seen, Stamp
from syncd.core.path import readable
from syncd.core.room import Room
from syncd.drivers.contract import Can, Glance, Writing, Written
from syncd.drivers.local_storage.options import LocalStorageOptions
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.errors import StorageError, StorageFull
from tests.acceptance.daemon import Daemon

DRIVER = "faulty"
STEP = 1 << 18
"""Bytes that a slow storage gives at a time."""


class FaultyOptions(LocalStorageOptions, frozen=True):
    """A folder on this machine that fails as a file says."""

    faults: str


class Faulty(LocalStorage):
    """Reads the file of its faults before everything it does.

    It holds one word for each thing that may be done (read, write, ...); ``of``
    limits them to paths that contain that. Contents come as chunks, so that
    reading may fail in the middle of one: "short" ends it there, "half" never
    gives the rest.
    """

    can: ClassVar[Can] = LocalStorage.can & ~Can.DESCRIPTORS

    _faults: Path

    @classmethod
    def create(cls, options: Mapping[str, Any], ignore: Sequence[str]) -> Self:
        driver = super().create(options, ignore)
        driver._faults = Path(options["faults"])
        return driver

    async def read(
        self, path: str, stamp: Stamp, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        given = 0
        async for chunk in super().read(path, stamp, start, length):
            for at in range(0, len(chunk), STEP):
                await self._suffer("read", path)
                if self._fault("read", path) == "short" and given:
                    return
                if self._fault("read", path) == "half" and given:
                    await asyncio.Event().wait()
                part = chunk[at : at + STEP]
                given += len(part)
                yield part

    async def write(
        self, items: Sequence[Writing], progress: Callable[[int, int], None]
    ) -> list[Written | StorageError]:
        return await self._each(
            "write", items, lambda some: self._write(some, progress)
        )

    async def delete(self, orders: Sequence[Delete]) -> list[StorageError | None]:
        return await self._each("delete", orders, super().delete)

    async def look(self, paths: Sequence[str]) -> list[Seen | StorageError | None]:
        return await self._each("look", paths, super().look)

    async def walk(
        self, below: str = "", *, deep: bool = True
    ) -> AsyncGenerator[tuple[str, list[Seen]], None]:
        async for folder, listing in super().walk(below, deep=deep):
            await self._suffer("walk", folder)
            yield folder, listing

    async def glance(
        self,
        below: str = "",
        *,
        known: Callable[[str], bytes | None],
        deep: bool = True,
    ) -> AsyncGenerator[Glance, None]:
        async for glance in super().glance(below, known=known, deep=deep):
            await self._suffer("walk", glance.folder)
            yield glance

    async def room(self) -> Room:
        full = "full" in self._words().values()
        return Room(free=0) if full else await super().room()

    async def _write(self, items: Any, progress: Any) -> Any:
        return await super().write(items, progress)

    async def _each(self, what: str, items: Sequence[Any], do: Any) -> list[Any]:
        """Do it for those that nothing is said of; the others fail."""
        answers: dict[int, Any] = {}
        for number, item in enumerate(items):
            try:
                await self._suffer(what, _path(item))
            except StorageError as error:
                answers[number] = error
        left = [n for n in range(len(items)) if n not in answers]
        done = await do([items[n] for n in left]) if left else []
        answers.update(zip(left, done, strict=True))
        return [answers[number] for number in range(len(items))]

    async def _suffer(self, what: str, path: str) -> None:
        while (fault := self._fault(what, path)) is not None:
            if fault == "stuck":
                await asyncio.sleep(0.05)
                continue
            if fault == "slow":
                await asyncio.sleep(0.1)
            if fault == "error":
                raise StorageError(f"{readable(path)}: Input/output error")
            if fault == "full":
                raise StorageFull(f"{readable(path)}: No space left on device")
            return

    def _fault(self, what: str, path: str) -> str | None:
        words = self._words()
        return words.get(what) if words.get("of", "") in path else None

    def _words(self) -> dict[str, str]:
        try:
            words: dict[str, str] = json.loads(self._faults.read_text())
        except FileNotFoundError:
            return {}
        return words


class Unwatched(LocalStorage):
    """A folder on this machine that tells nothing by itself."""

    can: ClassVar[Can] = LocalStorage.can & ~Can.WATCH


def _path(item: Any) -> str:
    if isinstance(item, Writing):
        return item.put.path
    return item.path if isinstance(item, Delete | Put) else str(item)


class FaultyDaemon(Daemon):
    """A daemon of which some storages can be told to fail."""

    def __init__(self, *entries: str, faulty: str, **others: Any) -> None:
        """Have the entries with a letter in ``faulty`` be of the faulty driver."""
        self._faulty = faulty
        super().__init__(*entries, **others)
        self._announce()

    def write_config(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the configuration file."""
        more = {name: dict(settings.get(name, {})) for name in self.entries}
        for name in self._faulty:
            root, faults = str(self.folder(name)), str(self._words(name))
            options = {"root": root, "faults": faults}
            more[name] |= {"driver": DRIVER, "options": options}
        super().write_config(more)

    def environment(self) -> dict[str, str]:
        """Return the environment it runs in: one where the driver is installed."""
        known = super().environment()
        packages = self.home / "packages"
        return {**known, "PYTHONPATH": f"{known['PYTHONPATH']}:{packages}"}

    def fail(self, entry: str, **words: str) -> None:
        """Have an entry's storage fail like that; without words, no more."""
        fresh = self._words(entry).with_suffix(".new")
        fresh.write_text(json.dumps(words))
        fresh.replace(self._words(entry))

    def _words(self, entry: str) -> Path:
        return self.home / f"faults of {self.entries.index(entry)}"

    def _announce(self) -> None:
        """Install the driver, as far as entry points go."""
        folder = self.home / "packages" / "faulty-1.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\n")
        (folder / "entry_points.txt").write_text(
            f"[syncd.drivers]\n{DRIVER} = tests.faults.faulty:Faulty\n"
            f"[syncd.driver_options]\n{DRIVER} = tests.faults.faulty:FaultyOptions\n"
        )
