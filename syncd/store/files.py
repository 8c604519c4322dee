"""Files in the index: one row each, the whole record in it, columns to search by."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    bindparam,
    func,
    select,
    true,
    update,
)

from syncd.core import path as paths
from syncd.core.file import File, Kind, Mask, Slot
from syncd.errors import NotFound
from syncd.store.prepared import Prepared
from syncd.store.schema import files

KINDS = {Kind.FILE: 0, Kind.LINK: 1, Kind.DIRECTORY: 2}
"""How a kind is written in its column; what is below DIRECTORY is listed."""

BLOCK = 1024
"""Rows that ``blocks`` counts together."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(File).decode
_IN = 500


class Facts(Struct, frozen=True):
    """What is counted of a file: the columns beside its record."""

    kind: int
    size: int
    owners: Mask
    uptodate: Mask
    behind: Mask
    blocked: Mask
    deleted: bool
    conflict: bool
    """It was kept from a conflict, or is itself one that waits for a person."""
    held: Mask = 0


class Page(Struct, frozen=True):
    """Some files of a listing, and how many there are in all."""

    total: int
    files: list[File]


def facts(file: File, behind: Mask, disputed: Mask = 0) -> Facts:
    """Return what is counted of a file that these entries have work with.

    ``disputed`` tells whose contents wait for a person.
    """
    blocked = held = 0
    for slot, copy in file.copies.items():
        if copy.trouble and copy.trouble.blocked:
            blocked |= 1 << slot
        if copy.held:
            held |= 1 << slot
    return Facts(
        kind=KINDS[file.kind],
        size=file.size,
        owners=file.owners,
        uptodate=file.uptodate,
        behind=behind,
        blocked=blocked & behind,
        deleted=file.deleted,
        conflict=disputed != 0 or (file.conflict_of is not None and not file.deleted),
        held=held,
    )


def load(db: Connection, wanted: Iterable[str]) -> dict[str, tuple[File, Facts]]:
    """Return what is known of those of the paths that anything is known of."""
    result = {}
    names = list(wanted)
    for start in range(0, len(names), _IN):
        rows = db.execute(_BY_PATH, {"paths": names[start : start + _IN]})
        for row in rows.all():
            file = _file(row)
            result[file.path] = (file, _facts(row))
    return result


def by_ids(db: Connection, ids: Sequence[int]) -> list[File]:
    """Return the files of those rows, in no particular order."""
    result = []
    for start in range(0, len(ids), _IN):
        some = ids[start : start + _IN]
        result += [_file(row) for row in db.execute(_BY_ID, {"ids": some})]
    return result


def add(db: Connection, some: Sequence[tuple[File, Facts]]) -> None:
    """Write files that had no row; their ids are theirs already."""
    _ADD.run(db, [_row(*one) | _names(one[0]) for one in some])


def change(db: Connection, some: Sequence[tuple[File, Facts]]) -> None:
    """Write files over their rows."""
    _CHANGE.run(db, [_row(*one) | {"row": one[0].id} for one in some])


def highest_id(db: Connection) -> int:
    """Return the greatest row number there is, 0 if there is none."""
    highest: int | None = db.execute(select(func.max(files.c.id))).scalar()
    return highest or 0


def pending(
    db: Connection, slot: Slot, deleted: bool, after: int, limit: int
) -> list[File]:
    """Return files that the entry has work with, by row, after a row.

    Deletions are asked for apart: they come after everything else, so that
    content can be renamed before its old name goes.
    """
    query = (
        _RECORDS.where(
            files.c.behind != 0,
            files.c.behind.op("&")(1 << slot) != 0,
            files.c.deleted == deleted,
            files.c.id > after,
        )
        .order_by(files.c.id)
        .limit(limit)
    )
    return [_file(row) for row in db.execute(query)]


def blocked(db: Connection, slot: Slot, after: int, limit: int) -> list[File]:
    """Return files that the entry's storage refused something for, after a row."""
    query = (
        _RECORDS.where(
            files.c.behind != 0,
            files.c.blocked.op("&")(1 << slot) != 0,
            files.c.id > after,
        )
        .order_by(files.c.id)
        .limit(limit)
    )
    return [_file(row) for row in db.execute(query)]


def after(db: Connection, row: int, limit: int) -> list[tuple[File, Facts]]:
    """Return files after a row, by row: a walk over everything known."""
    query = _ROWS.where(files.c.id > row).order_by(files.c.id).limit(limit)
    return [(_file(one), _facts(one)) for one in db.execute(query)]


def due(db: Connection, now: float, limit: int) -> list[tuple[File, Facts]]:
    """Return files whose owners a rule about age may change by now."""
    query = _ROWS.where(files.c.judge_at <= now).limit(limit)
    return [(_file(one), _facts(one)) for one in db.execute(query)]


def held(
    db: Connection, slot: Slot, after: int, limit: int
) -> list[tuple[File, Facts]]:
    """Return files of which a change on the entry is held, by row, after a row."""
    query = (
        _ROWS.where(
            files.c.held != 0,
            files.c.held.op("&")(1 << slot) != 0,
            files.c.id > after,
        )
        .order_by(files.c.id)
        .limit(limit)
    )
    return [(_file(one), _facts(one)) for one in db.execute(query)]


