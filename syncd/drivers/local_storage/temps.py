"""Names for what is not finished, and which of them a crash has left behind."""

import os
import secrets
import shutil
from contextlib import suppress
from itertools import count

from syncd import clock
from syncd.core.file import Kind
from syncd.core.path import RESERVED
from syncd.drivers.local_storage.folder import kind_of

_SUFFIX = ".tmp"


class Temps:
    """Hands out temporary names and knows those in use."""

    def __init__(self) -> None:
        self._in_use: set[str] = set()
        self._start = f"{RESERVED}{secrets.token_hex(8)}-"
        self._numbers = count(1)
        self.ours = self._start.encode()
        """What our own names begin with, and nobody else's."""
        self._since = clock.nanoseconds()
        self.shared = False
        """Whether others, with names that we do not know, are at work, too."""

    def new(self) -> bytes:
        """Return a name that nothing else has, in use from now on."""
        name = f"{self._start}{next(self._numbers):x}{_SUFFIX}"
        self._in_use.add(name)
        return name.encode()

    def done(self, name: bytes) -> None:
        """Take the name out of use."""
        self._in_use.discard(name.decode())

    def clear(self, folder: int, name: str) -> None:
        """Remove what has the name if a crash before our time left it behind."""
        if self.shared or not name.endswith(_SUFFIX) or name in self._in_use:
            return
        with suppress(OSError):  # a later walk may be luckier
            status = os.lstat(name, dir_fd=folder)
            kind = kind_of(status)
            if status.st_ctime_ns >= self._since or kind is None:
                return
            if kind is Kind.DIRECTORY:
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
