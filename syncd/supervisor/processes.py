"""Child processes, started and reaped by Circus; nothing else imports Circus.

Circus refuses an order while it carries out another, so orders take turns. It
reaps every child there is, so this process must start none in any other way.
What a child leaves behind when it ends becomes a child of ours, and can be ended.
It never waits for a child here: a pidfd on our loop tells of each exit at once,
and only then is Circus asked to reap. So one child that will not end keeps no
other waiting, and nothing ticks while nothing happens.
"""

import asyncio
import ctypes
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

import psutil
import structlog
import zmq
from circus.arbiter import Arbiter
from circus.exc import ConflictError
from tornado.ioloop import IOLoop

import syncd
from syncd import clock
from syncd.errors import Unavailable

NO_TICKS_OF_ITS_OWN = -1
SOCKETS = ("control", "events")
"""Where circusctl may look."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
LAST_WAIT = 2.0
"""Seconds that killed children get to vanish when everything ends."""
CIRCUS_IS_BUSY = 0.05
"""Seconds until an order is given again, when somebody uses circusctl."""
ORPHAN_ROUNDS = 100
"""How often orphans are looked for: what is ended may leave orphans in turn."""
ORPHAN_WAIT = 0.02
"""Seconds that they get to vanish."""
PR_SET_CHILD_SUBREAPER = 36

log = structlog.get_logger()

_HANDED_DOWN = frozenset({"HOME", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"})
_HANDED_DOWN_FAMILIES = ("LANG", "LC_", "LD_LIBRARY", "MAGIC", "PYTHON", "SSL_CERT_")


class Child:
    """One process, from its start until it is reaped."""

    def __init__(self, watcher: str, pid: int, started: float) -> None:
        self.watcher = watcher
        self.pid = pid
        self.started = started
        """When it was started, in seconds since 1970."""
        self.code: int | None = None
        """Its exit code, once it is reaped; -9 for death by signal 9."""
        self.ended = False
        """Whether the system says that it has ended; it may not be reaped yet."""
        self.gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """Its exit code, once nothing is left of it."""
        self.pidfd = os.pidfd_open(pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended is no error."""
        if not self.gone.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)


