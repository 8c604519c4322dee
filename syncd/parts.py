"""The rooms of one daemon that know of each other; loaded while the children start."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import structlog

from syncd import clock, config, wire
from syncd.api.events import News
from syncd.config import Config
from syncd.core.file import Slot
from syncd.core.keeping import Promise
from syncd.core.world import Member
from syncd.drivers import registry
from syncd.replication import judging
from syncd.replication.door import Door
from syncd.replication.referee import Referee
from syncd.replication.rulebook import Rulebook
from syncd.replication.undoing import Undoing
from syncd.store import doubts, entries, settings
from syncd.store.check import Check
from syncd.store.database import Store
from syncd.store.entries import Entry
from syncd.store.flag import Ended, Flag
from syncd.supervisor.questions import Questions
from syncd.supervisor.supervisor import Duties, Supervisor

INDEX = "index"
"""The setting that holds the index's own id."""


class Index(NamedTuple):
    """What the index knows of the configured entries."""

    id: str
    entries: dict[str, Entry]
    reused: list[Slot]
    """Slots that were another entry's before."""


async def furnish(
    rooms: AsyncExitStack,
    loaded: Config,
    *,
    supervisor: Supervisor,
    news: News,
    flag: Flag,
    ended: Ended,
) -> "Parts":
    """Open the index and what works on it, and have the children work, until it closes.

    Raise SyncdError if one of them cannot be opened.
    """
    state = loaded.state.absolute()
    store = await rooms.enter_async_context(Store(state / "index.db", ended.check))
    index = await store.run(_configure, list(loaded.entries), ended.doubted_since)
    # Only now: what the flag says of the last run is safe in the index.
    flag.hoist(0 if store.replaced else ended.damaged)
    kept = await rooms.enter_async_context(_beside(flag.keep(store), "flag"))
    damage = await rooms.enter_async_context(_beside(store.until_damaged(), "damage"))
    parts = Parts(loaded, store, index, supervisor=supervisor, news=news, ended=ended)
    referee = await rooms.enter_async_context(parts.referee)
    for slot in index.reused:
        await referee.counted()
        await referee.drop_copies(slot)
    await parts.open_rulebook()
    await rooms.enter_async_context(supervisor.working(parts.duties))
    parts.works = [damage, referee.task, kept]
    return parts


class Parts:
    """The rooms of one daemon, made to know of each other; opened by furnish."""

    def __init__(
        self,
        loaded: Config,
        store: Store,
        index: Index,
        *,
        supervisor: Supervisor,
        news: News,
        ended: Ended,
    ) -> None:
        self._loaded = loaded
        self.ended = ended
        self._state = loaded.state.absolute()
        self.store = store
        self.supervisor = supervisor
        self._known = known = index.entries
        self.news = news
        self.works: Sequence[asyncio.Task[None]] = ()
        """What never ends by itself: nothing limps on without one of them."""
        door = Door(
            store,
            index.id,
            send=self.supervisor.send,
            report=self.supervisor.told_suspended,
        )
        self.referee = Referee(
            store,
            door,
            {known[name].slot: _member(name, one) for name, one in _entries(loaded)},
            send=self.supervisor.send,
            tell=self.news.tell,
            tell_all=self.news.tell_all,
            now=clock.timestamp,
        )
        self.rulebook: Rulebook
        self._questions = Questions(self.supervisor.send)
        slots = {name: known[name].slot for name in loaded.entries}
        self.undoing = Undoing(store, self._questions, slots)
        run = self._state / "run"
        addresses = {name: f"{known[name].slot}.sock" for name, _ in _entries(loaded)}
        self.sockets = {name: run / file for name, file in addresses.items()}
        """Where each entry's child gives content."""
        self.duties = Duties(
            {
                name: self._settings(name, one, run, addresses)
                for name, one in _entries(loaded)
            },
            hear=self._hear,
            hear_lost=self._lost,
            keep_stopped=self._keep_stopped,
            stopped={name for name, entry in known.items() if entry.stopped},
        )

    async def open_rulebook(self) -> None:
        """Put the rules in force: the file's, or the last good ones."""
        document, mark = await self.store.read(judging.in_force)
        self.rulebook = Rulebook(
            self._loaded.rules,
            list(self._loaded.entries),
            document,
            self.referee.use,
            structlog.get_logger("syncd.rules"),
            mark=mark,
        )
        await self.rulebook.open()

    @property
    def storages(self) -> dict[str, dict[str, Any]]:
        """Return the entries as sources of backups want to know them."""
        return {name: self._storage(name) for name in self._loaded.entries}

    def _storage(self, name: str) -> dict[str, Any]:
        settings = self.duties.settings[name]
        return {
            "driver": settings.driver,
            "options": settings.options,
            "ignore": settings.ignore,
            "promise": msgspec.to_builtins(settings.keep),
        }

    def _settings(
        self, name: str, one: config.Entry, run: Path, addresses: dict[str, str]
    ) -> wire.Settings:
        slot = self._known[name].slot
        return wire.Settings(
            entry=name,
            driver=registry.reference(one.driver),
            options=registry.options(one.driver)(**one.options).model_dump(),
            ignore=list(one.ignore),
            rescan=one.rescan,
            state=str(self._state / "entries" / str(slot)),
            sockets=str(run),
            addresses=addresses,
            check=self.ended.check is not Check.NONE,
            keep=Promise(*one.keep) if one.keep.days else None,
            debug=self._loaded.log.level == "debug",
        )

    def _hear(self, name: str, message: wire.Up) -> None:
        if isinstance(message, wire.Recalled | wire.Undone):
            self._questions.hear(message)
        else:
            self.referee.hear(name, message)

    def _lost(self, name: str) -> None:
        self._questions.lost(name)
        self.referee.lost(name)

    async def _keep_stopped(self, name: str, stopped: bool) -> None:
        slot: Slot = self._known[name].slot
        await self.store.run(entries.stop, slot, stopped)


@asynccontextmanager
async def _beside(
    work: Coroutine[Any, Any, None], name: str
) -> AsyncIterator["asyncio.Task[None]"]:
    """Lend a task that does the work meanwhile."""
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # Whoever waited for it has been told.


def _configure(db: Any, names: list[str], doubted_since: int | None) -> Index:
    """Have the index know these entries, and no others as configured."""
    index = settings.get(db, INDEX)
    if index is None:
        index = str(uuid4())
        settings.put(db, INDEX, index)
    reused = entries.configure(db, names, [str(uuid4()) for _ in names])
    known = {one.name: one for one in entries.everything(db) if one.configured}
    if doubted_since is not None:
        doubts.add(db, [one.slot for one in known.values()], doubted_since)
    return Index(index, known, reused)


def _entries(loaded: Config) -> list[tuple[str, config.Entry]]:
    return list(loaded.entries.items())


def _member(name: str, one: config.Entry) -> Member:
    return Member(
        name=name,
        on_delete=one.on_delete,
        on_unmatch=one.on_unmatch,
        prefer=one.conflict.prefer,
        larger=one.conflict.larger,
        manual=one.conflict.manual,
        ignore=one.ignore,
        limits=one.guard.limits(),
    )
