"""Filters: what they mean, what they refuse, and that no secret can be asked for."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from sqlalchemy import Connection, create_engine, event, select

from syncd.errors import BadRequest, NotAllowed
from syncd.store import database, filters, schema
from syncd.store.cyborg import tables
from syncd.store.cyborg.models import MODELS

MADE = {"created": 1.5e9, "modified": 1.5e9, "uuid": "u"}
NAMES = [
    "",
    "a",
    "A",
    "ab",
    "Web-01",
    "web",
    "100%",
    "x_y",
    "\u00c9t\u00e9",
    "stra\u00dfe",
]


class Town(Struct):
    """Schedules, repositories, clients and policies, as lists of names and numbers."""

    schedules: list[str]
    clients: list[tuple[str, int | None]]
    """Host names and limits."""
    policies: list[tuple[str, int, list[int]]]
    """Names, numbers of schedules and of clients."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", database.prepare)
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def fill(db: Connection, town: Town) -> None:
    for table in (tables.policy_clients, tables.policies, tables.clients):
        db.execute(table.delete())
    for table in (tables.schedules, tables.repositories, schema.users):
        db.execute(table.delete())
    for number, name in enumerate(town.schedules, 1):
        row = {"id": number, "name": name, "crontab": "* * * * *", "enabled": True}
        db.execute(tables.schedules.insert().values(**MADE, **row))
    sizes = dict.fromkeys(("original_size", "compressed_size", "deduplicated_size"), 0)
    row = {"id": 1, "name": "r", "path": "/r", "repository_key": "k", **sizes}
    db.execute(
        tables.repositories.insert().values(**MADE, **row, ready=True, enabled=True)
    )
    for number, (name, limit) in enumerate(town.clients, 1):
        db.execute(
            tables.clients.insert().values(
                **MADE,
                id=number,
                hostname=name,
                bandwidth_limit=limit,
                ip="",
                port=22,
                version="",
                hypervisor_name="",
                ready=bool(number % 2),
                hypervisor_ready=False,
                mark_as_to_update=False,
                enabled=True,
                behind_firewall=False,
            )
        )
    for number, (name, when, members) in enumerate(town.policies, 1):
        db.execute(
            tables.policies.insert().values(
                **MADE,
                id=number,
                name=name,
                extra_vars="",
                schedule_id=when,
                repository_id=1,
                policy_type="rootfs",
                vmprovider="",
                mode_pull=False,
                enabled=True,
                prehook="",
                posthook="",
            )
        )
        for member in members:
            row = {"policy_id": number, "client_id": member}
            db.execute(tables.policy_clients.insert().values(**row))


TOWN = Town(
    ["daily", "weekly", "Yearly", "never"],
    [("web", None), ("web-01", 10), ("Db", 20), ("spare", 0)],
    [("one", 1, [1, 2]), ("two", 1, [3]), ("three", 2, []), ("four", 3, [1, 3])],
)


