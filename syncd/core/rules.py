"""Which entries should own a file: the rules, in order, and what they say of it."""

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Struct
from pydantic import ValidationError, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from syncd.core.criteria import Criteria, Subject
from syncd.core.file import Mask, Slot, mask, slots
from syncd.core.match import Entries, Given, Match, Value, named, shown
from syncd.errors import BadRequest

__all__ = [
    "Rule",
    "RuleFaults",
    "Rules",
    "Step",
    "Subject",
    "Verdict",
    "fingerprint",
    "parse",
]

MOST_RULES = 10_000
MOST_FAULTS = 100
DEEPEST_NOT = 10


class RuleFaults(BadRequest):
    """A rule set is not one; every fault is told with its place."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


class Rule(Value):
    """Files that match are owned by the entries of sync, and not by those of ban."""

    match: Annotated[Match, Given] = Match.model_validate({})
    sync: Annotated[Entries, Given] = ()
    ban: Annotated[Entries, Given] = ()

    @model_validator(mode="after")
    def _does_something(self) -> "Rule":
        if not self.sync and not self.ban:
            raise ValueError("must name an entry in sync or ban")
        return self


class RuleSet(Value):
    """The rules, in order: each adds owners to what it matches, or takes some away."""

    rules: tuple[Rule, ...]


class _AsWritten(GenerateJsonSchema):
    """What people may write: what is left out has no value, and null is none."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


class Verdict(Struct, frozen=True, gc=False):
    """What the rules say of one file."""

    owners: Mask
    """The entries that should own it; an undecided rule counts as not matching."""
    undecided: Mask = 0
    """The entries for which that may change once the MIME type is known."""
    judge_at: float | None = None
    """When time alone may change it; None for never."""

    @property
    def needs_mime(self) -> bool:
        """Tell whether the owners depend on the MIME type, which is not known."""
        return self.undecided != 0


class Step(Struct, frozen=True):
    """What one rule did for a file; for people."""

    number: int
    """Of the rule, from 1."""
    matched: bool | None
    """None while it depends on the MIME type."""
    failed: str | None
    """The first criterion that did not hold, or is not decided."""
    added: tuple[str, ...]
    """The entries it made owners."""
    removed: tuple[str, ...]
    """The entries it kept from being owners."""


# Reading ----------------------------------------------------------------------


def parse(document: Any, entries: Collection[str] | None) -> tuple[Rule, ...]:
    """Return the rules of a document in the API's shape; raise RuleFaults.

    Every fault is told at once. Entries that are not among ``entries`` are
    faults; None lets every name pass.
    """
    faults: list[str] = []
    rules: dict[Rule, int] = {}
    for number, raw in enumerate(_listed(document, faults)):
        place = f"rules[{number}]"
        rule = _rule(raw, place, entries, faults)
        if rule is None:
            continue
        if rule in rules:
            faults.append(f"{place}: is the same as rules[{rules[rule]}]")
        rules.setdefault(rule, number)
    if len(faults) > MOST_FAULTS:
        faults[MOST_FAULTS:] = [f"... and {len(faults) - MOST_FAULTS} more"]
    if faults:
        raise RuleFaults(*faults)
    return tuple(rules)


