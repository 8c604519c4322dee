"""What the index knows of this entry, or will as soon as it has heard us.

The ledger holds what was acknowledged. On top lies what was done or said since:
it is what an event must be compared with, or our own writes would come back as
news. What was said, and what was done and answered, goes into the ledger when the
parent has noted it: so the ledger never knows more than the index, and what a
crash on either side loses is found again by the next walk.
"""

import asyncio
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

from syncd.child.ledger import Known, Ledger
from syncd.core.file import Seen
from syncd.core.path import parent

OWN = 0
"""The batch number of what nobody needs to acknowledge."""

UNSAID = -1
"""The batch number of what was done on order and is not answered yet."""

REPLACED = -2
"""The batch number of what is known no more: something newer took its place."""

GROUPING = 0.1
"""Seconds that own writes may wait to share a commit."""


class _Fresh(Struct, gc=False):
    """What is known of one path since; replaced, never changed, when that changes."""

    path: str
    known: Known | None
    batch: int
    """The number of the batch that tells it; changes as that comes and is noted."""


class Picture:
    """The ledger, and what it does not hold yet."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._fresh: dict[str, dict[str, _Fresh]] = {}
        self._inodes: dict[int, str] = {}
        self._batches: dict[int, list[_Fresh]] = {}
        self._ripe: dict[str, _Fresh] = {}
        self._noted = ledger.noted
        self._wake = asyncio.Event()

    def get(self, path: str) -> Known | None:
        """Return what is known of the path; None: nothing lies there."""
        fresh = self._fresh.get(parent(path), {}).get(path)
        return self._ledger.get(path) if fresh is None else fresh.known

    def at_inodes(self, inodes: Collection[int]) -> dict[int, list[Known]]:
        """Return every path known to have one of the inodes, by inode."""
        stored = self._ledger.at_inodes(list(inodes))
        paths = {known.seen.path for known in stored}
        paths.update(self._inodes[one] for one in inodes if one in self._inodes)
        result: dict[int, list[Known]] = {}
        for path in sorted(paths):
            known = self.get(path)
            if known is not None and known.seen.stamp.inode in inodes:
                result.setdefault(known.seen.stamp.inode, []).append(known)
        return result

    def inside(self, folder: str, after: str, upto: str | None) -> dict[str, Known]:
        """Return, by path, what is known in the folder with names in (after, upto]."""
        stored = self._ledger.inside(folder, after, upto)
        result = {known.seen.path: known for known in stored}
        skip = len(folder) + 1 if folder else 0
        for path, fresh in self._fresh.get(folder, {}).items():
            name = path[skip:]
            if name <= after or (upto is not None and name > upto):
                continue
            if fresh.known is None:
                result.pop(path, None)
            else:
                result[path] = fresh.known
        return result

    def is_ahead(self, folder: str) -> bool:
        """Tell whether more is known of what is in the folder than the ledger holds."""
        return folder in self._fresh

    def holds_any(self, folder: str) -> bool:
        """Tell whether anything is known to lie in the folder."""
        fresh = self._fresh.get(folder, {})
        if any(one.known for one in fresh.values()):
            return True
        return any(path not in fresh for path in self._ledger.some(folder, len(fresh)))

    def below(self, folder: str) -> Iterator[list[str]]:
        """Give the paths known below the folder, in pages, content before folders."""
        fresh = self.fresh_below(folder)
        if fresh:
            yield sorted(fresh, reverse=True)
        for page in self._ledger.below(folder):
            rest = [p for p in page if p not in self._fresh.get(parent(p), {})]
            if rest:
                yield rest

    def fresh_below(self, folder: str) -> list[str]:
        """Return the paths below the folder that the ledger does not hold yet."""
        start = f"{folder}/" if folder else ""
        return [
            path
            for inside, paths in self._fresh.items()
            if inside == folder or inside.startswith(start)
            for path, fresh in paths.items()
            if fresh.known is not None
        ]

    def note(self, path: str, seen: Seen | None, *, implicit: bool = False) -> None:
        """Take in what we did ourselves; nobody need hear of it."""
        known = Known(seen, implicit) if seen is not None else None
        before = self._fresh.get(parent(path), {}).get(path)
        # What was said of it before, and is not acknowledged, must come first.
        fresh = self._put(path, known, before.batch if before else OWN)
        if fresh.batch == OWN:
            self._ripe[path] = fresh
            self._wake.set()
        elif fresh.batch != UNSAID:
            self._batches.setdefault(fresh.batch, []).append(fresh)

    def did(self, path: str, seen: Seen | None) -> None:
        """Take in what was done on order; ``answered`` tells in which batch."""
        self._put(path, Known(seen) if seen is not None else None, UNSAID)
        self._ripe.pop(path, None)

    def answered(self, batch: int, paths: Iterable[str]) -> None:
        """Note that what was done at the paths is told in that batch."""
        told = self._batches.setdefault(batch, [])
        for path in paths:
            fresh = self._fresh.get(parent(path), {}).get(path)
            if fresh is not None and fresh.batch == UNSAID:
                fresh.batch = batch
                told.append(fresh)

    def say(self, batch: int, path: str, seen: Seen | None) -> None:
        """Take in what is said of the path in that batch of changes."""
        fresh = self._put(path, Known(seen) if seen is not None else None, batch)
        self._ripe.pop(path, None)
        self._batches.setdefault(batch, []).append(fresh)

    def noted(self, number: int) -> None:
        """Let what was said up to that batch go into the ledger."""
        for batch in [b for b in self._batches if b <= number]:
            for fresh in self._batches.pop(batch):
                if fresh.batch == batch:
                    fresh.batch = OWN
                    self._ripe[fresh.path] = fresh
        self._noted = max(self._noted, number)
        self._wake.set()

    async def begin(self) -> None:
        """Count on nothing that the parent has not noted; a walk will find it."""
        await self.commit()
        for part in (self._fresh, self._inodes, self._batches, self._ripe):
            part.clear()

    async def forget(self, index: str) -> None:
        """Know nothing any more, in step with that index."""
        for part in (self._fresh, self._inodes, self._batches, self._ripe):
            part.clear()
        await self._ledger.forget(index)
        self._noted = 0

    async def keep(self) -> None:
        """Write to the ledger what may go there, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.commit()
            await asyncio.sleep(GROUPING)

    async def commit(self) -> None:
        """Write to the ledger what may go there now."""
        ripe, self._ripe = self._ripe, {}
        noted = self._noted
        if not ripe and noted == self._ledger.noted:
            return
        rows = [(path, one.known) for path, one in ripe.items()]
        try:
            await self._ledger.write(rows, [("noted", str(noted))])
        except BaseException:
            self._ripe = ripe | self._ripe
            raise
        for path, one in ripe.items():
            self._drop(path, one)

    def _put(self, path: str, known: Known | None, batch: int) -> _Fresh:
        fresh = _Fresh(path, known, batch)
        inside = self._fresh.setdefault(parent(path), {})
        if (before := inside.get(path)) is not None:
            before.batch = REPLACED
        inside[path] = fresh
        if known is not None and (inode := known.seen.stamp.inode):
            self._inodes[inode] = path
        return fresh

    def _drop(self, path: str, fresh: _Fresh) -> None:
        """Forget what the ledger now holds, unless it is newer already."""
        folder = parent(path)
        inside = self._fresh.get(folder, {})
        if inside.get(path) is not fresh:
            return
        del inside[path]
        if not inside:
            del self._fresh[folder]
        if fresh.known is not None:
            inode = fresh.known.seen.stamp.inode
            if self._inodes.get(inode) == path:
                del self._inodes[inode]
