"""Commands before and after a job, in a process group of their own."""

import asyncio
import os
import signal
from contextlib import suppress

from syncd.child.doing import Doing
from syncd.core.errand import Command

LONGEST_LINE = 1 << 20
"""Bytes of a line of output that are taken as one."""


async def run(command: Command, doing: Doing, variables: dict[str, str]) -> str:
    """Run it and return why it failed; empty when it ended with 0.

    Its output goes into the job's log; what it started ends with it. It sees our
    environment, which holds no secret, and these variables.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **variables},
            start_new_session=True,
            limit=LONGEST_LINE,
        )
    except (OSError, ValueError) as error:
        return f"{command.words[0]}: {error}"
    try:
        async with asyncio.timeout(command.timeout):
            await _relay(process, doing)
            code = await process.wait()
    except TimeoutError:
        return f"{command.words[0]}: took longer than {command.timeout:g} s"
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return f"{command.words[0]}: ended with code {code}" if code else ""


async def _relay(process: asyncio.subprocess.Process, doing: Doing) -> None:
    """Put what it says into the log, until it has ended."""
    assert process.stdout is not None
    ended = asyncio.ensure_future(process.wait())
    try:
        while True:
            reading = asyncio.ensure_future(_line(process.stdout))
            # What it left behind may hold the pipe open: that is no reason to wait.
            await asyncio.wait([reading, ended], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await asyncio.wait([reading], timeout=0.2)
            if not reading.done():
                reading.cancel()
                return
            if not (line := reading.result()):
                return
            doing.say.line(line.decode(errors="surrogateescape").rstrip("\n"))
    finally:
        ended.cancel()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
