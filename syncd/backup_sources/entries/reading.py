"""Brings one entry into a vault: walks it, and reads what is not there already."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from syncd.backup_sources.entries.contents import SMALL, Content, Contents, Reading
from syncd.backup_sources.entries.items import item as item_of
from syncd.backup_sources.entries.tally import Tally
from syncd.core.file import Seen
from syncd.core.path import readable
from syncd.core.vault import Item, ItemKind
from syncd.drivers.contract import Driver
from syncd.errors import StorageChanged, StorageError
from syncd.vaults.contract import Staging

TRIES = 3
"""How often a file is read that changes meanwhile ..."""

TRIES_LARGE = 2
"""... and a large one."""

ROUNDS = 3
"""How often what came while others were read is looked for."""

_MOST = 128
_MOST_BYTES = 4 << 20
_AT_ONCE = 4


class Broken(Exception):
    """The staging took no more."""

    def __init__(self, error: StorageError) -> None:
        super().__init__(error)
        self.error = error


class _One(Struct):
    """One file on its way into the vault."""

    seen: Seen
    item: Item
    tried: int = 0
    taken: bool = False
    """Whether the staging has it, perhaps torn."""

    def is_last(self) -> bool:
        large = self.seen.stamp.size > SMALL
        return self.tried + 1 >= (TRIES_LARGE if large else TRIES)


class Entry:
    """One entry on its way into a vault."""

    def __init__(self, name: str, driver: Driver, into: Staging, tally: Tally) -> None:
        self._before = f"{name}/"
        self._driver = driver
        self._into = into
        self._tally = tally
        self._found: list[Seen] = []
        self.torn: list[str] = []
        """Paths, for people, of items that kept changing while they were read."""
        self.failed: dict[str, str] = {}
        """Paths, for people, of items that could not be read, and why."""

    async def read(self) -> None:
        """Read all of it; raise StorageError if the entry fails, Broken if it is the
        staging."""
        contents = Contents(self._driver, self._tally)
        try:
            for _ in range(ROUNDS):
                # What is moved while we walk may be missed at both its places.
                if not await self._read_new(contents):
                    break
        finally:
            await contents.close()
        unreadable = self._driver.unreadable()
        self.failed |= {self._shown(path): why for path, why in unreadable.items()}

    def _shown(self, path: str) -> str:
        """Return what a path is called where words are: valid Unicode, always."""
        return self._before + readable(path)

    async def _read_new(self, contents: Contents) -> bool:
        """Take what is not known yet; tell whether anything of that had to be read."""
        found = await self._walk()
        before = self._before
        items = [item_of(before, one) for one in found]
        size = sum([one.size for one in items])
        self._tally.expect(size, len(items))
        left = await asyncio.to_thread(self._unchanged, items)
        size -= sum([one.size for one in left])
        self._tally.done(size, len(items) - len(left))
        if not left:
            return False
        seen = {item.path: one for item, one in zip(items, found, strict=True)}
        await self._take(contents, [_One(seen[one.path], one) for one in left])
        return any(one.kind is ItemKind.FILE for one in left)

    async def _walk(self) -> list[Seen]:
        """Return what lies on the entry and was not found by a walk before."""
        known = {one.path for one in self._found}
        new: list[Seen] = []
        async for _, found in self._driver.walk():
            new += [one for one in found if one.path not in known] if known else found
        self._found += new
        return new

    async def _take(self, contents: Contents, todo: Sequence[_One]) -> None:
        """Add what is to be added, some portions at a time."""
        running: set[asyncio.Task[list[_One]]] = set()
        try:
            async for portion in _supply(_portions(todo), running):
                work = self._take_portion(contents, portion)
                running.add(asyncio.create_task(work, name="read files"))
        finally:
            await _called_off(running)

    async def _take_portion(
        self, contents: Contents, portion: Sequence[_One]
    ) -> list[_One]:
        """Take a portion; return what of it is to be read again."""
        plain = [one for one in portion if one.item.kind is not ItemKind.FILE]
        files = [one for one in portion if one.item.kind is ItemKind.FILE]
        if plain:
            await asyncio.to_thread(self._add_plain, plain)
        wanted = [Reading(one.seen, one.is_last()) for one in files]
        answers = await contents.read(
            wanted, lambda number, content: self._add(files[number], content)
        )
        changed = []
        for one, answer in zip(files, answers, strict=True):
            one.tried += 1
            if isinstance(answer, StorageChanged):
                changed.append(one)
            elif answer is not None:
                self.failed[self._shown(one.seen.path)] = str(answer)
        return await self._looked_at(changed)

    def _unchanged(self, items: Sequence[Item]) -> list[Item]:
        try:
            return self._into.unchanged(items)
        except StorageError as error:
            raise Broken(error) from None

    def _add_plain(self, some: Iterable[_One]) -> None:
        for one in some:
            self._give(one.item, None)
            self._tally.done(0, 1)

    def _add(self, one: _One, content: Content) -> None:
        item = replace(one.item, size=content.size, mtime_ns=content.mtime_ns)
        self._give(item, content)
        one.taken = True
        self._tally.done(content.size if content.size <= SMALL else 0, 1)

    def _give(self, item: Item, content: Content | None) -> None:
        try:
            self._into.add(item, content.file if content else None)
        except StorageError as error:
            raise Broken(error) from None

    async def _looked_at(self, changed: Sequence[_One]) -> list[_One]:
        """Return those that are worth another try, as they are now."""
        left = [one for one in changed if not self._is_given_up(one)]
        if not left:
            return []
        again = []
        seen = await self._driver.look([one.seen.path for one in left])
        for one, now in zip(left, seen, strict=True):
            if isinstance(now, StorageError):
                self.failed[self._shown(one.seen.path)] = str(now)
            elif now is not None:
                again.append(
                    _One(now, item_of(self._before, now), one.tried, one.taken)
                )
            elif one.taken:
                self.torn.append(self._shown(one.seen.path))
            # Else it is gone, and so it would be had we come a moment later.
        return again

    def _is_given_up(self, one: _One) -> bool:
        tries = TRIES_LARGE if one.seen.stamp.size > SMALL else TRIES
        if one.tried < tries:
            return False
        if one.taken:
            self.torn.append(self._shown(one.seen.path))
        else:
            self.failed[self._shown(one.seen.path)] = (
                f"{readable(one.seen.path)} kept changing, and could not be read"
            )
        return True


def _portions(todo: Iterable[_One]) -> Iterator[list[_One]]:
    """Cut into what one thread reads at once; what is large comes alone."""
    portion: list[_One] = []
    size = 0
    for one in todo:
        size += one.item.size
        if portion and (len(portion) == _MOST or size > _MOST_BYTES):
            yield portion
            portion, size = [], one.item.size
        portion.append(one)
    if portion:
        yield portion


async def _supply(
    portions: Iterator[list[_One]], running: "set[asyncio.Task[list[_One]]]"
) -> AsyncIterator[list[_One]]:
    """Give portions, a few at a time; and after them what has to be read again."""
    again: list[_One] = []
    for portion in portions:
        yield portion
        while len(running) >= _AT_ONCE:
            again += await _first(running)
    while running or again:
        if again:
            some, again = again, []
            for portion in _portions(some):
                yield portion
        again += await _first(running)


async def _first(running: "set[asyncio.Task[list[_One]]]") -> list[_One]:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    running -= done
    return [one for task in done for one in task.result()]


async def _called_off(running: "set[asyncio.Task[list[_One]]]") -> None:
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
        for task in running:
            task.cancelled() or task.exception()
