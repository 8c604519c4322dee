"""How this dialect writes ids, times, documents and transactions."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from syncd.core.backup import VaultView
from syncd.core.job import Job, Kind
from syncd.store.transactions import Transaction

PREFIX = "03_ibp_db_backup_"
SAFETY = "safety"
"""The flag of backups that are made before a restore; no list has them."""
SENT = "sent"
"""What the names of vaults begin with that are made of what somebody sent."""

LATEST = 1000
"""Jobs that are looked through for backups that are no vaults, the newest first."""

UNITS = ((86_400_000, "days"), (3_600_000, "hrs"), (60_000, "mins"), (1000, "secs"))

BASE = {
    "backup_version": "1.0.0",
    "type": "athena_backup",
}


def milliseconds(seconds: float) -> int:
    """Return a moment in milliseconds."""
    return round(seconds * 1000)


def id_of(made: float) -> str:
    """Return the id of a backup that was asked for at that moment."""
    return f"{PREFIX}{milliseconds(made)}"


def elapsed(said: Any) -> str:
    """Return how long something took that many milliseconds, in words."""
    if not isinstance(said, int | float | Decimal) or isinstance(said, bool):
        return "? sec"
    took = Decimal(said)
    if took <= 0:
        return "0 secs"
    for length, unit in UNITS:
        if took > length:
            return f"{_rounded(took / length)} {unit}"
    return f"{_rounded(took)} ms"


def _rounded(value: Decimal) -> Decimal:
    # Ties go up, as in the original.
    return value.quantize(Decimal("0.1"), ROUND_HALF_UP)


# Which backups there are.


def is_shown(view: VaultView) -> bool:
    """Tell whether a vault is a backup that somebody, or the clock, has asked for."""
    hidden = view.flags.get(SAFETY) or view.summary.name.startswith(f"{SENT}_")
    return not hidden


def is_listed(job: Job) -> bool:
    """Tell whether a job stands for a backup that is no vault: it runs, or has failed.

    One that made a vault, which is gone, does not.
    """
    if job.kind is not Kind.BACKUP or job.asked.get("flags", {}).get(SAFETY):
        return False
    return not job.state.final or not (job.result or {}).get("vault")


# Documents.


def running(job: Job, version: str) -> dict[str, Any]:
    """Return the document of a backup that is no vault."""
    error = {"error": job.error or str(job.state)} if job.state.final else {}
    end = job.ended if job.state.final else None
    return {
        "id": id_of(job.created),
        **BASE,
        "ibp_versions": {"tag": version},
        "doc_count": 0,
        "dbs": {},
        "in_progress": not job.state.final,
        "start_timestamp": milliseconds(job.created),
        "end_timestamp": milliseconds(end) if end else 0,
        "elapsed": elapsed(milliseconds(end) - milliseconds(job.created)) if end else 0,
        **error,
    }


def head(view: VaultView, version: str) -> dict[str, Any]:
    """Return what of a vault's document comes before its databases."""
    return {
        "id": id_of(view.summary.made),
        "backup_version": BASE["backup_version"],
        "ibp_versions": {"tag": version},
        "doc_count": view.summary.origin.get("documents", 0),
    }


def databases(view: VaultView, order: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return what there is to say of each database, without its documents."""
    known = view.summary.origin.get("databases", {})
    names = [name for name in order.values() if name in known]
    names += [name for name in known if name not in names]
    return {name: _database(known[name]) for name in names}


def _database(about: Mapping[str, Any]) -> dict[str, Any]:
    begun, moment = milliseconds(about["begun"]), milliseconds(about["moment"])
    return {
        "start_timestamp": begun,
        "finish_timestamp": moment,
        "elapsed": elapsed(moment - begun),
        "last_sequence": about.get("sequence"),
    }


def tail(view: VaultView) -> dict[str, Any]:
    """Return what comes after the databases, without attachments."""
    summary = view.summary
    begun = milliseconds(summary.made)
    read = [one["moment"] for one in summary.origin.get("databases", {}).values()]
    # It may have waited before it began.
    end = milliseconds(max(summary.made + summary.seconds, *read, 0.0))
    trouble = summary.failed or next(iter(view.damaged), None)
    return {
        "in_progress": False,
        "type": BASE["type"],
        "start_timestamp": begun,
        "end_timestamp": end,
        "elapsed": elapsed(end - begun),
        **({"error": trouble} if trouble else {}),
    }


# Transactions.


def transaction(one: Transaction, now: float) -> dict[str, Any]:
    """Return a transaction as it is told."""
    updated = now if one.pends else one.updated
    return {
        "athena_messages": one.messages,
        "by": one.by,
        "description": "restoring dbs from backup",
        "on_step": 0 if one.pends else 1,
        "status": one.status,
        "sub_type": "backup_restore",
        "total_steps": 1,
        **({} if one.ended is None else {"ts_completed": milliseconds(one.ended)}),
        "ts_last_updated": milliseconds(updated),
        "ts_started": milliseconds(one.started),
        "tx_id": one.id,
        "uuid": str(uuid5(NAMESPACE_URL, f"mailto:{one.who}")),
        "message": one.messages[-1] if one.messages else None,
    }


def censored(name: str, means: str) -> str:
    """Return who somebody is, without telling it all."""
    if means.startswith("token "):
        return f"{means.removeprefix('token ')[:8]}***"
    local, at, domain = name.partition("@")
    if not at:
        return "unknown_email" if name else "-"
    match len(local):
        case 1 | 2:
            shown = "*" * len(local)
        case 3:
            shown = f"{local[0]}**"
        case size:
            shown = f"{local[:1]}{'*' * (size - 2)}{local[-1:]}"
    return f"{shown}@{domain}"
