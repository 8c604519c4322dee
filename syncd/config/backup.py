"""The ``backup`` section: where vaults lie, what is backed up, when, and who is told.

Read only where there is such a section, or where backups are opened.
"""

import json
from collections.abc import Callable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, PlainValidator, ValidationError

from syncd.backup_sources import registry
from syncd.config.daemon import Daemon
from syncd.config.value import Value
from syncd.config.values import seconds
from syncd.core import cron, retention
from syncd.core.job import Kind
from syncd.document import Fault, Place
from syncd.errors import BadRequest, ConfigError

InWords = Callable[[ValidationError, type[BaseModel]], list[Fault]]

Seconds = Annotated[float, PlainValidator(seconds)]

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


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")) or len(value.split("/")) < 3:
        raise ValueError("is no address; write https://HOST/PATH")
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
        description="when: five fields (minute, hour, day, month, weekday), or six"
        " with seconds, or @hourly, @daily, ..."
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


class Hook(Value):
    """A command that is run, or an address that is told, before or after jobs."""

    command: tuple[str, ...] = Field(
        default=(),
        description="the command and its arguments, each a text of its own; SYNCD_JOB,"
        " SYNCD_KIND, SYNCD_SOURCE, SYNCD_VAULT and (after) SYNCD_ERROR tell it more",
    )
    url: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="the address that gets a POST of what happens"
    )
    secret: str = Field(
        default="", repr=False, description="what the POST is signed with, by HMAC"
    )
    timeout: Seconds = Field(
        default=60.0, description="how long it may take: 60, 90s, 15m"
    )
    kinds: tuple[Kind, ...] = Field(
        default=(Kind.BACKUP,), description="the kinds of jobs that it is for"
    )


class Hooks(Value):
    """What is run or told around jobs."""

    before: tuple[Hook, ...] = Field(
        default=(), description="a job fails if one of these does"
    )
    after: tuple[Hook, ...] = Field(
        default=(), description="these are run whatever came of the job"
    )


class Mail(Value):
    """The server that takes mail, and whom it is for."""

    host: str = Field(min_length=1, description="name of the mail server")
    port: int = Field(default=25, ge=1, le=65535, description="its port")
    tls: Literal["none", "starttls", "tls"] = Field(
        default="none", description="how the connection is encrypted"
    )
    user: str = Field(default="", description="the account there, if one is needed")
    password: str = Field(default="", repr=False, description="its password")
    sender: str = Field(min_length=3, description="whom the mail is from")
    to: tuple[str, ...] = Field(min_length=1, description="whom it is for")


class Told(Value):
    """An address that is told of failures, recovery and staleness."""

    url: Annotated[str, AfterValidator(_address)] = Field(
        description="the address that gets a POST"
    )
    secret: str = Field(
        default="", repr=False, description="what the POST is signed with, by HMAC"
    )


class Notify(Value):
    """Who is told when something fails, goes well again, or is too old."""

    mail: Mail | None = Field(default=None, description="mail, through this server")
    web: tuple[Told, ...] = Field(default=(), description="addresses that are told")
    stale: Seconds | None = Field(
        default=None,
        description="the age from which on the newest valid vault of a source is too"
        " old: 26h; without it, none ever is",
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

    def sections(self) -> dict[str, Section]:
        """Return the stores by name."""
        found: dict[str, Section] = {"full": self}
        if self.incremental is not None:
            found["incremental"] = self.incremental
        return found


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
    ("daemon",): Daemon,
}
"""What stands where; ``*`` is any number."""


def read(said: Any) -> Backup:
    """Return what the section says; None: nothing is said. It was checked before."""
    return Backup.model_validate_json(json.dumps(said or {}))


def faults(said: Any, in_words: InWords) -> list[Fault]:
    """Return what is wrong with the section, each with its place in the whole."""
    place: Place = ("backup",)
    if not isinstance(said, dict):
        return [Fault(place, "is not a mapping; write KEY: VALUE below it")]
    found: list[Fault] = []
    try:
        Backup.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        found = [Fault((*place, *f.place), f.words) for f in in_words(error, Backup)]
    for inside, section in (((), said), (("incremental",), said.get("incremental"))):
        if isinstance(section, dict):
            found += _together((*place, *inside), section, in_words)
    return found


def model(place: Place) -> type[BaseModel]:
    """Return the model of what stands at a place of the section."""
    shape = tuple("*" if isinstance(part, int) else part for part in place)
    if shape[:1] == ("incremental",) and len(shape) > 1:
        shape = shape[1:]
    return MODELS.get(shape, Backup)


def _together(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    found = _sources(place, said, in_words)
    names = said.get("sources")
    known = list(names) if isinstance(names, dict) and names else [DEFAULT]
    for number, timing in _items(said.get("schedule")):
        source = timing.get("source", DEFAULT)
        if isinstance(source, str) and source not in (*known, DEFAULT):
            words = f"names no source; known: {', '.join(map(str, known))}"
            found.append(Fault((*place, "schedule", number, "source"), words))
    if said.get("eviction") is not None and said.get("keep") is not None:
        words = "cannot stand beside eviction; say one of them"
        found.append(Fault((*place, "keep"), words))
    hooks = said.get("hooks")
    hooks = hooks if isinstance(hooks, dict) else {}
    for when in ("before", "after"):
        for number, hook in _items(hooks.get(when)):
            if bool(hook.get("command")) == bool(hook.get("url")):
                words = "needs either a command or a url; give one of them"
                found.append(Fault((*place, "hooks", when, number), words))
    return found


def _items(value: Any) -> list[tuple[int, dict[str, Any]]]:
    some = value if isinstance(value, list) else []
    return [(number, one) for number, one in enumerate(some) if isinstance(one, dict)]


def _sources(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    many, one = said.get("sources"), said.get("source")
    if many and one:
        words = "cannot stand beside sources; put it among them, with a name"
        return [Fault((*place, "source"), words)]
    found = []
    if isinstance(one, dict):
        found += _source((*place, "source"), one, in_words)
    for name, source in many.items() if isinstance(many, dict) else ():
        if isinstance(source, dict):
            found += _source((*place, "sources", name), source, in_words)
    return found


def _source(place: Place, said: dict[str, Any], in_words: InWords) -> list[Fault]:
    kind = said.get("kind")
    if not isinstance(kind, str) or not kind:
        return [Fault((*place, "kind"), "is missing; write kind: entries, or another")]
    if ":" in kind:
        return []  # Of a package that announces nothing; it checks its options itself.
    try:
        model = registry.options(kind)
    except ConfigError as error:
        return [Fault((*place, "kind"), str(error))]
    options = {key: value for key, value in said.items() if key != "kind"}
    try:
        model.model_validate_json(json.dumps(options), strict=True)
    except ValidationError as error:
        found = in_words(error, model)
        return [Fault((*place, *fault.place), fault.words) for fault in found]
    return []
