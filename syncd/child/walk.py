"""Walks the storage, or a part of it, and has noticed what the index does not know."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from itertools import islice
from typing import TYPE_CHECKING, cast

from msgspec import Struct, field

from syncd import clock
from syncd.child.ledger import Known
from syncd.child.notice import differs
from syncd.core.file import Kind, Seen
from syncd.core.path import name, parent, readable
from syncd.drivers.contract import Can, Glance

if TYPE_CHECKING:
    from syncd.child.ledger import Ledger
    from syncd.child.link import Log
    from syncd.child.notice import Notice
    from syncd.child.picture import Picture
    from syncd.drivers.contract import Driver, Glancing

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
    folders: set[str] = field(default_factory=set)
    """Those that were walked."""
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
        self._glancing = (
            cast("Glancing", driver) if Can.GLANCE in type(driver).can else None
        )
        self._ledger = ledger
        self._picture = picture
        self._notice = notice
        self._touched = touched
        self._is_written_to = is_written_to
        self._log = log
        self._unreadable: dict[str, str] = {}
        self._unchanged: dict[str, int] = {}
        """How many paths are in folders that may turn out not to have changed."""

    async def walk(self, below: str = "", *, forget_missing: bool = False) -> int:
        """Walk below the path and say what is new; return how many paths there are.

        With ``forget_missing`` what is not found is not said to be gone: it may
        only be ignored from now on.
        """
        return (await self._walked(below, forget_missing=forget_missing)).paths

    async def _walked(self, below: str = "", *, forget_missing: bool = False) -> _Walk:
        walk = _Walk(missing=self._picture.fresh_below(below))
        async for glance in self._glances(below, deep=True):
            await self._look(walk, glance)
        missing = await self._settled(walk)
        await self._ledger.keep_fingerprints()
        await (self._forget(missing) if forget_missing else self._say(missing))
        return walk

    async def look_into(self, folder: str) -> None:
        """Say what is new in the folder, but not in the folders in it."""
        walk = _Walk()
        async for glance in self._glances(folder, deep=False):
            await self._look(walk, glance)
        await self._say(await self._settled(walk))
        await self._ledger.keep_fingerprints()

    async def walk_first(self, ignore: Sequence[str]) -> int:
        """Walk all of it after a start; return how many paths there are.

        When other things are ignored than at the last walk, what is missing may
        be there all the same, and nobody else must lose it.
        """
        now, before = "\n".join(ignore), self._ledger.fact("ignore")
        if before not in (None, now):
            await self._ledger.forget_fingerprints()
        walk = await self._walked(forget_missing=before not in (None, now))
        await self._say_orphans(walk.folders)
        self._notice.doubted = 0
        await self._picture.commit()
        await self._ledger.write([], [("ignore", now)])
        return walk.paths

    async def say_gone(self, folders: Iterable[str]) -> None:
        """Say that the folders are gone, after everything that was below them."""
        await self._say(self._with_contents(folders))

    async def _say_orphans(self, walked: Collection[str]) -> None:
        """Say that what the ledger has in folders it does not have is gone.

        Such rows are left by a crash, if the folder was news and is gone since;
        no walk comes by them.
        """
        for number, folder in enumerate(self._ledger.folders()):
            if folder in walked or self._is_hidden(folder):
                pass
            elif self._picture.get(folder) is None:
                await self.say_gone([folder])
            if number % PAGE == 0:
                await asyncio.sleep(0)

    async def _glances(self, below: str, *, deep: bool) -> AsyncIterator[Glance]:
        """Walk; what lies in folders that are just as the ledger says is not told."""
        if self._glancing is None or self._notice.doubted:
            async for folder, listing in self._driver.walk(below, deep=deep):
                yield Glance(folder, listing, None)
            return
        async for glance in self._glancing.glance(
            below, known=self._fingerprint, deep=deep
        ):
            folder = glance.folder
            if glance.found is None and self._picture.is_ahead(folder):
                async for _, listing in self._driver.walk(folder, deep=False):
                    yield Glance(folder, listing, None)
            else:
                yield glance

    def _fingerprint(self, folder: str) -> bytes | None:
        """Return what the folder is known by; asked in the driver's thread."""
        known = self._ledger.fingerprint(folder)
        if known is None:
            return None
        fingerprint, self._unchanged[folder] = known
        return fingerprint

    async def _look(self, walk: _Walk, glance: Glance) -> None:
        folder, listing = glance.folder, glance.found
        walk.folders.add(folder)
        self._unreadable.pop(folder, None)
        if folder in walk.coming:
            del walk.coming[folder]
            walk.differing.append(folder)
        if listing is None:
            walk.paths += self._unchanged.pop(folder, 0)
            return
        self._unchanged.pop(folder, None)
        same = True
        for known, page in self._pages(folder, listing):
            same &= self._compare(walk, known, page)
            if len(walk.differing) >= PAGE:
                await self._settle_differing(walk, more=True)
            await asyncio.sleep(0)
        if same and glance.fingerprint and not self._picture.is_ahead(folder):
            self._ledger.remember(folder, glance.fingerprint, len(listing))

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
    ) -> bool:
        """Note what differs or is missing; tell whether nothing does or is."""
        now, same = clock.nanoseconds(), True
        doubting, doubted = self._notice.doubted, self._notice.is_doubted
        for seen in page:
            before = known.pop(seen.path, None)
            if not differs(before, seen) and not (doubting and doubted(seen)):
                continue
            same = False
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
        return same and not known

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
