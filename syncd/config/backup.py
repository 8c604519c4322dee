"""The ``backup`` section: where vaults lie, what is backed up, when, and who is told.

Read only where there is such a section, or where backups are opened.
"""

import json
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, PlainValidator

from syncd.config.daemon import Daemon
from syncd.config.telling import Hook, Hooks, Mail, Notify, Seconds, Told
from syncd.config.value import Value
from syncd.core import cron, match, retention
from syncd.core.job import Kind
from syncd.document import Place
from syncd.errors import BadRequest

DEFAULT = "default"
"""Name of the source that is the only one."""


def _crontab(value: str) -> str:
    try:
        cron.parse(value)
    except BadRequest as error:
        raise ValueError(f"{error}; write it like '0 3 * * *'") from None
    return value


def _policy(value: str) -> str:
    try:
        retention.parse(value)
    except BadRequest as error:
        raise ValueError(f"{error}; write it like 0/1d,7d/delete") from None
    return value


def _counts(value: dict[str, int]) -> dict[str, int]:
    try:
        retention.calendar(value, UTC)
    except BadRequest as error:
        raise ValueError(f"{error}; write it like {{daily: 7, weekly: 4}}") from None
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(
            "is no time zone; write one like Europe/Berlin, or UTC"
        ) from None
    return value


Crontab = Annotated[str, AfterValidator(_crontab)]
Policy = Annotated[str, AfterValidator(_policy)]
Counts = Annotated[dict[str, int], AfterValidator(_counts)]


class Encrypt(Value):
    """How what is kept is encrypted: in the age format, so that `age -d` reads it."""

    identity: str = Field(
        repr=False,
        description="the secret key, AGE-SECRET-KEY-1...: !file of a file outside the"
        " store, or !env",
    )
    recipients: tuple[str, ...] = Field(
        default=(),
        description="further public keys, age1..., that can decrypt it: a spare key",
    )


class Store(Value):
    """Where vaults lie, and how."""

    kind: str = Field(
        default="local",
        description="local: a folder; or MODULE:CLASS of a package that is installed",
    )
    path: Path | None = Field(
        default=None,
        description="folder of the vaults; without it, backups in the state folder",
    )
    elsewhere: Path | None = Field(
        default=None,
        description="folder of the vaults that are asked for in a folder of their own"
        " (externalBackupPath); without it, elsewhere in that of the vaults",
    )
    compress: Literal["none", "zstd"] = Field(
        default="none", description="whether what is kept is compressed"
    )
    encrypt: Encrypt | None = Field(
        default=None, description="the keys, if what is kept is to be encrypted"
    )


class Timing(Value):
    """A backup that is made again and again."""

    at: Crontab = Field(
        description="when: five fields (minute, hour, day, month, weekday), then"
        " perhaps one for seconds, or @hourly, @daily, ..."
    )
    name: str = Field(
        default="", description="what jobs of it are called; without it, a number"
    )
    source: str = Field(
        default=DEFAULT, description="which of the sources; the only one, if not said"
    )
    databases: tuple[str, ...] | None = Field(
        default=None, description="only these of the source; without it, all of it"
    )
    unless_younger: Seconds = Field(
        default=0.0,
        description="it is left out if a valid vault of the source is younger: 12h",
    )


class Section(Value):
    """One store of vaults, and what is backed up there."""

    store: Store = Field(default=Store(), description="where vaults lie, and how")
    source: dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="what is backed up: {kind: entries}, which is also so without it,"
        " or another kind with its options",
    )
    sources: dict[str, dict[str, Any]] = Field(
        default={},
        repr=False,
        description="several sources, by name, in place of source; the first is meant"
        " where none is named",
    )
    schedule: tuple[Timing, ...] = Field(
        default=(), description="when backups are made by themselves"
    )
    verify: Crontab | None = Field(
        default=None,
        description="when of each source the vault that waited longest is read again"
        " and compared",
    )
    drill: Crontab | None = Field(
        default=None,
        description="when of each source the newest vault is restored into scratch"
        " space and compared",
    )
    time_zone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None,
        description="in which schedules and names of vaults are meant; without it,"
        " that of the machine",
    )
    misfire: Literal["run", "skip"] = Field(
        default="run",
        description="what becomes of runs that were missed while syncd was not there:"
        " one is made up for (run), or none (skip)",
    )
    jitter: Seconds = Field(
        default=0.0, description="up to how much later than said a run begins: 5m"
    )
    eviction: Policy | None = Field(
        default=None,
        description="which vaults of everything are given up after each backup, such"
        " as 0/1d,7d/delete; without it, none are",
    )
    keep: Counts | None = Field(
        default=None,
        description="in place of eviction, of how many of the newest hours, days, ..."
        " with a vault the newest one stays, in the time_zone: {last: 3, hourly: 24,"
        " daily: 7, weekly: 4, monthly: 12, yearly: 5}",
    )
    granular_eviction: Policy | None = Field(
        default=None, description="the same for vaults of chosen databases"
    )
    granular_keep: Counts | None = Field(
        default=None,
        description="in place of granular_eviction, as keep is of eviction",
    )
    queue: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="jobs that may wait; who asks for more is answered 503 until some"
        " are done. Evictions, and what is due by the clock, are never refused",
    )
    timeout: dict[Kind, Seconds] = Field(
        default={},
        description="how long jobs of a kind may run: {backup: 4h}; without it, for"
        " ever",
    )
    grace: Annotated[Seconds, Field(ge=0)] = Field(
        default=20.0,
        description="how long a job that is told to end gets for that, before it is"
        " killed",
    )
    retries: dict[Kind, Annotated[int, Field(ge=0, le=100)]] = Field(
        default={},
        description="how often jobs of a kind are tried again when trying again may"
        " help: {evict: 3}",
    )
    hooks: Hooks = Field(default=Hooks(), description="what is run around jobs")
    notify: Notify = Field(default=Notify(), description="who is told of trouble")

    def zone(self, local: tzinfo) -> tzinfo:
        """Return the time zone that is meant."""
        return ZoneInfo(self.time_zone) if self.time_zone else local

    def all_sources(self) -> dict[str, dict[str, Any]]:
        """Return the sources by name, the one first that is meant where none is."""
        return self.sources or {DEFAULT: self.source or {"kind": "entries"}}


