"""Eviction policies: which vaults to keep, which to drop, and why.

A policy is a text of rules by age (``0/1d,7d/delete``), a number of vaults
(``3/delete``), or counts by the calendar (``calendar``). Whatever it says: pinned
vaults and those in use stay, the newest valid vault stays, and a failed one never
takes the place of a valid one.

Each rule sees all vaults, so neither the order of the rules nor that of the vaults
matters, and what was kept is kept when the same is asked again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from itertools import groupby

from msgspec import Struct

from syncd.errors import BadRequest

UNITS = {
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "m": 30 * 86_400,
    "y": 360 * 86_400,
}
"""Seconds. A month has 30 days and a year 12 of them; ``m`` is no minute."""

FIRST_MONDAY = 345_600
"""1970-01-05 00:00 UTC, in seconds: where the first window of any length begins."""

MOST_RULES = 100
LARGEST = 1_000_000
"""A count or a number of units beyond that is a slip of the finger."""

NEAR = "near "
"""How a policy begins that names ages."""

_LENGTH = re.compile(r"([0-9]+)(min|h|d|m|y)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)


class Decision(Struct, frozen=True):
    """What a policy says of one vault."""

    vault: str
    keep: bool
    rule: str
    """The rule that decided, in the policy's own words, or the guard above it."""
    reason: str
    """Why, for people."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A vault as policies see it."""

    vault: str
    made: float
    """From when it ages, in seconds since 1970; for one brought in: when it came."""
    valid: bool = True
    pinned: str | None = None
    """Why it must stay; None: it is not pinned."""
    busy: str | None = None
    """What reads it, or is going to; None: nothing."""


class Rule(Struct, frozen=True):
    """One rule by age, in the policy's words and in seconds."""

    text: str
    start: int
    """The age from which on it looks at a vault."""
    window: int | None
    """Of each so long a time one vault stays; None: none does."""


class Intervals(Struct, frozen=True):
    """Rules by age; one that drops a vault is enough for it to go."""

    text: str
    rules: Sequence[Rule]

    def judge(self, vaults: Sequence[Candidate], now: float) -> Iterator[Decision]:
        """Give a decision for each of these, which are the newest first."""
        spoken = [dict(_by_age(rule, vaults, now)) for rule in self.rules]
        for one in vaults:
            words = [said[one.vault] for said in spoken if one.vault in said]
            dropping = [said for said in words if not said.keep]
            yield (dropping or words[-1:] or [self._young(one)])[0]

    def reaching(self, vault: Candidate, now: float) -> str | None:
        """Return the first rule that looks at a vault of that age."""
        reached = (one.text for one in self.rules if vault.made <= now - one.start)
        return next(reached, None)

    def _young(self, vault: Candidate) -> Decision:
        first = min(self.rules, key=lambda rule: rule.start)
        age = first.text.partition("/")[0]
        return Decision(vault.vault, True, first.text, f"it is younger than {age}")


class Limit(Struct, frozen=True):
    """The newest so many stay."""

    text: str
    count: int

    def judge(self, vaults: Sequence[Candidate], now: float) -> Iterator[Decision]:
        """Give a decision for each of these, which are the newest first."""
        del now
        for rank, one in enumerate(vaults):
            if rank < self.count:
                reason = f"it is number {rank + 1} of the newest {self.count}"
            else:
                reason = f"{self.count} newer ones are valid"
            yield Decision(one.vault, rank < self.count, self.text, reason)

    def reaching(self, vault: Candidate, now: float) -> str | None:
        """Return the rule: it looks at vaults of whatever age."""
        del vault, now
        return self.text


class Period(StrEnum):
    """What a calendar counts, the finest first."""

    LAST = "last"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Calendar(Struct, frozen=True):
    """The newest vault of each of the newest hours, days, ... in which there is one."""

    text: str
    counts: Mapping[Period, int]
    zone: tzinfo
    """Where those hours and days begin."""

    def judge(self, vaults: Sequence[Candidate], now: float) -> Iterator[Decision]:
        """Give a decision for each of these, which are the newest first."""
        del now
        kept: dict[str, list[str]] = {}
        for period, count in self.counts.items():
            for rank, vault in enumerate(self._newest_of_each(period, vaults)[:count]):
                kept.setdefault(vault, []).append(f"{period} {rank + 1} of {count}")
        for one in vaults:
            if counts := kept.get(one.vault):
                yield Decision(one.vault, True, self.text, f"it is {', '.join(counts)}")
            else:
                yield Decision(
                    one.vault, False, self.text, "none of the counts keeps it"
                )

    def reaching(self, vault: Candidate, now: float) -> str | None:
        """Return the rule: it looks at vaults of whatever age."""
        del vault, now
        return self.text

    def _newest_of_each(
        self, period: Period, vaults: Sequence[Candidate]
    ) -> Sequence[str]:
        if period is Period.LAST:
            return [one.vault for one in vaults]
        newest: dict[object, str] = {}
        for one in vaults:
            newest.setdefault(_place(period, one.made, self.zone), one.vault)
        return list(newest.values())