def ids(db: Connection, name: str, *said: tuple[str, str]) -> list[int]:
    column = MODELS[name].table.c.id
    query = select(column).where(*filters.compiled(MODELS, name, said))
    return list(db.execute(query.order_by(column)).scalars())


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("schedules", "", [1, 2, 3, 4]),
        ("schedules", "id=1&id=2", []),
        ("schedules", "pk=2", [2]),
        ("schedules", "name=Daily", []),
        ("schedules", "name__iexact=Daily", [1]),
        ("schedules", "name__contains=ly", [1, 2, 3]),
        ("schedules", "name__contains=LY", []),
        ("schedules", "name__icontains=LY", [1, 2, 3]),
        ("schedules", "name__startswith=y", []),
        ("schedules", "name__istartswith=y", [3]),
        ("schedules", "name__endswith=rly", [3]),
        ("schedules", "name__iendswith=RLY", [3]),
        ("schedules", "name__endswith=very long daily", []),
        ("schedules", "name__regex=^[dn]", [1, 4]),
        ("schedules", "name__iregex=^y", [3]),
        ("schedules", "name__in=daily,never", [1, 4]),
        ("schedules", "not__name__in=daily,never", [2, 3]),
        ("schedules", "id__gt=1&id__lte=3", [2, 3]),
        ("schedules", "id__gte=2&id__lt=3", [2]),
        ("schedules", "id__contains=2", [2]),
        ("schedules", "id__int=2", [2]),
        ("schedules", "or__id=1&or__not__name__contains=e", [1]),
        ("schedules", "or__id=1&or__id=4", [1, 4]),
        ("schedules", "or__id=1&or__id=4&name=never", [4]),
        ("schedules", "enabled=T", [1, 2, 3, 4]),
        ("schedules", "enabled=0", []),
        ("schedules", "created__gt=2017-07-14", [1, 2, 3, 4]),
        ("schedules", "created=2017-07-14T02:40:00Z", [1, 2, 3, 4]),
        ("schedules", "created__lt=2017-07-14 04:40:00 02:00", []),
        ("schedules", "created_by=none", [1, 2, 3, 4]),
        ("schedules", "created_by__isnull=False", []),
        ("schedules", "policies__name=one", [1]),
        ("schedules", "policies=2", [1]),
        ("schedules", "policies=none", [4]),
        ("schedules", "not__policies=none", [1, 2, 3]),
        ("schedules", "policies__isnull=true", [4]),
        ("schedules", "policies__isnull=false", [1, 2, 3]),
        ("schedules", "policies__search=o e", [1]),
        ("schedules", "policies__clients__hostname=Db", [1, 3]),
        ("schedules", "not__policies__clients__hostname=Db", [2, 4]),
        # Of one and the same policy, unless the terms are chained.
        ("schedules", "policies__name=one&policies__clients__hostname=Db", []),
        ("schedules", "policies__name=one&chain__policies__clients=3", [1]),
        ("policies", "schedule=1", [1, 2]),
        ("policies", "schedule__in=2,3", [3, 4]),
        ("policies", "schedule__name=weekly", [3]),
        ("policies", "clients=1", [1, 4]),
        ("policies", "clients__in=2,3", [1, 2, 4]),
        ("policies", "clients__isnull=1", [3]),
        ("clients", "bandwidth_limit__isnull=t", [1]),
        ("clients", "not__bandwidth_limit=10", [1, 3, 4]),
        ("clients", "bandwidth_limit__gte=10", [2, 3]),
        ("clients", "policies__schedule__name__icontains=YEAR", [1, 3]),
    ],
)
def test_what_they_mean(engine, name, said, expected):
    pairs = [tuple(one.split("=", 1)) for one in said.split("&") if one]
    with engine.connect() as db:
        fill(db, TOWN)
        assert ids(db, name, *pairs) == expected


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("schedules", "bogus=1", "Schedule has no field named 'bogus'"),
        ("schedules", "created__year=1", "Schedule has no field named 'year'"),
        ("schedules", "policies__bogus=1", "Policy has no field named 'bogus'"),
        ("schedules", "=1", "Schedule has no field named ''"),
        ("schedules", "or__=1", "Schedule has no field named ''"),
        ("schedules", "exact=1", "Schedule has no field named 'exact'"),
        ("schedules", "enabled=yes", 'Unable to convert "yes" to boolean'),
        ("schedules", "created_by=abc", "Invalid created_by id: abc"),
        ("schedules", "id__in=", "cannot provide empty value for __in"),
        ("schedules", "id=abc", '["\u201cabc\u201d value must be an integer."]'),
        ("schedules", f"id={2**63}", "value must be an integer"),
        ("schedules", "id__int=x", "value must be an integer"),
        ("schedules", "created=abc", "value has an invalid format"),
        ("schedules", "created=2018-13-01", "value has an invalid format"),
        ("schedules", "name__regex=(", "missing ):"),
        ("schedules", "name__regex=" + "a" * 1001, "more than 1000 characters"),
        ("schedules", "name__search=x", "name is not searchable"),
        ("jobs", "elapsed=x", "value must be a float"),
        ("policies", "clients__" * 7 + "id=1", "goes through too many relations"),
    ],
)
def test_what_makes_no_sense(name, said, words):
    key, _, value = said.partition("=")
    with pytest.raises(BadRequest) as refused:
        filters.compiled(MODELS, name, [(key, value)])

    assert words in str(refused.value)


def test_too_many_at_once():
    with pytest.raises(BadRequest, match="more than 60 filters"):
        filters.compiled(MODELS, "jobs", [("id", "1")] * 61)


SECRETS = [
    ("users", "password__startswith"),
    ("users", "not__password"),
    ("schedules", "created_by__password__startswith"),
    ("clients", "policies__modified_by__password__regex"),
    ("repositories", "repository_key"),
    ("policies", "repository__repository_key__startswith"),
    ("policies", "or__extra_vars__contains"),
    ("jobs", "start_args"),
    ("jobs", "extra_vars"),
    ("settings", "value__contains"),
]


