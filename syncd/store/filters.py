"""Filters as queries of addresses say them, made into conditions of SQL.

``[or__|chain__][not__]FIELD[__FIELD...][__LOOKUP]=VALUE``. Terms hold together; those
with ``or__`` are one more, of which any will do. Fields of other tables are reached by
the names of relations; terms about one relation are about one and the same row there,
unless ``chain__`` says otherwise. No field can be named that a model does not list.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    not_,
    or_,
)

from syncd.errors import BadRequest, NotAllowed
from syncd.store import values

LOOKUPS = (
    "exact",
    "iexact",
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "regex",
    "iregex",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "isnull",
    "search",
)

MOST_TERMS = 60
"""Terms of one query: each is a condition to be looked at for every row."""

DEEPEST = 6
"""Relations that one term goes through."""

SECRET = "Filtering on password fields is not allowed."


_COMPARING: Mapping[str, Callable[[Any, Any], Any]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Kind(StrEnum):
    """What is in a column."""

    WHOLE = "integer"
    TEXT = "string"
    FLAG = "boolean"
    MOMENT = "datetime"
    """Seconds since 1970."""
    NUMBER = "float"


class Field(Struct, frozen=True):
    """A column that may be asked for."""

    kind: Kind
    at: Callable[[FromClause], ColumnElement[Any]]
    """Return it, of the model's table under whichever name."""


class Relation(Struct, frozen=True):
    """Rows of another model that belong to a row."""

    to: str
    """Name of the model."""
    near: str
    """Column of this table ..."""
    far: str
    """... and of the other, which are equal."""
    through: tuple[Table, str, str] | None = None
    """A table between, where there are many on both sides: with near, and with far."""

    @property
    def is_column(self) -> bool:
        """Tell whether the number of the other row stands in this one."""
        return self.far == "id" and self.through is None


class Model(Struct, frozen=True):
    """A table as filters see it."""

    label: str
    """What refusals call it."""
    table: Table
    fields: Mapping[str, Field]
    relations: Mapping[str, Relation] = {}
    searched: Sequence[str] = ()
    """Fields that ``search`` looks into."""
    secret: frozenset[str] = frozenset()
    """Columns that no filter and no order may touch."""
    unfit: frozenset[str] = frozenset()
    """Further ones, that filters may not."""

    def names(self) -> list[str]:
        """Return all that may be named, sorted."""
        return sorted({*self.fields, *self.relations} - self.secret)


class Term(Struct, frozen=True):
    """One condition, as it was written."""

    path: tuple[str, ...]
    lookup: str
    value: Any
    either: bool = False
    chained: bool = False
    negated: bool = False

    def beneath(self) -> "Term":
        """Return it as the next model sees it."""
        return Term(self.path[1:], self.lookup, self.value)


Models = Mapping[str, Model]


def compiled(
    models: Models, name: str, said: Sequence[tuple[str, str]]
) -> list[ColumnElement[bool]]:
    """Return conditions that must all hold, for what a query says of a model.

    Raise BadRequest for what makes no sense, NotAllowed for what may not be asked.
    """
    if len(said) > MOST_TERMS:
        raise BadRequest(f"there are more than {MOST_TERMS} filters; ask in parts")
    model = models[name]
    terms = [term(models, model, key, value) for key, value in said]
    plain = [one for one in terms if not (one.either or one.chained or one.negated)]
    alone = [one for one in terms if one not in plain and not one.either]
    either = [one for one in terms if one.either]
    found = _all(models, model, model.table, plain)
    found += [_signed(models, model, one) for one in alone]
    if either:
        found.append(or_(*(_signed(models, model, one) for one in either)))
    return found


def searched(
    models: Models, name: str, text: str, scope: FromClause | None = None
) -> list[ColumnElement[bool]]:
    """Return conditions that each word is in some text of the model."""
    model = models[name]
    table = model.table if scope is None else scope
    if not model.searched:
        return []
    return [
        or_(
            *(
                _compare(model.fields[one].at(table), Kind.TEXT, "icontains", word)
                for one in model.searched
            )
        )
        for word in text.replace(",", " ").split()[:MOST_TERMS]
    ]


def term(models: Models, model: Model, key: str, value: str) -> Term:
    """Return what one parameter of a query says; raise BadRequest or NotAllowed."""
    either, rest = _without(key, "or__")
    chained, rest = (False, rest) if either else _without(rest, "chain__")
    negated, rest = _without(rest, "not__")
    forced, rest = _forced(rest, value)
    words = rest.split("__")
    lookup = words.pop() if len(words) > 1 and words[-1] in LOOKUPS else "exact"
    if len(words) > DEEPEST:
        raise BadRequest(f"{key[:100]} goes through too many relations")
    path, kind, target = _resolved(models, model, words)
    if lookup == "search":
        if target is None:
            raise BadRequest(f"{words[-1]} is not searchable")
        read: Any = value
    else:
        read = values.read(kind, lookup, forced, words[-1], related=target is not None)
    return Term(path, lookup, read, either, chained, negated)


def _forced(key: str, value: str) -> tuple[str, str]:
    """Return value and key, where ``__int`` at its end says that it is a number."""
    if not key.endswith("__int"):
        return value, key
    return str(values.whole(value)), key.removesuffix("__int")


