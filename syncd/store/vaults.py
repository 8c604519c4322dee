"""The catalogue: what is known of each vault without asking its store.

The store is the truth; the catalogue is brought in step with it by those who look
into it. Names that were given away stay so, whatever becomes of the vault.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from syncd.core.backup import VaultView
from syncd.errors import Conflict, NotFound, Unavailable
from syncd.store.schema import vault_names, vaults

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(VaultView)


def reserve(db: Connection, store: str, names: Iterable[str]) -> str:
    """Give away the first of the names that never was, and return it.

    The names are in order. More of them are looked at in each step, so that few steps
    are enough however many there are. Raise Unavailable if all of them were given away.
    """
    rest, width = iter(names), 1
    while some := list(islice(rest, width)):
        known = select(vault_names.c.name).where(
            vault_names.c.store == store, vault_names.c.name.between(some[0], some[-1])
        )
        given = set(db.execute(known).scalars())
        free = next((name for name in some if name not in given), None)
        if free is not None:
            db.execute(insert(vault_names).values(store=store, name=free))
            return free
        width *= 4
    raise Unavailable("every name for a vault is taken for now; ask again later")


def reserve_this(db: Connection, store: str, name: str) -> None:
    """Give away that name; raise Conflict if it was given away before."""
    try:
        reserve(db, store, [name])
    except Unavailable:
        raise Conflict(
            f"there is or was a vault called {name}; choose another name"
        ) from None


def taken(db: Connection, store: str, names: Iterable[str]) -> None:
    """Take it that these names are given away."""
    rows = [{"store": store, "name": name} for name in names]
    if rows:
        db.execute(insert(vault_names).on_conflict_do_nothing(), rows)


def put(db: Connection, store: str, views: Sequence[VaultView]) -> None:
    """Keep what is known of these vaults."""
    drop(db, store, [view.summary.name for view in views])
    for view in views:
        summary = view.summary
        row = {"store": store, "name": summary.name, "made": summary.made}
        db.execute(vaults.insert().values(**row, record=_encoder.encode(view)))
    taken(db, store, [view.summary.name for view in views])


def drop(db: Connection, store: str, names: Iterable[str]) -> None:
    """Forget vaults; their names stay given away."""
    for name in names:
        db.execute(delete(vaults).where(vaults.c.store == store, vaults.c.name == name))


def get(db: Connection, store: str, name: str) -> VaultView:
    """Return what is known of a vault; raise NotFound."""
    record = db.execute(
        select(vaults.c.record).where(vaults.c.store == store, vaults.c.name == name)
    ).scalar()
    if record is None:
        raise NotFound(f"vault {name} not found")
    return _decoder.decode(record)


def any_in(db: Connection, store: str) -> bool:
    """Tell whether any vault of the store is known."""
    some = select(vaults.c.name).where(vaults.c.store == store).limit(1)
    return db.execute(some).first() is not None


def everything(db: Connection, store: str) -> list[VaultView]:
    """Return every vault of the store, oldest first."""
    rows = (
        select(vaults.c.record)
        .where(vaults.c.store == store)
        .order_by(vaults.c.made, vaults.c.name)
    )
    return [_decoder.decode(record) for record in db.execute(rows).scalars()]
