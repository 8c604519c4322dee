"""What a worker is told to do for a job."""

from typing import Any

from syncd.backup.logs import Logs
from syncd.backup.plan import Hooks, Plan
from syncd.core.borg.tasks import Task
from syncd.core.errand import Deed, Part, Work
from syncd.core.job import Job


def errand(
    plan: Plan,
    job: Job,
    logs: Logs,
    entries: dict[str, dict[str, Any]],
    id: str,
) -> Work:
    """Return the work that the job is; the entries are as they are now.

    ``id`` is that of the plan's store; empty: any will do.
    """
    hooks = plan.hooks.get(job.kind, Hooks())
    return Work(
        id=job.id,
        deed=Deed(job.kind),
        store=placed(plan, str(job.asked.get("folder", "")), id),
        source=plan.sources.get(job.source),
        source_name=job.source,
        entries=entries,
        vault=job.vault,
        asked=job.asked,
        who=job.who,
        made=job.created,
        log=str(logs.path(job.id)),
        scratch=str(logs.scratch(job.id)),
        keep=str(logs.keep(plan.name, job.source)),
        secrets=plan.secrets,
        before=hooks.before,
        after=hooks.after,
    )


def for_borg(task: Task, job: Job, logs: Logs) -> Work:
    """Return the work of a job that is about Borg's repositories."""
    return Work(
        id=job.id,
        deed=Deed.BORG,
        borg=task,
        who=job.who,
        made=job.created,
        log=str(logs.path(job.id)),
        scratch=str(logs.scratch(job.id)),
    )


def placed(plan: Plan, folder: str, id: str) -> Part:
    """Return the plan's store, which has that id, or the one in a folder of its own."""
    if not folder:
        known = {"id": id} if id else {}
        return Part(plan.store.reference, {**plan.store.options, **known})
    path = str(plan.elsewhere / folder)
    return Part(plan.store.reference, {**plan.store.options, "path": path})
