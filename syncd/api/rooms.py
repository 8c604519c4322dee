"""What the HTTP API asks of the rooms below it, and the values it gets.

Names of files are for people (core.path.readable); where that is not the whole
truth, ``filename_base64`` has the name's bytes. Fields that say nothing (None)
are left out of answers.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import Struct, field

from syncd import clock
from syncd.api.backups import Backups
from syncd.api.events import News
from syncd.api.manners import CyborgManners, DaemonManners, OpToolsManners
from syncd.core.file import Alarm, Kind, Stamp
from syncd.core.keeping import Loss

if TYPE_CHECKING:
    from syncd.api.records import Records


class FileState(StrEnum):
    """How far a file is, over all its owners."""

    UPTODATE = "uptodate"
    PENDING = "pending"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    HELD = "held"


class FileView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file as the API shows it."""

    fid: str
    filename: str
    filename_base64: str | None = None
    """The name's bytes, where the name alone does not tell them."""
    size: int
    owners: list[str]
    """The entries that should hold it."""
    uptodate: list[str]
    """The owners that hold its newest version."""
    mimetype: str | None = None
    kind: Kind
    mtime: float
    """Seconds since 1970."""
    digest: str | None = None
    """BLAKE3 of the content."""
    state: FileState
    conflict_of: str | None = None
    """Name of the file that this one was kept from."""


class ConflictState(StrEnum):
    """What became of a conflict."""

    KEPT = "kept"
    DISPUTED = "disputed"


class SideView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one entry holds of a file that waits for a decision."""

    entry: str
    kind: Kind
    size: int
    mtime: float
    digest: str | None = None
    """BLAKE3 of the content, where somebody has read it."""


class ConflictView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conflict: a content kept beside the file that won, or a file in dispute."""

    fid: str
    filename: str
    filename_base64: str | None = None
    state: ConflictState
    """``kept`` beside another file, or ``disputed``: a person is to decide."""
    conflict_of: str | None = None
    """Name of the file that it was kept from."""
    conflict_of_fid: str | None = None
    sides: list[SideView] = []
    """What there is to choose from, by entry."""
    size: int
    mtime: float
    owners: list[str]
    uptodate: list[str]


class RuleSaid(Struct, frozen=True):
    """A rule that matches a file."""

    number: int
    """Its place among the rules, from 1."""
    rule: Any
    """As it was written."""


