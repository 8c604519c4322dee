"""Of which entries changes are held until a person decides, and what was decided."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, select

from syncd.core.file import Alarm, Slot
from syncd.store.schema import holds


@dataclass(frozen=True, slots=True)
class Hold:
    """Something is held, or a decision about it is being carried out.

    What was kept up to ``decided_at`` is what was decided about.
    """

    slot: Slot
    alarm: Alarm
    since: float
    passed: int = 0
    """Files of which such changes were passed on before, as it was not yet clear."""
    passed_since: float | None = None
    """When the first of these was."""
    decision: str | None = None
    decided_at: float | None = None


def everything(db: Connection) -> list[Hold]:
    """Return every hold, of entries that are not configured, too."""
    rows = db.execute(select(holds).order_by(holds.c.slot, holds.c.since)).mappings()
    return [Hold(**{**row, "alarm": Alarm(row["alarm"])}) for row in rows]


def put(db: Connection, some: Sequence[Hold]) -> None:
    """Keep these holds, in place of what was kept of the same."""
    for hold in some:
        drop(db, hold.slot, [hold.alarm])
        db.execute(holds.insert().values(**asdict(hold)))


def drop(db: Connection, slot: Slot, alarms: Collection[Alarm]) -> None:
    """Forget holds of an entry."""
    db.execute(delete(holds).where(holds.c.slot == slot, holds.c.alarm.in_(alarms)))
