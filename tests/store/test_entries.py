"""Slots and markers of entries, and what is kept of them."""

import pytest

from syncd.core.file import MAX_SLOTS
from syncd.errors import ConfigError
from syncd.store import entries
from syncd.store.database import Store
from syncd.store.entries import Entry


async def configured(store: Store, *names: str) -> list[int]:
    markers = [f"marker of {name}" for name in names]
    return await store.run(entries.configure, names, markers)


async def known(store: Store) -> dict[str, Entry]:
    return {entry.name: entry for entry in await store.read(entries.everything)}


async def test_new_entries_get_slots_in_order(store: Store):
    assert await configured(store, "A", "B") == []

    assert await store.read(entries.everything) == [
        Entry(0, "A", True, "marker of A", False, False, 0, False),
        Entry(1, "B", True, "marker of B", False, False, 0, False),
    ]


async def test_slots_and_markers_stay(store: Store):
    await configured(store, "A", "B")
    before = await known(store)
    await store.run(entries.configure, ["B", "A", "C"], ["x", "y", "z"])
    after = await known(store)

    assert (after["A"], after["B"]) == (before["A"], before["B"])
    assert (after["C"].slot, after["C"].marker) == (2, "z")


async def test_an_entry_that_is_removed_keeps_its_slot_and_may_come_back(store: Store):
    await configured(store, "A", "B")
    await store.run(entries.settled, 0)
    await store.run(entries.note, 0, 7)
    await configured(store, "B", "C")
    assert (await known(store))["A"].configured is False
    assert (await known(store))["C"].slot == 2

    await configured(store, "A")
    back = (await known(store))["A"]
    assert (back.slot, back.configured, back.marked) == (0, True, True)
    assert (back.noted, back.forget) == (0, True)  # It tells everything anew.


async def test_an_entry_that_was_there_all_the_time_goes_on(store: Store):
    await configured(store, "A")
    await store.run(entries.note, 0, 7)
    await configured(store, "A")

    assert ((await known(store))["A"].noted, (await known(store))["A"].forget) == (
        7,
        False,
    )


async def test_slots_of_removed_entries_are_given_away_when_there_are_no_others(
    store: Store,
):
    names = [f"entry {n}" for n in range(MAX_SLOTS)]
    await configured(store, *names)
    reused = await configured(store, *names[1:], "new")

    assert reused == [0]
    assert (await known(store))["new"].slot == 0
    assert "entry 0" not in await known(store)


async def test_too_many_entries_are_refused_and_nothing_changes(store: Store):
    await configured(store, "A")
    with pytest.raises(ConfigError, match=f"at most {MAX_SLOTS}"):
        await configured(store, *(f"entry {n}" for n in range(MAX_SLOTS + 1)))

    assert [entry.name for entry in await store.read(entries.everything)] == ["A"]
    assert (await known(store))["A"].configured


async def test_what_is_kept_of_an_entry(store: Store):
    await configured(store, "A", "B")
    await store.run(entries.note, 0, 3)
    await store.run(entries.stop, 0, True)
    await store.run(entries.settled, 0)
    a, b = (await known(store)).values()
    assert a == Entry(0, "A", True, "marker of A", True, True, 3, False)
    assert b == Entry(1, "B", True, "marker of B", False, False, 0, False)

    await store.run(entries.start_anew, 0)
    a = (await known(store))["A"]
    assert a == Entry(0, "A", True, "marker of A", True, True, 0, True)

    await store.run(entries.stop, 0, False)
    await store.run(entries.remark, 0, "another")
    a = (await known(store))["A"]
    assert a == Entry(0, "A", True, "another", False, False, 0, True)


async def test_a_storage_is_taken_over_with_its_marker(store: Store):
    await configured(store, "A", "B")
    await configured(store, "B")
    await store.run(entries.settled, 0)
    await store.run(entries.take_over, 1, "marker of A", 0)
    everyone = await known(store)

    assert everyone["B"].marker == "marker of A"
    assert (everyone["B"].marked, everyone["B"].forget) == (True, True)
    assert everyone["A"].marker != "marker of A"
    assert everyone["A"].marked is False


async def test_a_marker_nobody_knew_is_taken_over(store: Store):
    await configured(store, "A")
    await store.run(entries.take_over, 0, "found on the disk", None)

    a = (await known(store))["A"]
    assert a == Entry(0, "A", True, "found on the disk", False, False, 0, True)


async def test_an_entry_is_unsettled_until_it_has_told_everything(store: Store):
    await configured(store, "A")
    await store.run(entries.note, 0, 3)
    await store.run(entries.unsettled, 0)
    a = (await known(store))["A"]
    assert (a.noted, a.forget) == (3, True)

    await store.run(entries.settled, 0)
    a = (await known(store))["A"]
    assert (a.noted, a.forget, a.marked) == (3, False, True)
