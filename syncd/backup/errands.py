"""What a worker is told to do for a job."""

from typing import Any

from syncd.backup.logs import Logs
from syncd.backup.plan import Hooks, Plan
from syncd.core.errand import Deed, Part, Work
from syncd.core.job import Job


def errand(
    plan: Plan, job: Job, hooks: Hooks, logs: Logs, entries: dict[str, dict[str, Any]]
) -> Work:
    """Return the work that the job is; the entries are as they are now."""
    return Work(
        id=job.id,
        deed=Deed(job.kind),
        store=placed(plan, str(job.asked.get("folder", ""))),
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


def placed(plan: Plan, folder: str) -> Part:
    """Return the plan's store, or the one in a folder of its own."""
    if not folder:
        return plan.store
    path = str(plan.elsewhere / folder)
    return Part(plan.store.reference, {**plan.store.options, "path": path})
