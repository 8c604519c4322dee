"""Jobs and vaults as the backup daemon's API shows them."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any

from syncd.core.backup import VaultView
from syncd.core.job import Job, Kind, State

LAST_LINES = 5
"""How much of its output a failed job tells."""

STATUS = {
    State.QUEUED: "Queued",
    State.RUNNING: "Processing",
    State.CANCELING: "Processing",
    State.SUCCESSFUL: "Successful",
    State.FAILED: "Failed",
    # Clients wait for an end, and know no other than these two.
    State.CANCELED: "Failed",
}

_TIME = re.compile(
    r"(?:.*_)?(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)", re.ASCII | re.IGNORECASE
)


def task(job: Job) -> str:
    """Return the id by which a job is known here: a backup's is its vault's name."""
    return job.vault if job.kind is Kind.BACKUP and job.vault else job.id


def job(one: Job, log: bytes, *, incremental: bool) -> dict[str, Any]:
    """Return the body about a job; ``log`` is the end of its output."""
    return {
        "task_id": task(one),
        "type": f"incremental {one.kind}" if incremental else str(one.kind),
        "status": STATUS[one.state],
        "vault": None if one.state is State.QUEUED else one.vault,
        "err": _trouble(one, log) if STATUS[one.state] == "Failed" else "",
    }


def _trouble(one: Job, log: bytes) -> str:
    lines = log.decode(errors="replace").splitlines()[-LAST_LINES:]
    told = one.error or ("it was canceled" if one.state is State.CANCELED else "")
    if told and not any(told in line for line in lines):
        lines = [told, *lines]
    between = " " if one.kind is Kind.BACKUP else "\n"
    return between.join(f"{line}\n" for line in lines)


def reason(error: str) -> str:
    """Return why something failed, without what a command said of it.

    That follows on further lines.
    """
    first, more, _ = error.partition("\n")
    return first.rstrip(": ") if more else error


def milliseconds(view: VaultView, zone: tzinfo | None) -> int:
    """Return the time in a vault's name, in milliseconds since 1970.

    The name has the time of a clock in that zone; None: of this machine's. One without
    a time is as old as the vault is.
    """
    if found := _TIME.fullmatch(view.summary.name):
        try:
            shown = datetime(*map(int, found.groups()), tzinfo=zone)  # type: ignore[misc, arg-type]
        except (OverflowError, ValueError):
            pass
        else:
            # Without a zone that is what the machine's own clock showed.
            return int(shown.timestamp()) * 1000
    return int(view.summary.made * 1000)


def is_failed(view: VaultView) -> bool:
    """Tell whether nothing came of it."""
    return view.summary.failed is not None or view.canceled


def told_by(view: VaultView) -> Job:
    """Return the job that has made a vault, as far as the vault tells.

    Jobs are forgotten after a while, and with the index; vaults are not.
    """
    summary = view.summary
    state = State.CANCELED if view.canceled else State.FAILED
    return Job(
        id=summary.name,
        kind=Kind.BACKUP,
        state=state if view.canceled or summary.failed else State.SUCCESSFUL,
        asked={"databases": summary.databases, "folder": view.folder},
        source=summary.source,
        store="",
        vault=summary.name,
        who="",
        created=summary.made,
        started=summary.made,
        ended=summary.made + summary.seconds,
        error=summary.failed or "",
    )


def stats(
    view: VaultView,
    zone: tzinfo | None,
    *,
    incremental: bool,
    publish_variables: bool,
) -> dict[str, Any]:
    """Return the body about one vault, with its units as text; see milliseconds."""
    summary, figures = view.summary, _figures(view)
    whole = "incremental backup" if incremental else "full backup"
    granular = is_granular(view)
    return {
        "id": summary.name,
        "is_granular": granular,
        "db_list": list(summary.listed) if granular else whole,
        "failed": is_failed(view),
        "locked": False,
        "sharded": view.flags.get("sharded", False),
        "canceled": view.canceled,
        "ts": milliseconds(view, zone),
        "exit_code": figures["exit_code"],
        "spent_time": f"{figures['spent_time']}ms",
        "size": f"{figures['size']}b",
        "valid": view.valid,
        "evictable": view.pin is None,
        **_exception(view),
        **(
            {"custom_vars": summary.variables}
            if publish_variables and summary.variables
            else {}
        ),
    }


def brief(view: VaultView, zone: tzinfo | None) -> dict[str, Any]:
    """Return the object about one vault in ``/health``, with numbers."""
    return {
        "id": view.summary.name,
        "failed": is_failed(view),
        "locked": False,
        "sharded": view.flags.get("sharded", False),
        "canceled": view.canceled,
        "ts": milliseconds(view, zone),
        "metrics": {**_figures(view), **_exception(view)},
    }


def is_granular(view: VaultView) -> bool:
    """Tell whether it was made of chosen databases, and lies with the others."""
    return view.summary.partial and not view.folder


def listed(views: Iterable[VaultView], zone: tzinfo | None) -> list[VaultView]:
    """Return those that lists name, oldest first."""
    here = [view for view in views if not view.folder]
    return sorted(here, key=lambda one: (milliseconds(one, zone), one.summary.name))


def since(
    views: Sequence[VaultView], moment: int, zone: tzinfo | None
) -> VaultView | None:
    """Return the oldest of that millisecond or after it; None if there is none."""
    return next((one for one in views if milliseconds(one, zone) >= moment), None)


def _figures(view: VaultView) -> dict[str, int]:
    """Return what there is of every vault: clients count on numbers."""
    code = view.summary.exit_code
    return {
        "exit_code": int(is_failed(view)) if code is None else code,
        "spent_time": round(view.summary.seconds * 1000),
        "size": view.size,
    }


def _exception(view: VaultView) -> dict[str, str]:
    if not is_failed(view):
        return {}
    return {"exception": view.summary.failed or "it was canceled"}
