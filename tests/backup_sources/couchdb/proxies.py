"""A named fake: the way to a server, on which connections are cut off."""

import asyncio
from contextlib import suppress
from typing import Self


class CuttingProxy:
    """Passes on all that is said to a port of loopback, and cuts some answers off.

    ``cuts`` are bytes after which the next answers end: [10, 0] cuts the first after
    ten and the second at once; then all goes well. -1 lets one pass.
    """

    def __init__(self, port: int, cuts: list[int]) -> None:
        self._to = port
        self.cuts = cuts
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        left = self.cuts.pop(0) if self.cuts else -1
        there, here = await asyncio.open_connection("127.0.0.1", self._to)
        up = asyncio.ensure_future(_pass_on(reader, here, -1))
        await _pass_on(there, writer, left)
        up.cancel()
        await asyncio.wait([up])
        for one in (here, writer):
            one.close()
            with suppress(OSError):
                await one.wait_closed()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int
) -> None:
    """Pass on so many bytes; -1: all."""
    with suppress(OSError):
        while left and (some := await reader.read(1 << 16)):
            some = some[:left] if left > 0 else some
            left -= len(some) if left > 0 else 0
            writer.write(some)
            await writer.drain()