class Ages(Struct, frozen=True):
    """For each of some ages, the vault that is nearest to it and not kept yet."""

    text: str
    ages: Sequence[tuple[str, int]]
    """In words and in seconds, in the order in which they choose."""

    def judge(self, vaults: Sequence[Candidate], now: float) -> Iterator[Decision]:
        """Give a decision for each of these, which are the newest first."""
        left = list(vaults)
        kept: dict[str, str] = {}
        for words, age in self.ages[: len(left)]:
            distances = [abs(now - one.made - age) for one in left]
            nearest = left.pop(distances.index(min(distances)))
            kept[nearest.vault] = f"it is the nearest to {words}"
        for one in vaults:
            reason = kept.get(one.vault, "others are nearer to every age")
            yield Decision(one.vault, one.vault in kept, self.text, reason)

    def reaching(self, vault: Candidate, now: float) -> str | None:
        """Return the rule: it looks at vaults of whatever age."""
        del vault, now
        return self.text


Policy = Intervals | Limit | Calendar | Ages


def parse(text: str) -> Policy:
    """Return the policy that a text says; raise BadRequest, with words, for a bad one.

    Every rule is ``START/delete`` or ``START/LENGTH``, where a length is a number and
    a unit; or the only one is ``NUMBER/delete``, or ``near AGE, AGE, ...``.
    """
    if text.strip().startswith(NEAR):
        return _ages(text)
    if limit := re.fullmatch(r"([0-9]+)/delete", text.strip(), re.ASCII):
        return _limit(text.strip(), limit[1])
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_RULES:
        raise BadRequest(f"the policy has more than {MOST_RULES} rules")
    return Intervals(", ".join(parts), [_rule(part, text) for part in parts])


def calendar(counts: Mapping[str, int], zone: tzinfo) -> Calendar:
    """Return the policy that keeps such counts; raise BadRequest for a bad one."""
    known = [str(period) for period in Period]
    if strangers := sorted(set(counts) - set(known)):
        raise BadRequest(
            f"what is kept is counted by {', '.join(known)}, not {strangers[0]!r}"
        )
    for name, count in counts.items():
        if not 0 <= count <= LARGEST:
            raise BadRequest(
                f"{name} must be a whole number from 0 to {LARGEST}, not {count}"
            )
    chosen = {period: counts[period] for period in Period if counts.get(period)}
    if not chosen:
        raise BadRequest(
            "these counts would keep nothing; at least one must be above 0"
        )
    said = ", ".join(f"{period}: {count}" for period, count in chosen.items())
    return Calendar(f"keep {said}", chosen, zone)


def decide(policy: Policy, vaults: Iterable[Candidate], now: float) -> list[Decision]:
    """Return what becomes of every vault, the newest first.

    The vaults are those of one kind and source: they alone can stand for each other.
    """
    newest_first = sorted(vaults, key=lambda one: (one.made, one.vault), reverse=True)
    competing = [one for one in newest_first if one.valid and not _guarded(one)]
    judged = {said.vault: said for said in policy.judge(competing, now)}
    newest_valid = next((one.vault for one in newest_first if one.valid), None)
    news = newest_first[0].vault if newest_first else None
    return [
        _guarded(one)
        or (
            _floored(judged[one.vault], newest_valid)
            if one.valid
            else _failed(policy, one, news, now)
        )
        for one in newest_first
    ]


def _guarded(vault: Candidate) -> Decision | None:
    if vault.pinned is not None:
        return Decision(vault.vault, True, "pinned", vault.pinned or "it is pinned")
    if vault.busy is not None:
        return Decision(vault.vault, True, "in use", vault.busy or "it is in use")
    return None


def _floored(judged: Decision, newest_valid: str | None) -> Decision:
    if judged.keep or judged.vault != newest_valid:
        return judged
    return Decision(
        judged.vault,
        True,
        "newest valid",
        f"the newest valid vault always stays, although {judged.rule} drops it",
    )


