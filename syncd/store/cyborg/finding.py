"""Finds records, and those that answers tell of beside them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from syncd.store import listing, patience
from syncd.store.cyborg import records, tables
from syncd.store.cyborg.models import MODELS
from syncd.store.listing import Page, Said

AT_ONCE = 500
"""Numbers in one query."""

NEAR: Mapping[str, Mapping[str, str]] = {
    "policies": {"schedules": "schedule_id", "repositories": "repository_id"},
    "jobs": {
        "policies": "policy_id",
        "clients": "client_id",
        "repositories": "repository_id",
    },
    "job_events": {"jobs": "job_id"},
}
"""Which records are told of beside those of a model, and where their numbers are."""


class Beside(Struct):
    """Records that others refer to, by model and number."""

    known: dict[str, dict[int, Any]]
    clients_of: dict[int, list[int]]
    """Numbers of the clients of policies."""
    policies_of: dict[int, list[int]]
    """Numbers of the policies of clients."""

    def get(self, name: str, id_: int | None) -> Any:
        """Return one, None if there is none (any more)."""
        return None if id_ is None else self.known.get(name, {}).get(id_)


class Found(Struct, frozen=True):
    """A page, and what belongs to it; ``records`` is empty where columns were asked."""

    page: Page
    records: list[Any]
    beside: Beside


def page(
    db: Connection,
    name: str,
    said: Said,
    where: Sequence[Any] = (),
    *,
    newest_first: bool = True,
) -> Found:
    """Return the page that a query asks for; raise as listing does.

    ``where`` holds besides.
    """
    model = MODELS[name]
    wanted = listing.wanted(MODELS, name, said, newest_first=newest_first)
    wanted.where.extend(where)
    types = dict(said).get("type")
    nothing = types is not None and kind(name) not in types.split(",")
    with patience.limited(db):
        cut = listing.page(db, model, wanted, said, nothing=nothing)
    rows = [] if cut.columns else [records.record(name, row) for row in cut.rows]
    return Found(cut, rows, beside(db, name, rows))


def kind(name: str) -> str:
    """Return what records of a model call themselves."""
    return {
        "policies": "policy",
        "repositories": "repository",
    }.get(name, name.removesuffix("s"))


def one(
    db: Connection, name: str, id_: int, said: Said = (), where: Sequence[Any] = ()
) -> tuple[Any, Beside]:
    """Return one record, and what belongs to it; raise NotFound."""
    wanted = listing.wanted(MODELS, name, said)
    with patience.limited(db):
        row = listing.one(db, MODELS[name], id_, [*wanted.where, *where])
    found = records.record(name, row)
    return found, beside(db, name, [found])


def beside(db: Connection, name: str, some: Sequence[Any]) -> Beside:
    """Return what answers about these records tell of others."""
    found = Beside({}, {}, {})
    if name == "policies":
        found.clients_of = _members(db, "policy_id", "client_id", _ids(some, "id"))
    if name == "clients":
        found.policies_of = _members(db, "client_id", "policy_id", _ids(some, "id"))
        numbers = {one for ids in found.policies_of.values() for one in ids}
        found.known["policies"] = by_number(db, "policies", numbers)
    for other, field in NEAR.get(name, {}).items():
        found.known[other] = by_number(db, other, _ids(some, field))
    if name == "jobs":
        policies = found.known["policies"].values()
        for other, field in NEAR["policies"].items():
            numbers = _ids(policies, field) - found.known.get(other, {}).keys()
            found.known.setdefault(other, {}).update(by_number(db, other, numbers))
    if any(hasattr(one, "created_by") for one in some[:1]):
        people = _ids(some, "created_by") | _ids(some, "modified_by")
        found.known["users"] = by_number(db, "users", people)
    return found


def by_number(db: Connection, name: str, numbers: Iterable[int]) -> dict[int, Any]:
    """Return records of a model by their numbers; those that are gone are left out."""
    table, wanted = MODELS[name].table, sorted(numbers)
    found = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = select(table).where(table.c.id.in_(wanted[start : start + AT_ONCE]))
        for row in db.execute(some).mappings():
            found[row["id"]] = records.record(name, dict(row))
    return found


def _ids(some: Iterable[Any], field: str) -> set[int]:
    return {number for one in some if (number := getattr(one, field)) is not None}


def _members(
    db: Connection, near: str, far: str, numbers: Iterable[int]
) -> dict[int, list[int]]:
    table, wanted = tables.policy_clients, sorted(numbers)
    found: dict[int, list[int]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = select(table.c[near], table.c[far]).order_by(table.c[far])
        some = some.where(table.c[near].in_(wanted[start : start + AT_ONCE]))
        for here, there in db.execute(some):
            found.setdefault(here, []).append(there)
    return found
