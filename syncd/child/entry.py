"""The life of one entry's child: greet, be welcomed, work, rest, greet again."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from syncd.child.ledger import Ledger, hold, is_broken
from syncd.child.link import Link, Log
from syncd.child.news import News
from syncd.child.past import AT_REST, keep, refused
from syncd.child.picture import Picture
from syncd.child.shift import FIGURES_EVERY, PATIENCE, Shift
from syncd.core.change import Failed, Why
from syncd.drivers import loading
from syncd.drivers.contract import Can, Driver
from syncd.errors import StorageError
from syncd.wire import (
    Adopt,
    Ask,
    Down,
    Figures,
    Hello,
    Look,
    Noted,
    Orders,
    Outcomes,
    Recall,
    Rescan,
    Settings,
    Stop,
    Suspended,
    Undo,
    Welcome,
)

RETRY = 1.0
"""Seconds between two tries to open a storage that is not there."""

SAY_AGAIN = 2.0
"""Seconds after which a greeting without an answer is repeated.

Well within what whoever started the entry waits for its first word.
"""

LEDGER_BROKEN = (
    "the ledger was broken and is put aside; the entry tells everything anew, and "
    "nothing is deleted"
)

Control = Settings | Welcome | Adopt | Stop


class Entry:
    """One entry, from the first word to the parent to the last."""

    def __init__(self, name: str, path: Path, blocked: Callable[[], float]) -> None:
        """``blocked`` tells how long the loop was blocked since it was last asked."""
        self._name = name
        self._blocked = blocked
        self._link = Link(name, path, self._receive)
        self.log = Log(self._link.send)
        self._control: asyncio.Queue[Control] = asyncio.Queue()
        self._shift: Shift | None = None
        self._ledger: Ledger
        self._picture: Picture
        self._news: News | None = None

    def stop(self) -> None:
        """Have ``run`` return soon, with nothing left half-done."""
        self._control.put_nowait(Stop())

    async def run(self) -> None:
        """Tend the entry until told to stop."""
        settings = await self._ask()
        if settings is None:
            return
        self.log.debugging = settings.debug
        folder = Path(settings.state)
        lock = await hold(folder)
        self._ledger = await asyncio.to_thread(
            Ledger, folder, check=settings.check, tell=self._tell_of_ledger
        )
        self._tell_if_moved()
        self._picture = Picture(self._ledger)
        self._news = News(self._picture, self._link.send)
        self._news.start(self._ledger.noted)
        try:
            await self._tend(settings)
            self._ledger.wait_no_more()
            with suppress(sqlite3.OperationalError):  # A walk will find it again.
                await self._picture.commit()
        finally:
            self._ledger.close()
            os.close(lock)

    def tell_end(self, error: BaseException) -> None:
        """Tell what has ended ``run``; a ledger that proves broken is put aside."""
        if is_broken(error) and self._news is not None:
            self._ledger.move_aside()
            self._tell_if_moved()
        else:
            self.log.bug(error)

    def _tell_if_moved(self) -> None:
        if self._ledger.moved is not None:
            self.log.warning(LEDGER_BROKEN, kept=str(self._ledger.moved))

    def _tell_of_ledger(self, trouble: str | None) -> None:
        if trouble is None:
            self.log.warning("the ledger takes changes again")
        else:
            self.log.warning("the ledger waits", reason=trouble)

    def close(self) -> None:
        """Hang up when all was said."""
        self._link.close()

    def orphaned(self) -> None:
        """End like ``stop``; a new parent must not take us for its own child."""
        self._link.close(linger=0)
        self.stop()

    def _receive(self, message: Down) -> None:
        match message:
            case Settings() | Welcome() | Adopt() | Stop():
                self._control.put_nowait(message)
            case Noted() if self._news is not None:
                self._news.noted(message.number)
            case Orders() if self._shift is not None:
                self._shift.pull.take(message.orders)
            case Look() if self._shift is not None:
                self._shift.watch.check(message.paths, last=message.last)
            case Rescan() if self._shift is not None:
                self._shift.watch.rescan(message.path)
            case Recall() | Undo():
                self._ask_past(message)
            case Orders():
                failed = [Failed(o.id, Why.BLOCKED, "at rest") for o in message.orders]
                self._link.send(Outcomes(list(failed)))
            case _:
                self.log.debug("not now", message=type(message).__name__)

    def _ask_past(self, question: Recall | Undo) -> None:
        if self._shift is not None:
            self._shift.past.take(question)
        else:
            self._link.send(refused(question, AT_REST))

    async def _ask(self) -> Settings | None:
        """Return what the parent has to say about this entry; None: stop."""
        while True:
            self._link.send(Ask(self._name, os.getpid()))
            message = await self._told(SAY_AGAIN)
            if isinstance(message, Stop):
                return None
            if isinstance(message, Settings):
                return message

    async def _tend(self, settings: Settings) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._picture.keep(), name="ledger"),
                group.create_task(self._tell_figures(), name="figures"),
            ]
            await self._live(settings)
            for task in tasks:
                task.cancel()

    async def _live(self, settings: Settings) -> None:
        """Open, greet, work; and again, for as long as the storage comes back."""
        while (driver := await self._opened(settings)) is not None:
            try:
                await self._use(settings, driver)
            except StorageError as error:
                self._link.send(Suspended(str(error)))
            else:
                return
            finally:
                await driver.close()
            if isinstance(await self._told(RETRY), Stop):
                return

    async def _opened(self, settings: Settings) -> Driver | None:
        """Return the open driver, however long it takes; None: stop."""
        kind = loading.load(settings.driver)
        if settings.keep is not None and Can.KEEP_LOST not in kind.can:
            self.log.warning("storage keeps nothing that is replaced or deleted")
        trouble = None
        while True:
            driver = kind.create(settings.options, settings.ignore)
            keep(driver, settings.keep)
            try:
                await driver.open()
                await driver.marker()
            except StorageError as error:
                await driver.close()
                if str(error) != trouble:
                    trouble = str(error)
                    self._hello(None, empty=False, trouble=trouble)
            else:
                return driver
            if isinstance(await self._told(RETRY), Stop):
                return None

    async def _use(self, settings: Settings, driver: Driver) -> None:
        """Work on the storage until told to stop; StorageError when it is lost."""
        message: Control | None = None
        while not isinstance(message, Stop):
            welcome = await self._welcomed(driver, message)
            if welcome is None:
                return
            message = await self._work(settings, driver, welcome)

    async def _welcomed(
        self, driver: Driver, message: Control | None
    ) -> Welcome | None:
        """Greet until there is a Welcome to work by; None: stop."""
        while not isinstance(message, Stop):
            if isinstance(message, Adopt):
                await driver.mark(message.marker)
            marker = await driver.marker()
            if isinstance(message, Welcome):
                if message.suspended is None and marker in (None, message.marker):
                    await driver.mark(message.marker)
                    await self._get_in_step(message)
                    return message
                message = await self._control.get()
                continue
            self._hello(marker, empty=await driver.is_empty())
            message = await self._told(SAY_AGAIN)
        return None

    async def _get_in_step(self, welcome: Welcome) -> None:
        """Have the ledger belong to the parent's index, as the parent says."""
        assert self._news is not None
        if welcome.forget or self._ledger.index != welcome.index:
            await self._picture.forget(welcome.index)
        else:
            await self._picture.begin()
        self._news.start(self._ledger.noted)

    async def _work(
        self, settings: Settings, driver: Driver, welcome: Welcome
    ) -> Control:
        """Work until the parent says something that work cannot go on with."""
        assert self._news is not None
        shift = self._shift = Shift(
            settings,
            driver,
            ledger=self._ledger,
            picture=self._picture,
            news=self._news,
            link=self._link,
            log=self.log,
        )
        shift.notice.mime = welcome.mime
        shift.notice.doubted = welcome.doubted
        work = asyncio.create_task(shift.work(), name="shift")
        reason = "the child is ending"
        try:
            message = await self._until_told(shift, work)
            if isinstance(message, Stop):
                await shift.pull.rest(PATIENCE)
            elif isinstance(message, Welcome) and message.suspended:
                reason = message.suspended
        except StorageError as error:
            reason = str(error)
            raise
        finally:
            self._shift = None
            work.cancel()
            await asyncio.wait([work])
            shift.pull.give_up(reason)
        return message

    async def _until_told(self, shift: Shift, work: "asyncio.Task[None]") -> Control:
        """Return what ends the shift; raise what went wrong in it."""
        while True:
            told = asyncio.ensure_future(self._control.get())
            try:
                await asyncio.wait([told, work], return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    raise _plain(work.exception())
                message = told.result()
            finally:
                told.cancel()
            if isinstance(message, Settings):
                continue  # Given twice, because we asked twice.
            if not isinstance(message, Welcome) or not self._is_in_step(message):
                return message
            shift.notice.mime = message.mime

    def _is_in_step(self, welcome: Welcome) -> bool:
        same = welcome.index == self._ledger.index
        return same and not welcome.forget and welcome.suspended is None

    async def _told(self, patience: float) -> Control | None:
        """Return what the parent says next, if it does so in time."""
        try:
            async with asyncio.timeout(patience):
                return await self._control.get()
        except TimeoutError:
            return None

    def _hello(
        self, marker: str | None, *, empty: bool, trouble: str | None = None
    ) -> None:
        self._link.send(
            Hello(
                entry=self._name,
                pid=os.getpid(),
                marker=marker,
                empty=empty,
                ledger=self._ledger.index,
                noted=self._ledger.noted,
                trouble=trouble,
            )
        )

    async def _tell_figures(self) -> None:
        while True:
            await asyncio.sleep(FIGURES_EVERY)
            blocked, shift = self._blocked(), self._shift
            idle = Figures(0, 0, walking=False, last_walk=None, blocked=blocked)
            self._link.send(shift.figures(blocked) if shift else idle)


def _plain(error: BaseException | None) -> BaseException:
    """Return what ended a shift; that the storage was lost counts only alone."""
    if isinstance(error, BaseExceptionGroup):
        lost, rest = error.split(StorageError)
        if rest is None and lost is not None:
            return _first(lost)
    return error or RuntimeError("the shift ended by itself")


def _first(group: BaseExceptionGroup[StorageError]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