def fingerprint(document: Any, entries: Collection[str]) -> str:
    """Return what changes with the rules of a document that parse has let pass.

    The entries belong to it: a rule may name one that comes or goes.
    """
    text = json.dumps([document, sorted(entries)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def schema() -> dict[str, Any]:
    """Return what a rules document may say, as JSON Schema."""
    return RuleSet.model_json_schema(by_alias=True, schema_generator=_AsWritten)


def _listed(document: Any, faults: list[str]) -> list[Any]:
    if not isinstance(document, dict):
        faults.append(
            'the rules must be an object, {"rules": [...]}, not ' + shown(document)
        )
        return []
    faults += [_unknown(key, ["rules"]) for key in document if key != "rules"]
    rules = document.get("rules")
    if "rules" not in document:
        faults.append("rules: is missing; no rules at all are an empty list, []")
    elif not isinstance(rules, list):
        faults.append(f"rules: must be a list, not {shown(rules)}")
    elif len(rules) > MOST_RULES:
        faults.append(f"rules: must not be more than {MOST_RULES}")
    else:
        return rules
    return []


def _rule(
    raw: Any, place: str, entries: Collection[str] | None, faults: list[str]
) -> Rule | None:
    if _depth(raw) > DEEPEST_NOT:
        faults.append(f"{place}.match: has not within not within not, too deep")
        return None
    try:
        return Rule.model_validate(raw, context=entries)
    except ValidationError as error:
        faults += (_fault(place, one) for one in error.errors(include_url=False))
        return None


def _depth(raw: Any) -> int:
    depth = 0
    match = raw.get("match") if isinstance(raw, dict) else None
    while isinstance(match, dict) and depth <= DEEPEST_NOT:
        match = match.get("not")
        depth += 1
    return depth


def _fault(place: str, error: Any) -> str:
    """Return one of pydantic's faults in our words."""
    loc, value = error["loc"], error["input"]
    match error["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"{_place(place, loc[:-1])}: {_unknown(loc[-1], _known(loc[:-1]))}"
        case "value_error":
            words = str(error["ctx"]["error"])
        case "model_type":
            words = f"must be an object, not {shown(value)}"
        case _:
            words = error["msg"]
    return f"{_place(place, loc)}: {words}"


def _place(place: str, loc: Sequence[int | str]) -> str:
    return place + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc)


def _known(loc: Sequence[int | str]) -> list[str]:
    """Return the keys that an object at the place may have."""
    if not loc:
        return list(Rule.model_fields)
    if loc[-1] in ("match", "not"):
        fields = Match.model_fields.items()
        return [field.alias or name for name, field in fields]
    return ["min", "max"]


def _unknown(key: Any, known: list[str]) -> str:
    text = key if isinstance(key, str) else str(type(key))
    near = difflib.get_close_matches(text[:40].lower(), known, 1)
    remedy = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    return f"unknown key {named(key) if isinstance(key, str) else shown(key)}; {remedy}"


# Judging ----------------------------------------------------------------------


class _Ready:
    """One rule, ready to judge."""

    def __init__(self, number: int, rule: Rule, numbers: Mapping[str, Slot]) -> None:
        self.number = number
        self.criteria = Criteria(rule.match, numbers)
        self.holds = self.criteria.holds
        self.sync = mask({numbers[name] for name in rule.sync if name in numbers})
        self.keep = ~mask({numbers[name] for name in rule.ban if name in numbers})
        self.settles = self.sync | ~self.keep

    def applied(self, owners: Mask) -> Mask:
        """Return the owners after this rule, if it matches."""
        return (owners | self.sync) & self.keep


class Rules:
    """A rule set, ready to judge.

    Names without a slot are ignored: those of entries that were removed from
    the configuration.
    """

    def __init__(self, rules: Sequence[Rule], slots: Mapping[str, Slot]) -> None:
        self._names = {slot: name for name, slot in slots.items()}
        ready = [_Ready(number, rule, slots) for number, rule in enumerate(rules, 1)]
        self._all = tuple(ready)
        self._heads = {one.criteria.head for one in ready} - {None}
        self._anywhere = tuple(one for one in ready if one.criteria.head is None)
        self._under = lru_cache(256)(self._for_head)
        self._timed = [one.criteria for one in ready if one.criteria.timed]
        self.wants_mime = any(one.criteria.wants_mime for one in ready)
        """Whether any rule asks for a MIME type."""

    def judge(self, subject: Subject, now: float) -> Verdict:
        """Return the entries that should own the file, and how sure that is."""
        owners, undecided = subject.origin, 0
        head = subject.path.partition("/")[0]
        for rule in self._under(head) if head in self._heads else self._anywhere:
            truth = rule.holds(subject, now)
            if truth:
                owners = (owners | rule.sync) & rule.keep
                undecided &= ~rule.settles
            elif truth is None:
                undecided |= owners ^ rule.applied(owners)
        if not self._timed:
            return Verdict(owners, undecided)
        return Verdict(owners, undecided, self._turns(subject, now))

    def explain(self, subject: Subject, now: float) -> list[Step]:
        """Return what each rule did; the owners begin as the file's origin."""
        owners, steps = subject.origin, []
        for rule in self._all:
            failed = _failed(rule.criteria, subject, now)
            after = owners if failed else rule.applied(owners)
            matched = rule.holds(subject, now)
            added, removed = self._named(after & ~owners), self._named(owners & ~after)
            steps.append(Step(rule.number, matched, failed, added, removed))
            owners = after
        return steps

    def _for_head(self, head: str) -> tuple[_Ready, ...]:
        return tuple(one for one in self._all if one.criteria.head in (None, head))

    def _turns(self, subject: Subject, now: float) -> float | None:
        moments = [one.turns(subject, now) for one in self._timed]
        return min((at for at in moments if at is not None), default=None)

    def _named(self, of: Mask) -> tuple[str, ...]:
        return tuple(self._names[slot] for slot in slots(of) if slot in self._names)


def _failed(criteria: Criteria, subject: Subject, now: float) -> str | None:
    """Return the first criterion that does not hold, else one that is not decided."""
    truths = {name: test(subject, now) for name, test in criteria.tests.items()}
    for wrong in (False, None):
        for name, truth in truths.items():
            if truth is wrong:
                return name
    return None
