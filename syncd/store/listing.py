"""Pages of records: filtered, ordered, searched, cut, perhaps of a few columns only."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select

from syncd.errors import BadRequest, NotFound
from syncd.store import filters
from syncd.store.filters import Model, Models
from syncd.store.values import LARGEST

PAGE, LARGEST_PAGE = 100, 100_000

OURS = frozenset(
    {"page", "page_size", "format", "order", "order_by", "search", "type"}
    | {"host_filter", "fields", "role_level"}
)
"""Parameters that are no filters."""

Said = Sequence[tuple[str, str]]


class Wanted(Struct, frozen=True):
    """What a query asks for, apart from which page."""

    where: list[ColumnElement[bool]]
    order: list[tuple[str, bool]]
    """By which fields, and whether downwards."""
    columns: list[str] | None
    """Names of the only fields that are wanted; None: all."""


class Page(Struct, frozen=True):
    """Some of the rows."""

    total: int
    number: int
    """Which page it is, from 1."""
    size: int
    rows: list[dict[str, Any]]
    columns: list[str] | None

    @property
    def last(self) -> int:
        """Return the number of the last page; there is always one."""
        return max(1, -(-self.total // self.size))


def wanted(
    models: Models, name: str, said: Said, *, newest_first: bool = True
) -> Wanted:
    """Return what a query asks of a model; raise BadRequest or NotAllowed."""
    given = dict(said)
    model = models[name]
    where = filters.compiled(models, name, [one for one in said if one[0] not in OURS])
    where += filters.searched(models, name, given.get("search", ""))
    order = given.get("order_by", given.get("order"))
    usual = "-id" if newest_first else "id"
    return Wanted(
        where,
        _ordered(model, usual if order is None else order),
        _columns(model, given["fields"]) if given.get("fields") else None,
    )


def page(
    db: Connection, model: Model, asked: Wanted, said: Said, *, nothing: bool = False
) -> Page:
    """Return the page that a query asks for; raise NotFound if there is none such.

    ``nothing``: it is known beforehand that no row is wanted.
    """
    given = dict(said)
    size = _size(given.get("page_size", ""))
    if asked.columns is None:
        rows = select(model.table).where(*asked.where)
        count = select(func.count()).select_from(model.table).where(*asked.where)
    else:
        chosen = [_at(model, one).label(one) for one in asked.columns]
        rows = select(*chosen).where(*asked.where).distinct()
        count = select(func.count()).select_from(rows.subquery())
    total = 0 if nothing else db.execute(count).scalar_one()
    number = _number(given.get("page", "1"), max(1, -(-total // size)))
    cut = rows.order_by(*_order(model, asked)).offset((number - 1) * size).limit(size)
    found = [] if nothing else [dict(row) for row in db.execute(cut).mappings()]
    return Page(total, number, size, found, asked.columns)


def one(
    db: Connection, model: Model, id_: int, where: Sequence[ColumnElement[bool]] = ()
) -> dict[str, Any]:
    """Return one row for which these hold too; raise NotFound."""
    query = select(model.table).where(model.table.c.id == id_, *where)
    row = db.execute(query).mappings().first() if id_ <= LARGEST else None
    if row is None:
        raise NotFound(f"No {model.label} matches the given query.")
    return dict(row)


def _at(model: Model, name: str) -> ColumnElement[Any]:
    if name in model.fields:
        return model.fields[name].at(model.table)
    return model.table.c[model.relations[name].near]


def _is_own(model: Model, name: str) -> bool:
    relation = model.relations.get(name)
    return name in model.fields or (relation is not None and relation.is_column)


def _columns(model: Model, text: str) -> list[str]:
    names = list(dict.fromkeys(one for one in text.split(",") if one))
    for name in names:
        if not _is_own(model, name) or name in model.secret | model.unfit:
            raise BadRequest(f"{model.label} has no field named '{name[:100]}'")
    return names


def _ordered(model: Model, text: str) -> list[tuple[str, bool]]:
    found = []
    for word in text.split(","):
        name = word.removeprefix("-")
        name = "id" if name == "pk" else name
        if name == "type":
            continue
        if name in model.secret | model.unfit:
            raise BadRequest(f"cannot order by field {name}")
        if not _is_own(model, name):
            choices = ", ".join(model.names())
            raise BadRequest(
                f"Cannot resolve keyword '{name[:100]}' into field."
                f" Choices are: {choices}"
            )
        found.append((name, word.startswith("-")))
    return found


def _order(model: Model, asked: Wanted) -> list[ColumnElement[Any]]:
    """Return what to order by: never nothing, so that pages never overlap."""
    # Of rows that are cut to some columns, only these can tell one from another.
    columns = ["id"] if asked.columns is None else asked.columns
    known = [one for one in asked.order if asked.columns is None or one[0] in columns]
    rest = [(name, True) for name in columns]
    return [
        at.desc() if downwards else at.asc()
        for name, downwards in [*known, *rest]
        for at in [_at(model, name)]
    ]


def _size(text: str) -> int:
    size = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    return min(size, LARGEST_PAGE) or PAGE


def _number(text: str, last: int) -> int:
    if text == "last":
        return last
    plain = text.isascii() and text.isdecimal() and len(text) < 19
    if not plain or not 1 <= int(text) <= last:
        raise NotFound("Invalid page.")
    return int(text)
