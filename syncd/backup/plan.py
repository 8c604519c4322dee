"""What the configuration wants of backups, as values."""

from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from syncd.core.backup import BackupRequest
from syncd.core.cron import Schedule
from syncd.core.errand import Command, Part
from syncd.core.job import Kind, Retries
from syncd.core.retention import Calendar

WHICH = ("full", "partial")
"""The policies of a store: for vaults of everything, and for those of a choice."""


class Misfire(StrEnum):
    """What becomes of a run that was missed, as nothing ran at its time."""

    RUN = "run"
    """It is made up for, once, however many were missed."""
    SKIP = "skip"


class WebHook(Struct, frozen=True):
    """An address that is told of something, by a signed POST."""

    url: str
    secret: str = ""
    """What the signature is made with; empty: there is none."""
    timeout: float = 10.0


class Hooks(Struct, frozen=True):
    """What is run or told before and after each job of a kind."""

    before: list[Command] = []
    after: list[Command] = []
    before_web: list[WebHook] = []
    after_web: list[WebHook] = []


class Mail(Struct, frozen=True, kw_only=True):
    """How mail is sent."""

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = ""
    sender: str
    to: list[str]
    timeout: float = 30.0


class Notify(Struct, frozen=True):
    """Who is told of failures, of recovery, and of backups that are too old."""

    mail: Mail | None = None
    web: list[WebHook] = []
    stale: float | None = None
    """Seconds after which the newest valid vault of a source is too old."""


class Timed(Struct, frozen=True, kw_only=True):
    """Something that is asked for again and again."""

    name: str
    kind: Kind
    schedule: Schedule
    zone: ZoneInfo | tzinfo
    misfire: Misfire = Misfire.RUN
    jitter: float = 0.0
    """Seconds that a run may be put off, other for each run and each daemon."""
    source: str
    databases: list[Any] | None = None
    unless_younger: float = 0.0
    """Seconds; a backup is not made if a valid vault of the source is younger."""

    def request(self) -> BackupRequest:
        """Return what a backup of it asks for."""
        return BackupRequest(source=self.source, databases=self.databases)


class Plan(Struct, frozen=True, kw_only=True):
    """One store of vaults, the sources that are backed up there, and when."""

    name: str
    """Of the store."""
    store: Part
    path: Path
    """Where the store lies."""
    elsewhere: Path
    """Below it vaults are kept in folders of their own."""
    sources: dict[str, Part]
    sounded: frozenset[str] = frozenset()
    """Names of the sources that are asked how they are while no job runs."""
    default: str
    """Name of the source that is meant where none is named."""
    policies: dict[str, str] = {}
    """By WHICH; where there is none, nothing is given up."""
    calendars: dict[str, Calendar] = {}
    """By WHICH, too: policies that are said in counts, not in text."""
    zone: ZoneInfo | tzinfo
    """In which vaults are named, and calendars count."""
    timeouts: dict[Kind, float] = {}
    retries: dict[Kind, Retries]
    hooks: dict[Kind, Hooks] = {}
    notify: Notify = Notify()
    timed: list[Timed] = []
    secrets: list[str] = []
    entries: dict[str, dict[str, Any]] = {}
    """The configured entries, for sources that read or write them."""
    queue: int = 1000
    """Jobs that may wait; more are refused."""
    grace: float = 20.0
    """Seconds that a job told to end gets for that."""

    def modules(self, source: str) -> list[str]:
        """Return what has to be loaded to back a source up."""
        parts = [
            self.store.reference,
            *(one["driver"] for one in self.entries.values()),
        ]
        if source in self.sources:
            parts.append(self.sources[source].reference)
        return sorted({reference.partition(":")[0] for reference in parts})
