"""Every entry's process and the line to it: what the other rooms call."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import structlog
import zmq

from syncd import wire
from syncd.core.health import Event, Life, State
from syncd.errors import ConfigError, Conflict, NotFound, Unavailable
from syncd.supervisor import links
from syncd.supervisor.keeper import Keeper
from syncd.supervisor.links import Links
from syncd.supervisor.processes import GRACE, Child, Processes
from syncd.supervisor.workers import Workers

LONGEST_SOCKET = 107
"""Bytes in the path of a Unix socket, as Linux has it."""
ANSWER_WAIT = 5.0
"""Seconds a new process gets to say that it is up."""

LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
NOT_FIELDS = frozenset({"event", "exc_info", "stack_info", "level", "timestamp"})
"""What structlog takes for its own."""

log = structlog.get_logger()


class Duties(NamedTuple):
    """What the other rooms want of every entry's process, and who hears of it.

    All callbacks come on the loop and must not block it: ``hear`` gets what a
    child says, ``hear_lost`` its name when it is gone and nothing more will come
    from it. A stop or start by a person goes to ``keep_stopped`` first.
    """

    settings: Mapping[str, wire.Settings]
    hear: Callable[[str, wire.Up], None]
    hear_lost: Callable[[str], None]
    keep_stopped: Callable[[str, bool], Awaitable[None]]
    stopped: AbstractSet[str] = frozenset()


class Supervisor:
    """Runs one child per entry, brings back those that die, and relays messages.

    Processes can be started before it is known what they are to do: they load
    meanwhile, and wait. Commands for one entry take turns; those for several
    entries do not wait for each other. ``news`` gets the new state of an entry.
    """

    def __init__(
        self,
        run: Path,
        names: Iterable[str],
        *,
        news: Callable[[str, dict[str, Any]], None],
        module: str = "syncd.child",
        grace: float = GRACE,
    ) -> None:
        self._run = run.absolute()
        self._names = list(names)
        self._news = news
        self._module = module
        self._grace = grace
        self._duties: Duties | None = None
        self._closing = False
        self._keepers: dict[str, Keeper] = {}

    async def __aenter__(self) -> Self:
        path = self._prepare()
        async with AsyncExitStack() as rooms:
            context: zmq.Context[Any] = zmq.Context()
            rooms.callback(context.destroy, linger=0)
            processes = Processes(self._run, context, self._grace)
            await rooms.enter_async_context(processes)
            self._links = Links(path, context, self._names, self._heard)
            await rooms.enter_async_context(self._links)
            self.workers = Workers(processes, self._links, path)
            rooms.push_async_callback(self.workers.close)
            rooms.push_async_callback(self._stop_all)
            for name in self._names:
                self._keepers[name] = self._keeper(name, processes, path)
            self._rooms = rooms.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._rooms.aclose()

    def load(self, names: Iterable[str]) -> None:
        """Start the processes of these entries, which wait to be told more."""
        for name in names:
            self._keepers[name].start()

    @asynccontextmanager
    async def working(self, duties: Duties) -> AsyncIterator[None]:
        """Have every entry work that is not stopped; at the end, stop them all."""
        self._duties = duties
        for name, keeper in self._keepers.items():
            if name in duties.stopped:
                await keeper.stop()
            elif keeper.life.state is State.STOPPED:
                keeper.start()
            elif keeper.asked.is_set():
                self._links.send(name, duties.settings[name])
        try:
            yield
        finally:
            await self._stop_all()

    async def start(self, name: str) -> None:
        """Start a stopped entry; return when its process is up.

        Raise NotFound, Conflict if it is running, Unavailable if its process
        does not come up (it is tried again).
        """
        keeper = self._found(name)
        async with keeper.turn:
            if keeper.life.state is not State.STOPPED:
                raise Conflict(f"entry {name} is already running")
            await self._kept_stopped(name, stopped=False)
            self._begin(keeper)
            await self._up(keeper)

    async def stop(self, name: str) -> None:
        """Stop an entry until a person starts it; return when its process is gone.

        Raise NotFound, Conflict if it is stopped, Unavailable if its process
        cannot be ended.
        """
        keeper = self._found(name)
        async with keeper.turn:
            if keeper.life.state is State.STOPPED:
                raise Conflict(f"entry {name} is already stopped")
            await self._kept_stopped(name, stopped=True)
            await self._end(keeper)

    async def restart(self, name: str) -> None:
        """Stop and start an entry; return when the new process is up.

        Raise NotFound, Conflict if it is stopped, Unavailable if the old process
        cannot be ended or the new one does not come up.
        """
        keeper = self._found(name)
        async with keeper.turn:
            if keeper.life.state is State.STOPPED:
                raise Conflict(f"entry {name} is not running")
            await self._end(keeper)
            self._begin(keeper)
            await self._up(keeper)

    def status(self, name: str) -> str:
        """Return "stopped" if a person stopped it and it is gone, else "active"."""
        stopped = self._found(name).life.state is State.STOPPED
        return "stopped" if stopped else "active"

    def life(self, name: str) -> Life:
        """Return how the entry fares; raise NotFound."""
        return self._found(name).life

    def figures(self, name: str) -> wire.Figures | None:
        """Return what the entry's process last said of itself; raise NotFound."""
        return self._found(name).figures

    async def stats(self, name: str) -> dict[str, Any]:
        """Return what the system says of the entry's process.

        Raise NotFound, or Conflict if there is no process.
        """
        stats = self._found(name).stats
        if stats is not None:
            try:
                return await asyncio.to_thread(stats.read)
            except NotFound:
                pass
        raise Conflict(f"entry {name} is not running")

    def send(self, name: str, message: wire.Down) -> bool:
        """Give the entry's child a message; False if it is not there or takes no more.

        Never waits. A child that takes no more may take it later.
        """
        keeper = self._keepers.get(name)
        if keeper is None or keeper.child is None:
            return False
        return self._links.send(name, message)

    def told_suspended(self, name: str, reason: str | None) -> None:
        """Note that the storage is not trusted, and why; None when it is again.

        Means nothing while the entry has no process that is up: it has to be
        told after every Hello.
        """
        event = Event.TRUST if reason is None else Event.SUSPEND
        self._found(name).step(event, reason or "")

    def _prepare(self) -> Path:
        """Make the run folder ready for sockets and return the path of the line."""
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run.chmod(0o700)
        path = links.path_in(self._run)
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            raise ConfigError(f"{self._run}: the path is too long for Unix sockets")
        return path

    def _keeper(self, name: str, processes: Processes, link: Path) -> Keeper:
        arguments = ["-m", self._module, name]
        arguments += ["--link", str(link), "--parent", str(os.getpid())]
        return Keeper(
            name,
            processes,
            arguments,
            changed=self._changed,
            lost=self._lost,
            grace=self._grace,
        )

    def _found(self, name: str) -> Keeper:
        keeper = self._keepers.get(name)
        if keeper is None:
            raise NotFound(f"entry {name} not found")
        return keeper

    def _begin(self, keeper: Keeper) -> None:
        if self._closing:
            raise Unavailable("syncd is stopping")
        keeper.start()

    async def _end(self, keeper: Keeper) -> None:
        self.send(keeper.life.name, wire.Stop())
        await keeper.stop()

    async def _up(self, keeper: Keeper) -> None:
        try:
            async with asyncio.timeout(ANSWER_WAIT):
                await keeper.asked.wait()
        except TimeoutError:
            why = keeper.life.reason or f"no answer within {ANSWER_WAIT:g} s"
            raise Unavailable(
                f"entry {keeper.life.name} does not come up: {why}"
            ) from None

    async def _kept_stopped(self, name: str, *, stopped: bool) -> None:
        if self._duties is not None:
            await self._duties.keep_stopped(name, stopped)

    async def _stop_all(self) -> None:
        self._closing = True
        keepers = self._keepers.values()
        for name in self._keepers:
            self.send(name, wire.Stop())
        await asyncio.gather(*(keeper.leave() for keeper in keepers))

    def _lost(self, name: str) -> None:
        if self._duties is not None:
            self._duties.hear_lost(name)

    def _changed(self, life: Life) -> None:
        log.info(
            "entry changed", entry=life.name, state=str(life.state), reason=life.reason
        )
        self._news(
            life.name,
            {
                "state": str(life.state),
                "reason": life.reason,
                "since": life.since,
                "pid": life.pid,
                "restarts": life.restarts,
            },
        )

    def _heard(self, name: str, pid: int | None, message: wire.Up) -> None:
        keeper = self._keepers.get(name)
        if keeper is None:
            self.workers.heard(name, pid, message)
            return
        if not _is_from(keeper.child, pid):
            log.warning("stranger not heard", entry=name, pid=pid)
            return
        keeper.heard += 1
        match message:
            case wire.Ask():
                keeper.step(Event.ASK)
                if self._duties is not None:
                    self._links.send(name, self._duties.settings[name])
            case wire.Figures():
                keeper.figures = message
            case wire.Told():
                _write(name, message)
            case _ if self._duties is not None:
                self._duties.hear(name, message)


def _is_from(child: Child | None, pid: int | None) -> bool:
    """Tell whether a frame is from our own, present child.

    One that died may have left frames in the line; they must not be taken for
    its successor's.
    """
    return child is not None and pid in (child.pid, None)


def _write(name: str, told: wire.Told) -> None:
    fields = {k: v for k, v in told.fields.items() if k not in NOT_FIELDS}
    level = told.level if told.level in LEVELS else "info"
    getattr(log, level)(told.event, **fields | {"entry": name})
