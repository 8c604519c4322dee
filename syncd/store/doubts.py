"""Whose contents are doubted since a power cut, until a walk has looked at them."""

import json
from collections.abc import Iterable

from sqlalchemy import Connection

from syncd.core.file import Slot
from syncd.store import settings

_KEY = "doubted"


def of(db: Connection) -> dict[Slot, int]:
    """Return by entry since when contents are doubted, in nanoseconds since 1970."""
    said = settings.get(db, _KEY)
    return {} if said is None else {int(k): v for k, v in json.loads(said).items()}


def add(db: Connection, slots: Iterable[Slot], since: int) -> None:
    """Doubt those entries' contents, too; what was doubted before stays so."""
    known = of(db)
    _keep(db, known | {slot: min(since, known.get(slot, since)) for slot in slots})


def settle(db: Connection, slot: Slot) -> None:
    """Doubt that entry's contents no more."""
    _keep(db, {other: since for other, since in of(db).items() if other != slot})


def _keep(db: Connection, doubted: dict[Slot, int]) -> None:
    settings.put(db, _KEY, json.dumps(doubted))
