"""Carries out orders, in lanes, so that small ones never wait for large ones."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from syncd import clock
from syncd.child.carry import Carrier
from syncd.child.contents import MOST, is_about_source
from syncd.child.link import Log
from syncd.child.waiting import Waiting, in_turn, is_large
from syncd.core.change import Done, Failed, Inspect, Order, Put, SetAside, Why
from syncd.errors import StorageChanged, StorageError
from syncd.wire import Progress

if TYPE_CHECKING:
    from syncd.child.link import Link
    from syncd.child.news import News
    from syncd.child.notice import Notice
    from syncd.child.watch import Watch

MOST_CAUSES = 10
"""Causes of a batch that its line in the log names."""

PROGRESS_EVERY = 0.5
"""Seconds between two words about one long transfer."""


class Pull:
    """Takes orders at any time, and answers each exactly once."""

    def __init__(
        self,
        carrier: Carrier,
        watch: "Watch",
        notice: "Notice",
        news: "News",
        link: "Link",
        *,
        failed: Callable[[Order, StorageError], None] = lambda _order, _error: None,
    ) -> None:
        """Have the carrier work; ``failed`` is told what it could not do, and why."""
        self._carrier = carrier
        self._watch = watch
        self._notice = notice
        self._news = news
        self._link = link
        self._failed = failed
        self._log = Log(link.send)
        self._waiting = Waiting()
        self._some_small = asyncio.Event()
        self._some_large = asyncio.Event()
        self._transfers: dict[str, asyncio.Task[None]] = {}
        self._told: dict[int, float] = {}
        """When each long transfer under way was last told of."""
        self._resting = False
        self._working = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    def take(self, orders: Iterable[Order]) -> None:
        """Let the orders wait; one for a path replaces an older one that waits.

        One that comes twice is carried out, and answered, once.
        """
        superseded = []
        for order in orders:
            running = self._waiting.running(order.path)
            if running is not None and running.id == order.id:
                continue
            old = self._waiting.add(order)
            if old is not None and old.id != order.id:
                superseded.append(old)
            if (transfer := self._transfers.get(order.path)) is not None:
                transfer.cancel()  # What it brings is out of date already.
        self._answer([_superseded(old) for old in superseded])
        self._some_small.set()
        self._some_large.set()

    def give_up(self, reason: str) -> None:
        """Answer everything that is not done: the storage cannot be worked on."""
        failed = [Failed(o.id, Why.BLOCKED, reason) for o in self._waiting]
        self._answer(failed)
        self._waiting = Waiting()

    async def rest(self, patience: float) -> None:
        """Begin nothing more, and wait for what is being made durable."""
        self._resting = True
        for transfer in self._transfers.values():
            transfer.cancel()
        try:
            async with asyncio.timeout(patience):
                await self._at_rest.wait()
        except TimeoutError:
            return

    async def carry_out_small(self) -> None:
        """Carry out small orders as they come, for ever."""
        while True:
            await self._some_small.wait()
            self._some_small.clear()
            while not self._resting and (orders := self._waiting.take_small(MOST)):
                self._working += 1
                self._at_rest.clear()
                for group in in_turn(orders):
                    await self._carry_out(group)
                self._working -= 1
                if not self._working:
                    self._at_rest.set()

    async def carry_out_large(self) -> None:
        """Carry out large orders one by one as they come, for ever."""
        while True:
            await self._some_large.wait()
            if self._resting or (order := self._waiting.take_large()) is None:
                self._some_large.clear()
                continue
            task = asyncio.create_task(
                self._carry_out([order]), name=f"transfer of order {order.id}"
            )
            self._transfers[order.path] = task
            try:
                await self._ended(task, order)
            finally:
                self._transfers.pop(order.path, None)

    async def _ended(self, task: asyncio.Task[None], order: Order) -> None:
        """Wait for a transfer; one that a newer order called off is answered here."""
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()
        elif not self._resting:
            self._let_go([order])
            self._answer([_superseded(order)])

    async def _carry_out(self, orders: Sequence[Order]) -> None:
        if self._resting:
            return
        if is_large(orders[0]):
            self._told[orders[0].id] = 0.0
        results = await self._carrier.carry_out(orders, self._progress)
        for order in orders:
            self._transfers.pop(order.path, None)  # Too late to call it off.
        self._let_go(orders)
        pairs = list(zip(orders, results, strict=True))
        again = [result for result in results if isinstance(result, Put)]
        done = [(order, r) for order, r in pairs if isinstance(r, Done)]
        self._say_done(done)
        await self._say_failed(
            [(order, r) for order, r in pairs if isinstance(r, StorageError)]
        )
        self._log.debug(
            "carried out",
            orders=len(orders),
            done=len(done),
            causes=list({order.cause: None for order in orders})[:MOST_CAUSES],
        )
        self.take(again)

    def _say_done(self, done: list[tuple[Order, Done]]) -> None:
        if done:
            paths = [path for one in done for path in _changed_by(*one)]
            self._news.answer([result for _, result in done], paths)

    async def _say_failed(self, failed: list[tuple[Order, StorageError]]) -> None:
        """Answer what failed, and first say what really lies there."""
        changed = [order.path for order, error in failed if _why(error) is Why.CHANGED]
        if changed:
            await self._watch.look_again(self._notice, changed)
        for order, error in failed:
            self._failed(order, error)
        self._answer([Failed(order.id, _why(e), str(e)) for order, e in failed])

    def _let_go(self, orders: Iterable[Order]) -> None:
        for order in orders:
            self._waiting.done(order)
            self._told.pop(order.id, None)
        # A newer order for one of the paths may have waited for this.
        self._some_small.set()
        self._some_large.set()

    def _answer(self, failed: Sequence[Failed]) -> None:
        if failed:
            self._news.answer(failed, ())

    def _progress(self, order: int, copied: int) -> None:
        now, told = clock.monotonic(), self._told.get(order)
        if told is not None and now - told >= PROGRESS_EVERY:
            self._told[order] = now
            self._link.send(Progress(order, copied))


def _changed_by(order: Order, done: Done) -> list[str]:
    """Return the paths where carrying out the order may have changed something."""
    paths = [] if isinstance(order, Inspect) else [order.path]
    if isinstance(order, Put) and order.hint is not None:
        paths.append(order.hint[0])
    if isinstance(order, SetAside) and done.seen is not None:
        paths.append(done.seen.path)
    return paths


def _superseded(order: Order) -> Failed:
    return Failed(order.id, Why.CHANGED, "superseded")


def _why(error: StorageError) -> Why:
    if is_about_source(error):
        return Why.SOURCE
    return Why.CHANGED if isinstance(error, StorageChanged) else Why.BLOCKED
