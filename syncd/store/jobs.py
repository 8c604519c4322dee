"""Jobs, as they were asked for and as they went; kept before they are answered."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from syncd.core.backup import lasting
from syncd.core.job import Job, Kind, State
from syncd.errors import Conflict, NotFound
from syncd.store.schema import jobs

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Job)


class Search(Struct, frozen=True, kw_only=True):
    """Which jobs are wanted; None: whatever it is."""

    kind: Kind | None = None
    state: State | None = None
    vault: str | None = None
    source: str | None = None
    stores: Sequence[str] | None = None


def add(db: Connection, job: Job) -> None:
    """Keep a new job."""
    db.execute(jobs.insert().values(id=job.id, **_columns(job)))


def put(db: Connection, job: Job) -> None:
    """Keep a job as it is now; raise NotFound if it was never added."""
    done = db.execute(update(jobs).where(jobs.c.id == job.id).values(**_columns(job)))
    if not done.rowcount:
        raise NotFound(f"job {job.id} not found")


def get(db: Connection, id: str) -> Job:
    """Return a job by its id; raise NotFound."""
    record = db.execute(select(jobs.c.record).where(jobs.c.id == id)).scalar()
    if record is None:
        raise NotFound(f"job {id} not found")
    return _decoder.decode(record)


def making(db: Connection, vault: str, stores: Sequence[str]) -> Job:
    """Return the job that makes, or made, that vault; raise NotFound."""
    record = db.execute(
        select(jobs.c.record)
        .where(jobs.c.vault == vault, jobs.c.store.in_(stores))
        .where(jobs.c.kind.in_([kind for kind in Kind if kind.makes]))
        .order_by(jobs.c.number.desc())
        .limit(1)
    ).scalar()
    if record is None:
        raise NotFound(f"job {vault} not found")
    return _decoder.decode(record)


def keyed(db: Connection, store: str, key: str, asked: Job) -> Job | None:
    """Return the job that was asked for with that idempotency key; None: none was.

    Raise Conflict if the key was used to ask for something else than ``asked``.
    """
    record = db.execute(
        select(jobs.c.record).where(jobs.c.store == store, jobs.c.key == key)
    ).scalar()
    if record is None:
        return None
    job = _decoder.decode(record)
    if (job.kind, lasting(job.asked), job.who) != (
        asked.kind,
        lasting(asked.asked),
        asked.who,
    ):
        raise Conflict(
            f"the idempotency key was used for something else, job {job.id};"
            " use a new one"
        )
    return job


def unfinished(db: Connection) -> list[Job]:
    """Return the jobs that have not ended, oldest first."""
    rows = select(jobs.c.record).where(jobs.c.open).order_by(jobs.c.number)
    return [_decoder.decode(record) for record in db.execute(rows).scalars()]


def waiting(db: Connection, store: str) -> int:
    """Return how many jobs of a store are queued."""
    rows = select(func.count()).where(
        jobs.c.open, jobs.c.store == store, jobs.c.state == str(State.QUEUED)
    )
    return db.execute(rows).scalar() or 0


def page(
    db: Connection, search: Search, *, offset: int, limit: int
) -> tuple[int, list[Job]]:
    """Return how many such jobs there are, and some of them, newest first."""
    where = _where(search)
    total = db.execute(select(func.count()).select_from(jobs).where(*where)).scalar()
    rows = (
        select(jobs.c.record)
        .where(*where)
        .order_by(jobs.c.number.desc())
        .offset(offset)
        .limit(limit)
    )
    return total or 0, [_decoder.decode(one) for one in db.execute(rows).scalars()]


def last(db: Connection, search: Search) -> Job | None:
    """Return the newest such job; None: there is none."""
    _, found = page(db, search, offset=0, limit=1)
    return found[0] if found else None


def counts(db: Connection) -> dict[tuple[Kind, State], int]:
    """Return how many jobs there are of each kind in each state."""
    rows = select(jobs.c.kind, jobs.c.state, func.count()).group_by(
        jobs.c.kind, jobs.c.state
    )
    return {(Kind(kind), State(state)): n for kind, state, n in db.execute(rows)}


def forget(db: Connection, most: int) -> list[str]:
    """Forget the oldest ended jobs beyond so many, and return their ids."""
    edge = db.execute(
        select(jobs.c.number)
        .where(~jobs.c.open)
        .order_by(jobs.c.number.desc())
        .offset(most)
        .limit(1)
    ).scalar()
    if edge is None:
        return []
    old = (~jobs.c.open) & (jobs.c.number <= edge)
    ids = list(db.execute(select(jobs.c.id).where(old)).scalars())
    db.execute(delete(jobs).where(old))
    return ids


def _columns(job: Job) -> dict[str, object]:
    return {
        "kind": str(job.kind),
        "state": str(job.state),
        "source": job.source,
        "store": job.store,
        "vault": job.vault,
        "key": job.key,
        "open": not job.state.final,
        "record": _encoder.encode(job),
    }


def _where(search: Search) -> list[ColumnElement[bool]]:
    where = [
        getattr(jobs.c, name) == str(value)
        for name in ("kind", "state", "vault", "source")
        if (value := getattr(search, name)) is not None
    ]
    if search.stores is not None:
        where.append(jobs.c.store.in_(search.stores))
    return where