class Processes:
    """Starts and ends children, and tells when one is gone.

    It restarts none: each start is one Circus watcher, removed when its process
    is reaped. A number in front of the watcher's name keeps two children apart
    that Circus, which compares lower-cased names, would take for one.
    """

    def __init__(
        self, run: Path, context: "zmq.Context[Any]", grace: float = GRACE
    ) -> None:
        self._run = run
        self._context = context
        self._grace = grace
        self._folder = str(Path.cwd())
        self._turn = asyncio.Lock()
        self._numbers = count(1)
        self._children: dict[int, Child] = {}
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        control, events = (f"ipc://{self._run / name}" for name in SOCKETS)
        self._arbiter = Arbiter(
            [],
            control,
            events,
            check_delay=NO_TICKS_OF_ITS_OWN,
            context=self._context,
            loop=IOLoop.current(),
        )
        _give_back_signals(self._arbiter)
        _adopt_orphans(True)
        await self._arbiter.start()
        for name in SOCKETS:
            (self._run / name).chmod(0o600)
        self._reaper = asyncio.create_task(self._reap(), name="reap children")
        self._reaper.add_done_callback(complain)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kill_the_rest()
        await asyncio.sleep(ORPHAN_WAIT)  # The reaper comes by once more.
        self._reaper.cancel()
        await asyncio.wait([self._reaper])
        self._arbiter.reap_processes()
        for child in list(self._children.values()):
            log.error("process would not end", action="give up", pid=child.pid)
            await self._forget(child)
        # Not Arbiter.stop(): that waits, blocking, for what would not end.
        self._arbiter.stop_controller_and_close_sockets()
        for name in SOCKETS:
            (self._run / name).unlink(missing_ok=True)
        _adopt_orphans(False)

    async def start(
        self, name: str, arguments: Sequence[str], born: Callable[[Child], None]
    ) -> None:
        """Run Python with the arguments; born is told before the child can speak.

        Raise Unavailable if there can be no such process.
        """
        number = next(self._numbers)
        async with self._turn:
            watcher = await self._order(
                self._arbiter.add_watcher,
                f"{number} {name}",
                shlex.quote(sys.executable),
                args=[f"$(circus.argument{n})" for n in range(len(arguments))],
                singleton=True,
                respawn=False,
                autostart=False,
                graceful_timeout=self._grace,
                env=environment(os.environ),
                working_dir=self._folder,
                hooks={
                    "after_spawn": (_Spawned(self, born), False),
                    "after_reap": (self._reaped, False),
                },
                **{f"argument{n}": "" for n in range(len(arguments))},
            )
            # Circus replaces $(circus...) in arguments; it does so only once,
            # so that what people named an entry comes through as it is.
            for n, argument in enumerate(arguments):
                setattr(watcher, f"argument{n}", argument)
            started = (await self._order(watcher.start))["started"]
            if not started:
                await self._order(self._arbiter.rm_watcher, watcher.name, nostop=True)
                raise Unavailable(f"no process could be started for {name}")

    async def stop(self, child: Child, *, grace: float | None = None) -> None:
        """End the child, first gently, then not; return when it is gone."""
        child.signal(signal.SIGTERM)
        patience = self._grace if grace is None else grace
        done, _ = await asyncio.wait([child.gone], timeout=patience)
        if not done:
            log.warning("killing a process that would not end", pid=child.pid)
            child.signal(signal.SIGKILL)
            await asyncio.wait([child.gone])

    async def end_orphans(self) -> None:
        """End whatever outlived the child that started it, and return when it has."""
        for _ in range(ORPHAN_ROUNDS):
            found = await asyncio.to_thread(_children_of_ours)
            strangers = [one for one in found if one.pid not in self._children]
            if not strangers:
                return
            for one in strangers:
                with suppress(psutil.Error):
                    one.kill()
            await asyncio.sleep(ORPHAN_WAIT)
            self._ended.set()
        log.error("processes would not end", action="give up", left=len(strangers))

    def spawned(self, watcher: str, pid: int) -> Child:
        """Take a new process into care; called by Circus."""
        child = self._children[pid] = Child(watcher, pid, clock.timestamp())
        asyncio.get_running_loop().add_reader(child.pidfd, self._exited, child)
        return child

    def _exited(self, child: Child) -> None:
        asyncio.get_running_loop().remove_reader(child.pidfd)
        child.ended = True
        if child.code is None:
            # Not reaped, so the number is still its own: what it left behind
            # in its session goes with it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        self._ended.set()
        # What it left behind is ours to reap, too, as soon as it has ended.
        asyncio.get_running_loop().call_later(ORPHAN_WAIT, self._ended.set)

    def _reaped(self, *, process_pid: int, exit_code: int | None, **_: Any) -> bool:
        child = self._children.get(process_pid)
        if child is not None:
            child.code = exit_code if exit_code is not None else 0
            self._ended.set()
        return True

    async def _reap(self) -> None:
        while True:
            await self._ended.wait()
            self._ended.clear()
            async with self._turn:
                self._arbiter.reap_processes()
                for child in list(self._children.values()):
                    if child.ended and child.code is None:
                        # Somebody else has reaped it; Circus must not go on.
                        self._arbiter.get_watcher(child.watcher).reap_process(child.pid)
                    if child.code is not None:
                        await self._forget(child)

    async def _forget(self, child: Child) -> None:
        del self._children[child.pid]
        asyncio.get_running_loop().remove_reader(child.pidfd)
        os.close(child.pidfd)
        child.gone.set_result(child.code if child.code is not None else 0)
        with suppress(KeyError):  # a person's circusctl may have removed it
            await self._order(self._arbiter.rm_watcher, child.watcher, nostop=True)

    async def _kill_the_rest(self) -> None:
        rest = [child.gone for child in self._children.values()]
        for child in self._children.values():
            child.signal(signal.SIGKILL)
        if rest:
            await asyncio.wait(rest, timeout=LAST_WAIT)

    async def _order(self, order: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Give Circus an order; again, when a person's circusctl was quicker."""
        while True:
            try:
                answer = order(*args, **kwargs)
            except ConflictError:
                await asyncio.sleep(CIRCUS_IS_BUSY)
            else:
                return await answer if asyncio.isfuture(answer) else answer


class _Spawned:
    """The hook that Circus calls right after a process was made."""

    def __init__(self, processes: Processes, born: Callable[[Child], None]) -> None:
        self._processes = processes
        self._born = born

    def __call__(self, *, watcher: Any, pid: int, **_: Any) -> bool:
        self._born(self._processes.spawned(watcher.name, pid))
        return True


def _children_of_ours() -> list[psutil.Process]:
    try:
        return psutil.Process().children()
    except psutil.Error:
        return []


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return what children get of our environment: nothing that may be a secret.

    Python looks for nothing in the working folder, which may hold synchronised
    files, and finds syncd where this process found it.
    """
    kept = {
        name: value
        for name, value in ours.items()
        if name in _HANDED_DOWN or name.startswith(_HANDED_DOWN_FAMILIES)
    }
    home = Path(syncd.__file__).resolve().parent.parent
    if home.name not in ("site-packages", "dist-packages"):
        paths = [str(home), *filter(None, [kept.get("PYTHONPATH")])]
        kept["PYTHONPATH"] = os.pathsep.join(paths)
    return kept | {"PYTHONSAFEPATH": "1"}


def _adopt_orphans(ours: bool) -> None:
    """Have what a child of ours leaves behind become our own child, or no longer."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(ours), 0, 0, 0)


def _give_back_signals(arbiter: Any) -> None:
    """Undo that building an Arbiter took the process's signals.

    It would put back the handlers it found once more when it stops, and so take
    away those that were set meanwhile.
    """
    arbiter.ctrl.sys_hdl.stop()
    arbiter.ctrl.sys_hdl._old.clear()


def complain(task: asyncio.Task[None]) -> None:
    """Let the loop's handler know that a task that must go on has failed."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": f"{task.get_name()} has failed", "exception": error}
        )
