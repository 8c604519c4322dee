"""What the dialect for whole machines asks of whoever carries out its jobs.

``store/cyborg/launching`` keeps the jobs of a launch, says which of them can begin
(``ready``), takes what the engine tells of each (``begun``, ``reflect``), and lets go
what waited. Whoever fulfils this hands the first to the engine, the last to the store.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Destination(StrEnum):
    """Where files are put back."""

    REPOSITORY = "repository"
    """On the machine where the repository lies."""
    CLIENT = "client"
    """On the machine that they came from."""
    OTHER = "other"
    """On another client."""


class Restore(Struct, frozen=True, kw_only=True):
    """Files that are to be put back."""

    archive: str
    items: Sequence[str] = ()
    """Paths in the archive; none: all of it."""
    destination: Destination
    folder: str
    host: str = ""
    """Which other client."""
    dry_run: bool = False


class Machines(Protocol):
    """Jobs of whole machines, carried out; records are named by their numbers.

    What is asked for is kept before it is answered, and ends in a final state whatever
    happens. Each raises NotFound for a record that is none.
    """

    async def launch(self, policy: int, *, who: str) -> int:
        """Begin a policy now; return its first backup's job.

        Raise BadRequest if none of its clients is enabled, Conflict while jobs of
        them on its repository have not ended.
        """
        ...

    async def relaunch(self, job: int, *, who: str) -> int:
        """Do a job again, without those that followed it; return the new one.

        Raise Conflict while its client has a job that has not ended.
        """
        ...

    async def cancel(self, job: int, *, who: str) -> None:
        """Have a job end; raise Conflict if it has."""
        ...

    async def restore(self, wanted: Restore, *, who: str) -> int:
        """Put files back; return the job.

        Raise NotFound for an archive that nobody knows, BadRequest for a destination
        that is none, Conflict while its client has a job that has not ended.
        """
        ...

    async def prepare(self, *, client: int | None, repository: int | None) -> int:
        """Look at a client or a repository, and make it ready; return the job."""
        ...
