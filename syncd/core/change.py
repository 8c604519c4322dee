"""What entries report, what they are ordered to do, and what came of it."""

from enum import StrEnum

from msgspec import Struct

from syncd.core.file import Kind, Seen, Stamp
from syncd.core.keeping import Loss


class Found(Struct, frozen=True, array_like=True, gc=False, tag="found"):
    """Something new or changed lies at a path.

    ``digest`` and ``mime`` are given where they were cheap or needed. ``old`` is
    set when the same inode was known under that path and has gone from there.
    """

    seen: Seen
    digest: bytes | None = None
    mime: str | None = None
    old: str | None = None
    cause: str = ""


class Gone(Struct, frozen=True, array_like=True, gc=False, tag="gone"):
    """Nothing lies at the path any more; the storage itself is sound."""

    path: str
    cause: str = ""


Change = Found | Gone


class Source(Struct, frozen=True, array_like=True, gc=False):
    """An entry that holds the wanted content: which child to ask, and for what."""

    entry: str
    """Name of the entry."""
    path: str
    stamp: Stamp


class Put(Struct, frozen=True, array_like=True, gc=False, tag="put"):
    """Make the path hold this version, if it still holds what ``replaces`` says."""

    id: int
    path: str
    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    target: str | None
    digest: bytes | None
    """What the content must have; None when nobody has read it yet."""
    sources: list[Source]
    """Best first; empty for folders and links."""
    replaces: Stamp | None
    """What lies there now as far as is known; None: nothing."""
    hint: tuple[str, Stamp] | None = None
    """The content lies on this entry under that path: rename instead of copying."""
    cause: str = ""
    was: bytes | None = None
    """Digest of what is replaced, where known."""


class Delete(Struct, frozen=True, array_like=True, gc=False, tag="delete"):
    """Remove what lies at the path, if it is still that."""

    id: int
    path: str
    kind: Kind
    stamp: Stamp
    cause: str = ""
    was: bytes | None = None
    """Digest of what is removed, where known."""
    why: Loss = Loss.DELETED


class Amend(Struct, frozen=True, array_like=True, gc=False, tag="amend"):
    """Give the content at the path this mode and mtime, if it is still that."""

    id: int
    path: str
    stamp: Stamp
    mode: int
    mtime_ns: int
    cause: str = ""


class SetAside(Struct, frozen=True, array_like=True, gc=False, tag="aside"):
    """Rename what lies at the path, if it is still that, to the other name.

    When that name is taken, the next free one (``-2``, ``-3``, ...) is used and told.
    """

    id: int
    path: str
    stamp: Stamp
    to: str
    cause: str = ""


class Inspect(Struct, frozen=True, array_like=True, gc=False, tag="inspect"):
    """Read the content at the path, if it is still that, and tell about it."""

    id: int
    path: str
    stamp: Stamp
    digest: bool
    mime: bool
    cause: str = ""


Order = Put | Delete | Amend | SetAside | Inspect


class Why(StrEnum):
    """Why an order failed: what the referee needs to know to go on."""

    CHANGED = "changed"
    """The target is not what was expected; a Found or Gone of it is under way."""
    SOURCE = "source"
    """No source had the wanted content any more, or could be reached."""
    BLOCKED = "blocked"
    """The storage refused (no room, no permission, illegal name, I/O error)."""


class Done(Struct, frozen=True, array_like=True, gc=False, tag="done"):
    """The order was carried out, and survives a power cut.

    ``seen`` is what lies at the path now (for SetAside: at the new path); None
    after a Delete.
    """

    id: int
    seen: Seen | None
    digest: bytes | None = None
    mime: str | None = None
    copied: int = 0
    """Bytes of content that were transferred for it."""


class Failed(Struct, frozen=True, array_like=True, gc=False, tag="failed"):
    """The order was not carried out; nothing was changed."""

    id: int
    why: Why
    reason: str


Outcome = Done | Failed
