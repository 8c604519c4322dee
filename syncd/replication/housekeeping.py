"""What becomes superfluous with time."""

from sqlalchemy import Connection

from syncd.store import files

DAYS = 30
"""How long a tombstone is kept after every entry has confirmed the deletion."""
_MOST = 500


def forget_tombstones(db: Connection, now: float) -> int:
    """Remove old tombstones that no entry has work with; return how many."""
    rows = files.forgettable(db, now - DAYS * 86400, _MOST)
    if rows:
        files.forget(db, rows)
    return len(rows)
