"""Opens the rooms in order on one exit stack, and closes them in reverse."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import structlog

from syncd import clock, config, log, wire
from syncd.api.events import News
from syncd.config import Config
from syncd.core.file import Slot
from syncd.core.keeping import Promise
from syncd.core.world import Member
from syncd.drivers import registry
from syncd.errors import SyncdError
from syncd.replication import judging
from syncd.replication.door import Door
from syncd.replication.referee import Referee
from syncd.replication.rulebook import Rulebook
from syncd.replication.undoing import Undoing
from syncd.store import doubts, entries, settings
from syncd.store.database import Check, Store
from syncd.store.entries import Entry
from syncd.store.flag import Ended, Flag, flown, unwritable
from syncd.supervisor import single
from syncd.supervisor.questions import Questions
from syncd.supervisor.service import Service
from syncd.supervisor.supervisor import Supervisor

SEARCHES = (10_000, 20, 100)
"""How rarely to search for garbage: almost all that a batch makes goes by itself."""

INDEX = "index"
"""The setting that holds the index's own id."""


def run(loaded: Config, ready: Callable[[], None] = lambda: None) -> int:
    """Serve until told to stop, and return the exit code.

    ``ready`` is called once everything listens. Raise SyncdError when the daemon
    cannot start.
    """
    state = loaded.state.absolute()
    said = (loaded.log.level, loaded.log.format, loaded.secrets())
    log.configure(*said)  # The file lies in a folder that is not ours yet.
    with single.held(state):
        _log_to_file(said, state)
        # What is loaded by now stays: searching it for garbage stops the loop for long.
        gc.freeze()
        gc.set_threshold(*SEARCHES)
        with flown(state, clock.boot()) as (flag, ended):
            asyncio.run(serve(loaded, flag, ended, ready))
    return 0


async def serve(
    loaded: Config, flag: Flag, ended: Ended, ready: Callable[[], None]
) -> None:
    """Run until told to stop; whatever was opened is closed in reverse order."""
    async with AsyncExitStack() as rooms:
        signals = Signals()
        service = await rooms.enter_async_context(Service())
        state = loaded.state.absolute()
        if ended.check is not Check.NONE:
            service.status("looking through the index after an unclean stop")
        store = await rooms.enter_async_context(Store(state / "index.db", ended.check))
        index, known, reused = await store.run(
            _configure, list(loaded.entries), ended.doubted_since
        )
        # Only now: what the flag says of the last run is safe in the index.
        flag.hoist(0 if store.replaced else ended.damaged)
        kept = await rooms.enter_async_context(_beside(flag.keep(store), "flag"))
        parts = Parts(loaded, store, index, known, ended)
        referee = await rooms.enter_async_context(parts.referee)
        for slot in reused:
            await referee.counted()
            await referee.drop_copies(slot)
        rulebook = await parts.rulebook(*await store.read(judging.in_force))
        supervisor = await rooms.enter_async_context(parts.supervisor)
        serving = await asyncio.to_thread(_load_api)
        await referee.counted()
        server = serving.server(
            loaded,
            store=store,
            referee=referee,
            rulebook=rulebook,
            supervisor=supervisor,
            news=parts.news,
            sockets=parts.sockets,
            ended=ended,
            undoing=parts.undoing,
        )
        await rooms.enter_async_context(server)
        service.ready()
        ready()
        log.get(__name__).info("ready", action="start", entries=len(known))
        damage = await rooms.enter_async_context(
            _beside(store.until_damaged(), "damage")
        )
        works = [damage, referee.task, kept]
        await signals.told_to_stop(works, lambda: _reload(rulebook))
        service.stopping()
        log.get(__name__).info("stopping", action="stop")


