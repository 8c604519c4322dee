"""What jobs wrote: line by line, as events with numbers."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from syncd.store.cyborg import records
from syncd.store.cyborg.records import Event
from syncd.store.cyborg.tables import job_events, jobs

AT_ONCE = 1000
"""Events that are read at a time."""


def add(db: Connection, job: int, lines: Sequence[str], now: float) -> None:
    """Keep further lines of a job's output, each as one event."""
    last = select(func.max(job_events.c.counter), func.max(job_events.c.end_line))
    row = db.execute(last.where(job_events.c.job_id == job)).one()
    counter, line = row[0] or 0, row[1] or 0
    rows = [
        {
            "job_id": job,
            "created": now,
            "counter": counter + number,
            "event": "verbose",
            "stdout": text,
            "failed": False,
            "start_line": line + number - 1,
            "end_line": line + number,
        }
        for number, text in enumerate(lines, 1)
    ]
    if rows:
        db.execute(job_events.insert(), rows)


def length(db: Connection, job: int) -> int:
    """Return how many lines a job has written."""
    last = select(job_events.c.end_line).where(job_events.c.job_id == job)
    return db.execute(last.order_by(job_events.c.counter.desc()).limit(1)).scalar() or 0


def some(db: Connection, job: int, behind: int, start: int = 0) -> list[Event]:
    """Return the next events of a job, behind the one with that counter.

    ``start``: of these, from that line on.
    """
    rows = (
        select(job_events)
        .where(job_events.c.job_id == job, job_events.c.counter > behind)
        .where(job_events.c.start_line >= start)
        .order_by(job_events.c.counter)
        .limit(AT_ONCE)
    )
    found = db.execute(rows).mappings()
    return [records.record("job_events", dict(row)) for row in found]


def forget(db: Connection, job: int) -> None:
    """Forget a job, and what it wrote."""
    db.execute(job_events.delete().where(job_events.c.job_id == job))
    db.execute(jobs.delete().where(jobs.c.id == job))
