"""One file's story for people: which rule put it where, what is pending, and why."""

from collections.abc import Sequence
from typing import Any

from syncd.api.rooms import CopySaid, Explanation, FileView, RuleSaid
from syncd.api.story import story
from syncd.core.file import Alarm, Copy, Doubt, File, Slot, has
from syncd.core.path import readable
from syncd.core.rules import Step
from syncd.core.work import Task, task
from syncd.core.world import World
from syncd.replication.chronicle import Step as Happened


def explained(
    file: File,
    view: FileView,
    world: World,
    written: Sequence[Any],
    under_way: set[tuple[Slot, int]],
    *,
    happened: Sequence[Happened] = (),
) -> Explanation:
    """Return the story of a file.

    ``written`` are the rules in force as people wrote them; ``under_way`` tells
    the slot and row of every order that is being carried out; ``happened`` is what
    is remembered of its last change.
    """
    steps = world.explain(file)
    matched = [
        RuleSaid(step.number, written[step.number - 1])
        for step in steps
        if step.matched and step.number <= len(written)
    ]
    copies = [
        _copy(file, slot, world, steps, (slot, file.id) in under_way)
        for slot in world.members
    ]
    return Explanation(
        file=view,
        rules=matched,
        entries=copies,
        moved_from=file.moved_from and readable(file.moved_from),
        cause=file.cause or None,
        story=story(file, world, happened),
        deleted=file.deleted,
    )


def _copy(
    file: File, slot: Slot, world: World, steps: Sequence[Step], under_way: bool
) -> CopySaid:
    copy = file.copy(slot)
    trouble = copy.trouble
    return CopySaid(
        entry=world.members[slot].name,
        owner=has(file.owners, slot),
        uptodate=file.holds_newest(slot) and has(file.owners, slot),
        present=copy.present,
        state=_state(file, slot, world, under_way),
        because=_because(file, slot, world, steps),
        reason=trouble.reason if trouble else _held(copy),
        attempts=trouble.attempts if trouble else 0,
        retry_at=trouble.retry_at if trouble else None,
    )


_DOING = {
    Task.PUT: "pending",
    Task.DELETE: "deleting",
    Task.AMEND: "changing mode or time",
    Task.SET_ASIDE: "conflict: being kept under another name",
    Task.INSPECT: "being read to compare",
}


def _state(file: File, slot: Slot, world: World, under_way: bool) -> str:
    copy = file.copy(slot)
    if copy.trouble is not None:
        return "blocked" if copy.trouble.blocked else "waiting to try again"
    todo = task(file, slot, world)
    if todo is not None:
        return "transferring" if under_way and todo is Task.PUT else _DOING[todo]
    return _settled(file, slot, copy, world)


_HELD = {
    Alarm.DELETIONS: "its deletion here",
    Alarm.OVERWRITES: "its new content here",
    Alarm.ROLLBACKS: "its older content here",
}


def _held(copy: Copy) -> str | None:
    if copy.held is None:
        return None
    what = _HELD[copy.held.alarm]
    return f"{what} is not passed on, since many such changes came at once"


def _settled(file: File, slot: Slot, copy: Copy, world: World) -> str:
    if copy.held is not None:
        return "held"
    if copy.doubt is Doubt.COMPARING:
        return "being compared"
    if copy.doubt is Doubt.LET_GO:
        return "deleted here only"
    if file.disputed & world.slots:
        return _in_dispute(file, slot, copy)
    if has(file.owners, slot):
        return "uptodate"
    return "kept, no longer maintained" if copy.present else "none"


def _in_dispute(file: File, slot: Slot, copy: Copy) -> str:
    if copy.doubt is Doubt.DISPUTED or file.holds_newest(slot):
        return "disputed: a person has to choose"
    return "waits for a decision" if has(file.owners, slot) else "none"


_LET_GO = (
    "it was deleted here, and entry {name} keeps deletions to itself (on_delete:"
    " ignore); its next version comes here again"
)


def _because(file: File, slot: Slot, world: World, steps: Sequence[Step]) -> str:
    name = world.members[slot].name
    if (pattern := world.ignoring(file, slot)) is not None:
        return f"entry {name} ignores it (pattern {pattern})"
    if file.copy(slot).doubt is Doubt.LET_GO:
        return _LET_GO.format(name=name)
    ruled = [step for step in steps if name in step.added or name in step.removed]
    if ruled:
        verb = "syncs" if name in ruled[-1].added else "bans"
        return f"rule {ruled[-1].number} {verb} it here"
    if has(file.origin, slot):
        return "its newest version was made here"
    if any(step.matched is None for step in steps):
        return "a rule waits for its MIME type"
    return "no rule wants it here"