class Parts:
    """The rooms of one daemon, made to know of each other; each is opened by serve."""

    def __init__(
        self,
        loaded: Config,
        store: Store,
        index: str,
        known: dict[str, Entry],
        ended: Ended,
    ) -> None:
        self._loaded = loaded
        self._ended = ended
        self._state = loaded.state.absolute()
        self._store = store
        self._known = known
        self.news = News()
        door = Door(
            store,
            index,
            send=self._send,
            report=self._report,
        )
        self.referee = Referee(
            store,
            door,
            {known[name].slot: _member(name, one) for name, one in _entries(loaded)},
            send=self._send,
            tell=self.news.tell,
            tell_all=self.news.tell_all,
            now=clock.timestamp,
        )
        self._questions = Questions(self._send)
        slots = {name: known[name].slot for name in loaded.entries}
        self.undoing = Undoing(store, self._questions, slots)
        run = self._state / "run"
        addresses = {name: f"{known[name].slot}.sock" for name, _ in _entries(loaded)}
        self.supervisor = Supervisor(
            run,
            {
                name: self._settings(name, one, run, addresses)
                for name, one in _entries(loaded)
            },
            hear=self._hear,
            hear_lost=self._lost,
            news=self.news.tell,
            keep_stopped=self._keep_stopped,
            stopped={name for name, entry in known.items() if entry.stopped},
        )
        self.sockets = {name: run / file for name, file in addresses.items()}
        """Where each entry's child gives content."""

    async def rulebook(self, document: Any | None, mark: str | None) -> Rulebook:
        """Return the open rulebook; its rules are in force."""
        book = Rulebook(
            self._loaded.rules,
            list(self._loaded.entries),
            document,
            self.referee.use,
            structlog.get_logger("syncd.rules"),
            mark=mark,
        )
        await book.open()
        return book

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
            check=self._ended.check is not Check.NONE,
            keep=Promise(*one.keep) if one.keep.days else None,
        )

    def _send(self, name: str, message: wire.Down) -> bool:
        return self.supervisor.send(name, message)

    def _hear(self, name: str, message: wire.Up) -> None:
        if isinstance(message, wire.Recalled | wire.Undone):
            self._questions.hear(message)
        else:
            self.referee.hear(name, message)

    def _lost(self, name: str) -> None:
        self._questions.lost(name)
        self.referee.lost(name)

    def _report(self, name: str, reason: str | None) -> None:
        self.supervisor.told_suspended(name, reason)

    async def _keep_stopped(self, name: str, stopped: bool) -> None:
        slot: Slot = self._known[name].slot
        await self._store.run(entries.stop, slot, stopped)


class Signals:
    """What the system or a person on the terminal tells the daemon."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)

    async def told_to_stop(
        self, works: Sequence["asyncio.Task[None]"], reload: Callable[[], Any]
    ) -> None:
        """Return once SIGTERM or SIGINT arrives; SIGHUP calls for a reload.

        Raise what ended any of the works, if one ends, that of the first of them:
        nothing limps on without it.
        """
        stop = asyncio.create_task(self._wait(), name="wait for SIGTERM")
        hangup = asyncio.create_task(self._reload_often(reload), name="SIGHUP")
        await asyncio.wait([stop, hangup, *works], return_when=asyncio.FIRST_COMPLETED)
        failures = [
            error
            for task in (*works, hangup)
            if task.done() and (error := task.exception()) is not None
        ]
        for task in (stop, hangup):
            task.cancel()
        for failure in failures:
            raise failure

    async def _wait(self) -> None:
        await self._stop.wait()

    async def _reload_often(self, reload: Callable[[], Any]) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            await reload()


def _load_api() -> ModuleType:
    """Return what serves the API: loaded in a thread, while the children start."""
    gc.disable()
    from syncd import serving  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    return serving


async def _reload(rulebook: Rulebook) -> None:
    try:
        changed = await rulebook.reload()
    except SyncdError as error:
        log.get(__name__).error("rules refused", action="reload", reason=str(error))
    else:
        log.get(__name__).info("rules read", action="reload", changed=changed)


def _log_to_file(said: tuple[Any, Any, Iterable[str]], state: Path) -> None:
    try:
        log.configure(*said, state / "log" / "syncd.log")
    except OSError as error:
        raise unwritable(state, error) from None


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


def _configure(
    db: Any, names: list[str], doubted_since: int | None
) -> tuple[str, dict[str, Entry], list[Slot]]:
    """Return the index's id, its entries by name, and slots used for another one."""
    index = settings.get(db, INDEX)
    if index is None:
        index = str(uuid4())
        settings.put(db, INDEX, index)
    reused = entries.configure(db, names, [str(uuid4()) for _ in names])
    known = {one.name: one for one in entries.everything(db) if one.configured}
    if doubted_since is not None:
        doubts.add(db, [one.slot for one in known.values()], doubted_since)
    return index, known, reused


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
    )
