"""What the dialects ask of the job engine."""

from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from syncd.core.backup import (
    BackupRequest,
    DiskRoom,
    RestoreRequest,
    Sounded,
    VaultView,
)
from syncd.core.errand import Part
from syncd.core.job import Job, Kind, State
from syncd.core.retention import Decision
from syncd.core.vault import Pin


class SourceFigures(Protocol):
    """What is known of one source's vaults."""

    last_success: float
    """When the newest valid vault was made; 0: there is none."""
    last_proven: float
    """When a vault was last restored in a drill; 0: never."""
    vaults: int
    failed: int
    bytes: int
    """That the vaults added to their store."""


class Figures(Protocol):
    """Counts since the daemon was started, and what the catalogue says."""

    @property
    def ended(self) -> Mapping[tuple[Kind, State], int]:
        """Return how many jobs of a kind have ended so."""
        ...

    @property
    def seconds(self) -> Mapping[Kind, Sequence[int]]:
        """Return jobs by how long they took: by bucket, the last beyond all."""
        ...

    @property
    def total(self) -> Mapping[Kind, int]:
        """Return the milliseconds that jobs took."""
        ...

    @property
    def sources(self) -> Mapping[tuple[str, str], SourceFigures]:
        """Return what is known of vaults, by store and source."""
        ...


class Sounds(Protocol):
    """Knows how sources are."""

    def look(self) -> Mapping[tuple[str, str], Sounded]:
        """Return how they were when they were asked last, by store and source."""
        ...


class Counted(Protocol):
    """What is counted of jobs and vaults."""

    @property
    def known(self) -> Sequence[Job]:
        """Return the jobs that have not ended."""
        ...

    @property
    def figures(self) -> Figures:
        """Return what is counted."""
        ...

    @property
    def sounding(self) -> Sounds:
        """Return what knows how sources are."""
        ...

    @property
    def buckets(self) -> Sequence[float]:
        """Return the seconds of the buckets."""
        ...

    def trouble(self, store: str) -> str:
        """Return why a store's vaults cannot be reached now; empty if they can."""
        ...

    def stale(self) -> Set[tuple[str, str]]:
        """Return the stores and sources whose newest valid vault is too old."""
        ...


class Archive(Protocol):
    """A vault as the bytes of a zip; they are the same each time."""

    @property
    def size(self) -> int | None:
        """Return how many bytes there are in all; None where nobody can tell."""
        ...

    @property
    def tag(self) -> str | None:
        """Return a word that names these bytes, without quotes; None: there is none."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the bytes; raise StorageError or Unavailable when they cannot go on."""
        ...


class Markers(Protocol):
    """The note of which backup was last found to be good, by whoever looks."""

    async def get(self) -> str | None:
        """Return it; None if nobody has left one."""
        ...

    async def put(self, marker: str, *, who: str) -> None:
        """Keep it in place of the one before."""
        ...


class Backups(Protocol):
    """The job engine; one for each set of sources and vaults (full, incremental)."""

    async def back_up(
        self, request: BackupRequest, *, who: str, key: str | None = None
    ) -> Job:
        """Keep the request and return its job, whose vault has its name already.

        ``key`` makes asking twice asking once. Raise BadRequest, NotFound (source),
        Unavailable (state disk full).
        """
        ...

    async def restore(
        self,
        request: RestoreRequest,
        *,
        who: str,
        key: str | None = None,
        refused: str = "",
    ) -> Job:
        """Keep the request and return its job.

        With ``refused`` the job fails at once, for that reason: there are askers who
        look for refusals nowhere else.

        Raise NotFound for an unknown vault, Conflict for a failed one unless forced.
        Whether the databases are in it is found out by the job.
        """
        ...

    async def evict(self, vault: str, *, who: str, folder: str = "") -> None:
        """Delete one vault, pinned or not: a person named it.

        Return when it is gone. Raise NotFound, or Conflict while it is in use.
        """
        ...

    async def evict_by_policy(
        self, *, who: str, dry_run: bool = False
    ) -> list[Decision]:
        """Delete what the policies give up; return what was decided of each vault."""
        ...

    def policies(self) -> dict[str, str]:
        """Return the policies in force: ``full`` and ``partial``."""
        ...

    async def use_policy(self, which: str, policy: str, *, who: str) -> None:
        """Put a policy in force and keep it; raise BadRequest and change nothing."""
        ...

    async def job(self, id: str) -> Job:
        """Return a job by its id, or a backup's by its vault; raise NotFound."""
        ...

    async def jobs(
        self,
        *,
        offset: int = 0,
        limit: int = 100,
        kind: Kind | None = None,
        state: State | None = None,
        vault: str | None = None,
    ) -> tuple[int, list[Job]]:
        """Return how many there are, and some of them, newest first."""
        ...

    def waiting(self) -> int:
        """Return how many jobs are queued."""
        ...

    async def cancel(self, id: str, *, who: str) -> Job:
        """Have a job end; raise NotFound, or Conflict if it has ended."""
        ...

    async def log(self, id: str, *, start: int = 0) -> tuple[bytes, int]:
        """Return output of a job from that byte on, and where the next call starts.

        A start below 0 is counted from the end, as in a slice.
        """
        ...

    def follow(self, id: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Give a job's output as it comes, until the job has ended."""
        ...

    async def changed(self, id: str) -> None:
        """Return when there is news of a job, or may be."""
        ...

    async def check(self, vault: str, *, kind: Kind, who: str) -> Job:
        """Keep that a vault is to be verified, or restored in a drill; its job.

        Raise NotFound.
        """
        ...

    async def aside(self) -> list[str]:
        """Return the vaults that were never finished and lie aside; evict takes them.

        They are not among the vaults.
        """
        ...

    async def vaults(self) -> list[VaultView]:
        """Return all finished vaults, failed ones too, oldest first."""
        ...

    async def vault(self, name: str, *, folder: str = "") -> VaultView:
        """Return one; raise NotFound."""
        ...

    async def pin(self, name: str, pin: Pin | None, *, who: str) -> None:
        """Pin a vault or take the pin away; raise NotFound."""
        ...

    def download(
        self, name: str, form: Part | None = None
    ) -> AbstractAsyncContextManager[Archive]:
        """Lend a vault's files as a zip; raise NotFound, Unavailable.

        With a ``form``, what that makes of the vault: whoever calls it with its options
        and the vault gets bytes.
        """
        ...

    async def upload(self, name: str, archive: Path, *, partial: bool, who: str) -> Job:
        """Make a vault of an archive, which is moved from there; return the job.

        Raise Conflict if the name is taken, BadRequest for a name or archive of no
        use.
        """
        ...

    def sounded(self) -> Mapping[str, Sounded]:
        """Return how sources were when they were asked last, by name.

        What is old is asked for anew; nobody waits for that.
        """
        ...

    def trouble(self) -> str:
        """Return why the vaults cannot be reached now; empty if they can."""
        ...

    async def room(self) -> DiskRoom:
        """Return what there is on the disk of the vaults."""
        ...