def held_page(db: Connection, slot: Slot, offset: int, limit: int) -> list[File]:
    """Return some of the files of which a change on the entry is held, by row."""
    query = (
        _RECORDS.where(files.c.held != 0, files.c.held.op("&")(1 << slot) != 0)
        .order_by(files.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [_file(row) for row in db.execute(query)]


def forgettable(db: Connection, before: float, limit: int) -> list[int]:
    """Return rows of tombstones that nobody has work with and that are older."""
    query = (
        select(files.c.id)
        .where(files.c.deleted, files.c.behind == 0, files.c.changed_at < before)
        .limit(limit)
    )
    return list(db.execute(query).scalars())


def forget(db: Connection, rows: Sequence[int]) -> None:
    """Remove rows for good."""
    db.execute(files.delete().where(files.c.id.in_(rows)))


def page(
    db: Connection,
    *,
    offset: int,
    limit: int,
    path: str | None = None,
    owner: Mask = 0,
    where: str | None = None,
    total: int | None = None,
    row: int = 0,
) -> Page:
    """Return the files and links there are, in the order they became known.

    ``path`` keeps a path and what is below it, ``owner`` what those entries
    own, ``where`` is "uptodate", "pending", "blocked", "conflict" or "held". ``total``
    spares counting when it is known, ``row`` passing over what comes before it.
    """
    kept = _kept(path, owner, where)
    query = _RECORDS.where(*kept, files.c.id >= row).order_by(files.c.id)
    rows = db.execute(query.limit(limit).offset(offset)).all()
    if total is None:
        count = select(func.count()).select_from(files).where(*kept)
        total = db.execute(count).scalar_one()
    return Page(total=total, files=[_file(row) for row in rows])


def blocks(db: Connection) -> list[tuple[int, int]]:
    """Return how many listed files every BLOCK rows hold: the block's number first."""
    block = files.c.id.op("/")(BLOCK)
    listed = _kept(None, 0, None)
    query = select(block, func.count()).where(*listed).group_by(block)
    return [(number, count) for number, count in db.execute(query)]


def by_fid(db: Connection, fid: str) -> File:
    """Return the file with the id, tombstones too; raise NotFound if there is none."""
    row = db.execute(_BY_FID, {"fid": _fid_bytes(fid)}).first()
    if row is None:
        raise NotFound(f"file {fid} not found")
    return _file(row)


def count(db: Connection) -> list[tuple[Facts, int, int]]:
    """Return how many files share the same facts, and their bytes; size is left 0."""
    columns = (
        files.c.kind,
        files.c.owners,
        files.c.uptodate,
        files.c.behind,
        files.c.blocked,
        files.c.deleted,
        files.c.conflict,
        files.c.held,
    )
    query = select(*columns, func.count(), func.sum(files.c.size)).group_by(*columns)
    return [
        (Facts(row[0], 0, *row[1:8]), row[8], int(row[9])) for row in db.execute(query)
    ]


def _kept(
    path: str | None, owner: Mask, where: str | None
) -> list[ColumnElement[bool]]:
    kept = [files.c.deleted.is_(False), files.c.kind < KINDS[Kind.DIRECTORY]]
    if path is not None:
        below = (files.c.path >= f"{path}/") & (files.c.path < f"{path}0")
        kept.append((files.c.path == path) | below)
    if owner:
        kept.append(files.c.owners.op("&")(owner) != 0)
    return [*kept, _STATES.get(where or "", true())]


# "0" is the character after "/": what is below a folder lies between the two.
_STATES: dict[str, ColumnElement[bool]] = {
    "uptodate": (files.c.owners == files.c.uptodate) & (files.c.behind == 0),
    # Who waits for a person's decision has nothing to do.
    "pending": ((files.c.owners != files.c.uptodate) & ~files.c.conflict)
    | (files.c.behind != 0),
    "blocked": files.c.blocked != 0,
    "conflict": files.c.conflict,
    "held": files.c.held != 0,
}

_RECORDS = select(files.c.id, files.c.record)
_ROWS = select(
    files.c.id,
    files.c.record,
    files.c.kind,
    files.c.size,
    files.c.owners,
    files.c.uptodate,
    files.c.behind,
    files.c.blocked,
    files.c.deleted,
    files.c.conflict,
    files.c.held,
)


def _many(name: str) -> BindParameter[Sequence[object]]:
    return bindparam(name, expanding=True)


_BY_PATH = _ROWS.where(files.c.path.in_(_many("paths")))
_BY_ID = _RECORDS.where(files.c.id.in_(_many("ids")))
_BY_FID = _RECORDS.where(files.c.fid == bindparam("fid"))
_ADD = Prepared(files.insert())
_CHANGE = Prepared(
    update(files)
    .where(files.c.id == bindparam("row"))
    .values(
        {
            name: bindparam(name)
            for name in (*Facts.__struct_fields__, "changed_at", "judge_at", "record")
        }
    )
)


def _file(row: Row[*tuple[Any, ...]]) -> File:
    return replace(_decode(row[1]), id=row[0])


def _facts(row: Row[*tuple[Any, ...]]) -> Facts:
    return Facts(*row[2:11])


def _row(file: File, counted: Facts) -> dict[str, object]:
    return {
        "kind": counted.kind,
        "size": counted.size,
        "owners": counted.owners,
        "uptodate": counted.uptodate,
        "behind": counted.behind,
        "blocked": counted.blocked,
        "deleted": counted.deleted,
        "conflict": counted.conflict,
        "held": counted.held,
        "changed_at": file.changed_at,
        "judge_at": file.judge_at,
        "record": _encode(file),
    }


def _names(file: File) -> dict[str, object]:
    return {"id": file.id, "path": file.path, "fid": paths.fid_bytes(file.path)}


def _fid_bytes(fid: str) -> bytes:
    try:
        return bytes.fromhex(fid.replace("-", ""))
    except ValueError:
        raise NotFound(f"file {fid} not found") from None
