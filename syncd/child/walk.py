"""Walks the storage, or a part of it, and has noticed what the index does not know."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct, field

from syncd import clock
from syncd.child.ledger import Known
from syncd.child.notice import differs
from syncd.core.file import Kind, Seen
from syncd.core.path import name, parent, readable

if TYPE_CHECKING:
    from syncd.child.ledger import Ledger
    from syncd.child.link import Log
    from syncd.child.notice import Notice
    from syncd.child.picture import Picture
    from syncd.drivers.contract import Driver

PAGE = 500
"""Paths compared, and looked at again, at a time."""

RECENT = 2_000_000_000
"""Nanoseconds since its last change during which a file may be in the middle of one."""


class _Walk(Struct):
    """What one walk has come by so far."""

    differing: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    missing_folders: list[str] = field(default_factory=list)
    coming: dict[str, None] = field(default_factory=dict)
    """Folders that differ and whose listing is still to come: they are told with it."""
    paths: int = 0


class Walker:
    """Compares what lies in the storage with the picture, folder by folder.

    A walk only nominates: what it saw may be old by the time it is compared, so
    what differs is looked at again. What is missing is said at the end, after
    all that is new, so that what was only moved is found in its new place first.
    """

    def __init__(
        self,
        driver: "Driver",
        ledger: "Ledger",
        picture: "Picture",
        notice: "Notice",
        log: "Log",
        *,
        touched: Callable[[str], None],
        is_written_to: Callable[[str], bool] | None = None,
    ) -> None:
        """Walk the driver's storage.

        ``touched`` is told of files that may be in the middle of being written:
        those that ``is_written_to`` says so of, or, where nobody can tell, those
        that changed only just now.
        """
        self._driver = driver
        self._ledger = ledger
        self._picture = picture
        self._notice = notice
        self._touched = touched
        self._is_written_to = is_written_to
        self._log = log
        self._unreadable: dict[str, str] = {}

    async def walk(self, below: str = "", *, forget_missing: bool = False) -> int:
        """Walk below the path and say what is new; return how many paths there are.

        With ``forget_missing`` what is not found is not said to be gone: it may
        only be ignored from now on.
        """
        walk = _Walk(missing=self._picture.fresh_below(below))
        async for folder, listing in self._driver.walk(below):
            await self._look(walk, folder, listing)
        missing = await self._settled(walk)
        await (self._forget(missing) if forget_missing else self._say(missing))
        return walk.paths

    async def look_into(self, folder: str) -> None:
        """Say what is new in the folder, but not in the folders in it."""
        walk = _Walk()
        async for inside, listing in self._driver.walk(folder, deep=False):
            await self._look(walk, inside, listing)
        await self._say(await self._settled(walk))

    async def walk_first(self, ignore: Sequence[str]) -> int:
        """Walk all of it after a start; return how many paths there are.

        When other things are ignored than at the last walk, what is missing may
        be there all the same, and nobody else must lose it.
        """
        now, before = "\n".join(ignore), self._ledger.fact("ignore")
        paths = await self.walk(forget_missing=before not in (None, now))
        await self.say_orphans()
        self._notice.doubted = 0
        await self._picture.commit()
        await self._ledger.write([], [("ignore", now)])
        return paths

    async def say_gone(self, folders: Iterable[str]) -> None:
        """Say that the folders are gone, after everything that was below them."""
        await self._say(self._with_contents(folders))

    async def say_orphans(self) -> None:
        """Say that what the ledger has in folders it does not have is gone.

        Such rows are left by a crash, if the folder was news and is gone since;
        no walk comes by them.
        """
        for number, folder in enumerate(self._ledger.folders()):
            if self._picture.get(folder) is None and not self._is_hidden(folder):
                await self.say_gone([folder])
            if number % PAGE == 0:
                await asyncio.sleep(0)

    async def _look(self, walk: _Walk, folder: str, listing: Sequence[Seen]) -> None:
        self._unreadable.pop(folder, None)
        if folder in walk.coming:
            del walk.coming[folder]
            walk.differing.append(folder)
        for known, page in self._pages(folder, listing):
            self._compare(walk, known, page)
            if len(walk.differing) >= PAGE:
                await self._settle_differing(walk, more=True)
            await asyncio.sleep(0)

    async def _settled(self, walk: _Walk) -> Iterator[str]:
        """Say what differs at the end of a walk; return what is missing."""
        walk.differing += walk.coming  # Their listings never came.
        await self._settle_differing(walk, more=bool(walk.missing))
        self._learn_unreadable()
        return self._missing(walk)

    def _pages(
        self, folder: str, listing: Sequence[Seen]
    ) -> Iterator[tuple[dict[str, Known], Sequence[Seen]]]:
        """Cut a listing into pages, each with what is known of its part."""
        after = ""
        for start in range(0, max(len(listing), 1), PAGE):
            page = listing[start : start + PAGE]
            upto = name(page[-1].path) if start + PAGE < len(listing) else None
            yield self._picture.inside(folder, after, upto), page
            after = upto or ""

    def _compare(
        self, walk: _Walk, known: dict[str, Known], page: Sequence[Seen]
    ) -> None:
        now = clock.nanoseconds()
        doubting, doubted = self._notice.doubted, self._notice.is_doubted
        for seen in page:
            before = known.pop(seen.path, None)
            if not differs(before, seen) and not (doubting and doubted(seen)):
                continue
            age = now - seen.stamp.mtime_ns
            if 0 <= age < RECENT and self._may_be_written(seen):
                self._touched(seen.path)
            elif seen.kind is Kind.DIRECTORY:
                walk.coming[seen.path] = None
            else:
                walk.differing.append(seen.path)
        walk.paths += len(page)
        for path, one in known.items():
            folder = one.seen.kind is Kind.DIRECTORY
            (walk.missing_folders if folder else walk.missing).append(path)

    def _may_be_written(self, seen: Seen) -> bool:
        if seen.kind is not Kind.FILE:
            return False
        return self._is_written_to is None or self._is_written_to(seen.path)

    async def _settle_differing(self, walk: _Walk, *, more: bool) -> None:
        paths, walk.differing = walk.differing, []
        if paths:
            walk.missing_folders += await self._notice.notice(paths, more=more)

    def _missing(self, walk: _Walk) -> Iterator[str]:
        yield from walk.missing
        yield from self._with_contents(walk.missing_folders)

    def _with_contents(self, folders: Iterable[str]) -> Iterator[str]:
        """Give everything known below the folders, each after what is in it."""
        for folder in sorted(folders, reverse=True):
            for page in self._picture.below(folder):
                yield from page
            yield folder

    async def _say(self, paths: Iterator[str]) -> None:
        replaced: list[str] = []
        page = self._page(paths)
        while page:
            following = self._page(paths)
            replaced += await self._notice.notice(page, more=bool(following))
            page = following
        if replaced:  # By what can be said only now, after what was in them.
            await self._notice.notice(replaced)

    async def _forget(self, paths: Iterator[str]) -> None:
        while page := self._page(paths):
            for path, seen in zip(page, await self._driver.look(page), strict=True):
                if seen is None:
                    self._picture.note(path, None)

    def _page(self, paths: Iterator[str]) -> list[str]:
        shown = (path for path in paths if not self._is_hidden(path))
        return list(islice(shown, PAGE))

    def _learn_unreadable(self) -> None:
        for folder, reason in self._driver.unreadable().items():
            if folder not in self._unreadable:
                self._log.warning(
                    "cannot read folder", path=readable(folder) or "/", reason=reason
                )
            self._unreadable[folder] = reason

    def _is_hidden(self, path: str) -> bool:
        """Tell whether the path lies below a folder that could not be read."""
        if not self._unreadable:
            return False
        above = path
        while above:
            above = parent(above)
            if above in self._unreadable:
                return True
        return False