def _failed(policy: Policy, vault: Candidate, news: str | None, now: float) -> Decision:
    """Decide on a failed vault, which is kept for what it tells only.

    The newest of all says why there is no newer valid one; the others go as soon as
    the policy looks at vaults of their age.
    """
    if vault.vault == news:
        reason = "it failed, and there is nothing newer"
        return Decision(vault.vault, True, "newest failed", reason)
    rule = policy.reaching(vault, now)
    if rule is None:
        reason = f"it failed, and is younger than all that {policy.text} looks at"
        return Decision(vault.vault, True, "failed", reason)
    reason = f"it failed, is not the newest, and {rule} looks at its age"
    return Decision(vault.vault, False, "failed", reason)


def _by_age(
    rule: Rule, vaults: Sequence[Candidate], now: float
) -> Iterator[tuple[str, Decision]]:
    """Give what one rule says of those vaults that it looks at."""
    age, _, what = rule.text.partition("/")
    old = [one for one in vaults if one.made <= now - rule.start]
    for _, window in groupby(old, key=lambda one: _window(rule, one.made)):
        stays, *others = window
        if rule.window is None:
            others = [stays, *others]
        else:
            reason = f"it is the newest of its window of {what}"
            yield stays.vault, Decision(stays.vault, True, rule.text, reason)
        for one in others:
            newer = f"{stays.vault} is newer in its window of {what}"
            reason = f"it is {age} old or older" if rule.window is None else newer
            yield one.vault, Decision(one.vault, False, rule.text, reason)


def _window(rule: Rule, made: float) -> int:
    """Return the number of a vault's window.

    It is cut off towards zero, as it always was: around 1970-01-05 one window is
    twice as long.
    """
    return 0 if rule.window is None else int((made - FIRST_MONDAY) / rule.window)


def _limit(text: str, number: str) -> Limit:
    count = _count(number, text)
    if count == 0:
        raise BadRequest(f"{text!r} would keep nothing; say at least 1/delete")
    return Limit(text, count)


def _rule(part: str, policy: str) -> Rule:
    start, slash, action = part.partition("/")
    if not slash:
        raise BadRequest(
            f"{_shown(part)} in the policy {_shown(policy)} is no rule: a rule is"
            " START/LENGTH, START/delete or, all by itself, NUMBER/delete"
        )
    age = 0 if start == "0" else _length(start, part)
    window = None if action == "delete" else _length(action, part)
    if window == 0:
        raise BadRequest(f"{_shown(part)}: a window of no length holds no vault")
    if window is None and age == 0:
        raise BadRequest(f"{_shown(part)} would delete every vault")
    return Rule(part, age, window)


def _length(text: str, rule: str) -> int:
    if length := _LENGTH.fullmatch(text):
        return _count(length[1], rule) * UNITS[length[2]]
    if _NUMBER.fullmatch(text):
        raise BadRequest(
            f"{_shown(rule)}: {_shown(text)} lacks a unit ({', '.join(UNITS)});"
            " a number of vaults is the only rule of its policy, as in 3/delete"
        )
    raise BadRequest(
        f"{_shown(rule)}: {_shown(text)} is no length of time;"
        f" say a number and one of {', '.join(UNITS)}"
    )


def _ages(text: str) -> Ages:
    parts = [part.strip() for part in text.strip().removeprefix(NEAR).split(",")]
    if len(parts) > MOST_RULES:
        raise BadRequest(f"the policy has more than {MOST_RULES} ages")
    ages = [(part, _length(part, text)) for part in parts]
    return Ages(f"{NEAR}{', '.join(parts)}", ages)


def _count(number: str, rule: str) -> int:
    if len(number) > 20 or int(number) > LARGEST:
        raise BadRequest(f"{_shown(rule)}: numbers go up to {LARGEST}")
    return int(number)


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else f"{text[:60]!a}..."


def _place(period: Period, made: float, zone: tzinfo) -> object:
    """Return the hour, day, ... that a moment lies in; each is a kind of its own."""
    local = datetime.fromtimestamp(made, zone)
    if period is Period.HOURLY:
        # An hour that the clock goes through twice is two hours.
        return local.date(), local.hour, local.utcoffset()
    if period is Period.DAILY:
        return local.date()
    if period is Period.WEEKLY:
        return local.isocalendar()[:2]
    return local.year if period is Period.YEARLY else (local.year, local.month)
