"""Raw events of the driver, and walks, become paths that are at rest and noticed."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from syncd import clock
from syncd.child.busy import Busy
from syncd.child.link import Log
from syncd.core.change import Change, Gone
from syncd.core.file import Kind, Seen
from syncd.core.path import parent
from syncd.core.polling import rest
from syncd.core.settle import AGAIN, DEPARTED, Settler
from syncd.drivers.contract import Can, Event, Watched, Watching, What
from syncd.errors import StorageError
from syncd.wire import Looked, Walked

if TYPE_CHECKING:
    from syncd.child.link import Link
    from syncd.child.notice import Notice
    from syncd.child.picture import Picture
    from syncd.child.walk import Walker
    from syncd.drivers.contract import Driver

MOST = 500
"""Paths looked at in one go."""

REMEDY = (
    "raise fs.inotify.max_user_watches and max_user_instances, or ignore what need not"
    " be kept in step; on a network's disk there is none"
)


class Watch:
    """Three tasks that share one Notice: settled paths, changed trees, whole walks."""

    def __init__(self, driver: "Driver", picture: "Picture", link: "Link") -> None:
        self._driver = driver
        self._picture = picture
        self._link = link
        self._log = Log(link.send)
        self._watching = (
            cast("Watching", driver) if Can.WATCH in type(driver).can else None
        )
        self.is_written_to = self._watching.is_written_to if self._watching else None
        """Tells whether a file is open for writing; None where nobody can tell."""
        self._settler = Settler()
        self._trees: dict[str, None] = {}
        self._some_gone = False
        self._following = False
        """Whether changed trees are being looked through."""
        self._lost: dict[str, None] = {}
        self._checks: list[str] = []
        self._is_last_check = False
        self._some_check = asyncio.Event()
        self._something = asyncio.Event()
        self._some_tree = asyncio.Event()
        self._some_loss = asyncio.Event()
        self.busy = Busy(self.tell)
        self.walking = False
        self.last_walk: float | None = None
        self._walked: float | None = None
        self._overflows = 0
        self._polls = False

    def ahead(self, changes: Sequence[Change]) -> int:
        """Return how many paths, beside those of the changes, seem to be gone."""
        if not self._settler.departed:
            return 0
        gone = [one.path for one in changes if isinstance(one, Gone)]
        return self._settler.departed - sum(map(self._settler.has_departed, gone))

    async def open(self) -> None:
        """Start hearing of changes, before anything is walked."""
        if self._watching is not None:
            await self._watching.watch(self.tell)

    def watched(self) -> Watched:
        """Return how much of the storage tells of its changes."""
        if self._watching is not None:
            return self._watching.watched()
        age = None if self._walked is None else clock.monotonic() - self._walked
        return Watched(0, polled=1, oldest=age)

    def tell(self, events: Sequence[Event]) -> None:
        """Take in what the driver says happened."""
        now = clock.monotonic()
        for event in events:
            if What.LOST in event.what:
                self._tell_overflow()
                self.rescan(event.path)
            elif self.busy.put_off(event):
                continue
            elif What.TREE in event.what:
                self._changed_tree(event)
            elif What.GONE in event.what:
                self._settler.gone(event.path, now)
            elif What.CLOSED in event.what:
                self._settler.closed(event.path, now)
            else:
                self._settler.touch(event.path, now)
        self._something.set()

    def touched(self, path: str) -> None:
        """Take in that something may be going on at the path."""
        self.tell([Event(path, What.TOUCHED)])

    def unseen(self, path: str) -> None:
        """Take in that the path could not be looked at: that is tried again later."""
        self._settler.failed(path, clock.monotonic())
        self._something.set()

    def check(self, paths: Iterable[str], *, last: bool = False) -> None:
        """Have it said of the paths soon if nothing lies there, even if it is known.

        And after the last of them, that it was.
        """
        self._checks.extend(paths)
        self._is_last_check |= last
        self._some_check.set()

    async def say_absent(self, notice: "Notice") -> None:
        """Say of paths to be checked, and not known here, that they are gone."""
        while True:
            await self._some_check.wait()
            self._some_check.clear()
            while paths := self._checks[:MOST]:
                del self._checks[:MOST]
                unknown = [path for path in paths if self._picture.get(path) is None]
                looked = await self._driver.look(unknown)
                pairs = zip(unknown, looked, strict=True)
                await self.look_again(
                    notice, [path for path, seen in pairs if not seen]
                )
            if self._is_last_check:
                self._is_last_check = False
                self._link.send(Looked())

    def rescan(self, path: str) -> None:
        """Have everything below the path walked soon."""
        self._lost[path] = None
        self._some_loss.set()

    async def look_again(
        self, notice: "Notice", paths: Iterable[str], *, ordered: bool = False
    ) -> None:
        """Say what lies at the paths, news or not; not yet, if it is written to.

        ``ordered`` says that a person had us put it there.
        """
        paths = list(paths)
        notice.insist(paths)
        left = await notice.notice(paths, self._may_be_said, ordered=ordered)
        self._changed_trees(left)

    async def settle(self, notice: "Notice") -> None:
        """Notice what has come to rest, for ever."""
        while True:
            due = self._settler.due(clock.monotonic(), MOST)
            if due:
                self._changed_trees(await notice.notice(due, self._at_rest))
            else:
                await self._sleep()

    async def follow_trees(self, notice: "Notice", walker: "Walker") -> None:
        """Notice what is below folders that came, went or moved, for ever."""
        while True:
            await self._some_tree.wait()
            if self._some_gone:
                await asyncio.sleep(self._settler.lull(clock.monotonic()))
            self._some_tree.clear()
            self._some_gone = False
            trees, self._trees = _outermost(self._trees), {}
            self._following = True
            looked = await self._driver.look(trees)
            left = await notice.notice(trees)
            # New places first: what was only moved is recognised there.
            for path, seen in zip(trees, looked, strict=True):
                if isinstance(seen, Seen) and seen.kind is Kind.DIRECTORY:
                    await walker.walk(path)
                elif isinstance(seen, StorageError):
                    loop = asyncio.get_running_loop()
                    loop.call_later(AGAIN, self._changed_trees, [path])
            gone = {path for path, seen in zip(trees, looked, strict=True) if not seen}
            await walker.say_gone(gone.union(left))
            self._following = False

    async def poll(self, walker: "Walker") -> None:
        """Look, for ever, into folders that tell nothing: in turn, and at a pace."""
        while self._watching is not None:
            began, folders = clock.monotonic(), []
            if self.last_walk is not None:
                folders = await self._watching.poll()
                for folder in folders:
                    await walker.look_into(folder)
                self._tell_polled()
            await asyncio.sleep(rest(clock.monotonic() - began, len(folders)))

    async def walk(
        self, walker: "Walker", rescan: float, ignore: Sequence[str]
    ) -> None:
        """Walk everything once, then what was lost, and everything now and then."""
        await self._walk_all(walker.walk_first(ignore), first=True)
        due = clock.monotonic() + rescan
        while True:
            patience = due - clock.monotonic() if rescan else None
            try:
                async with asyncio.timeout(patience):
                    await self._some_loss.wait()
            except TimeoutError:
                self._lost = {"": None}
            self._some_loss.clear()
            lost, self._lost = _outermost(self._lost), {}
            if "" in lost:
                await self._walk_all(walker.walk(), first=False)
                due = clock.monotonic() + rescan
            else:
                self._trees.update(dict.fromkeys(lost))
                self._some_tree.set()

    async def _walk_all(self, walk: Awaitable[int], *, first: bool) -> None:
        start = clock.monotonic()
        self.walking = True
        paths = await walk
        self.walking = False
        self.last_walk = clock.timestamp()
        self._walked = start
        if self._watching is not None:
            self._watching.walked(start)
        self._link.send(Walked(first, clock.monotonic() - start, paths))

    def _tell_overflow(self) -> None:
        overflows = self.watched().overflows
        if overflows > self._overflows:
            self._overflows = overflows
            self._log.warning("events were lost; all is compared", overflows=overflows)

    def _tell_polled(self) -> None:
        """Say when folders begin, and when they cease, to be polled."""
        watched = self.watched()
        if bool(watched.polled) is self._polls:
            return
        self._polls = bool(watched.polled)
        if self._polls:
            self._log.warning(
                "folders that cannot be watched are looked into in turn",
                folders=watched.polled,
                of=watched.folders + watched.polled,
                remedy=REMEDY,
            )
        else:
            self._log.info("every folder is watched", folders=watched.folders)

    async def _sleep(self) -> None:
        """Wait until a path is due, or something happens."""
        patience = self._settler.wait(clock.monotonic())
        try:
            async with asyncio.timeout(patience):
                await self._something.wait()
        except TimeoutError:
            return
        self._something.clear()

    def _changed_tree(self, event: Event) -> None:
        self._trees[event.path] = None
        if What.GONE in event.what:
            self._some_gone = True
            # Where it went, if anywhere below the root, is told in a moment.
            loop = asyncio.get_running_loop()
            loop.call_later(DEPARTED, self._some_tree.set)
        else:
            self._some_tree.set()

    def _changed_trees(self, paths: Iterable[str]) -> None:
        self._trees.update(dict.fromkeys(paths))
        if self._trees:
            self._some_tree.set()

    def _at_rest(self, path: str, seen: Seen | None) -> bool:
        evidence, written_to = None, False
        if seen is not None and seen.kind is Kind.FILE and self._is_written(seen):
            evidence = (seen.stamp.size, seen.stamp.mtime_ns)
            written_to = self._is_written_to(path)
        moving = seen is None and (self._following or bool(self._trees))
        return self._settler.looked(
            path, clock.monotonic(), evidence, written_to=written_to, moving=moving
        )

    def _is_written(self, seen: Seen) -> bool:
        """Tell whether size or time say that the content is not what is known."""
        known = self._picture.get(seen.path)
        if known is None:
            return True
        ours, theirs = known.seen.stamp, seen.stamp
        return (ours.size, ours.mtime_ns) != (theirs.size, theirs.mtime_ns)

    def _may_be_said(self, path: str, seen: Seen | None) -> bool:
        if seen is None or seen.kind is not Kind.FILE or not self._is_written_to(path):
            return True
        self.tell([Event(path, What.CLOSED)])
        return False

    def _is_written_to(self, path: str) -> bool:
        return self.is_written_to is not None and self.is_written_to(path)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that lie in none of the others, sorted."""
    every = set(paths)
    return sorted(path for path in every if not _is_inside(path, every))


def _is_inside(path: str, folders: set[str]) -> bool:
    while path:
        path = parent(path)
        if path in folders:
            return True
    return False
