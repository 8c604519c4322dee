"""What people are told of what happened: changes, transfers, conflicts."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from syncd.core import path as paths
from syncd.core.change import Done, Failed, Put, SetAside
from syncd.core.file import slots
from syncd.core.world import World
from syncd.replication.batch import Ended, News, Touched

Tell = Callable[[str, dict[str, Any]], None]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def tell(
    touched: Sequence[Touched], news: Sequence[News], world: World, say: Tell
) -> None:
    """Say what a transaction changed, to whoever listens and to the log."""
    for one in touched:
        if one.before is None or one.before.version != one.after.version:
            _say_change(one, world, say)
    for end in news:
        if isinstance(end, Ended):
            _say_results(end, world, say)


def _say_change(one: Touched, world: World, say: Tell) -> None:
    file = one.after
    action = "modified"
    if file.deleted:
        action = "deleted"
    elif one.before is None or one.before.deleted:
        action = "created"
    entries = [world.members[s].name for s in slots(file.origin & world.slots)]
    facts = {
        **_named(file.path),
        "action": action,
        "entries": entries,
        "size": file.size,
        "cause": file.cause,
    }
    say("change", facts)
    if log.isEnabledFor(logging.DEBUG):
        log.debug("file changed", **facts | {"action": "change", "change": action})


def _say_results(end: Ended, world: World, say: Tell) -> None:
    entry = world.members[end.slot].name
    for issued, result in end.results:
        order = issued.order
        facts = {**_named(order.path), "entry": entry, "cause": order.cause}
        if isinstance(result, Failed):
            log.warning(
                "order failed",
                **facts
                | {"action": "order", "why": result.why, "reason": result.reason},
            )
            say("transfer", facts | {"state": "failed", "reason": result.reason})
        elif isinstance(order, Put):
            say("transfer", facts | {"state": "done", "bytes": result.copied})
        elif isinstance(order, SetAside):
            _say_conflict(facts, result, say)


def _say_conflict(facts: dict[str, Any], result: Done, say: Tell) -> None:
    if result.seen is not None:
        kept = paths.readable(result.seen.path)
        say("conflict", facts | {"kept_as": kept})
        log.warning("conflict", **facts | {"action": "conflict", "kept_as": kept})


def _named(path: str) -> dict[str, str]:
    return {"fid": paths.fid(path), "filename": paths.readable(path)}