def _without(key: str, prefix: str) -> tuple[bool, str]:
    return key.startswith(prefix), key.removeprefix(prefix)


def _resolved(
    models: Models, model: Model, words: Sequence[str]
) -> tuple[tuple[str, ...], Kind, str | None]:
    """Return a path, what is at its end, and which model, if that is a relation."""
    path: list[str] = []
    here, last = model, len(words) - 1
    for place, word in enumerate(words):
        name = "id" if word == "pk" else word
        _check_open(here, name)
        relation = here.relations.get(name)
        field = here.fields.get(name)
        if relation is None and (field is None or place < last):
            stranger = words[place + 1] if field is not None else name
            raise BadRequest(f"{here.label} has no field named '{stranger[:100]}'")
        path.append(name)
        if relation is None:
            assert field is not None
            return tuple(path), field.kind, None
        if place == last:
            return tuple(path), Kind.WHOLE, relation.to
        here = models[relation.to]
    raise BadRequest(f"{model.label} has no field named ''")


def _check_open(model: Model, name: str) -> None:
    if name == "password" or name in model.secret:
        raise NotAllowed(SECRET)
    if name in model.unfit or "auth" in name or "token" in name:
        raise NotAllowed(f"Filtering on {name[:100]} is not allowed.")


def _signed(models: Models, model: Model, one: Term) -> ColumnElement[bool]:
    condition = and_(*_all(models, model, model.table, [one]))
    # What is unknown is not so: else neither a term nor its contrary would hold.
    return not_(func.coalesce(condition, false())) if one.negated else condition


def _all(
    models: Models, model: Model, scope: FromClause, terms: Sequence[Term]
) -> list[ColumnElement[bool]]:
    """Return the conditions that all terms hold of a row in scope."""
    found: list[ColumnElement[bool]] = []
    beyond: dict[str, list[Term]] = {}
    for one in terms:
        name = one.path[0]
        if name not in model.relations:
            field = model.fields[name]
            at = field.at(scope)
            found.append(_compare(at, field.kind, one.lookup, one.value))
        elif len(one.path) == 1:
            found.append(_linked(models, model.relations[name], scope, one))
        else:
            beyond.setdefault(name, []).append(one.beneath())
    for name, some in beyond.items():
        relation = model.relations[name]
        other = models[relation.to]

        def inside(
            there: FromClause, other: Model = other, some: Sequence[Term] = some
        ) -> list[ColumnElement[bool]]:
            return _all(models, other, there, some)

        found.append(_exists(other, relation, scope, inside))
    return found


def _linked(
    models: Models, relation: Relation, scope: FromClause, one: Term
) -> ColumnElement[bool]:
    """Return the condition on a relation itself: which rows there are."""
    other = models[relation.to]
    if one.lookup == "search":
        return _exists(
            other,
            relation,
            scope,
            lambda there: searched(models, relation.to, one.value, there),
        )
    if relation.is_column:
        return _compare(scope.c[relation.near], Kind.WHOLE, one.lookup, one.value)
    none = one.value is True if one.lookup == "isnull" else one.value is None
    if none or one.lookup == "isnull":
        some = _exists(other, relation, scope, lambda _: [])
        return not_(some) if none else some
    return _exists(
        other,
        relation,
        scope,
        lambda there: [_compare(there.c.id, Kind.WHOLE, one.lookup, one.value)],
    )


def _exists(
    other: Model,
    relation: Relation,
    scope: FromClause,
    inside: Callable[[FromClause], list[ColumnElement[bool]]],
) -> ColumnElement[bool]:
    there = other.table.alias()
    if relation.through is None:
        joined = [there.c[relation.far] == scope.c[relation.near]]
        tables: list[FromClause] = [there]
    else:
        table, near, far = relation.through
        between = table.alias()
        joined = [between.c[near] == scope.c[relation.near]]
        joined.append(between.c[far] == there.c[relation.far])
        tables = [between, there]
    inner = exists().select_from(*tables).where(*joined, *inside(there))
    return inner.correlate(scope)


def _compare(
    at: ColumnElement[Any], kind: Kind, lookup: str, value: Any
) -> ColumnElement[bool]:
    """Return the condition that a column compares so."""
    if lookup == "isnull" or value is None:
        return at.is_(None) if value in (True, None) else at.is_not(None)
    if lookup == "in":
        return at.in_(value)
    if lookup in _COMPARING:
        compared: ColumnElement[bool] = _COMPARING[lookup](at, value)
        return compared
    text = at if kind is Kind.TEXT else cast(at, Text)
    return _texts(text, lookup, value)


def _texts(at: ColumnElement[Any], lookup: str, value: str) -> ColumnElement[bool]:
    """Return the condition on a text; LIKE would depend on the database."""
    if lookup in ("regex", "iregex"):
        pattern = f"(?i){value}" if lookup == "iregex" else value
        return func.matches(pattern, at) == 1
    if lookup.startswith("i"):
        at, value, lookup = func.folded(at), value.casefold(), lookup[1:]
    length = len(value)
    match lookup:
        case "exact":
            return at == value
        case "startswith":
            return func.substr(at, 1, length) == value
        case "endswith":
            ending = func.substr(at, func.length(at) - length + 1)
            return and_(func.length(at) >= length, ending == value)
        case _:
            return and_(at.is_not(None), func.instr(at, value) > 0)
