"""Transactions: work of several jobs that is followed from outside, until its end."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, select

from syncd.errors import NotFound
from syncd.store.schema import transactions

MOST = 1000
"""Transactions that are remembered; older ones that have ended are forgotten."""


class Transaction(Struct, frozen=True, kw_only=True):
    """One of them, as it is kept."""

    id: str
    by: str
    """Who asked, as it may be shown."""
    who: str
    """Who asked."""
    started: float
    """Seconds since 1970, as all times here."""
    updated: float
    ended: float | None = None
    status: str = "pending"
    """``pending``, ``undoing``, ``success`` or ``error``."""
    messages: list[str] = []
    hook: str = ""
    """Who is told of its end; empty: nobody."""
    told: bool = False
    asked: dict[str, object] = {}
    """What is to be done."""
    jobs: dict[str, str] = {}
    """The jobs that were asked for, by the step that they are."""

    @property
    def pends(self) -> bool:
        """Tell whether it goes on."""
        return self.ended is None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Transaction)


def put(db: Connection, one: Transaction) -> None:
    """Keep a transaction as it is now, and forget the oldest of too many."""
    row = {
        "id": one.id,
        "started": one.started,
        "open": one.pends or bool(one.hook and not one.told),
        "record": _encoder.encode(one),
    }
    db.execute(delete(transactions).where(transactions.c.id == one.id))
    db.execute(transactions.insert().values(row))
    oldest = (
        select(transactions.c.started)
        .order_by(transactions.c.started.desc())
        .offset(MOST)
        .limit(1)
    )
    if (before := db.execute(oldest).scalar()) is not None:
        old = transactions.c.started <= before
        db.execute(delete(transactions).where(old, ~transactions.c.open))


def get(db: Connection, id_: str) -> Transaction:
    """Return one; raise NotFound."""
    found = select(transactions.c.record).where(transactions.c.id == id_)
    record = db.execute(found).scalar()
    if record is None:
        raise NotFound(f"transaction {id_} not found")
    return _decoder.decode(record)


def unfinished(db: Connection) -> list[Transaction]:
    """Return those that go on, or whose end somebody is still to be told, by age."""
    found = (
        select(transactions.c.record)
        .where(transactions.c.open)
        .order_by(transactions.c.started)
    )
    return [_decoder.decode(record) for record in db.execute(found).scalars()]


def page(db: Connection, offset: int, limit: int) -> tuple[int, Sequence[Transaction]]:
    """Return how many there are, and some: those that pend first, then the newest."""
    total = db.execute(select(func.count()).select_from(transactions)).scalar() or 0
    found = [
        _decoder.decode(record)
        for record in db.execute(select(transactions.c.record)).scalars()
    ]
    found.sort(key=lambda one: (not one.pends, -(one.ended or one.started)))
    return total, found[offset : offset + limit]
