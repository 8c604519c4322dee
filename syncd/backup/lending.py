"""Lends the files of a vault as a zip, which a worker makes while it is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from syncd.backup.plan import Plan
from syncd.backup.runner import Runner
from syncd.core.backup import VaultView
from syncd.core.errand import Advance, Deed, Part
from syncd.errors import Unavailable
from syncd.supervisor import content

PATIENCE = 30.0
"""Seconds that a worker gets to open a vault."""

LOOK = 0.02
"""Seconds between two looks whether it has."""


class Zip:
    """A vault as the bytes of a zip, which can be taken once."""

    def __init__(
        self, chunks: AsyncIterator[bytes], size: int | None, tag: str
    ) -> None:
        self._chunks = chunks
        self.size = size
        """How many bytes there are; None where nobody has told."""
        self.tag: str | None = tag
        """A vault never changes: its name tells which bytes these are."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks


@asynccontextmanager
async def lent(
    runner: Runner,
    plan: Plan,
    view: VaultView,
    run: Path,
    form: Part | None = None,
) -> AsyncIterator["Zip"]:
    """Lend the zip; raise Unavailable if the vault cannot be read.

    With a ``form`` it is what that makes of the vault: a part that, called with its
    options and the vault, gives bytes. ``run`` is the folder of sockets.
    The worker ends with this.
    """
    id = uuid4().hex[:12]
    socket = run / f"zip-{id}"
    size: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def told(advance: Advance) -> None:
        if not size.done():
            size.set_result(advance.progress.total_bytes)

    work = runner.work(
        plan,
        Deed.DOWNLOAD,
        id=f"download-{id}",
        folder=view.folder,
        vault=view.summary.name,
        asked={"socket": str(socket), "form": msgspec.to_builtins(form)},
        told=told,
    )
    serving = asyncio.create_task(work, name=f"download {view.summary.name}")
    try:
        line = await _connected(socket, serving)
        async with aclosing(content.taken(line)) as chunks:
            yield Zip(chunks, await _known(size), view.summary.name)
    finally:
        serving.cancel()
        await asyncio.wait([serving])
        with suppress(OSError):
            socket.unlink(missing_ok=True)


async def _known(size: "asyncio.Future[int | None]") -> int | None:
    """Return the length, which is told before, but by another way than, the bytes."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(size)
    except TimeoutError:
        return None


async def _connected(socket: Path, serving: "asyncio.Task[Any]") -> content.Line:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError):
                    return await content.connected(socket)
                if serving.done():
                    why = serving.result().error
                    raise Unavailable(f"the vault cannot be read: {why}")
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise Unavailable("the vault cannot be read now") from None
