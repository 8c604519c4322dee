"""The tables of whole machines as filters see them: what may be asked for."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    SmallInteger,
    Table,
)

from syncd.core.permission import Role
from syncd.store import schema
from syncd.store.cyborg import tables
from syncd.store.filters import Field, Kind, Model, Relation

MOMENTS = frozenset(
    {"created", "modified", "next_run", "started", "finished", "mtime", "created_at"}
)


def _column(name: str) -> Callable[[FromClause], ColumnElement[Any]]:
    return lambda scope: scope.c[name]


def _fields(table: Table, *but: str) -> dict[str, Field]:
    """Return the columns of a table that may be asked for, but for some."""
    found = {}
    for column in table.columns:
        if column.name in but or column.name in _LINKS:
            continue
        found[column.name] = Field(_kind(column), _column(column.name))
    return found


def _kind(column: Any) -> Kind:
    match column.type:
        case Boolean():
            return Kind.FLAG
        case BigInteger() | Integer() | SmallInteger():
            return Kind.WHOLE
        case Float() if column.name in MOMENTS:
            return Kind.MOMENT
        case Float():
            return Kind.NUMBER
    return Kind.TEXT


_PEOPLE = {
    "created_by": Relation("users", "created_by", "id"),
    "modified_by": Relation("users", "modified_by", "id"),
}
_LINKS = frozenset(
    {
        *_PEOPLE,
        "policy_id",
        "client_id",
        "schedule_id",
        "repository_id",
        "master_job_id",
        "dependent_jobs_id",
        "job_id",
    }
)
_MEMBERS = tables.policy_clients

MODELS: dict[str, Model] = {
    "users": Model(
        "User",
        schema.users,
        {
            **_fields(
                schema.users, "password", "role", "epoch", "disabled", "created_at"
            ),
            "created": Field(Kind.MOMENT, _column("created_at")),
            "is_superuser": Field(
                Kind.FLAG, lambda scope: scope.c.role == str(Role.ADMIN)
            ),
        },
        searched=("first_name", "last_name", "email"),
    ),
    "clients": Model(
        "Client",
        tables.clients,
        _fields(tables.clients),
        {
            **_PEOPLE,
            "policies": Relation(
                "policies", "id", "id", (_MEMBERS, "client_id", "policy_id")
            ),
            "jobs": Relation("jobs", "id", "client_id"),
        },
    ),
    "schedules": Model(
        "Schedule",
        tables.schedules,
        _fields(tables.schedules),
        {**_PEOPLE, "policies": Relation("policies", "id", "schedule_id")},
        searched=("name",),
    ),
    "repositories": Model(
        "Repository",
        tables.repositories,
        _fields(tables.repositories),
        {
            **_PEOPLE,
            "policies": Relation("policies", "id", "repository_id"),
            "jobs": Relation("jobs", "id", "repository_id"),
        },
        searched=("name",),
        secret=frozenset({"repository_key"}),
    ),
    "policies": Model(
        "Policy",
        tables.policies,
        _fields(tables.policies),
        {
            **_PEOPLE,
            "clients": Relation(
                "clients", "id", "id", (_MEMBERS, "policy_id", "client_id")
            ),
            "schedule": Relation("schedules", "schedule_id", "id"),
            "repository": Relation("repositories", "repository_id", "id"),
            "jobs": Relation("jobs", "id", "policy_id"),
        },
        searched=("name",),
        secret=frozenset({"extra_vars"}),
    ),
    "jobs": Model(
        "Job",
        tables.jobs,
        _fields(tables.jobs, "engine_id"),
        {
            **_PEOPLE,
            "policy": Relation("policies", "policy_id", "id"),
            "client": Relation("clients", "client_id", "id"),
            "repository": Relation("repositories", "repository_id", "id"),
            "master_job": Relation("jobs", "master_job_id", "id"),
            "dependent_jobs": Relation("jobs", "dependent_jobs_id", "id"),
            "job_events": Relation("job_events", "id", "job_id"),
        },
        searched=("name",),
        secret=frozenset({"extra_vars", "start_args"}),
        unfit=frozenset({"job_args", "job_env"}),
    ),
    "job_events": Model(
        "JobEvent",
        tables.job_events,
        _fields(tables.job_events),
        {"job": Relation("jobs", "job_id", "id")},
    ),
    "catalogs": Model(
        "Catalog",
        tables.catalog,
        _fields(tables.catalog),
        {"job": Relation("jobs", "job_id", "id")},
    ),
    "settings": Model(
        "Setting",
        tables.settings,
        _fields(tables.settings),
        secret=frozenset({"value"}),
    ),
}
"""What there is, by the name that its address has."""
