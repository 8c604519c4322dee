"""Applies rules to every known file, page by page, across restarts."""

import asyncio
import json
from typing import Any

from sqlalchemy import Connection

from syncd.core.world import World
from syncd.replication import batch
from syncd.replication.batch import Touched
from syncd.store import files, settings
from syncd.store.database import Store

PAGE = 1000
"""Files judged in one transaction."""
PATIENCE = 10.0
"""Seconds after which whoever asked is answered, though judging goes on."""

_AFTER = "judge after"
_DOCUMENT = "rules"
_MARK = "judged by"


class Judging:
    """Where the walk through all files stands that follows a change of rules."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after: int | None = None
        self._mark: str | None = None
        self._ended = asyncio.Event()
        self._ended.set()

    async def open(self) -> None:
        """Go on where a walk was interrupted."""
        self._mark = await self._store.read(settings.get, _MARK)
        after = await self._store.read(settings.get, _AFTER)
        if after:
            self._walk_from(int(after))

    async def start(self, document: Any, mark: str) -> None:
        """Keep the rules and judge every file by them.

        Nothing is done if that was done, or begun, under the same ``mark``, which
        says all that owners depend on.
        """
        if await self._store.run(_begin, json.dumps(document), mark):
            self._mark = mark
            self._walk_from(0)

    async def wait(self) -> None:
        """Return when everything is judged, or when patience ends."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ended.wait()
        except TimeoutError:
            pass

    async def step(self, world: World) -> list[Touched] | None:
        """Judge one page and return what changed; None when there is nothing to do."""
        if self._after is None:
            return None
        mark, after = self._mark, self._after
        row, touched = await self._store.run(_judge_page, after, world, mark)
        if mark == self._mark:  # Otherwise a new walk has begun meanwhile.
            self._after = row
            if row is None:
                self._ended.set()
        return touched

    async def due(self, world: World) -> list[Touched]:
        """Judge files whose age has come to matter, and return what changed."""
        return await self._store.run(_judge_due, world)

    def _walk_from(self, row: int) -> None:
        self._after = row
        self._ended.clear()


def in_force(db: Connection) -> tuple[Any | None, str | None]:
    """Return the rules document in force and its mark; None before there was one."""
    text = settings.get(db, _DOCUMENT)
    return (None if text is None else json.loads(text)), settings.get(db, _MARK)


def _begin(db: Connection, document: str, mark: str) -> bool:
    if settings.get(db, _MARK) == mark:
        return False
    settings.put(db, _DOCUMENT, document)
    settings.put(db, _MARK, mark)
    settings.put(db, _AFTER, "0")
    return True


def _judge_due(db: Connection, world: World) -> list[Touched]:
    return batch.judge(db, files.due(db, world.now, PAGE), world)


def _judge_page(
    db: Connection, after: int, world: World, mark: str | None
) -> tuple[int | None, list[Touched]]:
    if settings.get(db, _MARK) != mark:
        return after, []  # Other rules came into force since.
    page = files.after(db, after, PAGE)
    touched = batch.judge(db, page, world)
    row = page[-1][0].id if len(page) == PAGE else None
    settings.put(db, _AFTER, "" if row is None else str(row))
    return row, touched
