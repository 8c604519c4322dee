"""Transactions of the job engine: plain functions over a connection."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from syncd.core import job as life
from syncd.core.backup import VaultView
from syncd.core.errand import Done
from syncd.core.job import Event, Job, Kind
from syncd.core.vault import Pin
from syncd.errors import NotFound, Unavailable
from syncd.store import entries, jobs, settings, vaults
from syncd.store.jobs import Search

KEPT = 10_000
"""Jobs that are remembered after their end."""

INTERRUPTED = "interrupted by a restart"

Check = tuple[float, list[str]]
"""When a vault was looked at, and what was wrong with it."""


def storages(
    db: Connection, said: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what is said of each entry, with the marker that its storage has now."""
    markers = {one.name: one.marker for one in entries.everything(db) if one.configured}
    return {
        name: {**one, "marker": markers.get(name, one.get("marker"))}
        for name, one in said.items()
    }


def ask(
    db: Connection, job: Job, names: Iterable[str] | None, most: int | None = None
) -> tuple[Job, bool]:
    """Keep a new job, and tell whether it is new.

    ``names`` are those its vault may have, and ``most`` is how many jobs may wait. The
    same idempotency key gives the job that there is. Raise Conflict, or Unavailable if
    there is no free name, or too many wait.
    """
    if job.key is not None:
        known = jobs.keyed(db, job.store, job.key, job)
        if known is not None:
            return known, False
    _check_room(db, job, most)
    if names is not None:
        job = replace(job, vault=vaults.reserve(db, job.store, names))
    jobs.add(db, job)
    return job, True


def ask_this(db: Connection, job: Job, most: int) -> Job:
    """Keep a new job for the vault it names; raise Conflict if that was ever used.

    Raise Unavailable if so many wait already.
    """
    assert job.vault is not None
    _check_room(db, job, most)
    vaults.reserve_this(db, job.store, job.vault)
    jobs.add(db, job)
    return job


def _check_room(db: Connection, job: Job, most: int | None) -> None:
    if most is None or job.kind is Kind.EVICT or job.state.final:
        return  # What makes room is never refused.
    if jobs.waiting(db, job.store) >= most:
        raise Unavailable(
            f"{most} jobs wait already; ask again when some are done, or cancel them"
        )


def recover(db: Connection, at: float) -> tuple[list[Job], list[Job]]:
    """End what was running when the daemon went down; return these, and the queued."""
    interrupted, queued = [], []
    for job in jobs.unfinished(db):
        if not life.can(job.state, Event.INTERRUPT):
            queued.append(job)
            continue
        ended = life.ended(
            job, Event.INTERRUPT, at, error=INTERRUPTED, reason="interrupted"
        )
        jobs.put(db, ended)
        interrupted.append(ended)
    return interrupted, queued


def start(db: Connection, id: str, at: float) -> Job:
    """Keep that an attempt begins; raise Conflict if the job was canceled."""
    job = life.started(jobs.get(db, id), at)
    jobs.put(db, job)
    return job


def cancel(db: Connection, id: str, at: float, who: str) -> Job:
    """Keep that a job is to end; raise NotFound, or Conflict if it has ended."""
    job = life.canceled(jobs.get(db, id), at, who)
    jobs.put(db, job)
    return job


def end(
    db: Connection, job: Job, done: Done, outcome: Callable[[Job], Job]
) -> tuple[Job, list[str]]:
    """Keep how an attempt has ended, and what it means for the catalogue, as one.

    ``outcome`` is given the job as it is kept, so that whoever wanted it to end in
    the last moment is heard. Return what it says, and the ids of jobs that are
    forgotten for it.
    """
    ended = outcome(replace(jobs.get(db, job.id), progress=job.progress))
    jobs.put(db, ended)
    vaults.put(db, job.store, [_merged(db, job, view) for view in done.vaults])
    vaults.drop(db, job.store, done.gone)
    folder = str(job.asked.get("folder", ""))
    put_aside(db, job.store, dict.fromkeys(done.aside, folder), gone=done.gone)
    return ended, jobs.forget(db, KEPT)


def say_more(db: Connection, id: str, words: str) -> None:
    """Add to what is said of a job that has failed; raise NotFound."""
    job = jobs.get(db, id)
    jobs.put(db, replace(job, error=f"{job.error}; {words}" if job.error else words))


