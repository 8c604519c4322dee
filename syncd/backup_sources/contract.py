"""What every source of backups can do: one contract, spoken inside a worker.

A source is made anew for every job, in the job's own process. It says what it does
through ``Tell``, and ends soon when its task is cancelled: what it started is gone
then. A backup either holds what the source held, says exactly what it does not, or
fails: a success that is quietly short of something is the worst of faults.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from syncd.core.backup import Health, Report, Restoring, Wanted
from syncd.core.job import Progress
from syncd.core.keeping import Promise
from syncd.vaults.contract import Staging, Vault


class Storage(Struct, frozen=True, kw_only=True):
    """An entry, as whoever has its driver opened must know it."""

    driver: str
    """Where its driver is, for drivers.loading."""
    options: dict[str, Any]
    """Every field of the driver's model, checked."""
    ignore: list[str] = []
    promise: Promise | None = None
    """For how long what is replaced or deleted there is kept; None: not at all."""
    marker: str | None = None
    """The id it must carry; None takes any, but never a storage without one."""


class Around(Struct, frozen=True, kw_only=True):
    """What a source finds around it, besides its own options."""

    scratch: Path
    """A folder of the job's own, gone with it: a vault may be unpacked there."""
    keep: Path | None = None
    """A folder of the source's own that outlives jobs, for what it owes; None: there
    is none, and such things go with the job."""
    entries: dict[str, Storage] = {}
    """All that are configured, by name."""


class Tell(Protocol):
    """Where a source says how it goes; calls are cheap and never wait."""

    def line(self, text: str) -> None:
        """Add a line to the job's log; secrets are masked on the way."""
        ...

    def progress(self, progress: Progress) -> None:
        """Say how far it is; may be called as often as one likes."""
        ...


class Source(Protocol):
    """One source; see the module."""

    @classmethod
    def create(cls, options: Mapping[str, Any], around: Around) -> "Source":
        """Return the source; the options are every field of its model, checked.

        Nothing is opened or started yet. Raise ConfigError for options that do not
        go with what is around.
        """
        ...

    async def databases(self) -> list[str]:
        """Return what can be backed up by name; raise StorageError."""
        ...

    async def back_up(self, wanted: Wanted, into: Staging, tell: Tell) -> Report:
        """Read what is wanted into the staging; the worker seals it.

        Raise BadRequest, before anything else, for what is wanted wrongly;
        NotFound for a database there is not; StorageError if it cannot be done.
        """
        ...

    async def listed(self, vault: Vault) -> Sequence[str]:
        """Return the databases that can be restored from a vault."""
        ...

    async def restore(self, wanted: Restoring, vault: Vault, tell: Tell) -> Report:
        """Bring back what is wanted, or say what would be done.

        Raise as ``back_up``. What went wrong half-way is in ``failed``, and what
        was there before is where the source keeps such things.
        """
        ...

    async def evicted(self, vault: Vault, tell: Tell) -> None:
        """Be told, before it happens, that a vault of ours is deleted."""
        ...

    async def health(self) -> Health:
        """Say whether a backup could be made now; never raises."""
        ...


class Mending(Protocol):
    """A source whose restores, cut off in the middle, can be taken back later."""

    async def mend(self, tell: Tell) -> str:
        """Take back what a restore that was cut off has done, and say so in words.

        Empty if there is nothing to be taken back. It is called when a worker of the
        source was killed, or the daemon under it. Raise StorageError if it cannot be
        done now; the next job of the source does it first.
        """
        ...
