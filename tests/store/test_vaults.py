"""The catalogue of vaults, and names that are never given away twice."""

import pytest

from syncd.core.backup import VaultView
from syncd.core.vault import Pin, Summary
from syncd.errors import Conflict, NotFound, Unavailable
from syncd.store import vaults


def a_vault(name: str, made: float = 1.0, **more) -> VaultView:
    return VaultView(summary=Summary(name=name, source="s", made=made), **more)


async def test_a_name_is_given_away_once(store):
    assert await store.run(vaults.reserve, "v", ["a", "b"]) == "a"
    assert await store.run(vaults.reserve, "v", ["a", "b"]) == "b"
    assert await store.run(vaults.reserve, "w", ["a"]) == "a"
    with pytest.raises(Unavailable, match="every name"):
        await store.run(vaults.reserve, "v", ["a", "b"])
    with pytest.raises(Conflict, match="called a; choose another"):
        await store.run(vaults.reserve_this, "v", "a")


async def test_a_vault_that_is_gone_keeps_its_name(store):
    await store.run(vaults.put, "v", [a_vault("a")])
    await store.run(vaults.drop, "v", ["a"])

    with pytest.raises(NotFound, match="vault a not found"):
        await store.read(vaults.get, "v", "a")
    with pytest.raises(Conflict):
        await store.run(vaults.reserve_this, "v", "a")


async def test_vaults_come_oldest_first_and_by_store(store):
    pinned = a_vault("b", 1.0, pin=Pin("law", "me", 5.0), flags={"sharded": True})
    await store.run(vaults.put, "v", [a_vault("a", 2.0), pinned])
    await store.run(vaults.put, "w", [a_vault("c")])

    found = await store.read(vaults.everything, "v")

    assert [one.summary.name for one in found] == ["b", "a"]
    assert await store.read(vaults.get, "v", "b") == pinned


async def test_what_is_put_again_takes_the_place_of_the_former(store):
    await store.run(vaults.put, "v", [a_vault("a")])
    await store.run(vaults.put, "v", [a_vault("a", canceled=True)])

    assert [one.canceled for one in await store.read(vaults.everything, "v")] == [True]
