"""What parent and children say to each other, and how it becomes bytes.

Every message is one msgpack frame of a typed value. A child says Hello until it
is told Welcome; from then on Changes (numbered, kept until Noted) and Outcomes
go up, Orders go down, all in batches.

Content goes from child to child over Unix stream sockets: there a frame is its
length (4 bytes, big-endian) and the msgpack of an Asked or a Given.
"""

from typing import Any, cast

import msgspec
from msgspec import Struct

from syncd.core.change import Change, Order, Outcome
from syncd.core.errand import Advance, Cancel, Done, Work
from syncd.core.file import Stamp
from syncd.core.keeping import Kept, Promise, Wish


class Hello(Struct, frozen=True, tag=True):
    """A child is there and has opened its ledger and looked at its storage's marker.

    A storage that cannot be opened (root missing, not mounted) is told as
    ``trouble``; the child keeps trying and says Hello again when that changes.
    """

    entry: str
    pid: int
    marker: str | None
    """The id found on the storage; None when it has none."""
    empty: bool
    """Whether the storage holds nothing at all (the marker not counted)."""
    ledger: str | None
    """Id of the index that the ledger is in step with; None for a new ledger."""
    noted: int
    """Number of the last batch of changes known to be in that index."""
    trouble: str | None = None


class Welcome(Struct, frozen=True, tag=True):
    """The parent knows the child and says how to work; may come again at any time.

    ``marker`` is what the storage must carry: written when the storage has none
    yet (only then). With ``forget`` the ledger starts anew and everything is
    reported. ``suspended`` tells why the entry may not be touched: the child
    then neither reports nor works until the next Welcome.
    """

    index: str
    marker: str
    forget: bool
    suspended: str | None = None
    mime: bool = False
    """Whether some rule in force asks for a MIME type."""
    doubted: int = 0
    """The first walk reads, and tells of, every content changed since then.

    Nanoseconds since 1970; the system went down, and may not have written it. 0:
    nothing is doubted.
    """


class Adopt(Struct, frozen=True, tag=True):
    """A person accepted the storage as it is: write this marker over what is there."""

    marker: str


class Changes(Struct, frozen=True, tag=True):
    """News of the storage, kept by the child until Noted says the number."""

    number: int
    changes: list[Change]
    at: float = 0.0
    """When the last of them was noticed; seconds since 1970."""
    ahead: int = 0
    """How many more paths seem to be gone and are looked at soon."""
    more: bool = False
    """They were come by in a walk that may find more."""
    ordered: bool = False
    """They were made in answer to an Undo, so a person meant them."""


class Noted(Struct, frozen=True, tag=True):
    """Every batch up to the number is safe in the index."""

    number: int


class Walked(Struct, frozen=True, tag=True):
    """A walk of the whole storage has ended and all it found was said before."""

    first: bool
    """Whether it was the one at the start, that orders wait for."""
    seconds: float
    paths: int


class Orders(Struct, frozen=True, tag=True):
    """Work for the child; any order of carrying out is right."""

    orders: list[Order]


class Outcomes(Struct, frozen=True, tag=True):
    """What came of orders.

    Numbered like Changes where anything was done: until Noted says the number,
    the child does not count on the index knowing it. 0 where nothing was.
    """

    outcomes: list[Outcome]
    number: int = 0


class Progress(Struct, frozen=True, tag=True):
    """How far a long transfer is."""

    id: int
    copied: int
    """Bytes so far."""


class Suspended(Struct, frozen=True, tag=True):
    """The storage is not what it was (root gone, marker gone): all work rests."""

    reason: str


class Relieved(Struct, frozen=True, tag=True):
    """A storage that was full or read-only is so no more: try again what failed."""


class Rescan(Struct, frozen=True, tag=True):
    """Walk the storage below the path ("": all of it) now."""

    path: str = ""


class Look(Struct, frozen=True, tag=True):
    """Look at these paths and say of each that is not there that it is gone.

    For what the index believes to be there and a child with a new ledger never
    spoke of.
    """

    paths: list[str]
    last: bool = False
    """Whether these are all: the child answers with Looked when it has said it."""


class Looked(Struct, frozen=True, tag=True):
    """Everything that there was to say of paths in Look was said before."""


class Recall(Struct, frozen=True, tag=True):
    """Say what you keep of the path, or of everything below it, or of that file id."""

    id: int
    path: str = ""
    below: bool = False
    fid: str | None = None
    """For a path that only the trash may still know; takes longer."""


class Recalled(Struct, frozen=True, tag=True):
    """Some of what the child keeps, in answer to Recall."""

    id: int
    kept: list[Kept]
    last: bool
    trouble: str | None = None
    """Why that is not all."""


class Undo(Struct, frozen=True, tag=True):
    """Bring these back, if their paths are as the index knows them and at rest."""

    id: int
    wishes: list[Wish]
    cause: str = ""


