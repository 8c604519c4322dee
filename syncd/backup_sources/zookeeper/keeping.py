"""What was there before a restore, kept until it is sure that it is not needed."""

import os
import shutil
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from syncd import clock
from syncd.errors import NotFound, StorageError

_UNFINISHED = "unfinished"
_JOURNAL = "journal.json"
_BEFORE = "before-"
_STATE = "restoring"
MOST = 3
"""Restores whose beginnings are kept."""


class State(StrEnum):
    """How far a restore is that may be cut off."""

    BEGUN = "begun"
    """Nothing was touched, unless something is owed."""
    DONE = "done"
    """All is as it was to be."""


class Entry(Struct, frozen=True):
    """One tree as it was; where there was nothing, its file is empty."""

    top: str
    file: str
    deep: bool = True
    """Whether all below it is meant, too."""


class Owed(Struct, frozen=True):
    """What a restore has begun with."""

    vault: str = ""
    """What was restored."""
    entries: list[Entry] = []


class Keeping:
    """A folder of the source's own, which outlives jobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place = folder / _UNFINISHED

    def note(self, state: State | None) -> None:
        """Remember how far a restore is; None: there is none any more."""
        path = self._folder / _STATE
        if state is None:
            path.unlink(missing_ok=True)
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = path.with_name(f"{_STATE}.new")
        written.write_text(state)
        written.rename(path)

    def noted(self) -> State | None:
        """Return how far a restore was that did not come to its end."""
        try:
            return State((self._folder / _STATE).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def begin(self) -> Path:
        """Return an empty folder for what is there."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(mode=0o700, parents=True)
        return self.place

    def seal(self, owed: Owed) -> None:
        """Make durable what is there; from now on it is owed."""
        for entry in owed.entries:
            _sync(self.place / entry.file)
        written = self.place / f"{_JOURNAL}.new"
        written.write_bytes(msgspec.json.encode(owed))
        _sync(written)
        written.rename(self.place / _JOURNAL)
        for folder in (self.place, self._folder, self._folder.parent):
            _sync(folder)

    def owed(self) -> list[Entry]:
        """Return what a restore that did not end must give back."""
        return _read(self.place).entries

    def last(self, vault: str) -> tuple[Path, list[Entry]]:
        """Return where it is kept what was there before a vault was restored last.

        Raise NotFound, or StorageError if it cannot be read.
        """
        for place in sorted(self._folder.glob(f"{_BEFORE}*"), reverse=True):
            owed = _read(place)
            if owed.vault == vault:
                return place, owed.entries
        raise NotFound(
            f"nothing is kept of what was there before {vault} was restored; that is"
            f" kept of the last {MOST} restores"
        )

    def settle(self, *, keep: bool) -> Path | None:
        """Owe nothing more; return where it is still to be found, if it is kept."""
        if not keep or not (self.place / _JOURNAL).exists():
            (self.place / _JOURNAL).unlink(missing_ok=True)
            shutil.rmtree(self.place, ignore_errors=True)
            return None
        name = f"{_BEFORE}{clock.now():%Y%m%dT%H%M%S%f}"
        place = self._folder / name
        # Before: what is still owed is given back, whatever the state.
        self.note(State.DONE)
        self.place.rename(place)
        _sync(self._folder)
        old = sorted(self._folder.glob(f"{_BEFORE}*"))[:-MOST]
        for one in old:
            shutil.rmtree(one, ignore_errors=True)
        return place


def _read(place: Path) -> Owed:
    try:
        text = (place / _JOURNAL).read_bytes()
    except FileNotFoundError:
        return Owed()
    try:
        return msgspec.json.decode(text, type=Owed)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{place / _JOURNAL} is damaged: {error}") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
