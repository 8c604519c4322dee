"""The deed that is Borg's: a typed task, and a typed result."""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from syncd.borg.running import masked
from syncd.borg.work import carry_out
from syncd.child.doing import Doing, reason
from syncd.core.errand import Done
from syncd.errors import BadRequest, StorageBusy, StorageUntrusted, SyncdError
from syncd.hiding import hider

STRANGER = "stranger"
"""Why something failed: a machine does not show the key that was confirmed for it."""


async def done(doing: Doing) -> Done:
    """Do the task of the work, and return what came of it.

    What failed because somebody else was at work, or a machine did not answer, may be
    tried again: Borg makes an archive whole or not at all.
    """
    task = doing.work.borg
    if task is None:
        raise BadRequest("there is no task for Borg in this work")
    secrets = masked(task)
    doing.say.hide(secrets)
    hide = hider(secrets)
    try:
        result = await carry_out(task, Path(doing.work.scratch), doing.say)
    except SyncdError as error:
        words = hide(str(error))
        doing.say.line(f"failed: {words}")
        again = isinstance(error, StorageBusy)
        # The same error of a vault store means something else.
        word = STRANGER if isinstance(error, StorageUntrusted) else reason(error)
        return Done(error=words, reason=word, retry=again)
    result = replace(result, warnings=[hide(one) for one in result.warnings])
    return Done(result=msgspec.to_builtins(result), borg=result)
