"""What must survive of an entry: its slot, its marker, whether a person stopped it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update

from syncd.core.file import MAX_SLOTS, Slot
from syncd.errors import ConfigError
from syncd.store.schema import entries


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the index knows it; ``noted`` numbers its last batch of changes.

    ``marked`` tells that the storage has been seen to carry the marker. With
    ``forget`` the entry's next Hello is answered by a fresh start: its child
    forgets its ledger and reports everything.
    """

    slot: Slot
    name: str
    configured: bool
    marker: str
    marked: bool
    stopped: bool
    noted: int
    forget: bool


def everything(db: Connection) -> list[Entry]:
    """Return every entry there ever was, by slot."""
    rows = db.execute(select(entries).order_by(entries.c.slot))
    return [Entry(**row) for row in rows.mappings()]


def configure(
    db: Connection, names: Sequence[str], markers: Sequence[str]
) -> list[Slot]:
    """Make the configured entries be exactly these; new ones get slot and marker.

    ``markers`` holds a fresh marker for each name. An entry that is not
    configured any more keeps its slot; when it comes back, it tells everything
    anew. When slots run out, those are given away and returned: what files say of
    them is void.
    Raise ConfigError if there are too many entries.
    """
    reused = []
    known = {entry.name: entry for entry in everything(db)}
    for name, entry in known.items():
        if name in names and not entry.configured:
            start_anew(db, entry.slot)
        _set(db, entry.slot, configured=name in names)
    for name, marker in zip(names, markers, strict=True):
        if name in known:
            continue
        slot, was_used = _free_slot(db)
        if was_used:
            reused.append(slot)
        row = Entry(slot, name, True, marker, False, False, 0, False)
        db.execute(entries.insert().values(asdict(row)))
    return reused


def take_over(db: Connection, slot: Slot, marker: str, former: Slot | None) -> None:
    """Make the entry's storage the one that carries this marker; start anew.

    ``former`` is the slot of an entry, not configured any more, that had it.
    """
    if former is not None:
        _set(db, former, marker=f"taken over by {slot}: {marker}", marked=False)
    remark(db, slot, marker)
    _set(db, slot, marked=former is not None)


def note(db: Connection, slot: Slot, number: int) -> None:
    """Keep the number of the last batch of changes that is in the index."""
    _set(db, slot, noted=number)


def stop(db: Connection, slot: Slot, stopped: bool) -> None:
    """Keep whether a person stopped the entry."""
    _set(db, slot, stopped=stopped)


def unsettled(db: Connection, slot: Slot) -> None:
    """Keep that the entry's child has to tell everything; see settled."""
    _set(db, slot, forget=True)


def settled(db: Connection, slot: Slot) -> None:
    """Keep that the storage carries its marker and that its ledger is right."""
    _set(db, slot, marked=True, forget=False)


def remark(db: Connection, slot: Slot, marker: str) -> None:
    """Expect another marker on the entry's storage from now on, and start anew."""
    _set(db, slot, marker=marker, marked=False, noted=0, forget=True)


def start_anew(db: Connection, slot: Slot) -> None:
    """Let the entry's child forget its ledger and report everything."""
    _set(db, slot, noted=0, forget=True)


def _set(db: Connection, slot: Slot, **values: object) -> None:
    db.execute(update(entries).where(entries.c.slot == slot).values(**values))


def _free_slot(db: Connection) -> tuple[Slot, bool]:
    taken = {entry.slot: entry for entry in everything(db)}
    for slot in range(MAX_SLOTS):
        if slot not in taken:
            return slot, False
    for slot, entry in taken.items():
        if not entry.configured:
            db.execute(entries.delete().where(entries.c.slot == slot))
            return slot, True
    raise ConfigError(f"there can be at most {MAX_SLOTS} entries")
