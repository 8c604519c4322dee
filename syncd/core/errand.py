"""What a worker is told to do, and what it tells of it; frames of wire.py.

A worker is a process that does one thing and ends. Its first frame is Ask; it is
answered by a Work. It then tells Advance, at most a few times a second, and in the
end Done. Output does not travel: it is in the job's log, and Advance says how far.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct

from syncd.core.backup import VaultView
from syncd.core.borg.tasks import Result, Task
from syncd.core.job import Progress

UNTRUSTED = "untrusted"
"""Why something failed: where the vault store was, it is no more."""


class Deed(StrEnum):
    """What a worker can do: every kind of job, and a few things in between."""

    BACKUP = "backup"
    RESTORE = "restore"
    EVICT = "evict"
    VERIFY = "verify"
    DRILL = "drill"
    UPLOAD = "upload"
    SURVEY = "survey"
    """Say what is in the store, after moving aside what nobody makes any more."""
    MEND = "mend"
    """Take back what a job that was cut off has left half done in its source."""
    HEALTH = "health"
    """Say how the source is."""
    PIN = "pin"
    DOWNLOAD = "download"
    """Give a vault's files as a zip, on a socket."""
    BORG = "borg"
    """Do what the work's ``borg`` says; whatever kind of job that is."""


class Part(Struct, frozen=True):
    """A source or a vault store: where its class is, and what it is made of."""

    reference: str
    """``module:name``; it is made by its ``create``."""
    options: dict[str, Any] = {}


class Command(Struct, frozen=True):
    """A command that is run before or after a job."""

    words: list[str]
    timeout: float
    """Seconds."""


class Work(Struct, frozen=True, kw_only=True, tag=True):
    """One deed, with all that it takes; only here secrets travel."""

    id: str
    deed: Deed
    store: Part | None = None
    """What is done to Borg's repositories has none."""
    borg: Task | None = None
    source: Part | None = None
    source_name: str = ""
    entries: dict[str, dict[str, Any]] = {}
    """The configured entries, as backup_sources.contract.Storage."""
    vault: str | None = None
    asked: dict[str, Any] = {}
    """In the words of the deed; see child/deeds."""
    who: str = ""
    made: float = 0.0
    """When it was asked for; seconds since 1970."""
    log: str
    """File for what it says."""
    scratch: str
    """Folder, its own, for what it needs meanwhile; gone when it ends."""
    keep: str = ""
    """Folder of the source's own, which stays when it ends; empty: there is none."""
    secrets: list[str] = []
    """What may stand in no line of the log."""
    before: list[Command] = []
    after: list[Command] = []


class Cancel(Struct, frozen=True, tag=True):
    """End what you do, in an orderly way."""

    why: str


class Advance(Struct, frozen=True, tag=True):
    """How far it is."""

    progress: Progress
    logged: int
    """Bytes of its log."""


class Done(Struct, frozen=True, kw_only=True, tag=True):
    """What came of it; with an ``error`` it has failed."""

    result: dict[str, Any] = {}
    vaults: list[VaultView] = []
    """What is known now of vaults that were made or looked at."""
    gone: list[str] = []
    """Vaults that are no more."""
    aside: list[str] = []
    """Vaults that were never finished, as the store has put them aside."""
    store: str = ""
    """Id of the vault store that was opened; empty: it has none, or was not opened."""
    borg: Result | None = None
    """What came of a task for Borg."""
    error: str = ""
    reason: str = ""
    """The same as one word: ``wrong``, ``missing``, ``full``, ``damaged``, ..."""
    retry: bool = False
    """Whether nothing had begun, and trying again may help."""