class Undone(Struct, frozen=True, tag=True):
    """What came of each wish: None, or why it was not fulfilled.

    What was brought back was reported as news before.
    """

    id: int
    trouble: list[str | None]


class Settings(Struct, frozen=True, tag=True):
    """What the child needs to open its storage; the answer to its first frame."""

    entry: str
    driver: str
    """Where the driver is: ``module:name``."""
    options: dict[str, Any]
    """Every option the driver has, checked."""
    ignore: list[str]
    rescan: float
    """Seconds between two walks of the whole storage; 0 for only the first."""
    state: str
    """The child's own folder, for its ledger."""
    sockets: str
    """The folder where every child listens for others that want content."""
    addresses: dict[str, str]
    """Entry name -> file name of its socket in that folder."""
    check: bool = False
    """Whether the ledger is to be looked through first: the last stop was none."""
    keep: Promise | None = None
    """For how long what is replaced or deleted is kept; None: not at all."""
    debug: bool = False
    """Whether what only helps to find a fault is wanted."""


class Ask(Struct, frozen=True, tag=True):
    """A child's first frame: who it is; it wants its Settings."""

    entry: str
    pid: int


class Told(Struct, frozen=True, tag=True):
    """A log line of the child, to be written where all lines are."""

    level: str
    event: str
    fields: dict[str, Any]


class Figures(Struct, frozen=True, tag=True):
    """How the child is doing; sent every few seconds as a sign of life."""

    watched: int
    """Folders watched."""
    unwatched: int
    """Folders that can only be walked, in turn."""
    walking: bool
    last_walk: float | None
    """Seconds since 1970 of the end of the last full walk."""
    blocked: float
    """Longest time its loop was blocked since the last Figures, in seconds."""
    left_alone: int = 0
    """Sockets, FIFOs and devices found."""
    obstacle: str = ""
    """Why the storage takes nothing for now: full, or read-only."""
    unscanned: float | None = None
    """Seconds since the unwatched folder that waits longest was walked."""
    overflows: int = 0
    """How often events were lost because there were too many at once."""

    @property
    def watched_ratio(self) -> float | None:
        """Return the part of the folders that is watched; None: nothing is known."""
        folders = self.watched + self.unwatched
        return self.watched / folders if folders else None


class Stop(Struct, frozen=True, tag=True):
    """Finish what is being renamed, leave the rest, and end."""


class Fetch(Struct, frozen=True, tag=True):
    """One child asks another, on its socket, to open files: at most FETCH_MOST."""

    files: list[tuple[str, Stamp]]


class Fetched(Struct, frozen=True, tag=True):
    """The answer to Fetch, sent with one descriptor (SCM_RIGHTS) per None, in order."""

    trouble: list[str | None]


class Stream(Struct, frozen=True, tag=True):
    """Asks for a content as bytes; answered by Chunks and one End."""

    path: str
    stamp: Stamp
    start: int = 0
    length: int | None = None


class Chunk(Struct, frozen=True, tag=True):
    """At most 1 MiB of content."""

    data: bytes


class End(Struct, frozen=True, tag=True):
    """The content has ended, or cannot go on; what came before is then worthless."""

    trouble: str | None = None
    error: str = ""
    """Name of the error it is; StorageChanged and NotFound mean that asking is vain."""


FETCH_MOST = 200
"""Descriptors that fit one message (SCM_MAX_FD is 253)."""

Up = (
    Ask
    | Hello
    | Changes
    | Walked
    | Looked
    | Outcomes
    | Progress
    | Suspended
    | Relieved
    | Told
    | Figures
    | Recalled
    | Undone
    | Advance
    | Done
)
Asked = Fetch | Stream
Given = Fetched | Chunk | End
Down = (
    Settings
    | Welcome
    | Adopt
    | Noted
    | Orders
    | Rescan
    | Look
    | Recall
    | Undo
    | Stop
    | Work
    | Cancel
)

_encoder = msgspec.msgpack.Encoder()
_up = msgspec.msgpack.Decoder(Up)
_down = msgspec.msgpack.Decoder(Down)


_asked = msgspec.msgpack.Decoder(Asked)
_given = msgspec.msgpack.Decoder(Given)


def encode(message: Up | Down | Asked | Given) -> bytes:
    """Return the message as one frame."""
    return _encoder.encode(message)


def decode_up(frame: bytes) -> Up:
    """Return a child's message; raise msgspec.DecodeError for anything else."""
    return cast("Up", _up.decode(frame))


def decode_down(frame: bytes) -> Down:
    """Return the parent's message; raise msgspec.DecodeError for anything else."""
    return cast("Down", _down.decode(frame))


def decode_asked(frame: bytes) -> Asked:
    """Return what another child (or the parent) asks of a serving child."""
    return cast("Asked", _asked.decode(frame))


def decode_given(frame: bytes) -> Given:
    """Return what a serving child answered."""
    return cast("Given", _given.decode(frame))
