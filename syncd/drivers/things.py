"""What lies in a storage that is only a dict, and what orders do to it."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count

from msgspec import Struct
from msgspec.structs import replace as but

from syncd import clock
from syncd.core.change import Amend, Delete, Put, SetAside
from syncd.core.file import Kind, Seen, Stamp
from syncd.core.ignoring import Ignored
from syncd.core.keeping import Kept, Loss, Promise, Return, superfluous
from syncd.core.path import checked, is_reserved, name, parent, readable
from syncd.drivers.contract import Event, Returned, What, Written
from syncd.errors import BadRequest, StorageChanged, StorageError

_PARENT_MODE = 0o755


class Thing(Struct, frozen=True):
    """A file, folder or link."""

    kind: Kind
    content: bytes = b""
    mtime_ns: int = 0
    mode: int = 0o644
    target: str | None = None
    inode: int = 0
    ctime_ns: int = 0

    def stamp(self) -> Stamp:
        """Return the evidence for the content."""
        if self.kind is Kind.DIRECTORY:
            return Stamp(inode=self.inode)
        return Stamp(len(self.content), self.mtime_ns, self.ctime_ns, self.inode)


class Things:
    """The dict: ``things`` is what people see; they ``set`` and ``remove``.

    What is asked of a path in ``faults`` fails with that error.
    """

    def __init__(
        self, ignore: Sequence[str] = (), faults: dict[str, StorageError] | None = None
    ) -> None:
        self.things: dict[str, Thing] = {}
        self.faults = {} if faults is None else faults
        self._ignored = Ignored(ignore)
        self._numbers = count(1)
        self._made: list[Seen] = []
        self._promise: Promise | None = None
        self._kept: dict[str, tuple[Kept, Thing]] = {}
        self._tell: Callable[[Sequence[Event]], None] | None = None

    def set(self, path: str, thing: Thing) -> Seen:
        """Let the thing lie at the path from now on; return what a look at it finds."""
        number = next(self._numbers)
        self.things[path] = but(
            thing, inode=thing.inode or number, ctime_ns=clock.nanoseconds() + number
        )
        folder = thing.kind is Kind.DIRECTORY
        self._say(path, What.TREE if folder else What.CLOSED)
        return self._seen(path)

    def remove(self, path: str) -> Thing:
        """Take away what lies at the path, and return it."""
        self._say(path, What.GONE)
        return self.things.pop(path)

    def _say(self, path: str, what: What) -> None:
        if self._tell is not None and not self._ignored.has(path):
            asyncio.get_running_loop().call_soon(self._out, Event(path, what))

    def _out(self, event: Event) -> None:
        if self._tell is not None:
            self._tell([event])

    def _seen(self, path: str) -> Seen:
        thing = self.things[path]
        return Seen(path, thing.kind, thing.stamp(), thing.mode, thing.target)

    def _is_folder(self, path: str) -> bool:
        return path in self.things and self.things[path].kind is Kind.DIRECTORY

    def _is_bare(self, folder: str) -> bool:
        return not any(path.startswith(folder + "/") for path in self.things)

    def _is_ignored(self, path: str) -> bool:
        return self._ignored.has(path, folder=self._is_folder(path))

    def _expect(self, path: str, stamp: Stamp | None) -> Thing | None:
        """Return what lies at the path; StorageChanged unless it has the stamp."""
        if path in self.faults:
            raise self.faults[path]
        thing = self.things.get(path)
        if (thing.stamp() if thing else None) != stamp:
            raise StorageChanged(f"{readable(path)} is not what it was")
        return thing

    def _prepare(self, put: Put) -> None:
        if is_reserved(put.path) or not _is_legal(put.path):
            raise StorageError(f"illegal name {readable(put.path)}")
        if self._ignored.has(put.path, folder=put.kind is Kind.DIRECTORY):
            raise StorageError(f"{readable(put.path)} is ignored on this entry")
        self._parents(put.path)

    def _parents(self, path: str) -> None:
        above = parent(path)
        if not above or self._is_folder(above):
            return
        if above in self.things:
            link = self.things[above].kind is Kind.LINK
            kind = StorageError if link else StorageChanged
            raise kind(f"{readable(above)} is in the way")
        self._parents(above)
        self._made.append(self.set(above, Thing(Kind.DIRECTORY, mode=_PARENT_MODE)))

    def _place(self, put: Put, content: bytes) -> Seen:
        there = self.things.get(put.path)
        if put.path in self.faults:
            raise self.faults[put.path]
        if put.kind is Kind.DIRECTORY and self._is_folder(put.path):
            return self._change(put.path, put.mode, 0)
        if there is not None and Kind.DIRECTORY in (there.kind, put.kind):
            raise StorageChanged(f"{readable(put.path)} is taken")
        if put.kind is not Kind.DIRECTORY:
            self._expect(put.path, put.replaces)
            self._keep(put.path, Loss.REPLACED, put.cause, put.was)
        mode = 0o777 if put.kind is Kind.LINK else put.mode
        mtime = 0 if put.kind is Kind.DIRECTORY else put.mtime_ns
        return self.set(put.path, Thing(put.kind, content, mtime, mode, put.target))

    def _move(self, put: Put, hint: tuple[str, Stamp]) -> Written:
        self._expect(put.path, put.replaces)
        old, stamp = hint
        thing = self.things.get(old)
        if thing is None or thing.kind is not Kind.FILE or thing.stamp() != stamp:
            raise StorageChanged(f"hint {readable(old)} is not what it was")
        self._keep(put.path, Loss.REPLACED, put.cause, put.was)
        moved = but(self.remove(old), mode=put.mode, mtime_ns=put.mtime_ns)
        return Written(self.set(put.path, moved), put.digest, 0)

    def _change(self, path: str, mode: int, mtime_ns: int) -> Seen:
        thing = self.things[path]
        if thing.kind is Kind.LINK:
            mode = thing.mode
        return self.set(path, but(thing, mode=mode, mtime_ns=mtime_ns))

    def _amend(self, order: Amend) -> Seen:
        self._expect(order.path, order.stamp)
        return self._change(order.path, order.mode, order.mtime_ns)

    def _delete(self, order: Delete) -> None:
        if order.path not in self.things or self._is_ignored(order.path):
            return
        thing = self._expect(order.path, order.stamp)
        if thing is None or thing.kind is not order.kind:
            raise StorageChanged(f"{readable(order.path)} is not what it was")
        if thing.kind is not Kind.DIRECTORY or self._is_bare(order.path):
            self._keep(order.path, order.why, order.cause, order.was)
            self.remove(order.path)

    def _keep(self, path: str, loss: Loss, cause: str, digest: bytes | None) -> None:
        thing = self.things.get(path)
        if self._promise is None or thing is None or thing.kind is Kind.DIRECTORY:
            return
        place = f"kept {next(self._numbers)}"
        kept = Kept(
            path=path,
            place=place,
            at_ns=clock.nanoseconds() + next(self._numbers),
            kind=thing.kind,
            size=thing.stamp().size,
            mtime_ns=thing.mtime_ns,
            loss=loss,
            cause=cause,
            digest=digest,
        )
        self._kept[place] = kept, thing

    def _bring_back(self, order: Return) -> Returned:
        if order.place not in self._kept:
            raise StorageChanged(f"{readable(order.path)} is no longer kept")
        self._expect(order.path, order.there)
        if self._is_folder(order.path):
            raise StorageChanged(f"{readable(order.path)} is a folder")
        before, self._made = self._made, []
        try:
            self._parents(order.path)
        finally:
            made, self._made = self._made, before
        self._keep(order.path, Loss.UNDONE, order.cause, order.digest)
        _, thing = self._kept.pop(order.place)
        return Returned(self.set(order.path, thing), made)

    def _forget_kept(self) -> int:
        if self._promise is None:
            return 0
        by_path: dict[str, dict[int, str]] = {}
        for place, (kept, _) in self._kept.items():
            by_path.setdefault(kept.path, {})[kept.at_ns] = place
        now = clock.nanoseconds()
        gone = [
            places[at]
            for places in by_path.values()
            for at in superfluous(places, self._promise, now)
        ]
        for place in gone:
            del self._kept[place]
        return len(gone)

    def _set_aside(self, order: SetAside) -> Seen:
        self._expect(order.path, order.stamp)
        if is_reserved(order.to):
            raise StorageError(f"illegal name {readable(order.to)}")
        self._parents(order.to)
        to, number = order.to, 2
        stem, dot, extension = order.to.rpartition(".")
        if not name(stem) or "/" in extension:
            stem, dot, extension = order.to, "", ""
        while to in self.things:
            to, number = f"{stem}-{number}{dot}{extension}", number + 1
        below = [p for p in self.things if p.startswith(order.path + "/")]
        for path in below:
            self.things[to + path.removeprefix(order.path)] = self.things.pop(path)
        return self.set(to, self.remove(order.path))


def _is_legal(path: str) -> bool:
    try:
        return checked(path) == path
    except BadRequest:
        return False
