"""Has the driver carry out orders of one kind, and notes what came of it.

While it works, the paths are busy: what the driver tells of them is looked at
afterwards, when the picture has the result, and so our own doing is no news.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from syncd.child.contents import Progress, portions, write_contents
from syncd.child.fetch import Sources
from syncd.core.change import (
    Amend,
    Delete,
    Done,
    Inspect,
    Order,
    Put,
    SetAside,
)
from syncd.core.file import Kind, Seen
from syncd.core.path import parent, readable
from syncd.drivers.contract import Writing, Written
from syncd.errors import StorageChanged, StorageError, StorageUntrusted

if TYPE_CHECKING:
    from syncd.child.busy import Busy
    from syncd.child.picture import Picture
    from syncd.drivers.contract import Driver

Result = Done | StorageError | Put
"""A Put is one to be carried out in another way: its hint was of no use."""


class Carrier:
    """Knows for each kind of order what to ask the driver, and what to note."""

    def __init__(
        self,
        driver: "Driver",
        picture: "Picture",
        busy: "Busy",
        sources: Sources,
        own: str,
    ) -> None:
        self._driver = driver
        self._picture = picture
        self._busy = busy
        self._sources = sources
        self._own = own

    async def carry_out(
        self, orders: Sequence[Order], tell: Progress
    ) -> Sequence[Result]:
        """Carry out orders of one kind; return what came of each."""
        if isinstance(orders[0], Inspect):
            return [await self._inspect(o) for o in orders if isinstance(o, Inspect)]
        with self._busy.working(self._touched(orders)):
            results = await self._write(orders, tell)
            await self._prune(self._left(orders, results))
        return results

    async def _write(self, orders: Sequence[Order], tell: Progress) -> Sequence[Result]:
        match orders[0]:
            case Put():
                return await self._put([o for o in orders if isinstance(o, Put)], tell)
            case Amend():
                return await self._amend([o for o in orders if isinstance(o, Amend)])
            case SetAside():
                return await self._aside([o for o in orders if isinstance(o, SetAside)])
            case _:
                return await self._delete([o for o in orders if isinstance(o, Delete)])

    async def _put(self, puts: Sequence[Put], tell: Progress) -> list[Result]:
        written: list[Written | StorageError] = []
        if puts[0].kind is not Kind.LINK and puts[0].hint is None:
            for portion in portions(puts):
                written += await write_contents(
                    self._driver, self._sources, self._own, portion, tell
                )
        else:
            written += await self._driver.write([Writing(p, None) for p in puts], tell)
        self._note_made_parents()
        await self._note_renamed(puts, written)
        return [self._put_done(p, w) for p, w in zip(puts, written, strict=True)]

    def _put_done(self, put: Put, written: Written | StorageError) -> Result:
        if isinstance(written, Written):
            self._picture.did(put.path, written.seen)
            return Done(
                put.id, written.seen, digest=written.digest, copied=written.copied
            )
        if put.hint is not None and str(written).startswith("hint"):
            return replace(put, hint=None)
        return written

    def _note_made_parents(self) -> None:
        # First of all: one of them may also have been ordered, and is then wanted.
        for seen in self._driver.made_parents():
            self._picture.note(seen.path, seen, implicit=True)

    async def _note_renamed(
        self, puts: Sequence[Put], written: Sequence[Written | StorageError]
    ) -> None:
        """Note the places that contents were renamed away from."""
        old = [
            put.hint[0]
            for put, one in zip(puts, written, strict=True)
            if put.hint is not None and isinstance(one, Written)
        ]
        if old:
            for path, seen in zip(old, await self._driver.look(old), strict=True):
                if seen is None:
                    self._picture.did(path, None)

    async def _amend(self, orders: Sequence[Amend]) -> list[Result]:
        results: list[Result] = []
        for order, seen in zip(orders, await self._driver.amend(orders), strict=True):
            if isinstance(seen, StorageError):
                results.append(seen)
            else:
                self._picture.did(order.path, seen)
                results.append(Done(order.id, seen))
        return results

    async def _aside(self, orders: Sequence[SetAside]) -> list[Result]:
        results: list[Result] = []
        moved = await self._driver.set_aside(orders)
        self._note_made_parents()
        for order, seen in zip(orders, moved, strict=True):
            if isinstance(seen, StorageError):
                results.append(seen)
            else:
                self._picture.did(order.path, None)
                self._picture.did(seen.path, seen)
                results.append(Done(order.id, seen))
        return results

    async def _delete(self, orders: Sequence[Delete]) -> list[Result]:
        results: list[Result] = []
        deleted = await self._driver.delete(orders)
        for order, error in zip(orders, deleted, strict=True):
            if error is None:
                self._picture.did(order.path, None)
            results.append(Done(order.id, None) if error is None else error)
        await self._note_kept_folders(orders, results)
        return results

    async def _note_kept_folders(
        self, orders: Sequence[Delete], results: Sequence[Result]
    ) -> None:
        """Note folders that stay because they are not empty, as wanted by nobody."""
        folders = [
            order.path
            for order, result in zip(orders, results, strict=True)
            if order.kind is Kind.DIRECTORY and isinstance(result, Done)
        ]
        if folders:
            for seen in await self._driver.look(folders):
                if isinstance(seen, Seen):
                    self._picture.note(seen.path, seen, implicit=True)

    async def _inspect(self, order: Inspect) -> Result:
        try:
            facts = await self._driver.inspect(
                order.path, order.stamp, digest=order.digest, mime=order.mime
            )
            (seen,) = await self._driver.look([order.path])
        except StorageUntrusted:
            raise
        except StorageError as error:
            return error
        if isinstance(seen, StorageError):
            return seen
        if seen is None or seen.stamp != order.stamp:
            return StorageChanged(f"{readable(order.path)} changed while it was read")
        return Done(order.id, seen, digest=facts.digest, mime=facts.mime)

    async def _prune(self, paths: Collection[str]) -> None:
        """Remove folders that only held what is gone from the paths now.

        The paths themselves, too, and again above what was removed: orders that
        run beside ours may have left a folder because of just that.
        """
        while folders := {one for path in paths for one in self._implicit_from(path)}:
            deepest_first = sorted(folders, reverse=True)
            with self._busy.working(deepest_first):
                try:
                    paths = await self._driver.prune(deepest_first)
                except StorageUntrusted:
                    raise
                except StorageError:
                    return  # An empty folder stays: that harms nobody.
                for path in paths:
                    self._picture.note(path, None)

    def _implicit_from(self, path: str) -> list[str]:
        """Return the folders that nobody wants, from the path upwards."""
        result = []
        if self._picture.get(path) is None:
            path = parent(path)
        while path and (known := self._picture.get(path)) and known.implicit:
            result.append(path)
            path = parent(path)
        return result

    @staticmethod
    def _left(orders: Sequence[Order], results: Sequence[Result]) -> set[str]:
        """Return the paths where nothing lies, or may lie, after the orders."""
        left: set[str] = set()
        for order, result in zip(orders, results, strict=True):
            if isinstance(order, Delete) or not isinstance(result, Done):
                left.add(order.path)
            if isinstance(order, Put) and order.hint is not None:
                left.add(order.hint[0])
        return left

    def _touched(self, orders: Sequence[Order]) -> set[str]:
        """Return every path the orders may change, and the folders they may make."""
        touched = {order.path for order in orders}
        folders = set()
        for order in orders:
            if isinstance(order, SetAside):
                touched.add(order.to)
            if isinstance(order, Put):
                folders.add(parent(order.path))
                if order.hint is not None:
                    touched.add(order.hint[0])
        for folder in folders:
            touched.update(self._unknown(folder))
        return touched

    def _unknown(self, folder: str) -> list[str]:
        """Return the folder, and those above it, as far as nothing lies there yet."""
        result = []
        while folder and self._picture.get(folder) is None:
            result.append(folder)
            folder = parent(folder)
        return result
