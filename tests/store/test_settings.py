"""Single facts."""

from syncd.store import settings
from syncd.store.database import Store


async def test_a_fact_is_kept_and_replaced(store: Store):
    assert await store.read(settings.get, "a") is None
    for value in ("1", "", "grün\n"):
        await store.run(settings.put, "a", value)
        assert await store.read(settings.get, "a") == value


async def test_facts_do_not_disturb_each_other(store: Store):
    await store.run(settings.put, "a", "1")
    await store.run(settings.put, "b", "2")
    await store.run(settings.put, "a", "3")

    assert await store.read(settings.get, "b") == "2"
