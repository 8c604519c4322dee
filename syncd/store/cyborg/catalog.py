"""What is in archives: files by archive and path, and the folders that hold them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from syncd.store import patience
from syncd.store.cyborg import records, tables
from syncd.store.cyborg.records import Item
from syncd.store.prepared import Prepared

MOST = 100_000
"""Files that one look into a folder tells."""

_TABLE = tables.catalog
_ADD = Prepared(_TABLE.insert())
_CHILDREN = "[^/]*"


def add(db: Connection, items: Sequence[dict[str, Any]]) -> None:
    """Keep files of archives, in place of what was known of the same path."""
    by_archive: dict[str, list[str]] = {}
    for one in items:
        by_archive.setdefault(one["archive_name"], []).append(one["path"])
    for archive, paths in by_archive.items():
        for start in range(0, len(paths), 500):
            some = _TABLE.c.path.in_(paths[start : start + 500])
            db.execute(delete(_TABLE).where(_TABLE.c.archive_name == archive, some))
    _ADD.run(db, items)


def count(db: Connection, archive: str) -> int:
    """Return how many files of an archive are known."""
    found = select(func.count()).where(_TABLE.c.archive_name == archive)
    return db.execute(found).scalar_one()


def folder_in(pattern: str) -> str | None:
    """Return the folder whose files a pattern asks for; None: it is another pattern."""
    folder = pattern.removesuffix(f"/{_CHILDREN}")
    return folder if folder != pattern and _CHILDREN not in folder else None


def below(db: Connection, archive: str, pattern: str) -> list[Item]:
    """Return the files whose whole path is of a pattern, sorted by path.

    A folder, then ``/[^/]*``, is what lies in that folder, whatever its name means as a
    pattern: clients do not write it as one.
    """
    wanted = select(_TABLE).where(_TABLE.c.archive_name == archive)
    folder = folder_in(pattern)
    if folder is not None:
        start = f"{folder}/"
        # All that begins so lies between these in the index: "0" comes behind "/".
        inside = _TABLE.c.path.between(start, f"{folder}0") & (
            func.substr(_TABLE.c.path, 1, len(start)) == start
        )
        rest = func.substr(_TABLE.c.path, len(start) + 1)
        wanted = wanted.where(inside, func.instr(rest, "/") == 0)
    else:
        wanted = wanted.where(func.matches(f"^(?:{pattern})$", _TABLE.c.path) == 1)
    with patience.limited(db):
        rows = db.execute(wanted.order_by(_TABLE.c.path).limit(MOST)).mappings().all()
    return [records.record("catalogs", dict(row)) for row in rows]
