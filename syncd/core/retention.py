"""Eviction policies: which vaults to keep, which to drop, and why."""

from msgspec import Struct


class Decision(Struct, frozen=True):
    """What a policy says of one vault."""

    vault: str
    keep: bool
    rule: str
    """The rule that decided, in the policy's own words, or the guard above it."""
    reason: str
    """Why, for people."""
