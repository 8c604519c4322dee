"""Who did what: one line for each request that changes something, and each login."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, select

from syncd.store.schema import audit

MOST = 1_000_000
"""Lines that are kept, however young they are."""

_ID = audit.c.id


class Outcome(StrEnum):
    """What came of it."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Line(Struct, frozen=True, kw_only=True):
    """One line of the log."""

    at: float
    """Seconds since 1970."""
    who: str
    """A user, or whatever name was claimed by somebody who was not let in."""
    means: str
    """How they proved it: ``password``, ``token KEY``, ``session``, ..."""
    address: str
    """Where they asked from: an address of the network, or a user of this machine."""
    action: str
    """What was asked for: a method and the kind of address, or a command."""
    target: str = ""
    """What it was about: the address itself, or a name."""
    outcome: Outcome
    status: int | None = None
    """What HTTP answered."""
    reason: str = ""


def add(db: Connection, lines: Sequence[Line]) -> None:
    """Keep these lines, in this order."""
    if lines:
        db.execute(audit.insert(), [structs.asdict(line) for line in lines])


def page(db: Connection, *, offset: int, limit: int) -> tuple[int, list[Line]]:
    """Return how many lines there are, and some of them, the newest first."""
    total = db.execute(select(func.count()).select_from(audit)).scalar_one()
    wanted = select(audit).order_by(_ID.desc()).offset(offset).limit(limit)
    rows = [dict(row) for row in db.execute(wanted).mappings()]
    for row in rows:
        del row["id"]
        row["outcome"] = Outcome(row["outcome"])
    return total, [Line(**row) for row in rows]


def prune(db: Connection, before: float, most: int = MOST) -> None:
    """Forget lines from before that moment, and the oldest beyond so many."""
    newest = db.execute(select(func.max(_ID))).scalar() or 0
    beyond = _ID.between(0, newest - most)
    db.execute(delete(audit).where((audit.c.at < before) | beyond))
