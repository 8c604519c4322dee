"""Opens the rooms in order on one exit stack, and closes them in reverse."""

import asyncio
import gc
import importlib
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from syncd import clock, log
from syncd.api.events import News
from syncd.config import Config
from syncd.errors import SyncdError
from syncd.store import glance
from syncd.store.check import Check
from syncd.store.flag import Ended, Flag, flown, unwritable
from syncd.supervisor import single
from syncd.supervisor.service import Service
from syncd.supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from syncd.api.server import Server
    from syncd.replication.rulebook import Rulebook

SEARCHES = (10_000, 20, 100)
"""How rarely to search for garbage: almost all that a batch makes goes by itself."""


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
        news = News()
        state = loaded.state.absolute()
        supervisor = Supervisor(state / "run", loaded.entries, news=news.tell)
        await rooms.enter_async_context(supervisor)
        if ended.check is Check.NONE:
            stopped = glance.stopped(state / "index.db", default=loaded.entries)
            supervisor.load(name for name in loaded.entries if name not in stopped)
        else:
            service.status("looking through the index after an unclean stop")
        furnish = (await _loaded("syncd.parts")).furnish
        parts = await furnish(
            rooms, loaded, supervisor=supervisor, news=news, flag=flag, ended=ended
        )
        server = (await _loaded("syncd.serving")).server
        await parts.referee.counted()
        door = await rooms.enter_async_context(server(loaded, parts))
        service.ready()
        ready()
        taken = {"variables": list(loaded.variables)} if loaded.variables else {}
        said = {"entries": len(loaded.entries), **taken}
        log.get(__name__).info("ready", action="start", **said)
        copies = await _loaded("syncd.copies")
        opened = await rooms.enter_async_context(copies.opened(loaded, parts))
        opened.show(door)
        works = [*parts.works, *opened.works]
        await signals.told_to_stop(works, lambda: _reload(parts.rulebook, door))
        service.stopping()
        log.get(__name__).info("stopping", action="stop")


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


async def _loaded(module: str) -> ModuleType:
    """Return a part of the house that is loaded while the children start."""
    return await asyncio.to_thread(_load, module)


def _load(module: str) -> ModuleType:
    gc.disable()
    part = importlib.import_module(module)
    gc.freeze()
    gc.enable()
    return part


async def _reload(rulebook: "Rulebook", server: "Server") -> None:
    try:
        changed = await rulebook.reload()
    except SyncdError as error:
        log.get(__name__).error("rules refused", action="reload", reason=str(error))
    else:
        log.get(__name__).info("rules read", action="reload", changed=changed)
    try:
        renewed = server.renew()
    except SyncdError as error:
        said = {"action": "reload", "reason": str(error)}
        log.get(__name__).error("certificate refused, the old one is kept", **said)
    else:
        if renewed:
            log.get(__name__).info("certificate read", action="reload")


def _log_to_file(said: tuple[Any, Any, Iterable[str]], state: Path) -> None:
    try:
        log.configure(*said, state / "log" / "syncd.log")
    except OSError as error:
        raise unwritable(state, error) from None
