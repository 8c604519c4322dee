"""How far a command is, as far as its folder tells: what lies in it by now."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from syncd.core.job import Progress

EVERY = 2.0
"""Seconds between two looks."""

MOST = 20_000
"""Files that are looked at; where there are more, nobody can tell without effort."""


@asynccontextmanager
async def watched(
    folder: Path, tell: Callable[[Progress], None]
) -> AsyncIterator[None]:
    """Tell of what lies in the folder, now and then and at the end."""
    task = asyncio.create_task(_watch(folder, tell), name="watch a command's folder")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    await asyncio.to_thread(_look, folder, tell)


async def _watch(folder: Path, tell: Callable[[Progress], None]) -> None:
    while True:
        await asyncio.to_thread(_look, folder, tell)
        await asyncio.sleep(EVERY)


def _look(folder: Path, tell: Callable[[Progress], None]) -> None:
    size = items = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(place, name))  # noqa: PTH118 - many
            except OSError:
                continue
            # What is taken on the disk: of a sparse file, what was written.
            size += status.st_blocks * 512
            items += 1
            if items == MOST:
                return
    tell(Progress(bytes=size, items=items, phase="running"))
