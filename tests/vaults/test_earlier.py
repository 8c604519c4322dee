import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from syncd.core.vault import Item, ItemKind
from syncd.vaults import listing
from syncd.vaults.earlier import Earlier, Pack, Sample
from syncd.vaults.grouping import LARGE, grouped

MADE = 1_000_000.0
LATE = int(MADE) * 1_000_000_000


def tree(files: int, seed: int) -> list[Item]:
    """Return folders, files small and large, and links, some with odd names."""
    choose = random.Random(seed)
    items = []
    for folder in range(files // 50):
        above = f"A/{folder:03}" + choose.choice(["", "", "é", "\udcff"])
        items.append(Item(path=above, kind=ItemKind.DIRECTORY, mtime_ns=5, size=4096))
        items += [
            Item(path=f"{above}/{n:02}", size=choose.choice([1, 40_000, 2 * LARGE]))
            for n in range(48)
        ]
        items.append(Item(path=f"{above}/z", kind=ItemKind.LINK, target="é\udcfe"))
    return sorted(items, key=listing.order)


def known(items: list[Item]) -> Earlier:
    """Return what an earlier vault tells that held just these."""
    lines = [
        listing.line(item, crc32=1, pack=f"{number}.tar")
        for number, group in enumerate(grouped(items))
        for item in group
    ]
    lines.sort(key=lambda line: line.path)
    earlier = Earlier()
    earlier.know(Path("v"), lines, path=None, text=b"", made=MADE, damaged=[])
    return earlier


def paths(groups) -> set[tuple[str, ...]]:
    return {tuple(item.path for item in group) for group in groups}


def test_what_is_as_it_was_is_all_known():
    items = tree(2000, 1)
    # The time of a folder tells nothing.
    now = [
        replace(one, mtime_ns=7) if one.kind is ItemKind.DIRECTORY else one
        for one in items
    ]
    found = list(known(items).unread(now))

    assert all(pack for _, pack in found)
    assert paths(group for group, _ in found) == paths(grouped(now))


@pytest.mark.parametrize("seed", range(20))
def test_packs_are_those_of_the_rule_and_only_what_changed_is_unknown(seed: int):
    before = tree(2000, seed)
    choose = random.Random(seed)
    now = list(before)
    for _ in range(choose.randrange(1, 12)):
        at = choose.randrange(len(now))
        match choose.randrange(5):
            case 0:
                del now[at]
            case 1:
                now.insert(at, Item(path=f"{now[at].path}+", size=9))
            case 2:
                now[at] = replace(now[at], mode=0o600)
            case 3:
                now[at] = replace(now[at], mtime_ns=LATE, target="x")
            case _:
                now[at] = replace(now[at], size=now[at].size + 1)
    now.sort(key=listing.order)
    old = {listing.order(one): listing.line(one) for one in before}
    found = list(known(before).unread(now))

    assert paths(group for group, _ in found) == paths(grouped(now))
    same_before = paths(grouped(before))
    for group, pack in found:
        as_before = tuple(one.path for one in group) in same_before
        same = all(
            listing.same(old[listing.order(one)], one) for one in group if as_before
        )
        assert (pack is not None) == (as_before and same)


def test_what_was_written_while_the_vault_was_made_is_read_again():
    item = Item(path="A/a", size=3, mtime_ns=LATE - 1)
    early = replace(item, mtime_ns=LATE - 3_000_000_000)

    assert [pack for _, pack in known([item]).unread([item])] == [None]
    assert all(pack for _, pack in known([early]).unread([early]))


def test_what_comes_behind_a_pack_that_had_not_ended_joins_it():
    # Else each backup of a folder that only grows would add a tiny pack.
    items = [Item(path=f"A/{number}", size=3) for number in range(4)]

    assert list(known(items[:3]).unread(items)) == [(items, None)]


def test_every_pack_is_read_sooner_or_later_and_few_each_time():
    line = listing.line(Item(path="A/1", size=3), crc32=0, pack="p", offset=512)
    packs = [Pack(Path(f"{number}.tar"), [line], 0) for number in range(64)]
    samples = [
        {pack.path for pack in packs if Sample(f"vault {number}").takes(pack)}
        for number in range(400)
    ]

    assert set.union(*samples) == {pack.path for pack in packs}
    assert max(map(len, samples)) < len(packs) / 4
