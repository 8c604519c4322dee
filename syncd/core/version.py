"""Which change a content comes from: version vectors, one counter per entry.

A version maps an entry's slot to the number of the newest change made there
that is part of the content's history (Parker et al., "Detection of Mutual
Inconsistency in Distributed Systems", 1983). A counter is set above *every*
counter of the version it follows, so a number once given is never given again.
"""

from enum import Enum, auto

Version = dict[int, int]
"""Slot of an entry -> counter. Never changed in place."""

NEVER: Version = {}
"""The version of what was never there."""


class Relation(Enum):
    """How one version stands to another."""

    SAME = auto()
    NEWER = auto()
    OLDER = auto()
    CONCURRENT = auto()


def relation(one: Version, other: Version) -> Relation:
    """Return how the first version stands to the second."""
    if one == other:
        return Relation.SAME
    if not other:
        return Relation.NEWER  # The commonest case by far: nothing was there.
    above = any(count > other.get(slot, 0) for slot, count in one.items())
    below = any(count > one.get(slot, 0) for slot, count in other.items())
    if above and below:
        return Relation.CONCURRENT
    return Relation.NEWER if above else Relation.OLDER


def bumped(version: Version, slot: int, above: Version = NEVER) -> Version:
    """Return the version after one more change on the entry.

    The counter exceeds every counter of the version and of ``above``.
    """
    highest = max((*version.values(), *above.values()), default=0)
    return {**version, slot: highest + 1}


def merged(one: Version, other: Version) -> Version:
    """Return the version that knows what both know."""
    return {slot: max(one.get(slot, 0), other.get(slot, 0)) for slot in one | other}
