"""Flushing whole file systems, once for all batches that wait for it."""

import errno
import os
import threading
from contextlib import AbstractContextManager

from msgspec import Struct, field

from syncd.drivers.local_storage.renames import flush


class _System(Struct):
    """One file system; its descriptor stays open, for errors since then are told."""

    descriptor: int
    turn: AbstractContextManager[object] = field(default_factory=threading.Lock)
    begun: int = 0
    covered: int = 0
    """The latest flush that went well; it covers all that was done before it began."""
    errors: int = 0


class Flusher:
    """Makes file systems durable for several threads at a time.

    A flush takes milliseconds, however much there is to flush: whoever asks while
    one is under way is served together with the others by the next. The system
    tells of a failed write once only, so it counts for every batch begun before.
    """

    def __init__(self) -> None:
        self._systems: dict[int, _System] = {}
        self._making = threading.Lock()

    def close(self) -> None:
        """Let go of every file system."""
        for system in self._systems.values():
            os.close(system.descriptor)
        self._systems.clear()

    def errors(self) -> int:
        """Return how many flushes have failed; a batch asks when it begins."""
        return sum(system.errors for system in list(self._systems.values()))

    def flush(self, folder: int, errors: int) -> None:
        """Return when all that was done in the folder's file system is safe.

        ``folder`` is a descriptor that can be read from, ``errors`` what was told
        when the batch began. Raise OSError if something could not be written.
        """
        system = self._system(folder)
        asked = system.begun
        with system.turn:
            if system.covered <= asked and self.errors() == errors:
                system.begun += 1
                try:
                    flush(system.descriptor)
                except OSError:
                    system.errors += 1
                    raise
                system.covered = system.begun
        if self.errors() != errors:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _system(self, folder: int) -> _System:
        number = os.fstat(folder).st_dev
        with self._making:
            if number not in self._systems:
                self._systems[number] = _System(os.dup(folder))
            return self._systems[number]
