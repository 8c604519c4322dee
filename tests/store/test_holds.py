"""What is held, and decisions that are not yet carried out."""

from syncd.core.file import Alarm
from syncd.store import holds
from syncd.store.database import Store
from syncd.store.holds import Hold

DELETIONS = Hold(1, Alarm.DELETIONS, 100.0)
OVERWRITES = Hold(1, Alarm.OVERWRITES, 90.0)
OTHERS = Hold(0, Alarm.DELETIONS, 95.0)


async def test_holds_are_kept_by_entry_and_in_their_order(store: Store):
    await store.run(holds.put, [DELETIONS, OVERWRITES, OTHERS])

    assert await store.read(holds.everything) == [OTHERS, OVERWRITES, DELETIONS]


async def test_a_decision_takes_the_place_of_what_it_is_about(store: Store):
    decided = Hold(1, Alarm.DELETIONS, 100.0, 7, 99.0, "approve", 200.0)
    await store.run(holds.put, [DELETIONS, OTHERS])
    await store.run(holds.put, [decided])

    assert await store.read(holds.everything) == [OTHERS, decided]


async def test_what_is_over_is_forgotten(store: Store):
    await store.run(holds.put, [DELETIONS, OVERWRITES, OTHERS])
    await store.run(holds.drop, 1, [Alarm.DELETIONS, Alarm.ROLLBACKS])

    assert await store.read(holds.everything) == [OTHERS, OVERWRITES]
