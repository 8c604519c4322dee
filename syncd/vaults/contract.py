"""What every store of vaults can do.

A vault is a finished backup and never changes. It is staged under another name
and appears under its own only when it is complete, digested and durable, so that
half a backup is never listed. All calls block, and run in a worker's threads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from syncd.core.vault import Checked, Fault, Item, Pin, Summary

Count = Callable[[int, int], None]
"""Told of bytes and items that were done since it was called last."""


class Staging(Protocol):
    """A vault in the making; left without ``seal``, it is gone, or quarantined."""

    folder: Path
    """Where a command may write by itself; what lies there when sealed is kept."""
    log: Path
    """Where the job's output goes; it becomes part of the vault."""

    def add(self, item: Item, content: BinaryIO | int | None) -> Item:
        """Take one item, and return it with its digest; thread-safe.

        ``content`` is an open file or descriptor, read from where it is to its end,
        and stays open; its size may be another than the item's. Add again what changed
        while it was read: the last one counts. Items in order of path, or at least a
        folder after the other, make the best packs.
        Raise StorageFull or StorageError; then only a failed vault can be made of it.
        """
        ...

    def unchanged(self, items: Sequence[Item]) -> list[Item]:
        """Take what earlier vaults of the source have just so; return what to add.

        Just so is: kind, size, time and mode. Nothing is read. What is small lies
        together in packs, and only whole packs can be taken, so some of what is
        returned may not have changed either. Give what belongs together in one call:
        everything, or a database at a time, and each item once.
        """
        ...

    def seal(self, summary: Summary) -> Summary:
        """Make it durable and give it its name; return the summary with figures.

        A failed one (``summary.failed``) is kept as such, visible and never valid; if
        there is no room for more, without contents, just the log and why.
        Raise StorageFull or StorageError; then no such vault exists.
        """
        ...


class Vault(Protocol):
    """A finished backup."""

    name: str

    def summary(self) -> Summary:
        """Return what it says of itself; raise StorageError if it cannot be read."""
        ...

    def items(self, below: Sequence[str] = ()) -> Iterator[Item]:
        """Give its items in order, a folder before what is in it; all, or those below.

        Raise StorageError if the listing is not the one that was sealed.
        """
        ...

    def open(self, items: Sequence[Item]) -> Iterator[tuple[Item, BinaryIO]]:
        """Give these files with their contents, each to be read before the next.

        What is read is compared with its digest before its end is given: StorageError
        if it is not what was stored. NotFound for what is no file of this vault.
        """
        ...

    def folder(
        self, scratch: Path, *, whole: bool = True, link: bool = False
    ) -> AbstractContextManager[Path]:
        """Lend a copy of its data in scratch, for a command to do with as it likes.

        A reflink where the file system has them. Raise StorageError for what is
        damaged; unless ``whole`` that comes as it is, or not at all. With ``link``,
        what there is no room for is linked where it can be: for a vault that goes.
        """
        ...

    def verify(self, count: Count) -> list[Fault]:
        """Read all of it again and return what is wrong with it.

        The store remembers the outcome (``VaultStore.checked``), and stores anew what
        later vaults would have shared of a damaged one.
        """
        ...

    def damage(self) -> list[Fault]:
        """Return what was found to be wrong while it was read, through this object.

        The store remembers that too, besides what the last verification has found.
        """
        ...

    def log(self) -> bytes:
        """Return the output of the job that made it; raise as ``summary``."""
        ...

    def size(self) -> int:
        """Return the bytes of its folder, whoever shares them."""
        ...


class VaultStore(Protocol):
    """Where vaults lie. Opening one makes the folder; raise StorageError if it cannot.

    An encrypted store opened with another key than it was made with is refused
    with ConfigError before anything is read or written.

    One may have an ``id``, a text that it keeps and no other store has. From then on
    its options have that, too: what is found in its place is refused with
    StorageUntrusted, and nothing is made there.
    """

    def stage(
        self, name: str, source: str, *, job: str
    ) -> AbstractContextManager[Staging]:
        """Begin a vault; raise Conflict if the name was ever used here."""
        ...

    def vaults(self) -> list[str]:
        """Return the names of all vaults, failed ones too, oldest first."""
        ...

    def get(self, name: str) -> Vault:
        """Return a vault; raise NotFound."""
        ...

    def remove(self, name: str, *, force: bool = False) -> None:
        """Delete a vault: unlisted first, then gone; raise as ``removing``."""
        ...

    def removing(
        self, name: str, *, force: bool = False
    ) -> AbstractContextManager[None]:
        """Delete a vault once what is done within is done; if that raises, it stays.

        Raise NotFound, or Conflict if it is lent, or pinned and it is not forced;
        then nothing has begun. Meanwhile nobody can pin or borrow it.
        """
        ...

    def pin(self, name: str, pin: Pin | None) -> None:
        """Pin a vault, or take the pin away.

        Raise NotFound, or Conflict while it is being deleted.
        """
        ...

    def pins(self) -> Mapping[str, Pin]:
        """Return the pins, expired ones too."""
        ...

    def lend(self, name: str, why: str) -> AbstractContextManager[None]:
        """Keep a vault from being removed meanwhile, by whatever process."""
        ...

    def quarantine(self) -> list[str]:
        """Move stagings that nobody makes any more aside; return their names."""
        ...

    def quarantined(self) -> list[str]:
        """Return the names of what is in quarantine."""
        ...

    def checked(self, name: str) -> Checked | None:
        """Return what was found when a vault was last looked at; raise NotFound.

        By a verification, and by whoever came upon damage since. None: nobody looked.
        """
        ...

    def checks(self) -> Mapping[str, Checked]:
        """Return that of all vaults that somebody looked at."""
        ...

    def discard(self, name: str) -> None:
        """Delete something from quarantine; raise NotFound."""
        ...
