"""Whether a storage that shows up may be worked with: is it the one we know?

Nothing is ever concluded from a storage that is missing, was exchanged for
another, or is suddenly empty: it is suspended, and a person is asked.
"""

from msgspec import Struct

from syncd.core.file import Slot

FEW = 2
"""An empty storage that held fewer files than this may have been emptied by hand."""


class Known(Struct, frozen=True):
    """What the index knows of an entry whose storage shows up."""

    slot: Slot
    name: str
    marker: str
    marked: bool
    """Whether the storage was seen to carry the marker."""
    noted: int
    forget: bool
    holds: int
    """How many files it is known to hold."""


class Shown(Struct, frozen=True):
    """What the storage shows, and the state of the ledger that belongs to it."""

    marker: str | None
    empty: bool
    ledger: str | None
    noted: int


class Admitted(Struct, frozen=True):
    """The storage is the one we know; ``forget`` tells that its ledger is void."""

    forget: bool
    behind: bool = False
    """Its ledger lacks something that the index knows of the storage."""


class Refused(Struct, frozen=True):
    """The entry rests until the cause is gone or a person decides."""

    reason: str
    emptied: bool = False
    """The storage is the right one, but empty."""


class TakenOver(Struct, frozen=True):
    """The storage carries a marker of its own that becomes the entry's.

    ``former`` is the slot of an entry that is not configured any more and whose
    storage this is: the entry was given another name.
    """

    marker: str
    former: Slot | None


Admission = Admitted | Refused | TakenOver


def admit(
    shown: Shown,
    known: Known,
    index: str,
    others: dict[str, tuple[Slot, str, bool]],
    accepted: bool,
) -> Admission:
    """Return whether the storage may be worked with.

    ``index`` is the id of the index; ``others`` tells for each marker of other
    entries their slot, name and whether they are configured. ``accepted`` means
    that a person said that an empty storage is meant to be empty.
    """
    if shown.marker is not None and shown.marker != known.marker:
        return _stranger(shown.marker, known, others)
    if shown.marker is None and known.marked:
        return Refused(_UNMARKED.format(name=known.name))
    if shown.empty and known.holds >= FEW and not accepted:
        reason = _EMPTY.format(name=known.name, holds=known.holds)
        return Refused(reason, emptied=True)
    # A ledger of another index, or ahead of ours (which then is an old copy of
    # itself), says nothing about what this index knows.
    forget = known.forget or shown.ledger != index or shown.noted > known.noted
    return Admitted(forget, behind=not forget and shown.noted < known.noted)


def _stranger(
    marker: str, known: Known, others: dict[str, tuple[Slot, str, bool]]
) -> Admission:
    if marker not in others:
        if known.marked:
            return Refused(_FOREIGN.format(name=known.name))
        return TakenOver(marker, None)
    slot, name, configured = others[marker]
    if configured:
        return Refused(_OTHERS.format(name=known.name, other=name))
    if known.marked:
        return Refused(_FOREIGN.format(name=known.name))
    return TakenOver(marker, slot)


_UNMARKED = (
    "the storage has lost its .syncd-marker, so it may be another one, or one that is "
    "not mounted; put the right storage in place, or accept this one: "
    "syncd entries approve {name}"
)
_FOREIGN = (
    "this is not the storage that was here before (its .syncd-marker is another one); "
    "put the right one in place, or accept this one: syncd entries approve {name}"
)
_OTHERS = (
    "this is the storage of entry {other} (its .syncd-marker says so); point {name} to "
    "a storage of its own, or, if it is a copy, accept it: syncd entries approve {name}"
)
_EMPTY = (
    "the storage is empty but held {holds} files; if they were deleted on purpose: "
    "syncd entries approve {name}; to have them back: syncd entries restore {name}"
)
