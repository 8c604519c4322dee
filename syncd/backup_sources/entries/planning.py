"""What must be done so that an entry holds what a vault holds: values in and out."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from syncd.backup_sources.entries.items import kind_of, target_of
from syncd.core.file import Kind, Seen
from syncd.core.path import parent, readable
from syncd.core.vault import Item


class Deed(StrEnum):
    """What is done about one path; the values are for people."""

    CREATE = "create"
    REPLACE = "replace"
    AMEND = "amend"
    """Only mode or time is another."""
    DELETE = "delete"
    UNCHANGED = "unchanged"
    COMPARE = "compare"
    """Only reading tells whether the content is another; no plan ends with it."""
    BLOCKED = "blocked"
    """A folder with something in it is where a file is to be."""


COUNTED = {
    Deed.CREATE: "created",
    Deed.REPLACE: "replaced",
    Deed.AMEND: "amended",
    Deed.DELETE: "deleted",
    Deed.UNCHANGED: "unchanged",
}
"""How deeds are counted in a report."""

BLOCKED = "a folder is in its place, and what is in it is not to be deleted"


class Step(Struct, frozen=True):
    """What is done about one path."""

    deed: Deed
    path: str
    item: Item | None = None
    """What is to be there; None for nothing."""
    there: Seen | None = None
    """What is there."""

    @property
    def kind(self) -> Kind:
        """Return the kind of what is to be there, or was."""
        if self.item is not None:
            return kind_of(self.item)
        assert self.there is not None
        return self.there.kind


class Plan(Struct, frozen=True):
    """All that is done to one entry."""

    steps: list[Step]
    """About what the vault holds, a folder before what is in it."""
    surplus: list[Step]
    """What goes: contents first, then folders from the innermost on."""

    def in_the_way(self) -> Iterator[Step]:
        """Give what must go before anything can be put there.

        A file where a folder is to be, and a folder, with all that is in it, where
        something else is to be.
        """
        folders = {
            step.path
            for step in self.steps
            if step.there is not None
            and step.there.kind is Kind.DIRECTORY
            and step.deed is Deed.REPLACE
        }
        if folders:
            yield from (one for one in self.surplus if _is_in(one.path, folders))
        for step in self.steps:
            is_folder = step.path in folders or step.kind is Kind.DIRECTORY
            if is_folder and step.deed is Deed.REPLACE:
                yield step

    def others(self) -> Iterator[Step]:
        """Give the rest of what goes."""
        before = {(one.path, one.deed) for one in self.in_the_way()}
        yield from (one for one in self.surplus if (one.path, one.deed) not in before)

    def counts(self) -> dict[str, int]:
        """Return how many deeds of each kind there are, and bytes that are written."""
        counts = dict.fromkeys([*COUNTED.values(), "bytes"], 0)
        for step in [*self.steps, *self.surplus]:
            if step.deed in COUNTED:
                counts[COUNTED[step.deed]] += 1
            if step.deed in (Deed.CREATE, Deed.REPLACE) and step.item is not None:
                counts["bytes"] += step.item.size
        return counts


def plan(
    wanted: Mapping[str, Item], there: Mapping[str, Seen], *, delete: bool
) -> Plan:
    """Return what is to be done; ``wanted`` has a folder before what is in it.

    With ``delete`` also what is there and not wanted goes; else nothing does.
    """
    surplus = _surplus(wanted, there) if delete else []
    going = {step.path for step in surplus}
    full = {parent(path) for path in there if path not in going}
    steps = [_step(path, item, there.get(path), full) for path, item in wanted.items()]
    return Plan(steps, surplus)


def compared(step: Step, *, same: bool) -> Step:
    """Return the step once the contents were compared."""
    assert step.item is not None
    assert step.there is not None
    if not same:
        return Step(Deed.REPLACE, step.path, step.item, step.there)
    dressed = (
        step.item.mode == step.there.mode
        and step.item.mtime_ns == step.there.stamp.mtime_ns
    )
    deed = Deed.UNCHANGED if dressed else Deed.AMEND
    return Step(deed, step.path, step.item, step.there)


def told(name: str, plan: Plan) -> Iterator[str]:
    """Give what would be done to an entry, for people, a line each."""
    for step in [*plan.steps, *plan.surplus]:
        if step.deed is Deed.UNCHANGED:
            continue
        folder = "/" if step.kind is Kind.DIRECTORY else ""
        size = f" ({step.item.size} bytes)" if step.item and step.item.size else ""
        yield f"{step.deed} {name}/{readable(step.path)}{folder}{size}"


def _surplus(wanted: Collection[str], there: Mapping[str, Seen]) -> list[Step]:
    gone = [
        Step(Deed.DELETE, path, None, seen)
        for path, seen in there.items()
        if path not in wanted
    ]
    folders = [one for one in gone if one.kind is Kind.DIRECTORY]
    folders.sort(key=lambda one: one.path.count("/"), reverse=True)
    return [*(one for one in gone if one.kind is not Kind.DIRECTORY), *folders]


def _step(path: str, item: Item, there: Seen | None, full: Collection[str]) -> Step:
    return Step(_deed(path, item, there, full), path, item, there)


def _deed(path: str, item: Item, there: Seen | None, full: Collection[str]) -> Deed:
    kind = kind_of(item)
    if there is None:
        return Deed.CREATE
    if there.kind is not kind:
        blocked = there.kind is Kind.DIRECTORY and path in full
        return Deed.BLOCKED if blocked else Deed.REPLACE
    if kind is Kind.DIRECTORY:
        return Deed.UNCHANGED if there.mode == item.mode else Deed.AMEND
    if kind is Kind.LINK:
        same = there.target == target_of(item)
        return Deed.UNCHANGED if same else Deed.REPLACE
    return Deed.COMPARE if there.stamp.size == item.size else Deed.REPLACE


def _is_in(path: str, folders: Iterable[str]) -> bool:
    above = parent(path)
    while above:
        if above in folders:
            return True
        above = parent(above)
    return False
