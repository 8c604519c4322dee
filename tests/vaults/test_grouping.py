import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.vault import Item
from syncd.vaults.grouping import (
    LARGE,
    MOST_BYTES,
    MOST_THINGS,
    grouped,
    is_complete,
    is_large,
)

ITEMS = st.dictionaries(
    st.text("ab/", min_size=1, max_size=6), st.integers(0, 2 * LARGE), max_size=60
).map(lambda sizes: [Item(path=p, size=sizes[p]) for p in sorted(sizes)])


@given(ITEMS)
def test_everything_is_in_one_group_and_groups_are_bounded(items):
    groups = list(grouped(items))

    assert sorted(i.path for g in groups for i in g) == [i.path for i in items]
    for group in groups:
        assert group
        assert len(group) <= MOST_THINGS
        assert len(group) == 1 or sum(i.size for i in group) <= MOST_BYTES
        assert len(group) == 1 or not any(map(is_large, group))
        assert len({i.path.partition("/")[0] for i in group}) == 1


def many(number: int, size: int) -> list[Item]:
    return [
        Item(path=f"A/{n // 100:04}/{n % 100:02}", size=size) for n in range(number)
    ]


def test_packs_are_neither_tiny_nor_full():
    for size, least, most in ((0, 60, 250), (20_000, 40, 160), (500_000, 3, 8)):
        groups = list(grouped(many(20_000, size)))

        assert least < 20_000 / len(groups) < most


def test_one_more_file_changes_the_pack_that_it_is_in_and_hardly_another():
    before = many(5000, 20_000)
    known = {tuple(i.path for i in group) for group in grouped(before)}
    choose = random.Random(1)
    changed = []
    for _ in range(50):
        at = choose.randrange(len(before))
        more = Item(path=f"{before[at].path}x", size=20_000)
        groups = grouped([*before[: at + 1], more, *before[at + 1 :]])
        changed.append(sum(tuple(i.path for i in g) not in known for g in groups))

    assert min(changed) == 1
    assert sum(changed) / len(changed) < 2


@pytest.mark.parametrize("size", [10, 40_000, LARGE])
def test_whether_a_pack_ends_can_be_told_without_the_rule(size):
    items = sorted(many(3000, size), key=lambda item: item.path)
    items += [Item(path=f"z/{number:04}") for number in range(300)]
    groups = list(grouped(items))
    assert len(groups) > 3

    following = [*(group[0] for group in groups[1:]), None]
    for group, after in zip(groups, following, strict=True):
        assert is_complete(group, after)
        for end in range(1, len(group)):
            assert not is_complete(group[:end], group[end])
