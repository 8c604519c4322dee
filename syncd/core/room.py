"""Whether a storage that took nothing would take something again."""

from msgspec import Struct

PLENTY = 1 << 62


class Room(Struct, frozen=True):
    """What a storage would take now, as far as it can tell."""

    free: int = PLENTY
    """Bytes."""
    names: int = PLENTY
    """Files, folders and links."""
    read_only: bool = False

    @property
    def obstacle(self) -> str:
        """Return in words why it takes little or nothing."""
        if self.read_only:
            return "the storage is mounted read-only"
        if not self.names:
            return "the storage is full: it takes no more files"
        return f"the storage is full: {self.free:,} bytes are free"


class Lack(Struct, frozen=True):
    """What was wanted, and how it was, when the storage refused."""

    at: Room
    needed: int
    """Bytes of the smallest thing that was refused."""


def is_relieved(lack: Lack, now: Room) -> bool:
    """Tell whether what was refused may be taken now.

    There must be more room than there was then: a storage with a limit that it
    does not show would else be asked again for ever.
    """
    if now.read_only:
        return False
    if lack.at.read_only:
        return True
    more = now.free > lack.at.free or now.names > lack.at.names
    return more and now.free >= lack.needed and now.names > 0
