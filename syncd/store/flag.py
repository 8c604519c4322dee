"""The flag that flies while the daemon runs: who finds it knows how the last run ended.

It is a file, so that it can be read when the index cannot. When it was last
touched tells until when, at least, that run was alive.
"""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog
from msgspec import Struct

from syncd.errors import Damaged, NoRoom, SyncdError, Unavailable
from syncd.store.check import Check

if TYPE_CHECKING:
    from syncd.store.database import Store

log = structlog.get_logger(__name__)

EVERY = 60.0
"""Seconds between two touches, while anything is recorded."""

RECENT = 300.0
"""Seconds before a power cut whose contents are doubted; systems write back sooner."""


class How(StrEnum):
    """How a run ended."""

    CLEAN = "clean"
    KILLED = "killed"
    """The daemon died, but not the system: what was written is there."""
    POWER_CUT = "power cut"
    """The system went down under it: what was written may not have reached a disk."""


class Ended(Struct, frozen=True):
    """How the last run ended, and what that means for this one."""

    how: How = How.CLEAN
    alive: float = 0.0
    """When that run was alive for certain; seconds since 1970."""
    rebooted: bool = False
    """Whether the system has gone down since, however that came."""
    damaged: int = 0
    """How many runs in a row have found the index damaged while they worked."""

    @property
    def check(self) -> Check:
        """Return how closely the index is to be looked at."""
        if self.damaged > 1:
            return Check.REPLACE
        if self.damaged or self.how is How.POWER_CUT:
            return Check.THOROUGH
        return Check.QUICK if self.how is How.KILLED else Check.NONE

    @property
    def doubted_since(self) -> int | None:
        """Return since when contents are doubted, in nanoseconds; None: they are not.

        So they are even where syncd ended well before the system went down: what
        people wrote in the last minutes may not have reached a disk.
        """
        if not self.rebooted:
            return None
        return max(1, int((self.alive - RECENT) * 1e9))


class Said(Struct, frozen=True):
    """What the flag says."""

    running: bool = True
    boot: str = ""
    damaged: int = 0


class Flag:
    """The file in the state folder."""

    def __init__(self, state: Path, boot: str) -> None:
        """``boot`` is the id of the kernel's present run, empty if unknown."""
        self._file = state / "running"
        self._boot = boot
        self.flies = False
        """Whether it says that this run is on."""
        self._said = Said(boot=boot)

    def look(self) -> Ended:
        """Return how the last run ended; raise OSError if the flag cannot be read."""
        try:
            data, alive = self._file.read_bytes(), self._file.stat().st_mtime
        except FileNotFoundError:
            return Ended()
        try:
            self._said = msgspec.json.decode(data, type=Said)
        except msgspec.DecodeError:
            self._said = Said()
        rebooted = not self._boot or self._said.boot != self._boot
        how = How.CLEAN
        if self._said.running:
            how = How.POWER_CUT if rebooted else How.KILLED
        return Ended(how, alive, rebooted, self._said.damaged)

    def hoist(self, damaged: int = 0) -> None:
        """Say that a run is on; what the flag said before must be dealt with by now.

        Twice is no error. Raise Unavailable if that cannot be written.
        """
        if self.flies:
            return
        self._said = Said(boot=self._boot, damaged=damaged)
        try:
            self._write()
        except OSError as error:
            raise unwritable(self._file.parent, error) from None
        self.flies = True

    def note_damage(self) -> None:
        """Have the next start look closely, if the disk takes a note of it."""
        damaged = self._said.damaged + 1
        self._said = msgspec.structs.replace(self._said, running=True, damaged=damaged)
        with suppress(OSError):  # The flag flies in any case.
            self._write()

    def lower(self) -> None:
        """Say that the run has ended as it should."""
        self._said = Said(running=False, boot=self._boot)
        try:
            self._write()
        except OSError:
            with suppress(OSError):
                self._file.unlink()

    async def keep(self, store: "Store") -> None:
        """Touch the flag now and then while something is recorded, for ever."""
        seen = store.transactions
        while True:
            await asyncio.sleep(EVERY)
            if store.transactions != seen:
                seen = store.transactions
                await asyncio.to_thread(self.touch)

    def touch(self) -> None:
        """Say that the run is alive; after a power cut, an earlier touch counts."""
        with suppress(OSError):  # Then more is doubted than need be.
            os.utime(self._file)

    def _write(self) -> None:
        temporary = self._file.with_name(".running.tmp")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(self._said) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self._file)
        self._make_durable()

    def _make_durable(self) -> None:
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def flown(state: Path, boot: str) -> Iterator[tuple[Flag, Ended]]:
    """Lend the flag, and how the last run ended; the next one finds how this one does.

    Where the last run left something to be dealt with, hoist the flag after that.
    Raise Unavailable when the folder cannot be used.
    """
    flag = Flag(state, boot)
    try:
        ended = flag.look()
    except OSError as error:
        raise unwritable(state, error) from None
    if ended.check is Check.NONE and not ended.rebooted:
        flag.hoist()
    if ended.how is not How.CLEAN:
        log.warning(_DISORDER, action="start", how=ended.how)
    try:
        yield flag, ended
    except Damaged as error:
        log.critical("the index is damaged", action="stop", reason=str(error))
        flag.note_damage()
        raise
    except SyncdError:
        if flag.flies:
            flag.lower()
        raise
    else:
        flag.lower()


_DISORDER = "the last run did not end in order"


def unwritable(state: Path, error: OSError) -> Unavailable:
    """Return what to say when the state folder takes nothing more."""
    words = f"{state} cannot be written: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(f"{words}; make room on its disk, and start again")
    return Unavailable(f"{words}; see to its disk, and start again")
