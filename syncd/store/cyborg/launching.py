"""Launches: the jobs of a policy's run are kept, and follow one another.

What the engine does of them it does under ids of its own, which their rows name.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select, update

from syncd.core import chain
from syncd.core.chain import BAD, ENDED, STATUS, Link
from syncd.core.job import Job
from syncd.errors import BadRequest, Conflict, NotFound
from syncd.store.cyborg import keeping
from syncd.store.cyborg.keeping import By
from syncd.store.cyborg.tables import clients, jobs, policies, policy_clients

BUSY = ("waiting", "pending", "starting", "running")
KEEPS = ("hourly", "daily", "weekly", "monthly", "yearly")
AT_FIRST: dict[str, Any] = {
    "job_args": "",
    "job_cwd": "",
    "job_env": "",
    "job_explanation": "",
    "result_traceback": "",
    "extra_vars": "",
    "failed": False,
    "event_processing_finished": False,
    "elapsed": 0.0,
    "original_size": 0,
    "compressed_size": 0,
    "deduplicated_size": 0,
}
"""What a job is like that nobody has begun."""


class Launch(Struct, frozen=True, kw_only=True):
    """What is wanted of a policy now."""

    policy: int
    type: str = "manual"
    """``manual`` or ``scheduled``."""
    catalog: bool = True
    """Whether the files of archives are listed."""
    prune: bool = True
    """Whether archives are given up that the policy does not keep."""


def launch(db: Connection, wanted: Launch, by: By) -> list[int]:
    """Keep the jobs of a launch and return their numbers, the first backup first.

    Raise NotFound for no such policy, BadRequest if no client of it is enabled,
    Conflict while jobs of its clients on its repository have not ended.
    """
    policy = db.execute(select(policies).where(policies.c.id == wanted.policy)).first()
    if policy is None:
        raise NotFound("No Policy matches the given query.")
    machines = _machines(db, wanted.policy)
    if not machines:
        raise BadRequest("No client of this policy is enabled.")
    _check_idle(db, [number for number, _ in machines], policy.repository_id)
    keeps = any(getattr(policy, f"keep_{which}") for which in KEEPS)
    links = chain.chain(
        policy.name, machines, catalog=wanted.catalog, prune=wanted.prune and keeps
    )
    about = {"policy_id": policy.id, "repository_id": policy.repository_id}
    return _kept(db, links, {**about, "launch_type": wanted.type}, by)


def begun(db: Connection, number: int, engine_id: str) -> None:
    """Note which job of the engine a job is."""
    db.execute(update(jobs).where(jobs.c.id == number).values(engine_id=engine_id))


def ready(db: Connection) -> list[int]:
    """Return the jobs that can be given to the engine, the oldest first."""
    rows = select(jobs.c.id).where(
        jobs.c.status == "pending", jobs.c.engine_id.is_(None)
    )
    return list(db.execute(rows.order_by(jobs.c.id)).scalars())


def reflect(db: Connection, job: Job) -> list[int]:
    """Keep how a job of the engine is; return the numbers of those that can begin then.

    Jobs of the engine that are none of a machine are passed over.
    """
    row = db.execute(
        select(jobs.c.id, jobs.c.status).where(jobs.c.engine_id == job.id)
    ).first()
    if row is None or row.status in ENDED:
        return []
    status = STATUS[job.state]
    elapsed = (job.ended or 0.0) - (job.started or job.ended or 0.0)
    _end(
        db,
        row.id,
        status,
        started=job.started,
        finished=job.ended if job.state.final else None,
        elapsed=max(0.0, elapsed) if job.state.final else 0.0,
        job_explanation=job.error,
    )
    return followed(db, row.id) if status in ENDED else []


def cancel(db: Connection, number: int, at: float) -> list[int]:
    """End a job that has not begun; return the numbers of those that can begin then.

    Raise Conflict for one that has begun, or ended: that is the engine's.
    """
    row = db.execute(
        select(jobs.c.status, jobs.c.engine_id).where(jobs.c.id == number)
    ).first()
    if row is None:
        raise NotFound("No Job matches the given query.")
    if row.engine_id is not None or row.status in ENDED:
        raise Conflict(f"job {number} has begun, or ended")
    _end(db, number, "canceled", finished=at)
    return followed(db, number)


def followed(db: Connection, number: int) -> list[int]:
    """Let go, or end, what waited for a job that ended; return what can begin."""
    found: list[int] = []
    ended = [number]
    while ended:
        row = db.execute(select(jobs).where(jobs.c.id == ended.pop())).one()
        after = row.dependent_jobs_id
        if after is None:
            continue
        status = _settled(db, after)
        if status == "pending":
            found.append(after)
            db.execute(update(jobs).where(jobs.c.id == after).values(status=status))
        elif status is not None:
            why = f"{row.name} (job {row.id}) did not succeed"
            _end(db, after, status, finished=row.finished, job_explanation=why)
            ended.append(after)
    return found


def _settled(db: Connection, number: int) -> str | None:
    """Return what becomes of a job that waits; None: it goes on waiting."""
    row = db.execute(select(jobs).where(jobs.c.id == number)).first()
    before = select(jobs.c.status).where(jobs.c.dependent_jobs_id == number)
    open_ = [one for one in db.execute(before).scalars() if one not in ENDED]
    if row is None or row.status != "waiting":
        return None  # Who was canceled may have been forgotten since.
    master = db.execute(
        select(jobs.c.job_type, jobs.c.status).where(jobs.c.id == row.master_job_id)
    ).first()
    if master is not None and master.status in ENDED:
        status = chain.after(master.job_type, master.status)
        if status != "pending":
            return status
    return None if open_ else "pending"


def _end(db: Connection, number: int, status: str, **values: Any) -> None:
    db.execute(
        update(jobs)
        .where(jobs.c.id == number)
        .values(status=status, failed=status in BAD, **values)
    )


def _machines(db: Connection, policy: int) -> list[tuple[int, str]]:
    rows = (
        select(clients.c.id, clients.c.hostname)
        .join(policy_clients, policy_clients.c.client_id == clients.c.id)
        .where(policy_clients.c.policy_id == policy, clients.c.enabled)
        .order_by(clients.c.id)
    )
    return [(row.id, row.hostname) for row in db.execute(rows)]


def _check_idle(db: Connection, machines: Sequence[int], repository: int) -> None:
    rows = select(jobs.c.id).where(
        jobs.c.client_id.in_(machines),
        jobs.c.repository_id == repository,
        jobs.c.status.in_(BUSY),
    )
    if db.execute(rows.limit(1)).first():
        raise Conflict("Backup job already running for theses clients.")


def _kept(
    db: Connection, links: Sequence[Link], about: dict[str, Any], by: By
) -> list[int]:
    who = keeping.number_of(db, by.who)
    made = {"created": by.at, "modified": by.at, "created_by": who, "modified_by": who}
    numbers: list[int] = []
    for place, link in enumerate(links):
        row = {**AT_FIRST, **made, **about, "name": link.name, "client_id": link.client}
        row |= {"job_type": str(link.step), "status": link.status}
        row["master_job_id"] = None if link.master is None else numbers[link.master]
        if place:
            row["launch_type"] = "dependency"
        done = db.execute(jobs.insert().values(**row))
        numbers.append(done.inserted_primary_key[0])  # type: ignore[index]
    for number, link in zip(numbers, links, strict=True):
        if link.waits is not None:
            db.execute(
                update(jobs)
                .where(jobs.c.id == number)
                .values(dependent_jobs_id=numbers[link.waits])
            )
    return numbers
