"""Figures of what was backed up, day by day."""

from datetime import UTC, date, datetime

from msgspec import Struct
from sqlalchemy import Connection, select

from syncd.store.cyborg.tables import jobs

DAYS = 30
"""So many days are told."""

DAY = 86_400.0


class Day(Struct):
    """One day's backups, by when they began."""

    date: date
    size: int = 0
    dedup: int = 0
    success: int = 0
    failed: int = 0


def days(db: Connection, now: float) -> list[Day]:
    """Return the days of the last month on which a backup began, oldest first."""
    columns = (jobs.c.started, jobs.c.status, jobs.c.original_size)
    rows = select(*columns, jobs.c.deduplicated_size).where(
        jobs.c.job_type == "job", jobs.c.started >= now - DAYS * DAY
    )
    found: dict[date, Day] = {}
    for started, status, size, dedup in db.execute(rows):
        when = datetime.fromtimestamp(started, UTC).date()
        day = found.setdefault(when, Day(when))
        day.size += size
        day.dedup += dedup
        day.success += status == "successful"
        day.failed += status == "failed"
    return [found[when] for when in sorted(found)]
