"""python -m syncd.child.worker NAME --link PATH --parent PID: do one job, and end.

With ``--load MODULE`` it loads what its job will need, before it asks for it.
"""

import argparse
import asyncio
import ctypes
import gc
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from msgspec.structs import replace

from syncd.child import commands, parents
from syncd.child.deeds import do
from syncd.child.doing import Doing, Stopped, reason, said, whole
from syncd.child.link import Link
from syncd.child.telling import Telling
from syncd.core.errand import Cancel, Done, Work
from syncd.errors import SyncdError
from syncd.wire import Ask, Down, Told

GRACE = 4.0
"""Seconds to end once a signal says so; then the system ends us."""

PR_SET_CHILD_SUBREAPER = 36
SEARCHES = (10_000, 20, 100)
"""How rarely to search for garbage: almost all goes by itself."""

ROUNDS = 100
ROUND = 0.02
"""How often, and how many seconds apart, we look for what outlived its parent."""

RETRIED = frozenset({"busy"})
"""Why work may be done again that changes nothing but what it is about."""

SAFE = frozenset({"evict", "verify", "drill"})


class Worker:
    """One piece of work, from asking for it to its end."""

    def __init__(self, name: str, link: Path) -> None:
        self._name = name
        self._given: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._why = ""
        self._stopping = False
        self._link = Link(name, link, self._receive)

    async def run(self) -> None:
        """Ask for work, do it and tell what came of it."""
        self._task = asyncio.current_task()
        self._link.send(Ask(self._name, os.getpid()))
        try:
            work = await self._given
            done = await self._done(work)
        except asyncio.CancelledError:
            done = Done(error=self._why or "it was ended", reason="canceled")
        await end_descendants()
        self._link.send(done)

    def stop(self) -> None:
        """End soon: nothing that is half done is finished."""
        self._stopping = True
        signal.alarm(round(GRACE) + 1)
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Hang up once everything is said."""
        self._link.close()

    def _receive(self, message: Down) -> None:
        if isinstance(message, Work) and not self._given.done():
            self._given.set_result(message)
        elif isinstance(message, Cancel) and not self._stopping:
            self._why, self._stopping = message.why, True
            if self._task is not None:
                self._task.cancel()

    async def _done(self, work: Work) -> Done:
        scratch = Path(work.scratch)
        await whole(lambda: scratch.mkdir(mode=0o700, parents=True, exist_ok=True))
        say = Telling(Path(work.log), work.secrets, self._link.send)
        doing = Doing(work, say, lambda: self._why, lambda: self._stopping)
        try:
            return await self._with_commands(doing)
        finally:
            say.close()
            await whole(lambda: shutil.rmtree(scratch, ignore_errors=True))

    async def _with_commands(self, doing: Doing) -> Done:
        variables = _variables(doing.work)
        for command in doing.work.before:
            if trouble := await commands.run(command, doing, variables):
                words = f"the command before it failed: {trouble}"
                return Done(error=words, reason="hook")
        done = await self._tried(doing)
        done = replace(done, store=next(iter(doing.opened), ""))
        variables["SYNCD_ERROR"] = done.error
        failed = [
            trouble
            for command in doing.work.after
            if (trouble := await commands.run(command, doing, variables))
        ]
        for trouble in failed:
            doing.say.line(f"the command after it failed: {trouble}")
        return (
            replace(done, result={**done.result, "hooks": failed}) if failed else done
        )

    async def _tried(self, doing: Doing) -> Done:
        work = doing.work
        try:
            return await do(doing)
        except (asyncio.CancelledError, Stopped):
            return Done(error=self._why or "it was ended", reason="canceled")
        except SyncdError as error:
            doing.say.line(f"failed: {error}")
            word = reason(error)
            again = word in RETRIED and str(work.deed) in SAFE
            return Done(error=str(error), reason=word, retry=again)
        except Exception as error:  # noqa: BLE001 - told, with its traceback
            fields = {
                "job": work.id,
                "error": repr(error),
                "traceback": "".join(traceback.format_exception(error)),
            }
            self._link.send(Told("error", "a job failed by a bug", fields))
            return Done(error=said(error), reason="bug")


async def end_descendants() -> None:
    """End whatever the work left behind, in whatever process group it is."""
    if not _has_children():
        return
    import psutil  # noqa: PLC0415 - few workers leave anything behind

    for _ in range(ROUNDS):
        left = psutil.Process().children(recursive=True)
        if not left:
            return
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        await asyncio.sleep(ROUND)
        _reap()


def _has_children() -> bool:
    """Tell whether anything is left; without a child there is no descendant either."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def _variables(work: Work) -> dict[str, str]:
    return {
        "SYNCD_JOB": work.id,
        "SYNCD_KIND": str(work.deed),
        "SYNCD_SOURCE": work.source_name,
        "SYNCD_VAULT": work.vault or "",
    }


async def serve(name: str, link: Path, parent: int) -> int:
    """Do one piece of work; return the exit code."""
    worker = Worker(name, link)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    watched = parents.watch(parent, worker.stop)
    work = asyncio.create_task(worker.run(), name=name)
    await asyncio.wait([work])
    worker.close()
    loop.remove_reader(watched)
    os.close(watched)
    parents.deaf(loop)
    return 0 if work.cancelled() or work.exception() is None else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one worker; SIGINT is the business of the parent, whose terminal we share."""
    parser = argparse.ArgumentParser(prog="syncd.child.worker", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--link", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--load", action="append", default=[])
    args = parser.parse_args(argv)
    for module in args.load:
        # If it cannot be loaded, whatever job needs it will say so.
        with suppress(Exception):
            import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a command leaves behind becomes our child, so that it can be ended.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    gc.freeze()
    gc.enable()
    gc.set_threshold(*SEARCHES)
    return asyncio.run(serve(args.name, args.link, args.parent))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is said; to take apart what many files left in memory would only take time.
    os._exit(code)
