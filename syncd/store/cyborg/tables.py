"""The tables of whole machines, as the newest migration leaves them.

Numbers that were given away are never given again: what names a record that is gone
names nothing.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)

from syncd.store import schema
from syncd.store.schema import KEY

metadata = schema.metadata
"""All tables there are, for who makes them."""


def _number() -> Column[int]:
    return Column("id", KEY, primary_key=True, autoincrement=True)


def _made() -> list[Column[Any]]:
    return [
        Column("created", Float, nullable=False),
        Column("modified", Float, nullable=False),
        Column("created_by", BigInteger),
        Column("modified_by", BigInteger),
    ]


def _flags(*names: str) -> list[Column[Any]]:
    return [Column(name, Boolean, nullable=False) for name in names]


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _sizes() -> list[Column[Any]]:
    return [
        Column(f"{which}_size", BigInteger, nullable=False)
        for which in ("original", "compressed", "deduplicated")
    ]


clients = Table(
    "cyborg_clients",
    metadata,
    _number(),
    *_made(),
    *_texts("uuid", "hostname", "ip", "version", "hypervisor_name"),
    Column("bandwidth_limit", BigInteger),
    Column("port", Integer, nullable=False),
    *_flags("ready", "hypervisor_ready", "mark_as_to_update"),
    *_flags("enabled", "behind_firewall"),
    sqlite_autoincrement=True,
)

schedules = Table(
    "cyborg_schedules",
    metadata,
    _number(),
    *_made(),
    *_texts("uuid", "name", "crontab"),
    *_flags("enabled"),
    sqlite_autoincrement=True,
)

repositories = Table(
    "cyborg_repositories",
    metadata,
    _number(),
    *_made(),
    *_texts("uuid", "name", "path", "repository_key"),  # The key is sealed.
    *_sizes(),
    *_flags("ready", "enabled"),
    sqlite_autoincrement=True,
)

policies = Table(
    "cyborg_policies",
    metadata,
    _number(),
    *_made(),
    # What is in extra_vars is sealed: passwords of databases may be.
    *_texts("uuid", "name", "extra_vars", "policy_type", "vmprovider"),
    *_texts("prehook", "posthook"),
    Column("schedule_id", BigInteger, ForeignKey(schedules.c.id), nullable=False),
    Column("repository_id", BigInteger, ForeignKey(repositories.c.id), nullable=False),
    Column("keep_hourly", Integer),
    Column("keep_daily", Integer),
    Column("keep_weekly", Integer),
    Column("keep_monthly", Integer),
    Column("keep_yearly", Integer),
    Column("next_run", Float),
    *_flags("mode_pull", "enabled"),
    sqlite_autoincrement=True,
)

policy_clients = Table(
    "cyborg_policy_clients",
    metadata,
    Column("policy_id", BigInteger, ForeignKey(policies.c.id), primary_key=True),
    Column("client_id", BigInteger, ForeignKey(clients.c.id), primary_key=True),
)

jobs = Table(
    "cyborg_jobs",
    metadata,
    _number(),
    *_made(),
    Column("engine_id", Text, unique=True),  # The job of the engine that it is.
    *_texts("name", "launch_type", "job_type", "status", "job_args", "job_cwd"),
    *_texts("job_env", "job_explanation", "result_traceback", "extra_vars"),
    # Records outlive what they name: nothing that was done is forgotten with a client.
    Column("policy_id", BigInteger),
    Column("client_id", BigInteger),
    Column("repository_id", BigInteger),
    Column("master_job_id", BigInteger),
    Column("dependent_jobs_id", BigInteger),
    *_flags("failed", "event_processing_finished"),
    Column("started", Float),
    Column("finished", Float),
    Column("elapsed", Float, nullable=False),
    *_sizes(),
    Column("archive_name", Text),
    sqlite_autoincrement=True,
)

job_events = Table(
    "cyborg_job_events",
    metadata,
    _number(),
    Column("job_id", BigInteger, ForeignKey(jobs.c.id), nullable=False),
    Column("created", Float, nullable=False),
    Column("counter", Integer, nullable=False),
    *_texts("event", "stdout"),
    *_flags("failed"),
    Column("start_line", Integer, nullable=False),
    Column("end_line", Integer, nullable=False),
    sqlite_autoincrement=True,
)

catalog = Table(
    "cyborg_catalog",
    metadata,
    _number(),
    *_texts("archive_name", "path", "mode", "kind", "owner", "group"),
    Column("job_id", BigInteger),
    Column("mtime", Float, nullable=False),
    Column("size", BigInteger, nullable=False),
    *_flags("healthy"),
    sqlite_autoincrement=True,
)

settings = Table(
    "cyborg_settings",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False, unique=True),
    # The value is sealed, where it is a password or a key.
    *_texts("setting_type", "value", "group"),
    Column("order", SmallInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
)

resets = Table(
    "password_resets",
    metadata,
    Column("id", LargeBinary(32), primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
)

Index("cyborg_policies_schedule", policies.c.schedule_id)
Index("cyborg_policies_repository", policies.c.repository_id)
Index("cyborg_policies_next_run", policies.c.next_run)
Index("cyborg_policy_clients_client", policy_clients.c.client_id)
Index("cyborg_jobs_status", jobs.c.status)
Index("cyborg_jobs_client", jobs.c.client_id)
Index("cyborg_jobs_archive", jobs.c.archive_name)
Index("cyborg_job_events_job", job_events.c.job_id, job_events.c.counter)
# Alone, it has the numbers in their order, too: the newest of an archive come first.
Index("cyborg_catalog_archive", catalog.c.archive_name)
Index("cyborg_catalog_path", catalog.c.archive_name, catalog.c.path)
Index("cyborg_catalog_job", catalog.c.job_id)