class CopySaid(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How things are with a file on one entry, and why."""

    entry: str
    owner: bool
    uptodate: bool
    present: bool
    state: str
    """What is done or waited for: uptodate, pending, blocked, held, kept, none, ..."""
    because: str
    """Why the entry should hold the file or should not, in words."""
    reason: str | None = None
    """What is in the way."""
    attempts: int = 0
    retry_at: float | None = None
    """When it is tried again; seconds since 1970."""


class StepSaid(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step on the way of a change, from where it was noticed to where it went."""

    at: float
    """Seconds since 1970."""
    step: str
    """``noticed``, ``decided``, ``ordered``, ``done`` or ``failed``."""
    what: str
    """What was noticed (found, gone), decided (changed, moved, deleted) or ordered."""
    entry: str | None = None
    entries: list[str] = []
    """Those that should have it, as was decided."""
    sources: list[str] = []
    """Where the content may be had, best first."""
    bytes: int = 0
    """How much was copied."""
    reason: str | None = None
    """Why it failed."""


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which rules put a file where, what is pending, and why."""

    file: FileView
    rules: list[RuleSaid]
    entries: list[CopySaid]
    cause: str | None = None
    """Id of the change its newest version came from, as in the log."""
    story: list[StepSaid] = []
    """What is remembered of that change, from the event to the copies."""
    deleted: bool = False
    """Whether the newest version is that there is no file."""
    moved_from: str | None = None
    """The name it had before, if its newest version was made by a move."""


class Copied(Struct, frozen=True):
    """Where the content of a file can be read."""

    entry: str
    socket: Path
    path: str
    stamp: Stamp


class Located(Struct, frozen=True):
    """A file, and who can give its newest content, best first."""

    file: FileView
    sources: list[Copied]


class EntryView(Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as it was configured; secrets are hidden."""

    name: str
    driver: str
    options: dict[str, Any]


class InFlight(Struct, frozen=True):
    """A transfer to an entry that takes long enough to be seen."""

    filename: str
    bytes: int
    copied: int
    source: str


class EntryDetails(Struct, frozen=True, kw_only=True):
    """How an entry is."""

    name: str
    driver: str
    status: str
    """``active`` or ``stopped``."""
    life: str = field(name="state")
    """Where it is in its life: starting, active, suspended, failing, stopped, ..."""
    reason: str | None = None
    files: int = 0
    bytes: int = 0
    uptodate: int = 0
    pending: int = 0
    blocked: int = 0
    conflicts: int = 0
    in_flight: list[InFlight] = []
    last_walk: float | None = None
    """When the last walk of the whole storage ended; seconds since 1970."""
    watched: int = 0
    """Folders that tell of their changes."""
    unwatched: int = 0
    """Folders that do not: they are looked into one by one, in turn."""
    watched_ratio: float | None = None
    """The part of the folders that is watched; null while nothing is known."""
    oldest_unscanned_seconds: float | None = None
    """How long ago the unwatched folder that waits longest was looked into."""
    overflows: int = 0
    """How often more happened at once than is told, so that all was compared."""
    restarts: int = 0
    pid: int | None = None
    held: int = 0
    """Changes that wait for a person to approve or restore them."""
    held_since: float | None = None
    """When the first of them began to wait; seconds since 1970."""


class HeldChanges(Struct, frozen=True, omit_defaults=True):
    """Changes of one kind that wait for a person: too many came at once."""

    changes: Alarm
    files: int
    since: float
    """Seconds since 1970."""
    passed: int = 0
    """How many more were passed on before, as it was not yet clear; to be undone."""
    passed_since: float | None = None
    """When the first of these was; seconds since 1970."""


class HeldFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of which a change is held."""

    fid: str
    filename: str
    filename_base64: str | None = None
    change: Alarm
    since: float
    size: int
    """Of what the other entries hold."""


class HeldView(Struct, frozen=True):
    """What of an entry is held until a person decides."""

    reason: str
    """What is held, and what can be done."""
    changes: list[HeldChanges]
    total: int
    """How many files there are to list."""
    files: list[HeldFile]


class StateView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it is with what syncd itself has to keep."""

    usable: bool
    """Whether anything can be recorded; while it cannot, nothing is changed."""
    reason: str | None = None
    """Why it cannot, and what helps."""
    last_stop: str
    """How the run before this one ended: ``clean``, ``killed`` or ``power cut``."""
    replaced: str | None = None
    """Where the index was moved that this run found damaged; a new one was made."""


class DriverView(Struct, frozen=True):
    """A kind of storage that entries can be on."""

    name: str
    about: str
    options: dict[str, Any]
    """What an entry's options may say, as JSON Schema."""


class Files(Protocol):
    """The files as they are known; reading only."""

    async def page(
        self,
        *,
        offset: int,
        limit: int,
        path: str | None,
        owner: str | None,
        state: str | None,
    ) -> tuple[int, list[FileView]]:
        """Return how many files there are in all, and some of them.

        They come in the order they became known, so that pages never overlap.
        ``path`` keeps that file and what lies below it.
        """
        ...

    async def file(self, fid: str) -> FileView:
        """Return one file; raise NotFound."""
        ...

    async def conflicts(
        self, *, offset: int, limit: int
    ) -> tuple[int, list[ConflictView]]:
        """Return how many conflicts there are in all, and some of them."""
        ...

    async def explain(self, fid: str) -> Explanation:
        """Return why a file is where it is, or is gone; raise NotFound."""
        ...

    async def locate(self, fid: str) -> Located:
        """Return who can give a file's content; raise NotFound or Unavailable."""
        ...


class Conflicts(Protocol):
    """Conflicts that wait for a person."""

    async def resolve(self, fid: str, keep: str) -> None:
        """Keep what that entry holds, or ``both``; raise NotFound or Conflict.

        Raise BadRequest if no entry is called so.
        """
        ...


class Entries(Protocol):
    """The entries and their children; whatever takes a name may raise NotFound."""

    def list(self) -> Sequence[EntryView]:
        """Return all entries in the order of the configuration."""
        ...

    def get(self, name: str) -> EntryView:
        """Return one entry."""
        ...

    async def start(self, name: str) -> None:
        """Start it and return once it runs; raise Conflict if it does already."""
        ...

    async def stop(self, name: str) -> None:
        """Stop it and return once it is gone; raise Conflict if it is stopped."""
        ...

    async def restart(self, name: str) -> None:
        """Stop and start it; raise Conflict if it is not running."""
        ...

    def status(self, name: str) -> str:
        """Return ``active`` or ``stopped``."""
        ...

    async def stats(self, name: str) -> dict[str, float | str]:
        """Return the figures of its process; raise Conflict if there is none."""
        ...

    async def held(self, name: str, *, offset: int, limit: int) -> HeldView | None:
        """Return what of it is held, with some of the files; None if nothing is."""
        ...

    async def approve(self, name: str) -> None:
        """Take storage and held changes as meant; raise Conflict if none wait."""
        ...

    async def restore(self, name: str) -> None:
        """Undo its held changes, or fill its storage; raise Conflict if none wait."""
        ...

    def details(self) -> Sequence[EntryDetails]:
        """Return how each entry is, in the order of the configuration."""
        ...


class Rulebook(Protocol):
    """The rules in force."""

    def shown(self) -> Any:
        """Return the document as it was put."""
        ...

    async def put(self, document: Any) -> None:
        """Write and apply new rules; raise BadRequest with every fault."""
        ...

    async def reload(self) -> bool:
        """Apply the rules file if it changed, and tell whether; raise BadRequest."""
        ...

    async def plan(self, document: Any) -> Any:
        """Return what the rules would do; raise BadRequest with every fault."""
        ...


class VersionView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A content that an entry keeps, after syncd replaced or deleted it there."""

    fid: str
    filename: str
    filename_base64: str | None = None
    version: str
    """What to call it, together with the entry."""
    entry: str
    at: float
    """When it was taken away; seconds since 1970."""
    size: int
    mtime: float
    kind: Kind
    why: Loss
    cause: str | None = None
    """Id of the change it gave way to, as in the log."""
    digest: str | None = None
    """BLAKE3 of the content, where known."""


class Unheard(Struct, frozen=True):
    """An entry that could not tell what it keeps."""

    entry: str
    reason: str


class HistoryView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a file, which may be there or gone."""

    fid: str
    filename: str
    filename_base64: str | None = None
    versions: list[VersionView]
    """Newest first."""
    unheard: list[Unheard]


class PassedOver(Struct, frozen=True):
    """A file that was not brought back."""

    filename: str
    reason: str


class UndoneView(Struct, frozen=True, kw_only=True):
    """What undoing brought back, or would."""

    status: Literal["ok"] = "ok"
    dry_run: bool
    files: int
    bytes: int
    examples: list[VersionView]
    """The first of them."""
    passed_over: list[PassedOver]
    unheard: list[Unheard]


class Past(Protocol):
    """What is kept of files as they were."""

    async def history(self, fid: str) -> HistoryView:
        """Return what is kept of a file; raise NotFound."""
        ...

    async def undo(
        self, fid: str, *, entry: str | None, version: str | None, at: float | None
    ) -> VersionView:
        """Bring back a content of one file; raise NotFound, Conflict, Unavailable."""
        ...

    async def undo_below(
        self, path: str, *, entry: str | None, since: float | None, dry_run: bool
    ) -> UndoneView:
        """Bring back what lies below a path, and itself; raise NotFound or Conflict."""
        ...


class Read(Protocol):
    """Gives content of a file from the child that holds it."""

    def __call__(
        self, socket: Path, path: str, stamp: Stamp, start: int, length: int | None
    ) -> AsyncGenerator[bytes, None]:
        """Give chunks; raise StorageError or Unavailable when it cannot go on."""
        ...


class Rooms(Struct, frozen=True, kw_only=True):
    """The rooms that handlers may talk to."""

    files: Files
    conflicts: Conflicts
    entries: Entries
    rulebook: Rulebook
    past: Past
    news: News
    read: Read
    drivers: Callable[[], Sequence[DriverView]]
    version: Callable[[], str]
    rules_schema: Callable[[], dict[str, Any]]
    """What a rules document may say, as JSON Schema."""
    now: Callable[[], float] = clock.timestamp
    """What time it is, in seconds since 1970."""
    opening: bool = False
    """Whether the rooms of backups are about to be opened."""
    backups: Backups | None = None
    """The job engine, for full and partial backups."""
    incremental: Backups | None = None
    """Another one, for what is kept apart."""
    state: Callable[[], StateView] = lambda: StateView(usable=True, last_stop="clean")
    daemon: DaemonManners = DaemonManners()
    records: "Records | None" = None
    """What is kept of whole machines."""
    cyborg: CyborgManners = CyborgManners()
    console: Backups | None = None
    """A third one, for the databases of a blockchain network's console."""
    conductor: Any = None
    """Who restores these; an api.optools.conductor.Conductor, which knows of rooms."""
    optools: OpToolsManners = OpToolsManners()
