"""What is known of whole machines, one value for each row; times in seconds since 1970.

Secrets are sealed in all of them (store/sealing).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Record(Struct, frozen=True, kw_only=True):
    """What every row has."""

    id: int


class Made(Record, frozen=True, kw_only=True):
    """What rows have that people make and change."""

    created: float
    modified: float
    created_by: int | None
    modified_by: int | None


class Client(Made, frozen=True, kw_only=True):
    """A machine that is backed up."""

    uuid: str
    hostname: str
    ip: str
    version: str
    """Of the Borg that was found there; empty: not known."""
    hypervisor_name: str
    bandwidth_limit: int | None
    """KiB a second."""
    port: int
    ready: bool
    hypervisor_ready: bool
    mark_as_to_update: bool
    enabled: bool
    behind_firewall: bool


class Schedule(Made, frozen=True, kw_only=True):
    """When policies are carried out."""

    uuid: str
    name: str
    crontab: str
    enabled: bool


class Repository(Made, frozen=True, kw_only=True):
    """Where archives lie."""

    uuid: str
    name: str
    path: str
    repository_key: str
    original_size: int
    compressed_size: int
    deduplicated_size: int
    ready: bool
    enabled: bool


class Policy(Made, frozen=True, kw_only=True):
    """What is backed up, of which clients, when, and where to."""

    uuid: str
    name: str
    extra_vars: str
    """JSON, sealed as a whole."""
    policy_type: str
    vmprovider: str
    prehook: str
    posthook: str
    schedule_id: int
    repository_id: int
    keep_hourly: int | None
    keep_daily: int | None
    keep_weekly: int | None
    keep_monthly: int | None
    keep_yearly: int | None
    next_run: float | None
    mode_pull: bool
    enabled: bool


class Job(Made, frozen=True, kw_only=True):
    """One step of a backup, or whatever else was to be done."""

    engine_id: str | None
    name: str
    launch_type: str
    job_type: str
    status: str
    job_args: str
    job_cwd: str
    job_env: str
    job_explanation: str
    result_traceback: str
    extra_vars: str
    policy_id: int | None
    client_id: int | None
    repository_id: int | None
    master_job_id: int | None
    dependent_jobs_id: int | None
    failed: bool
    event_processing_finished: bool
    started: float | None
    finished: float | None
    elapsed: float
    original_size: int
    compressed_size: int
    deduplicated_size: int
    archive_name: str | None


class Event(Record, frozen=True, kw_only=True):
    """One line of a job's output."""

    job_id: int
    created: float
    counter: int
    event: str
    stdout: str
    failed: bool
    start_line: int
    end_line: int


class Item(Record, frozen=True, kw_only=True):
    """One file in an archive."""

    archive_name: str
    path: str
    mode: str
    kind: str
    owner: str
    group: str
    job_id: int | None
    mtime: float
    size: int
    healthy: bool


class Setting(Record, frozen=True, kw_only=True):
    """One setting."""

    key: str
    setting_type: str
    value: str
    group: str
    order: int
    created: float
    modified: float


class Person(Record, frozen=True, kw_only=True):
    """A user, without what proves it."""

    email: str
    role: str
    disabled: bool
    created_at: float
    first_name: str
    last_name: str
    notify_backup_daily: bool
    notify_backup_weekly: bool
    notify_backup_monthly: bool
    notify_backup_success: bool
    notify_backup_failed: bool
    notify_backup_summary: bool


KINDS: dict[str, type[Record]] = {
    "users": Person,
    "clients": Client,
    "schedules": Schedule,
    "repositories": Repository,
    "policies": Policy,
    "jobs": Job,
    "job_events": Event,
    "catalogs": Item,
    "settings": Setting,
}
"""By the names of the models."""


def record(name: str, row: Mapping[str, Any]) -> Any:
    """Return a row of a model as its record."""
    kind = KINDS[name]
    return kind(**{field: row[field] for field in kind.__struct_fields__})
