"""The work on an open, trusted storage, from a Welcome to whatever ends it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.child.carry import Carrier
from syncd.child.fetch import Sources
from syncd.child.notice import Notice
from syncd.child.past import AT_REST, Past
from syncd.child.pull import Pull
from syncd.child.relief import Relief
from syncd.child.serve import Server
from syncd.child.walk import Walker
from syncd.child.watch import Watch
from syncd.wire import Figures, Settings

if TYPE_CHECKING:
    from syncd.child.ledger import Ledger
    from syncd.child.link import Link, Log
    from syncd.child.news import News
    from syncd.child.picture import Picture
    from syncd.drivers.contract import Driver

FIGURES_EVERY = 5.0
SMALL_LANES = 2
"""Batches of small orders at a time: one is written while one is made durable."""

LARGE_LANES = 2

PATIENCE = 3.0
"""Seconds that work may take to come to a good end when told to stop."""


class Shift:
    """Everything that works on the storage at the same time; ends as a whole."""

    def __init__(
        self,
        settings: Settings,
        driver: "Driver",
        *,
        ledger: "Ledger",
        picture: "Picture",
        news: "News",
        link: "Link",
        log: "Log",
    ) -> None:
        self._settings = settings
        self._driver = driver
        self._log = log
        self.watch = Watch(driver, picture, link)
        news.ahead = self.watch.ahead
        self.notice = Notice(driver, picture, news, self.watch.busy, log)
        self.notice.touched = self.watch.touched
        self.notice.unseen = self.watch.unseen
        self._walker = Walker(
            driver,
            ledger,
            picture,
            self.notice,
            log,
            touched=self.watch.touched,
            is_written_to=self.watch.is_written_to,
        )
        sockets = Path(settings.sockets)
        addresses = {name: sockets / file for name, file in settings.addresses.items()}
        self._address = addresses[settings.entry]
        self._sources = Sources(addresses, log)
        carrier = Carrier(
            driver, picture, self.watch.busy, self._sources, settings.entry
        )
        self._relief = Relief(driver, link)
        self.pull = Pull(
            carrier,
            self.watch,
            self.notice,
            news,
            link,
            failed=self._relief.failed,
        )
        self.past = Past(driver, picture, self.watch, self.notice, link, log=log)

    async def work(self) -> None:
        """Work until cancelled; raise StorageUntrusted when the storage is lost."""
        server = Server(self._driver, self._address, self.watch.touched, self._log)
        try:
            await self.watch.open()
            async with asyncio.TaskGroup() as group:
                walk = self.watch.walk(
                    self._walker, self._settings.rescan, self._settings.ignore
                )
                trees = self.watch.follow_trees(self.notice, self._walker)
                group.create_task(self.watch.settle(self.notice), name="settle")
                group.create_task(trees, name="trees")
                absent = self.watch.say_absent(self.notice)
                group.create_task(absent, name="absent")
                group.create_task(walk, name="walk")
                group.create_task(self.watch.poll(self._walker), name="poll")
                for number in range(SMALL_LANES):
                    group.create_task(
                        self.pull.carry_out_small(), name=f"small orders {number}"
                    )
                for number in range(LARGE_LANES):
                    group.create_task(
                        self.pull.carry_out_large(), name=f"large orders {number}"
                    )
                group.create_task(self._relief.watch(), name="relief")
                group.create_task(self.past.answer(), name="past")
                group.create_task(self.past.forget(), name="forget")
                group.create_task(self._tidy(server), name="tidy")
        finally:
            self.past.give_up(AT_REST)
            server.close()
            self._sources.close()

    def figures(self, blocked: float) -> Figures:
        """Return how the work goes."""
        watched = self.watch.watched()
        return Figures(
            watched=watched.folders,
            unwatched=watched.polled,
            unscanned=watched.oldest,
            overflows=watched.overflows,
            walking=self.watch.walking,
            last_walk=self.watch.last_walk,
            blocked=blocked,
            left_alone=self._driver.left_alone(),
            obstacle=self._relief.obstacle,
        )

    async def _tidy(self, server: Server) -> None:
        while True:
            await asyncio.sleep(FIGURES_EVERY)
            server.readings.tidy()
            self._sources.close_idle()
