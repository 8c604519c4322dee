"""Keeps records: makes, changes and removes them, with what follows from that."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from syncd.core import crontab
from syncd.errors import BadRequest, Conflict
from syncd.store import schema
from syncd.store.cyborg import tables
from syncd.store.cyborg.models import MODELS

ACTIVE = ("new", "pending", "waiting", "starting", "running")
"""Where jobs are that have not ended."""

_MEMBERS = tables.policy_clients


class By(Struct, frozen=True):
    """Who changes something, and when, in seconds since 1970."""

    who: str
    """Their address."""
    at: float


def number_of(db: Connection, email: str) -> int | None:
    """Return the number of the user of that address; None: there is none."""
    found = select(schema.users.c.id).where(schema.users.c.email == email)
    return db.execute(found).scalar()


def add(db: Connection, name: str, said: Mapping[str, Any], by: By) -> int:
    """Keep a new record of a model and return its number.

    Raise Conflict if something that it names has been removed meanwhile.
    """
    _check_there(db, said)
    table, who = MODELS[name].table, number_of(db, by.who)
    values = {**_columns(said), "created": by.at, "modified": by.at}
    values |= {"created_by": who, "modified_by": who}
    if "uuid" in table.c:
        values["uuid"] = str(uuid4())
    done = db.execute(table.insert().values(**values))
    number: int = done.inserted_primary_key[0]  # type: ignore[index]
    _follow(db, name, number, said, by.at)
    return number


def change(
    db: Connection, name: str, id_: int, said: Mapping[str, Any], by: By
) -> None:
    """Keep what is said anew of a record that is there; its uuid stays.

    Raise Conflict if something that it names has been removed meanwhile.
    """
    _check_there(db, said)
    table = MODELS[name].table
    values = {**_columns(said), "modified": by.at}
    values["modified_by"] = number_of(db, by.who)
    db.execute(update(table).where(table.c.id == id_).values(**values))
    _follow(db, name, id_, said, by.at)


def remove(db: Connection, name: str, id_: int) -> None:
    """Forget a record; raise Conflict while jobs depend on it.

    With a schedule or a repository go its policies. Jobs that have ended stay, with
    the archives that they made: nothing that was done is forgotten.
    """
    if name == "policies":
        _remove_policies(db, [id_])
    elif name in ("schedules", "repositories"):
        column = tables.policies.c[f"{_singular(name)}_id"]
        if name == "repositories":
            _check_idle(db, "repository_id", [id_])
        found = db.execute(select(tables.policies.c.id).where(column == id_)).scalars()
        _remove_policies(db, list(found))
    elif name == "clients":
        _check_idle(db, "client_id", [id_])
        db.execute(delete(_MEMBERS).where(_MEMBERS.c.client_id == id_))
    table = MODELS[name].table
    db.execute(delete(table).where(table.c.id == id_))


def refresh(db: Connection, which: ColumnElement[bool], now: float) -> None:
    """Find anew when the policies run next of which that holds."""
    at = datetime.fromtimestamp(now, UTC)
    own = tables.policies.c.schedule_id
    used = select(own).where(which).distinct()
    rows = select(tables.schedules.c.id, tables.schedules.c.crontab)
    # To look through all years takes long: once for all that go by one crontab.
    for number, text in db.execute(rows.where(tables.schedules.c.id.in_(used))).all():
        changed = update(tables.policies).where(which, own == number)
        db.execute(changed.values(next_run=next_run(text, at)))


def next_run(text: str, now: datetime) -> float | None:
    """Return when a crontab comes next; None: never, or it makes no sense."""
    try:
        moment = crontab.parse(text).next(now)
    except BadRequest:
        return None
    return None if moment is None else moment.timestamp()


def exist(db: Connection, name: str, numbers: Sequence[int]) -> set[int]:
    """Return those of the numbers that records of a model have."""
    table = MODELS[name].table
    found = select(table.c.id).where(table.c.id.in_(set(numbers)))
    return set(db.execute(found).scalars())


def forget_user(db: Connection, id_: int) -> None:
    """Have no record name a user as who made or changed it."""
    for table in (*_PLANS, tables.jobs):
        for column in (table.c.created_by, table.c.modified_by):
            db.execute(update(table).where(column == id_).values({column: None}))


_PLANS = (tables.clients, tables.schedules, tables.repositories, tables.policies)


def _check_there(db: Connection, said: Mapping[str, Any]) -> None:
    for field, name in _NAMED.items():
        value = said.get(field)
        numbers = value if isinstance(value, list) else [value] if value else []
        if numbers and set(numbers) - exist(db, name, numbers):
            raise Conflict(f"{field}: it was removed just now; choose another")


_NAMED = {
    "schedule": "schedules",
    "repository": "repositories",
    "policy": "policies",
    "client": "clients",
    "clients": "clients",
    "policies": "policies",
    "master_job": "jobs",
}
"""Fields that hold numbers of other records, and of which."""


def _columns(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said as columns; memberships are kept elsewhere."""
    own = {k: v for k, v in said.items() if k not in ("clients", "policies")}
    renamed = ("schedule", "repository", "policy", "client", "master_job")
    return {f"{k}_id" if k in renamed else k: v for k, v in own.items()}


def _follow(
    db: Connection, name: str, id_: int, said: Mapping[str, Any], now: float
) -> None:
    if name == "policies":
        if said.get("clients") is not None:
            _join(db, "policy_id", id_, "client_id", said["clients"])
        refresh(db, tables.policies.c.id == id_, now)
    elif name == "clients" and said.get("policies") is not None:
        _join(db, "client_id", id_, "policy_id", said["policies"])
    elif name == "schedules":
        refresh(db, tables.policies.c.schedule_id == id_, now)


def _join(
    db: Connection, near: str, id_: int, far: str, numbers: Sequence[int]
) -> None:
    db.execute(delete(_MEMBERS).where(_MEMBERS.c[near] == id_))
    rows = [{near: id_, far: number} for number in dict.fromkeys(numbers)]
    if rows:
        db.execute(_MEMBERS.insert(), rows)


def _remove_policies(db: Connection, numbers: Sequence[int]) -> None:
    _check_idle(db, "policy_id", numbers)
    db.execute(delete(_MEMBERS).where(_MEMBERS.c.policy_id.in_(numbers)))
    db.execute(delete(tables.policies).where(tables.policies.c.id.in_(numbers)))


def _check_idle(db: Connection, column: str, numbers: Sequence[int]) -> None:
    jobs = tables.jobs.c
    running = select(func.count()).where(
        jobs[column].in_(numbers), jobs.status.in_(ACTIVE)
    )
    if count := db.execute(running).scalar_one():
        raise Conflict(
            f"{count} of its jobs have not ended; cancel them, or wait until they have"
        )


def _singular(name: str) -> str:
    return {"repositories": "repository"}.get(name, name.removesuffix("s"))
