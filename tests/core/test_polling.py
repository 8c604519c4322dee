"""Folders that tell nothing are looked into in turn, and none is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.polling import EVERY, IDLE, SHARE, Polling, rest

NAMES = st.sampled_from(["", "a", "a/b", "ab", "c"])


def polling(**looked: float) -> Polling:
    result = Polling()
    for folder, at in looked.items():
        result.add(folder, at)
    return result


def test_who_was_looked_into_longest_ago_is_first():
    folders = polling(a=0.0, b=1.0, c=2.0)

    assert folders.due(EVERY + 1.0, 9) == ["a", "b"]
    assert list(folders) == ["c", "a", "b"]
    assert folders.due(EVERY + 2.0, 9) == ["c"]
    assert folders.due(EVERY + 2.0, 9) == []


def test_no_more_than_were_asked_for_are_due():
    folders = polling(a=0.0, b=0.0, c=0.0)

    assert folders.due(EVERY, 2) == ["a", "b"]
    assert folders.due(EVERY, 2) == ["c"]


def test_one_that_is_here_keeps_its_place():
    folders = polling(a=0.0, b=1.0)

    folders.add("a", 9.0)

    assert list(folders) == ["a", "b"]
    assert folders.oldest(10.0) == 10.0


def test_what_is_discarded_is_not_due():
    folders = polling(a=0.0, b=0.0)

    folders.discard("a")
    folders.discard("never there")

    assert ("a" in folders, "b" in folders, len(folders)) == (False, True, 1)
    assert folders.due(EVERY, 9) == ["b"]


@pytest.mark.parametrize(
    ("tree", "left"), [("a", ["", "ab"]), ("a/b", ["", "a", "ab"]), ("", [])]
)
def test_a_tree_is_discarded_with_all_below(tree, left):
    folders = Polling()
    for folder in ("", "a", "a/b", "ab"):
        folders.add(folder, 0.0)

    folders.discard_tree(tree)

    assert list(folders) == left


def test_a_walk_looks_into_all_of_them():
    folders = polling(a=0.0, b=5.0)

    folders.walked(3.0)

    assert folders.oldest(10.0) == 7.0
    assert folders.due(3.0 + EVERY, 9) == ["a"]
    assert folders.oldest(10.0) == 5.0


def test_nothing_is_old_where_nothing_is():
    assert Polling().oldest(1.0) is None


def test_the_pace_leaves_most_of_the_time():
    assert 1.0 / (1.0 + rest(1.0, 5)) == pytest.approx(SHARE)
    assert rest(0.001, 0) == IDLE


STEPS = st.one_of(
    st.tuples(st.just("add"), NAMES),
    st.tuples(st.just("discard"), NAMES),
    st.tuples(st.just("walked"), st.floats(0, EVERY)),
    st.tuples(st.just("due"), st.integers(1, 3)),
)


@given(st.lists(st.tuples(STEPS, st.floats(0, EVERY)), max_size=40))
def test_whatever_happens_the_oldest_is_first_and_each_has_its_turn(steps):
    folders, now = Polling(), 0.0
    known: dict[str, float] = {}
    for (step, what), passed in steps:
        now += passed
        if step == "add":
            folders.add(what, now)
            known.setdefault(what, now)
        elif step == "discard":
            folders.discard(what)
            known.pop(what, None)
        elif step == "walked":
            folders.walked(now - what)
            known = {f: max(at, now - what) for f, at in known.items()}
        else:
            due = folders.due(now, what)
            ripe = sorted(at for at in known.values() if at + EVERY <= now)
            assert sorted(known[f] for f in due) == ripe[:what]
            known.update(dict.fromkeys(due, now))

        assert set(folders) == set(known)
        ages = [now - at for at in known.values()]
        assert folders.oldest(now) == max(ages, default=None)
