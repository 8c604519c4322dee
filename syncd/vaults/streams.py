"""Reading archives that nobody trusts: bounded, in small pieces."""

from typing import BinaryIO

from syncd.errors import BadRequest, TooLarge
from syncd.vaults.coding import Readable

MOST_AT_ONCE = 64 << 20
"""Bytes of a zip's directory: some 600,000 members with long names."""
_HEADER = 1 << 20
_PIECE = 1 << 16


class Bounded:
    """A file of which nobody reads too much at once: what is read is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes; raise TooLarge for more than a directory needs."""
        if size > MOST_AT_ONCE:
            raise TooLarge("the archive's directory is too large")
        chunk = self._file.read(MOST_AT_ONCE if size < 0 else size)
        if size < 0 and len(chunk) == MOST_AT_ONCE:
            raise TooLarge("the archive's directory is too large")
        return chunk

    def seekable(self) -> bool:
        """Tell that it can be moved in."""
        return True


class Forward:
    """Reads forward only, as what is being unpacked must be; one byte back is allowed.

    Raise TooLarge when more than ``allowed`` bytes came out, BadRequest for a header
    that wants more memory than any needs.
    """

    name = "archive"

    def __init__(self, source: Readable, allowed: int) -> None:
        self._source = source
        self._left = allowed
        self._place = 0
        self._last = b""
        self._back = b""

    def tell(self) -> int:
        """Return where it is."""
        return self._place - len(self._back)

    def seek(self, place: int, whence: int = 0) -> int:
        """Go on to a place, or one byte back."""
        if whence:
            raise BadRequest("the archive leads backwards")
        if place == self._place - 1 and self._last:
            self._back = self._last
            return place
        while self.tell() < place:
            if not self.read(min(place - self.tell(), _PIECE)):
                break
        if self.tell() > place:
            raise BadRequest("the archive leads backwards")
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes."""
        if size < 0 or size > _HEADER:
            raise BadRequest("a header in the archive is too large")
        if not size:
            return b""
        back, self._back = self._back, b""
        chunk = self._source.read(size - len(back))
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLarge("more comes out of the archive than may")
        self._place += len(chunk)
        self._last = chunk[-1:] or self._last
        return back + chunk

    def close(self) -> None:
        """Do nothing: the archive is somebody else's."""
