"""What must be done so that a tree holds what a vault holds: values in and out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from syncd.backup_sources.zookeeper import special
from syncd.backup_sources.zookeeper.nodes import Kind, parent


class Mode(StrEnum):
    """How a restore treats what is there."""

    REPLACE = "replace"
    """Afterwards there is what the vault holds, and nothing else."""
    MERGE = "merge"
    """What the vault does not hold stays."""
    MISSING = "missing-only"
    """What is there stays as it is."""


class Deed(StrEnum):
    """What is done about one node; the values are for people."""

    CREATE = "create"
    SET = "set"
    SET_ACL = "set ACL"
    DELETE = "delete"
    RAISE = "raise counter"


COUNTED = {
    Deed.CREATE: "created",
    Deed.SET: "replaced",
    Deed.SET_ACL: "acl",
    Deed.DELETE: "deleted",
    Deed.RAISE: "counters",
}


class Wanted(Struct, frozen=True, gc=False):
    """A node that is to be there."""

    mark: bytes
    """A digest of its data."""
    acl: tuple[str, ...]
    """Empty: it is not known."""
    kind: Kind
    next: int
    start: int
    """Where its line begins."""
    size: int
    """Bytes of its data."""


class There(Struct, frozen=True, gc=False):
    """A node that is there."""

    mark: bytes
    acl: tuple[str, ...]
    ephemeral: bool
    version: int
    aversion: int
    next: int


class Step(Struct, frozen=True, gc=False):
    """What is done about one node."""

    deed: Deed
    path: str
    version: int = -1
    """What its version is if nobody changed it since."""
    count: int = 0
    """How often a counter is raised."""


class Plan(Struct, frozen=True):
    """All that is done below one node, in this order."""

    deletes: list[Step]
    writes: list[Step]
    """Creates and sets, a node before those below it."""
    raises: list[Step]
    permits: list[Step]
    """Set ACLs, a node after those below it."""
    unchanged: int = 0
    kept: list[str] = []
    """Ephemeral nodes that stay, as they belong to somebody who is there."""

    def steps(self) -> Iterator[Step]:
        """Give all that is done."""
        yield from self.deletes
        yield from self.writes
        yield from self.raises
        yield from self.permits

    def counts(self) -> dict[str, int]:
        """Return how many deeds of each kind there are."""
        counts = dict.fromkeys([*COUNTED.values(), "unchanged"], 0)
        counts["unchanged"] = self.unchanged
        for step in self.steps():
            counts[COUNTED[step.deed]] += 1
        return counts


def plan(wanted: Mapping[str, Wanted], there: Mapping[str, There], mode: Mode) -> Plan:
    """Return what is to be done; ``wanted`` has a node before those below it."""
    deletes, kept = _deletes(wanted, there, mode)
    gone = {step.path for step in deletes}
    writes: list[Step] = []
    permits: list[Step] = []
    created: dict[str, int] = {}
    unchanged = 0
    for path, node in wanted.items():
        if special.is_left_alone(path):
            continue
        now = there.get(path)
        if now is None or path in gone:
            writes.append(Step(Deed.CREATE, path))
            created[parent(path)] = created.get(parent(path), 0) + 1
            continue
        if now.ephemeral or mode is Mode.MISSING:
            unchanged += 1
            continue
        same = True
        if now.mark != node.mark and not special.is_counted(path):
            writes.append(Step(Deed.SET, path, now.version))
            same = False
        if node.acl and now.acl != node.acl:
            permits.append(Step(Deed.SET_ACL, path, now.aversion))
            same = False
        unchanged += same
    permits.reverse()
    raises = _raises(wanted, there, gone, created, mode)
    return Plan(deletes, writes, raises, permits, unchanged, kept)


def _deletes(
    wanted: Mapping[str, Wanted], there: Mapping[str, There], mode: Mode
) -> tuple[list[Step], list[str]]:
    if mode is not Mode.REPLACE:
        return [], []
    # One of a session that lives is in the way only where something else is to be.
    kept = [path for path, now in there.items() if now.ephemeral and path not in wanted]
    above = _above(kept)
    deletes = [
        Step(Deed.DELETE, path, now.version)
        for path, now in there.items()
        if _is_surplus(path, now, wanted)
        and path not in above
        and not special.is_left_alone(path)
        and not special.is_lasting(path)
    ]
    deletes.sort(key=lambda step: step.path.count("/"), reverse=True)
    return deletes, kept


def _is_surplus(path: str, now: There, wanted: Mapping[str, Wanted]) -> bool:
    return now.ephemeral == (path in wanted)


def _above(paths: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        above = parent(path)
        while above != "/" and above not in found:
            found.add(above)
            above = parent(above)
    return found


def _raises(
    wanted: Mapping[str, Wanted],
    there: Mapping[str, There],
    gone: Collection[str],
    created: Mapping[str, int],
    mode: Mode,
) -> list[Step]:
    """Return which counters are to be raised, once everything is created."""
    raises = []
    for path, node in wanted.items():
        if special.is_left_alone(path):
            continue
        now = None if path in gone else there.get(path)
        if now is not None and (now.ephemeral or mode is Mode.MISSING):
            continue
        count = node.next - (now.next if now else 0) - created.get(path, 0)
        if count > 0:
            raises.append(Step(Deed.RAISE, path, count=count))
    return raises
