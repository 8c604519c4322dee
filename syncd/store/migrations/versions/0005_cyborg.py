"""Whole machines: clients, schedules, repositories, policies, jobs; names of users."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_NOTICES = ("daily", "weekly", "monthly", "success", "failed", "summary")


def upgrade() -> None:
    """Make the tables, and the columns of users."""
    for name in ("first_name", "last_name"):
        op.add_column(
            "users", sa.Column(name, sa.Text, nullable=False, server_default="")
        )
    for notice in _NOTICES:
        name = f"notify_backup_{notice}"
        no = sa.false()
        op.add_column(
            "users", sa.Column(name, sa.Boolean, nullable=False, server_default=no)
        )
    _make_plans()
    _make_records()
    _make_indexes()


def _number() -> sa.Column[int]:
    return sa.Column("id", _KEY, primary_key=True, autoincrement=True)


def _made() -> list[sa.Column[float]]:
    return [
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("modified", sa.Float, nullable=False),
        sa.Column("created_by", sa.BigInteger),
        sa.Column("modified_by", sa.BigInteger),
    ]


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _sizes() -> list[sa.Column[int]]:
    return [
        sa.Column(f"{which}_size", sa.BigInteger, nullable=False)
        for which in ("original", "compressed", "deduplicated")
    ]


def _make_plans() -> None:
    op.create_table(
        "cyborg_clients",
        _number(),
        *_made(),
        *_texts("uuid", "hostname", "ip", "version", "hypervisor_name"),
        sa.Column("bandwidth_limit", sa.BigInteger),
        sa.Column("port", sa.Integer, nullable=False),
        *_flags("ready", "hypervisor_ready", "mark_as_to_update"),
        *_flags("enabled", "behind_firewall"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_schedules",
        _number(),
        *_made(),
        *_texts("uuid", "name", "crontab"),
        *_flags("enabled"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_repositories",
        _number(),
        *_made(),
        *_texts("uuid", "name", "path", "repository_key"),
        *_sizes(),
        *_flags("ready", "enabled"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_policies",
        _number(),
        *_made(),
        *_texts("uuid", "name", "extra_vars", "policy_type", "vmprovider"),
        *_texts("prehook", "posthook"),
        _refers("schedule_id", "cyborg_schedules"),
        _refers("repository_id", "cyborg_repositories"),
        *(
            sa.Column(f"keep_{which}", sa.Integer)
            for which in ("hourly", "daily", "weekly", "monthly", "yearly")
        ),
        sa.Column("next_run", sa.Float),
        *_flags("mode_pull", "enabled"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_policy_clients",
        _refers("policy_id", "cyborg_policies", primary_key=True),
        _refers("client_id", "cyborg_clients", primary_key=True),
    )


def _refers(name: str, table: str, *, primary_key: bool = False) -> sa.Column[int]:
    to = sa.ForeignKey(f"{table}.id")
    return sa.Column(name, sa.BigInteger, to, primary_key=primary_key, nullable=False)


def _make_records() -> None:
    op.create_table(
        "cyborg_jobs",
        _number(),
        *_made(),
        sa.Column("engine_id", sa.Text, unique=True),
        *_texts("name", "launch_type", "job_type", "status", "job_args", "job_cwd"),
        *_texts("job_env", "job_explanation", "result_traceback", "extra_vars"),
        *(
            sa.Column(f"{which}_id", sa.BigInteger)
            for which in (
                "policy",
                "client",
                "repository",
                "master_job",
                "dependent_jobs",
            )
        ),
        *_flags("failed", "event_processing_finished"),
        sa.Column("started", sa.Float),
        sa.Column("finished", sa.Float),
        sa.Column("elapsed", sa.Float, nullable=False),
        *_sizes(),
        sa.Column("archive_name", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_job_events",
        _number(),
        _refers("job_id", "cyborg_jobs"),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("counter", sa.Integer, nullable=False),
        *_texts("event", "stdout"),
        *_flags("failed"),
        sa.Column("start_line", sa.Integer, nullable=False),
        sa.Column("end_line", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_catalog",
        _number(),
        *_texts("archive_name", "path", "mode", "kind", "owner", "group"),
        sa.Column("job_id", sa.BigInteger),
        sa.Column("mtime", sa.Float, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        *_flags("healthy"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cyborg_settings",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        *_texts("setting_type", "value", "group"),
        sa.Column("order", sa.SmallInteger, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("modified", sa.Float, nullable=False),
    )
    op.create_table(
        "password_resets",
        sa.Column("id", sa.LargeBinary(32), primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )


def _make_indexes() -> None:
    for name, table, columns in (
        ("cyborg_policies_schedule", "cyborg_policies", ["schedule_id"]),
        ("cyborg_policies_repository", "cyborg_policies", ["repository_id"]),
        ("cyborg_policies_next_run", "cyborg_policies", ["next_run"]),
        ("cyborg_policy_clients_client", "cyborg_policy_clients", ["client_id"]),
        ("cyborg_jobs_status", "cyborg_jobs", ["status"]),
        ("cyborg_jobs_client", "cyborg_jobs", ["client_id"]),
        ("cyborg_jobs_archive", "cyborg_jobs", ["archive_name"]),
        ("cyborg_job_events_job", "cyborg_job_events", ["job_id", "counter"]),
        ("cyborg_catalog_archive", "cyborg_catalog", ["archive_name"]),
        ("cyborg_catalog_path", "cyborg_catalog", ["archive_name", "path"]),
        ("cyborg_catalog_job", "cyborg_catalog", ["job_id"]),
    ):
        op.create_index(name, table, columns)
