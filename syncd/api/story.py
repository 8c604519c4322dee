"""The last change of one file, step by step, as people are told."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from syncd.api.rooms import StepSaid
from syncd.core import path as paths
from syncd.core.change import (
    Amend,
    Change,
    Delete,
    Done,
    Failed,
    Found,
    Gone,
    Inspect,
    Order,
    Put,
    SetAside,
)
from syncd.core.file import File, slots
from syncd.core.world import World
from syncd.replication.chronicle import Kind, Step

MOST = 50
"""Orders and answers that are told: the last ones."""

_ORDERS: dict[type, str] = {
    Put: "put",
    Delete: "delete",
    Amend: "amend",
    SetAside: "set aside",
    Inspect: "read",
}


def story(file: File, world: World, steps: Sequence[Step]) -> list[StepSaid]:
    """Return how the newest version came to where it is, the last steps at the end.

    ``steps`` are those remembered of its cause, in order; the decision is in the
    index, and so always known.
    """
    known = [step for step in steps if step.slot in world.members]
    seen = [_said(step, world) for step in known if step.kind is Kind.NOTICED]
    done = [_said(step, world) for step in known if step.kind is not Kind.NOTICED]
    return [*seen, *_decided(file, world), *done[-MOST:]]


def _decided(file: File, world: World) -> Iterator[StepSaid]:
    if file.cause:
        owners = slots(file.owners & world.slots)
        yield StepSaid(
            at=file.changed_at,
            step="decided",
            what=_action(file),
            entries=[world.members[slot].name for slot in owners],
        )


def _action(file: File) -> str:
    if file.deleted:
        return "deleted"
    return "moved" if file.moved_from else "changed"


def _said(step: Step, world: World) -> StepSaid:
    entry = world.members[step.slot].name
    said = StepSaid(at=step.at, step=str(step.kind), what="", entry=entry)
    match step.about, step.result:
        case (Found(), _):
            return replace(said, what="found")
        case (Gone(), _):
            return replace(said, what="gone")
        case (about, None):
            return replace(said, what=_ORDERS[type(about)], sources=_sources(about))
        case (about, Failed(reason=reason)):
            return replace(
                said, step="failed", what=_ORDERS[type(about)], reason=reason
            )
        case (about, Done() as done):
            return replace(
                said, step="done", what=_ORDERS[type(about)], bytes=done.copied
            )
    raise AssertionError(step)


def _sources(order: Change | Order) -> list[str]:
    """Return where a content may be had, best first."""
    if not isinstance(order, Put):
        return []
    if order.hint is not None:
        return [f"{paths.readable(order.hint[0])} on the entry itself"]
    return [source.entry for source in order.sources]
