"""How the loop has things done on a disk: in threads, one visit for a whole batch."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from syncd.core.change import Amend, Delete, SetAside
from syncd.core.keeping import Return
from syncd.drivers.local_storage.failures import attempt
from syncd.drivers.local_storage.flushing import Flusher
from syncd.drivers.local_storage.folder import Folders
from syncd.drivers.local_storage.making import Durable
from syncd.drivers.local_storage.root import Root
from syncd.drivers.local_storage.stopping import Stopped, Work
from syncd.errors import StorageError

T = TypeVar("T")
Order = TypeVar("Order", Amend, Delete, SetAside, Return)

_THREADS = 8


class Visits:
    """A few threads for one root, which is checked at every visit."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=root.path.name)
        self.flusher = Flusher()
        self._under_way: set[Work] = set()
        self._closed = False

    async def close(self) -> None:
        """Call off what is under way, and wait for its end."""
        self._closed = True
        for work in self._under_way:
            work.stop()
        await asyncio.to_thread(self._threads.shutdown)
        self.flusher.close()

    async def each(
        self,
        orders: Sequence[Order],
        carry_out: Callable[[Folders, Order, Durable], T],
    ) -> list[T | StorageError]:
        """Carry out each order, then make all of it durable."""

        def carry_out_each(folders: Folders) -> list[T | StorageError]:
            durable = Durable(folders, len(orders), self.flusher)
            answers = [
                attempt(partial(carry_out, folders, order, durable), order.path)
                for order in orders
            ]
            unsafe = attempt(durable.names, "")
            return [unsafe or answer for answer in answers]

        return await self.trusting(carry_out_each)

    async def one(
        self, path: str, do: Callable[[Folders], T], work: Work | None = None
    ) -> T:
        """Do one thing; what goes wrong is raised."""
        answer = await self.trusting(
            lambda folders: attempt(partial(do, folders), path), work
        )
        if isinstance(answer, StorageError):
            raise answer
        return answer

    async def trusting(self, do: Callable[[Folders], T], work: Work | None = None) -> T:
        """Do it in a thread, if the root is still the one we know."""

        def trusted() -> T:
            self._root.check()
            with Folders(self._root.handle) as folders:
                return do(folders)

        return await self.in_thread(trusted, work)

    async def in_thread(self, do: Callable[[], T], work: Work | None = None) -> T:
        """Do it in a thread; who is cancelled calls it off, and waits for its end."""
        if self._closed:
            raise StorageError("the storage is closed")
        future = asyncio.get_running_loop().run_in_executor(self._threads, do)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if work is not None:
                work.stop()
            with suppress(Stopped, StorageError, OSError):
                await future
            raise
        except Stopped:
            raise StorageError("the storage was closed meanwhile") from None

    @contextmanager
    def work(
        self, progress: Callable[[int, int], None] = lambda *_: None
    ) -> Iterator[Work]:
        """Lend a tie to long work, which ends when the storage is closed."""
        work = Work(asyncio.get_running_loop(), progress)
        self._under_way.add(work)
        try:
            yield work
        finally:
            self._under_way.discard(work)
