"""Pages: which rows, in which order, and which columns of them."""

import pytest

from syncd.errors import BadRequest, NotFound
from syncd.store import listing
from syncd.store.cyborg import tables
from syncd.store.cyborg.models import MODELS
from syncd.store.database import Store

MADE = {"created": 1.5e9, "modified": 1.5e9, "uuid": "u", "crontab": "* * * * *"}
NAMES = ["b", "a", "b", "c d", "D"]


@pytest.fixture
async def ask(store: Store):
    rows = [
        {**MADE, "name": name, "enabled": name != "a", "created_by": None}
        for name in NAMES
    ]
    await store.run(lambda db: db.execute(tables.schedules.insert(), rows))

    async def asking(*said: tuple[str, str]) -> listing.Page:
        wanted = listing.wanted(MODELS, "schedules", said)
        return await store.read(
            lambda db: listing.page(db, MODELS["schedules"], wanted, said)
        )

    return asking


async def test_the_newest_is_first(ask):
    page = await ask()

    assert [row["id"] for row in page.rows] == [5, 4, 3, 2, 1]
    assert (page.total, page.number, page.size, page.last) == (5, 1, 100, 1)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("id", [1, 2, 3, 4, 5]),
        ("pk", [1, 2, 3, 4, 5]),
        ("name", [5, 2, 3, 1, 4]),
        ("-name", [4, 3, 1, 2, 5]),
        ("enabled,id", [2, 1, 3, 4, 5]),
        ("type", [5, 4, 3, 2, 1]),
        ("-type,created_by", [5, 4, 3, 2, 1]),
    ],
)
@pytest.mark.parametrize("key", ["order", "order_by"])
async def test_the_order(ask, key, text, ids):
    assert [row["id"] for row in (await ask((key, text))).rows] == ids


@pytest.mark.parametrize("text", ["", "bogus", "-bogus", "policies", "name__x"])
async def test_no_such_order(ask, text):
    with pytest.raises(BadRequest, match=r"Choices are: created, created_by, crontab"):
        await ask(("order_by", text))


@pytest.mark.parametrize(
    ("name", "field"), [("jobs", "start_args"), ("repositories", "repository_key")]
)
def test_no_order_tells_a_secret(name, field):
    with pytest.raises(BadRequest, match=f"cannot order by field {field}"):
        listing.wanted(MODELS, name, [("order_by", field)])
    with pytest.raises(BadRequest, match=f"no field named '{field}'"):
        listing.wanted(MODELS, name, [("fields", field)])


async def test_pages(ask):
    first = await ask(("page_size", "2"))
    last = await ask(("page_size", "2"), ("page", "last"))

    assert [row["id"] for row in first.rows] == [5, 4]
    assert (last.number, [row["id"] for row in last.rows]) == (3, [1])


@pytest.mark.parametrize("size", ["0", "-1", "x", "", "9" * 30])
async def test_a_size_that_is_none(ask, size):
    assert (await ask(("page_size", size))).size == 100


async def test_a_size_beyond_all(ask):
    assert (await ask(("page_size", "100001"))).size == 100_000


@pytest.mark.parametrize("number", ["0", "2", "x", "-1", "9" * 30])
async def test_no_such_page(ask, number):
    with pytest.raises(NotFound, match=r"Invalid page\."):
        await ask(("page", number))


async def test_searching(ask):
    assert [row["id"] for row in (await ask(("search", "D"))).rows] == [5, 4]
    assert [row["id"] for row in (await ask(("search", "c,d"))).rows] == [4]
    assert listing.wanted(MODELS, "clients", [("search", "x")]).where == []


async def test_a_few_columns_only(ask):
    page = await ask(("fields", "name,enabled"), ("order", "-name"))

    assert page.total == 4
    assert page.rows[:2] == [
        {"name": "c d", "enabled": True},
        {"name": "b", "enabled": True},
    ]
    with pytest.raises(BadRequest, match="Schedule has no field named 'url'"):
        await ask(("fields", "name,url"))


async def test_one(store: Store, ask):
    model = MODELS["schedules"]
    where = listing.wanted(MODELS, "schedules", [("name", "a")]).where

    assert (await store.read(listing.one, model, 2, where))["name"] == "a"
    for number in (1, 99, 2**70):
        with pytest.raises(NotFound, match=r"No Schedule matches the given query\."):
            await store.read(listing.one, model, number, where)