def survey(db: Connection, store: str, done: Done, before: Collection[str]) -> None:
    """Bring the catalogue in step with what was found in the store.

    ``before``: the vaults that were known when the look began. What became known
    meanwhile stays, by whatever job, and what lies in a folder that was not looked
    into stays as it is known.
    """
    names = set(done.result["names"])
    known = {view.summary.name: view for view in vaults.everything(db, store)}
    pins = msgspec.convert(done.result["pins"], dict[str, Pin])
    checks = msgspec.convert(done.result.get("checks", {}), dict[str, Check])
    folders: dict[str, str] = done.result.get("folders", {})
    looked = {"", *done.result.get("looked", [])}
    mine = {name: view for name, view in known.items() if name in before}
    lost = [n for n, one in mine.items() if n not in names and one.folder in looked]
    vaults.drop(db, store, lost)
    told = {name: view for name, view in mine.items() if name in names}
    for view in done.vaults:
        told.setdefault(view.summary.name, view)
    changed = []
    for name, view in told.items():
        if name in known and name not in before:
            continue
        placed = replace(view, pin=pins.get(name), folder=folders.get(name, ""))
        marked = _checked(placed, checks.get(name))
        if marked != known.get(name):
            changed.append(marked)
    vaults.put(db, store, changed)
    vaults.taken(db, store, done.aside)
    found_aside = {one: folders.get(one, "") for one in done.aside}
    unseen = {
        one: folder
        for one, folder in aside(db, store).items()
        if folder not in looked and one not in found_aside
    }
    _keep_aside(db, store, unseen | found_aside)


def _checked(view: VaultView, check: Check | None) -> VaultView:
    """Return what is known of a vault, by a check of somebody else if it is newer."""
    if check is None or check[0] <= (view.verified or 0.0):
        return view
    at, damaged = check
    verified = view.verified if damaged else at
    return replace(view, damaged=damaged, verified=verified)


def aside(db: Connection, store: str) -> dict[str, str]:
    """Return the vaults that were never finished and lie aside, and their folders.

    They are in order of their names; "" is the store's own folder.
    """
    kept = settings.get(db, f"backup/{store}/aside")
    said = msgspec.json.decode(kept, type=dict[str, str] | list[str]) if kept else {}
    return said if isinstance(said, dict) else dict.fromkeys(said, "")


def _keep_aside(db: Connection, store: str, names: Mapping[str, str]) -> None:
    settings.put(db, f"backup/{store}/aside", json.dumps(dict(sorted(names.items()))))


def put_aside(
    db: Connection, store: str, names: Mapping[str, str], gone: Sequence[str] = ()
) -> None:
    """Keep which vaults lie aside, by their folders, and which do no more."""
    before = aside(db, store)
    after = {**before, **names}
    for name in gone:
        after.pop(name, None)
    if after != before:
        _keep_aside(db, store, after)


def store_id(db: Connection, store: str, place: str) -> str:
    """Return the id that a vault store must have; empty: any, or none, will do.

    Of a place where no vaults were known to be, nothing is asked.
    """
    kept = settings.get(db, f"backup/{store}/id")
    said = msgspec.json.decode(kept, type=dict[str, str]) if kept else {}
    known = said.get("place") == place and vaults.any_in(db, store)
    return said["id"] if known else ""


def know_store(db: Connection, store: str, place: str, id: str) -> None:
    """Keep which vault store is in a place."""
    text = json.dumps({"place": place, "id": id})
    if settings.get(db, f"backup/{store}/id") != text:
        settings.put(db, f"backup/{store}/id", text)


def pin(db: Connection, store: str, name: str, pin: Pin | None) -> VaultView:
    """Keep a vault's pin; raise NotFound."""
    view = replace(vaults.get(db, store, name), pin=pin)
    vaults.put(db, store, [view])
    return view


def policy(db: Connection, store: str, which: str) -> str | None:
    """Return the policy that a person put in force; None: none was."""
    return settings.get(db, f"backup/{store}/policy/{which}")


def use_policy(db: Connection, store: str, which: str, text: str) -> None:
    """Keep a policy."""
    settings.put(db, f"backup/{store}/policy/{which}", text)


def ran(db: Connection, store: str, schedule: str) -> float | None:
    """Return up to when a schedule's runs are dealt with; None: it is new."""
    kept = settings.get(db, f"backup/{store}/schedule/{schedule}")
    return None if kept is None else float(kept)


def run_due(
    db: Connection,
    store: str,
    schedule: str,
    until: float,
    wanted: Sequence[tuple[Job, Iterable[str] | None]],
) -> list[Job]:
    """Keep up to when a schedule's runs are dealt with, and the jobs it asks for."""
    settings.put(db, f"backup/{store}/schedule/{schedule}", repr(until))
    return [ask(db, job, names)[0] for job, names in wanted]


def before(db: Connection, job: Job) -> Job | None:
    """Return the job of the same kind, source and store that ended before this one."""
    search = Search(kind=job.kind, source=job.source, stores=[job.store])
    _, found = jobs.page(db, search, offset=0, limit=20)
    older = [one for one in found if one.id != job.id and one.state.final]
    return max(older, key=lambda one: one.ended or 0.0, default=None)


def _merged(db: Connection, job: Job, new: VaultView) -> VaultView:
    """Return what is known of a vault, with what a job has found out."""
    if job.kind.makes:
        return new
    try:
        known = vaults.get(db, job.store, new.summary.name)
    except NotFound:
        return new
    damaged = new.damaged if job.kind is Kind.VERIFY else new.damaged or known.damaged
    return replace(
        known,
        verified=new.verified or known.verified,
        proven=new.proven or known.proven,
        damaged=damaged,
    )
