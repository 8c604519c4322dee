"""A finished vault in a local folder."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec

from syncd import clock
from syncd.core.vault import Checked, Fault, Item, ItemKind, Summary, path_trouble
from syncd.errors import NotFound, StorageBusy, StorageError
from syncd.vaults import listing, manifest
from syncd.vaults.coding import Coder, spellings
from syncd.vaults.contract import Count
from syncd.vaults.durable import telling
from syncd.vaults.listing import Located
from syncd.vaults.reading import DATA, Contents
from syncd.vaults.unpacking import Ways, unpack
from syncd.vaults.verifying import Verification

SUMMARY = "vault.json"
DETAILS = "details.json"
LOG = "log"


class LocalVault:
    """See contract.Vault.

    ``record`` keeps what was found, and is told whether all of it was read for that.
    """

    def __init__(
        self, folder: Path, coder: Coder, record: Callable[[Checked, bool], None]
    ) -> None:
        self.name = folder.name
        self._folder = folder
        self._coder = coder
        self._record = record
        self._damage: dict[str, Fault] = {}

    @cached_property
    def _digests(self) -> Mapping[bytes, str]:
        with self._noting(manifest.NAME):
            with telling(self._folder / manifest.NAME):
                text = (self._folder / manifest.NAME).read_bytes()
            try:
                return manifest.read(text)
            except StorageError as error:
                raise StorageError(f"vault {self.name}: {error}") from None

    def summary(self) -> Summary:
        """Return what it says of itself; raise StorageError if it cannot be read."""
        text = self._part(DETAILS)
        if text is None:
            text = self._part(SUMMARY)
        if text is None:
            raise self._lacking(SUMMARY)
        try:
            summary = msgspec.json.decode(text, type=Summary)
        except msgspec.DecodeError as error:
            raise StorageError(f"vault {self.name}: {SUMMARY}: {error}") from None
        if summary.name != self.name:
            raise StorageError(copied(self.name, summary.name))
        return summary

    def items(self, below: Sequence[str] = ()) -> Iterator[Located]:
        """Give its items in order, a folder before what is in it; all, or those below.

        Raise StorageError if the listing is not the one that was sealed.
        """
        inside = tuple(f"{path}/" for path in below)
        for lines in listing.read_some(self.listing()):
            for item in map(listing.located, lines):
                if path_trouble(item.path):  # a store may come from anywhere
                    raise StorageError(f"vault {self.name} lists {item.path!r}")
                if not below or item.path in below or item.path.startswith(inside):
                    yield item

    def listing(self) -> bytes:
        """Return the text of its listing; raise as ``items``."""
        text = self._part(listing.NAME)
        if text is None:
            raise self._lacking(listing.NAME)
        return text

    def listing_path(self) -> Path | None:
        """Return the file of the listing, if it is neither compressed nor encrypted."""
        path = self._folder / listing.NAME
        return path if path.exists() else None

    def open(self, items: Sequence[Item]) -> Iterator[tuple[Item, BinaryIO]]:
        """Give these files with their contents, each to be read before the next.

        What is read is compared with its digest before its end is given; StorageError
        if it is not what was stored, NotFound for what is no file of this vault.
        """
        contents = Contents(self._folder, self._coder, self._digests, self._note)
        for item in items:
            located = item if isinstance(item, Located) else self._found(item)
            if located.kind is not ItemKind.FILE:
                raise NotFound(f"{item.path} is no file of vault {self.name}")
            with contents.content(located) as content:
                yield item, content

    @contextmanager
    def folder(
        self, scratch: Path, *, whole: bool = True, link: bool = False
    ) -> Iterator[Path]:
        """Lend a copy of its data for a command; see contract.Vault."""
        with telling(scratch):
            scratch.mkdir(parents=True, exist_ok=True)
            lent = TemporaryDirectory(prefix=f"{self.name}-", dir=scratch)
        with lent as place:
            ways = Ways(lies=self._lies, whole=whole, link=link)
            unpack(self, Path(place), ways=ways)
            yield Path(place)

    def _lies(self, item: Item) -> Path | None:
        by_itself = isinstance(item, Located) and item.pack is None
        return self._folder / DATA / item.path if by_itself else None

    def log(self) -> bytes:
        """Return the output of the job that made it; raise as ``summary``."""
        return self._part(LOG) or b""

    def size(self) -> int:
        """Return the bytes of its folder, whoever shares them."""
        size, waiting = 0, [str(self._folder)]
        with telling(self._folder):
            while waiting:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            size += entry.stat(follow_symlinks=False).st_size
        return size

    def verify(self, count: Count) -> list[Fault]:
        """Read all of it again and return what is wrong with it."""
        faults = Verification(self._folder, self._coder, count).faults()
        self._record(Checked(clock.timestamp(), faults), True)
        return faults

    def damage(self) -> list[Fault]:
        """Return what reading came upon; see contract.Vault."""
        faults = list(self._damage.values())
        if faults:
            self._record(Checked(clock.timestamp(), faults), False)
        return faults

    def _note(self, place: str, error: StorageError) -> None:
        if not isinstance(error, StorageBusy):
            self._damage.setdefault(place, Fault(place, str(error)))

    def _lacking(self, name: str) -> StorageError:
        error = StorageError(f"vault {self.name} has no {name}")
        self._note(name, error)
        return error

    @contextmanager
    def _noting(self, place: str) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self._note(place, error)
            raise

    def _part(self, name: str) -> bytes | None:
        """Return what one of our own files holds; None if there is none of it."""
        full = next((each for each in spellings(name) if each in self._digests), None)
        if full is None:
            return None
        path = self._folder / full.decode()
        with self._noting(path.name):
            with telling(path):
                content = path.read_bytes()
            if sha256(content).hexdigest() != self._digests[full]:
                raise StorageError(
                    f"vault {self.name}: {path.name} is damaged: its digest differs"
                )
            return self._coder.decode(content, path.name)

    @cached_property
    def _by_path(self) -> Mapping[str, Located]:
        return {item.path: item for item in self.items()}

    def _found(self, item: Item) -> Located:
        try:
            return self._by_path[item.path]
        except KeyError:
            raise NotFound(f"{item.path} is not in vault {self.name}") from None


def copied(name: str, real: str) -> str:
    """Return why a folder is not taken for a vault that says to be another one."""
    return (
        f"{name} is a copy of vault {real}, or that vault was renamed; call the folder"
        f" {real} again, or delete it"
    )