NIGHTLY = (Timing(at="0 1 * * *", name="nightly", unless_younger=43_200.0),)
AGES = "near 120d, 90d, 60d, 30d, 20d, 10d, 7d, 6d, 5d, 4d, 3d, 2d, 1d, 0d"


class OpTools(Section):
    """The store of a blockchain network's console, and how its API behaves."""

    schedule: tuple[Timing, ...] = Field(
        default=NIGHTLY,
        description="when backups are made by themselves: at 1 at night",
    )
    jitter: Seconds = Field(
        default=600.0, description="up to how much later than said a run begins: 5m"
    )
    eviction: Policy | None = Field(
        default=AGES,
        description="which vaults are given up after each backup: those that are not"
        " nearest to one of these ages",
    )
    granular_eviction: Policy | None = Field(
        default="7d/delete",
        description="the same for vaults of what somebody sent to be restored",
    )
    body: Annotated[int, PlainValidator(match.size)] = Field(
        default=25 << 20,
        description="how large a body may be, which may be a whole backup: 100MiB",
    )
    private_hooks: bool = Field(
        default=False,
        description="whether clients may have addresses told of the end of a restore"
        " that are not public",
    )

    def all_sources(self) -> dict[str, dict[str, Any]]:
        """Return the sources by name: without any, syncd's own records."""
        return self.sources or {DEFAULT: self.source or {"kind": "records"}}


class Backup(Section):
    """All that is said of backups."""

    parallel: int = Field(
        default=2, ge=1, le=100, description="jobs that run at once, at most"
    )
    daemon: Daemon = Field(
        default=Daemon(), description="how the backup daemon's API behaves"
    )
    incremental: Section | None = Field(
        default=None,
        description="a second store with sources, schedules and policies of its own,"
        " for clients that ask for incremental backups",
    )

    optools: OpTools | None = Field(
        default=None,
        description="a store for the databases of a blockchain network's console;"
        " without it, that of syncd's own records, and none is made by itself",
    )

    def sections(self) -> dict[str, Section]:
        """Return the stores by name."""
        found: dict[str, Section] = {"full": self}
        if self.incremental is not None:
            found["incremental"] = self.incremental
        found["optools"] = self.optools or OpTools(schedule=())
        return found


FURTHER = ("incremental", "optools")
"""Where further stores stand."""

MODELS: dict[Place, type[BaseModel]] = {
    (): Backup,
    ("store",): Store,
    ("store", "encrypt"): Encrypt,
    ("schedule", "*"): Timing,
    ("hooks",): Hooks,
    ("hooks", "before", "*"): Hook,
    ("hooks", "after", "*"): Hook,
    ("notify",): Notify,
    ("notify", "mail"): Mail,
    ("notify", "web", "*"): Told,
    ("incremental",): Section,
    ("optools",): OpTools,
    ("daemon",): Daemon,
}
"""What stands where; ``*`` is any number."""


def read(said: Any) -> Backup:
    """Return what the section says; None: nothing is said. It was checked before."""
    return Backup.model_validate_json(json.dumps(said or {}))


def model(place: Place) -> type[BaseModel]:
    """Return the model of what stands at a place of the section."""
    shape = tuple("*" if isinstance(part, int) else part for part in place)
    if shape[:1] in [(name,) for name in FURTHER] and len(shape) > 1:
        shape = shape[1:]
    return MODELS.get(shape, Backup)