@pytest.mark.parametrize(("name", "key"), SECRETS)
def test_no_secret_can_be_asked_for(name, key):
    with pytest.raises(NotAllowed, match=re.escape(filters.SECRET)):
        filters.compiled(MODELS, name, [(key, "a")])


@pytest.mark.parametrize("key", ["auth_token", "tokens__key", "authorized"])
def test_nor_what_sounds_like_one(key):
    with pytest.raises(NotAllowed, match=r"Filtering on .* is not allowed\."):
        filters.compiled(MODELS, "users", [(key, "a")])


@pytest.mark.parametrize("key", ["job_args", "job_env__contains"])
def test_nor_how_jobs_were_run(key):
    with pytest.raises(NotAllowed, match="Filtering on job_"):
        filters.compiled(MODELS, "jobs", [(key, "a")])


def test_no_model_shows_what_it_should_not():
    shown = {f"{name}.{field}" for name, one in MODELS.items() for field in one.fields}

    assert not {one for one in shown if re.search("password|epoch|engine|role", one)}
    assert {"repositories.repository_key", "policies.extra_vars"} <= {
        f"{name}.{field}" for name, one in MODELS.items() for field in one.secret
    }
    for one in MODELS.values():
        assert not {"password", *one.secret} & {*one.names()}


# Whatever is asked: the same as looking at every row.

TOWNS = st.builds(
    Town,
    st.just(["daily", "weekly", "Yearly"]),
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.none() | st.integers(0, 3)),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.integers(1, 3),
            st.lists(st.integers(1, 4), max_size=3, unique=True),
        ),
        max_size=4,
    ),
)
TEXTS = st.sampled_from([*NAMES, "e", "1", "%", "_", "ss"])
TERMS = st.tuples(
    st.sampled_from(["", "not__"]),
    st.sampled_from(["name", "schedule__name", "clients__hostname"]),
    st.sampled_from(["exact", "iexact", "contains", "icontains"])
    | st.sampled_from(["startswith", "istartswith", "endswith", "iendswith"]),
    TEXTS,
)


def holds(lookup: str, text: str, value: str) -> bool:
    if lookup.startswith("i"):
        lookup, text, value = lookup[1:], text.casefold(), value.casefold()
    match lookup:
        case "exact":
            return text == value
        case "startswith":
            return text.startswith(value)
        case "endswith":
            return text.endswith(value)
    return value in text


def seen(town: Town, number: int, term: tuple[str, str, str, str]) -> bool:
    sign, field, lookup, value = term
    name, when, members = town.policies[number - 1]
    texts = {
        "name": [name],
        "schedule__name": [town.schedules[when - 1]],
        "clients__hostname": [town.clients[one - 1][0] for one in members],
    }[field]
    found = any(holds(lookup, text, value) for text in texts)
    return found is not bool(sign)


@given(
    town=TOWNS, terms=st.lists(TERMS, max_size=3), either=st.lists(TERMS, max_size=3)
)
@settings(max_examples=150, deadline=None)
def test_they_mean_what_looking_at_every_row_would(engine, town, terms, either):
    known = range(1, len(town.clients) + 1)
    town.policies = [
        (name, when, [one for one in members if one in known])
        for name, when, members in town.policies
    ]
    said = [(f"chain__{sign}{f}__{look}", v) for sign, f, look, v in terms]
    said += [(f"or__{sign}{f}__{look}", v) for sign, f, look, v in either]
    with engine.connect() as db:
        fill(db, town)
        found = ids(db, "policies", *said)

    assert found == [
        number
        for number in range(1, len(town.policies) + 1)
        if all(seen(town, number, one) for one in terms)
        and (not either or any(seen(town, number, one) for one in either))
    ]


WORDS = st.sampled_from(
    (
        *("or", "not", "chain", "name", "id", "policies", "clients", "schedule"),
        *("search", "created_by", "password", "in", "isnull", "regex", "gt", "int"),
        *("x", ""),
    )
)


@given(
    name=st.sampled_from(sorted(MODELS)),
    words=st.lists(WORDS, max_size=5),
    value=st.text(max_size=10) | st.sampled_from(["1", "null", "true", "2020-01-01"]),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_asked_is_answered_or_refused(engine, name, words, value):
    key = "__".join(words)
    with engine.connect() as db:
        try:
            ids(db, name, (key, value))
        except (BadRequest, NotAllowed) as refused:
            assert str(refused)
            return
    assert "password" not in words
