"""Transactions and what is attached to backups: kept, listed, forgotten in the end."""

import pytest
from msgspec.structs import replace

from syncd.errors import NotFound
from syncd.store import attachments, transactions
from syncd.store.database import Store
from syncd.store.transactions import Transaction


def one(id_: str, started: float, **more) -> Transaction:
    return Transaction(
        id=id_, by="b", who="w", started=started, updated=started, **more
    )


async def test_a_transaction_is_found_as_it_was_put_last(store: Store):
    first = one("a", 1.0, asked={"vault": "v"})
    await store.run(transactions.put, first)
    last = replace(first, status="success", ended=3.0)
    await store.run(transactions.put, last)

    assert await store.read(transactions.get, "a") == last
    with pytest.raises(NotFound):
        await store.read(transactions.get, "b")


async def test_what_goes_on_or_is_not_told_yet_is_unfinished(store: Store):
    for made in (
        one("pends", 1.0),
        one("untold", 2.0, ended=3.0, hook="http://h"),
        one("told", 3.0, ended=4.0, hook="http://h", told=True),
        one("quiet", 4.0, ended=5.0),
    ):
        await store.run(transactions.put, made)

    found = await store.read(transactions.unfinished)
    assert [made.id for made in found] == ["pends", "untold"]
    total, some = await store.read(transactions.page, 0, 3)
    assert total == 4
    assert [made.id for made in some] == ["pends", "quiet", "told"]


async def test_the_oldest_of_too_many_are_forgotten(store: Store, monkeypatch):
    monkeypatch.setattr(transactions, "MOST", 2)
    await store.run(transactions.put, one("pends", 0.0))
    for number in range(1, 5):
        made = one(f"t{number}", float(number), ended=9.0)
        await store.run(transactions.put, made)

    _, some = await store.read(transactions.page, 0, 10)
    assert {made.id for made in some} == {"pends", "t3", "t4"}


async def test_attachments_go_with_their_backup(store: Store):
    for backup, name, content in (
        ("v", "b", b"1"),
        ("v", "a", b"2"),
        ("v", "a", b"3"),
        ("w", "a", b"4"),
    ):
        await store.run(attachments.put, "optools", backup, name, content)

    assert await store.read(attachments.names, "optools", "v") == ["a", "b"]
    assert await store.read(attachments.get, "optools", "v", "a") == b"3"
    assert set(await store.read(attachments.backups, "optools")) == {"v", "w"}
    await store.run(attachments.forget, "optools", ["v"])
    assert await store.read(attachments.names, "optools", "v") == []
    assert await store.read(attachments.get, "optools", "v", "a") == b""
    assert await store.read(attachments.get, "optools", "w", "a") == b"4"
