"""Looks at paths, compares with what the index knows, and says what is new."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from syncd.child.news import new_cause
from syncd.core.change import Change, Found, Gone
from syncd.core.file import Kind, Seen
from syncd.core.path import readable
from syncd.drivers.contract import Facts
from syncd.errors import StorageChanged, StorageError, StorageUntrusted

if TYPE_CHECKING:
    from syncd.child.busy import Busy
    from syncd.child.ledger import Known
    from syncd.child.link import Log
    from syncd.child.news import News
    from syncd.child.picture import Picture
    from syncd.drivers.contract import Driver

EMPTY_DIGEST = bytes.fromhex(
    "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
)
"""BLAKE3 of nothing."""

SMALL = 1 << 20
"""Size up to which a file that kept its size is read: perhaps it was only touched."""

READERS = 8
"""Contents read at the same time."""

Looked = Seen | StorageError | None
AtRest = Callable[[str, Seen | None], bool]


class _Burst(Struct):
    """What one look at a number of paths told."""

    looked: dict[str, Looked]
    known: dict[str, "Known"]
    """What the index knows of those it knows anything of."""
    found: dict[str, Seen]
    gone: list[str]
    moved: dict[str, str]
    """New path -> the one it had before."""
    facts: dict[str, Facts]


def differs(known: "Known | None", seen: Seen) -> bool:
    """Tell whether what lies there is news to the index."""
    if known is None:
        return True
    if known.implicit and known.seen.stamp == seen.stamp:
        return seen.kind is not Kind.DIRECTORY
    return known.seen != seen


class Notice:
    """Turns paths that may have changed into Found and Gone, one burst at a time."""

    def __init__(
        self,
        driver: "Driver",
        picture: "Picture",
        news: "News",
        busy: "Busy",
        log: "Log",
    ) -> None:
        self._driver = driver
        self._picture = picture
        self._news = news
        self._busy = busy
        self._log = log
        self._turn = asyncio.Lock()
        self._insisted: set[str] = set()
        self.mime = False
        """Whether a MIME type is wanted with every file."""
        self.doubted = 0
        """What changed since then is read and said in any case; 0: see wire.Welcome."""
        self.touched: Callable[[str], None] = lambda _: None
        """Told of files that changed while they were looked at."""
        self.unseen: Callable[[str], None] = lambda _: None
        """Told of paths that could not be looked at: nothing was said of them."""

    def insist(self, paths: Iterable[str]) -> None:
        """Say what lies at the paths when next looked at, even if it is no news."""
        self._insisted.update(paths)

    def is_doubted(self, seen: Seen) -> bool:
        """Tell whether a power cut may have come before the content was on the disk."""
        if not self.doubted or seen.kind is not Kind.FILE:
            return False
        return seen.stamp.ctime_ns >= self.doubted

    async def notice(
        self,
        paths: Sequence[str],
        at_rest: AtRest = lambda _path, _seen: True,
        *,
        more: bool = False,
        ordered: bool = False,
    ) -> list[str]:
        """Look at the paths and say what the index does not know of them.

        Return the folders that are none any more, but of whose content nothing
        was said yet: say that first, and then of them again. ``more`` says that a
        walk came by the paths and may find more, ``ordered`` that a person had us
        do what is found.
        """
        await self._news.room()
        async with self._turn:
            self._busy.begin_look()
            looked = dict(zip(paths, await self._driver.look(paths), strict=True))
            burst = self._compared(looked, at_rest)
            if not (burst.found or burst.gone):
                return []
            await self._find_moves(burst)
            await self._read(burst)
            with self._news.marked(more=more, ordered=ordered):
                return self._say(burst)

    def _compared(self, looked: dict[str, Looked], at_rest: AtRest) -> _Burst:
        burst = _Burst(looked, {}, {}, [], {}, {})
        for path, seen in looked.items():
            if isinstance(seen, StorageError):
                self._log.warning("cannot look", path=readable(path), reason=str(seen))
                self.unseen(path)
            elif self._busy.is_spoiled(path) or not at_rest(path, seen):
                continue
            else:
                self._sort(burst, path, seen)
        return burst

    def _sort(self, burst: _Burst, path: str, seen: Seen | None) -> None:
        known = self._picture.get(path)
        if known is not None:
            burst.known[path] = known
        insisted = path in self._insisted
        if seen is None:
            if insisted or known is not None:
                burst.gone.append(path)
        elif insisted or self.is_doubted(seen) or differs(known, seen):
            burst.found[path] = seen

    async def _find_moves(self, burst: _Burst) -> None:
        """Find for new paths where they lay before, if they are gone from there."""
        old = self._olds(burst)
        unseen = {o for olds in old.values() for o in olds if o not in burst.looked}
        if unseen:
            more = sorted(unseen)
            result = await self._driver.look(more)
            burst.looked.update(zip(more, result, strict=True))
        taken: set[str] = set()
        for path, olds in old.items():
            for one in olds:
                free = one not in taken and one not in self._busy
                if free and burst.looked[one] is None:
                    burst.moved[path] = one
                    taken.add(one)
                    break

    def _olds(self, burst: _Burst) -> dict[str, list[str]]:
        """Return, by new path, where the index knows the same as lying, if anywhere."""
        new = [seen for path, seen in burst.found.items() if path not in burst.known]
        inodes = {seen.stamp.inode for seen in new} - {0}
        known = self._picture.at_inodes(inodes) if inodes else {}
        return {
            seen.path: [o.seen.path for o in olds if _is_moved(o, seen)]
            for seen in new
            if (olds := known.get(seen.stamp.inode))
        }

    async def _read(self, burst: _Burst) -> None:
        """Read the contents of which digest or MIME type are wanted with the news."""
        wanted = [
            (seen, digest, mime)
            for seen in burst.found.values()
            if seen.kind is Kind.FILE and seen.path not in burst.moved
            for digest, mime in [(self._wants_digest(burst, seen), self.mime)]
            if digest or mime
        ]
        for start in range(0, len(wanted), READERS):
            some = wanted[start : start + READERS]
            await asyncio.gather(*(self._read_one(burst, *one) for one in some))

    def _wants_digest(self, burst: _Burst, seen: Seen) -> bool:
        size, known = seen.stamp.size, burst.known.get(seen.path)
        if self.doubted and size:
            return self.is_doubted(seen) or known is not None
        if not 0 < size <= SMALL:
            return False
        return (
            known is not None
            and known.seen.kind is Kind.FILE
            and known.seen.stamp.size == size
        )

    async def _read_one(
        self, burst: _Burst, seen: Seen, digest: bool, mime: bool
    ) -> None:
        try:
            burst.facts[seen.path] = await self._driver.inspect(
                seen.path, seen.stamp, digest=digest, mime=mime
            )
        except StorageChanged:
            del burst.found[seen.path]
            self.touched(seen.path)
        except StorageUntrusted:
            raise
        except StorageError as error:
            # It is news all the same; who needs the content will hear why not.
            self._log.warning(
                "cannot read", path=readable(seen.path), reason=str(error)
            )

    def _say(self, burst: _Burst) -> list[str]:
        """Say it, parents before what is in them, and what is gone the other way."""
        cause = new_cause()
        gone = set(burst.gone)
        left: list[str] = []
        for path, seen in sorted(burst.found.items()):
            if self._busy.is_spoiled(path):
                continue
            if path in burst.known and self._is_covered(path, seen):
                left.append(path)
                continue
            old = burst.moved.get(path)
            together: list[Change] = [self._found(seen, old, burst, cause)]
            if old is not None and seen.kind is Kind.DIRECTORY:
                gone.add(old)
            elif old is not None:
                gone.discard(old)
                together.append(Gone(old, cause))
            self._news.add(*together)
        left += self._say_gone(gone, cause)
        self._log.debug("noticed", cause=cause, found=len(burst.found), gone=len(gone))
        return left

    def _found(self, seen: Seen, old: str | None, burst: _Burst, cause: str) -> Found:
        self._insisted.discard(seen.path)
        facts = burst.facts.get(seen.path, Facts())
        digest = facts.digest
        if seen.kind is Kind.FILE and seen.stamp.size == 0:
            digest = EMPTY_DIGEST
        return Found(seen, digest, facts.mime, old, cause)

    def _say_gone(self, gone: Collection[str], cause: str) -> list[str]:
        left: list[str] = []
        for path in sorted(gone, reverse=True):
            if self._busy.is_spoiled(path):
                continue
            known = self._picture.get(path)
            if self._is_full_folder(path):
                left.append(path)
            elif path in self._insisted or (known and not known.implicit):
                self._insisted.discard(path)
                self._news.add(Gone(path, cause))
            else:
                self._picture.note(path, None)
        return left

    def _is_covered(self, path: str, seen: Seen) -> bool:
        """Tell whether it lies where a folder is known with something in it."""
        return seen.kind is not Kind.DIRECTORY and self._is_full_folder(path)

    def _is_full_folder(self, path: str) -> bool:
        """Tell whether the path is known as a folder with something in it."""
        known = self._picture.get(path)
        if known is None or known.seen.kind is not Kind.DIRECTORY:
            return False
        return self._picture.holds_any(path)


def _is_moved(old: "Known", seen: Seen) -> bool:
    """Tell whether what has the inode now may be what lay elsewhere before."""
    before = old.seen
    if old.implicit or before.path == seen.path or before.kind is not seen.kind:
        return False
    then, now = before.stamp, seen.stamp
    return then.size == now.size and then.mtime_ns == now.mtime_ns
