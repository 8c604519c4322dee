"""Doubts outlive everything but the walk that settles them."""

from syncd.store import doubts
from syncd.store.database import Store


async def test_the_longer_doubt_stays_until_it_is_settled(store: Store):
    assert await store.read(doubts.of) == {}

    await store.run(doubts.add, [0, 2], 500)
    await store.run(doubts.add, [0, 1], 900)
    assert await store.read(doubts.of) == {0: 500, 1: 900, 2: 500}

    await store.run(doubts.settle, 0)
    await store.run(doubts.settle, 7)
    assert await store.read(doubts.of) == {1: 900, 2: 500}
