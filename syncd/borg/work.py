"""One task for Borg, from beginning to end."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from syncd.backup_sources.contract import Tell
from syncd.borg import catalogue, hosts, keeping, making, restoring
from syncd.borg.running import Runner
from syncd.core.borg import tasks
from syncd.core.borg.tasks import Result, Task

_DEEDS: dict[type[Task], Callable[[Any, Runner], Awaitable[Result]]] = {
    tasks.BackUp: making.back_up,
    tasks.Catalogue: catalogue.catalogue,
    tasks.Prune: keeping.prune,
    tasks.Check: keeping.check,
    tasks.Restore: restoring.restore,
    tasks.PrepareClient: hosts.prepare,
    tasks.PrepareRepository: keeping.prepare,
    tasks.Survey: keeping.survey,
    tasks.FetchHostKeys: hosts.fetch,
}


async def carry_out(task: Task, scratch: Path, tell: Tell) -> Result:
    """Do the task and return what came of it; nothing is left running.

    ``scratch`` is a folder of the task's own. Raise SyncdError, in words that name
    what to do about it.
    """
    return await _DEEDS[type(task)](task, Runner(task, scratch, tell))
