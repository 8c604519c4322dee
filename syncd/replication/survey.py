"""Asks of every known file what other rules would do to it; changes nothing."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from syncd.core.rules import Rules, parse
from syncd.core.world import World
from syncd.replication.plan import Planner
from syncd.store import files
from syncd.store.database import Store

PAGE = 1000
"""Files read in one go, so that nobody else waits long for the index."""


async def survey(store: Store, world: World, document: Any) -> dict[str, object]:
    """Return what the rules of a document would do; see plan.Plan for its shape.

    Raise RuleFaults with every fault of the document.
    """
    slots = {member.name: slot for slot, member in world.members.items()}
    rules = Rules(parse(document, slots.keys()), slots)
    planner = Planner(replace(world, rules=rules))
    row: int | None = 0
    while row is not None:
        row = await store.read(_survey_page, planner, row)
    return planner.result().document()


def _survey_page(db: Connection, planner: Planner, row: int) -> int | None:
    page = files.after(db, row, PAGE)
    planner.add(file for file, _ in page)
    return page[-1][0].id if len(page) == PAGE else None
