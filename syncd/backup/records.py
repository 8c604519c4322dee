"""Transactions of the job engine: plain functions over a connection."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from syncd.core import job as life
from syncd.core.backup import VaultView
from syncd.core.errand import Done
from syncd.core.job import Event, Job, Kind
from syncd.core.vault import Pin
from syncd.errors import NotFound
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


def ask(db: Connection, job: Job, names: Iterable[str] | None) -> tuple[Job, bool]:
    """Keep a new job, and tell whether it is new.

    ``names`` are those its vault may have. The same idempotency key gives the job
    that there is. Raise Conflict, or Unavailable if there is no free name.
    """
    if job.key is not None:
        known = jobs.keyed(db, job.store, job.key, job)
        if known is not None:
            return known, False
    if names is not None:
        job = replace(job, vault=vaults.reserve(db, job.store, names))
    jobs.add(db, job)
    return job, True


def ask_this(db: Connection, job: Job) -> Job:
    """Keep a new job for the vault it names; raise Conflict if that was ever used."""
    assert job.vault is not None
    vaults.reserve_this(db, job.store, job.vault)
    jobs.add(db, job)
    return job


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


def end(db: Connection, job: Job, done: Done | None) -> list[str]:
    """Keep a job that has ended, and what it means for the catalogue, as one.

    Return the ids of jobs that are forgotten for it.
    """
    jobs.put(db, job)
    if done is not None:
        vaults.put(db, job.store, [_merged(db, job, view) for view in done.vaults])
        vaults.drop(db, job.store, done.gone)
        put_aside(db, job.store, done.aside, gone=done.gone)
    return jobs.forget(db, KEPT)


def survey(db: Connection, store: str, done: Done, before: Collection[str]) -> None:
    """Bring the catalogue in step with what was found in the store.

    ``before``: the vaults that were known when the look began. What became known
    meanwhile stays, by whatever job.
    """
    names = set(done.result["names"])
    known = {view.summary.name: view for view in vaults.everything(db, store)}
    pins = msgspec.convert(done.result["pins"], dict[str, Pin])
    checks = msgspec.convert(done.result.get("checks", {}), dict[str, Check])
    looked = {name: view for name, view in known.items() if name in before}
    lost = [n for n, view in looked.items() if n not in names and not view.folder]
    vaults.drop(db, store, lost)
    told = {name: view for name, view in looked.items() if name in names}
    for view in done.vaults:
        told.setdefault(view.summary.name, view)
    changed = []
    for name, view in told.items():
        if name in known and name not in before:
            continue
        marked = _checked(replace(view, pin=pins.get(name)), checks.get(name))
        if marked != known.get(name):
            changed.append(marked)
    vaults.put(db, store, changed)
    vaults.taken(db, store, done.aside)
    settings.put(db, f"backup/{store}/aside", json.dumps(done.aside))


def _checked(view: VaultView, check: Check | None) -> VaultView:
    """Return what is known of a vault, by a check of somebody else if it is newer."""
    if check is None or check[0] <= (view.verified or 0.0):
        return view
    at, damaged = check
    verified = view.verified if damaged else at
    return replace(view, damaged=damaged, verified=verified)


def aside(db: Connection, store: str) -> list[str]:
    """Return the vaults that were never finished and lie aside, oldest first."""
    kept = settings.get(db, f"backup/{store}/aside")
    return msgspec.json.decode(kept, type=list[str]) if kept else []


def put_aside(
    db: Connection, store: str, names: Sequence[str], gone: Sequence[str] = ()
) -> None:
    """Keep which vaults lie aside, and which do no more."""
    before = aside(db, store)
    after = sorted({*before, *names} - set(gone))
    if after != before:
        settings.put(db, f"backup/{store}/aside", json.dumps(after))


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
