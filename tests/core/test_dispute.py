"""Conflicts that a person decides: both stay where they are until then."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import comparison, dispute, reconcile
from syncd.core.change import Found
from syncd.core.file import Doubt, Kind
from syncd.core.version import Relation, relation
from syncd.core.work import Task
from syncd.core.world import Member, OnDelete, World
from tests.core.story import NAMES, SLOTS, TO_ALL, A, B, C, Story, a_world, without
from tests.core.test_reconcile import MANUAL, STEPS, play

KEEPING = a_world(TO_ALL)


def told(world: World, steps: str, **options: Any) -> str:
    """Return what is shown at the end of a story, and whose contents dispute it."""
    return shown(Story(world, steps, **options))


def shown(story: Story) -> str:
    sides = dispute.sides(story.file, story.world)
    return f"{story.shown()} | {''.join(NAMES[side.slot] for side in sides) or '-'}"


def decide(story: Story, keep: int | None) -> Story:
    """Let a person choose one side, or (None) all."""
    if keep is None:
        story.file = dispute.kept_both(story.file, story.world)
    else:
        story.file = dispute.kept_one(story.file, keep, story.world)
    return story


# Newest content | who is up to date | what is left to do | who holds a side of it.


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # Both stay, and nobody else gets either.
        ("A:one B:two", "one | A | - | AB"),
        ("A:one B! C! A:two B:six", "two | A | - | AB"),
        ("A:one B! C! A:two C! B:six", "two | AC | - | ABC"),
        ("A:one B! A:->t B:->u", "->t | A | - | AB"),
        ("A:one B! A:->t B:six", "->t | A | - | AB"),
        # Equal contents are none of that.
        ("A:one B! C! A:two B:two", "two | AB | A amend, C put | -"),
        # Neither is a deletion: the file survives, told in either order.
        ("A:one B! C! A- B:two", "two | B | A put, C put | -"),
        ("A:one B! C! B:two A-", "two | B | A put, C put | -"),
        # Three of them.
        ("A:one B:two C:six", "one | A | - | ABC"),
        ("A:one B! C! C:six B:two A:ten", "six | C | - | ABC"),
        # A folder keeps its name: what lies in it cannot wait.
        ("A:one B:/", "/ | B | A set_aside, C put | -"),
        ("A:/ B:one", "/ | A | B set_aside, C put | -"),
        ("A:one B:two C:/", "/ | C | A set_aside, B set_aside | -"),
    ],
)
def test_what_is_left_to_people(steps, then):
    assert told(MANUAL, steps) == then


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # Further edits of either side: it goes on, about what lies there now.
        ("A:one B:two B:three", "one | A | - | AB"),
        ("A:one B:two A:three", "three | A | - | AB"),
        ("A:one B:two A~ B~", "one | A | - | AB"),
        # ... also of who has it from a side.
        ("A:one C! B:two C:three", "three | C | - | BC"),
        # Made equal: it is over.
        ("A:one B:two B:one", "one | AB | A amend, C put | -"),
        ("A:one B:two A:two", "two | AB | B amend, C put | -"),
        # One side deleted: the other it is.
        ("A:one B:two B-", "one | A | B put, C put | -"),
        ("A:one B:two A-", "two | B | A put, C put | -"),
        ("A:one C! B:two A-", "two | B | A put, C put | -"),
        ("A:one B:two C:six A-", "two | B | - | BC"),
        ("A:one B:two C:six A- C-", "two | B | A put, C put | -"),
        # An edit taken back is none.
        ("A:one B! C! A:two B:six B:one", "two | A | B put, C put | -"),
        # The newest version gives way to the folder, and with it the dispute.
        ("A:one B:two A:/", "/ | A | B set_aside, C put | -"),
    ],
)
def test_what_people_do_meanwhile(steps, then):
    assert told(MANUAL, steps) == then


@pytest.mark.parametrize(
    ("members", "then"),
    [
        ({"A": Member("A", manual=True)}, "one | A | - | AB"),
        ({"B": Member("B", manual=True)}, "one | A | - | AB"),
        # Safer than what the other one wishes.
        (
            {"A": Member("A", manual=True), "B": Member("B", larger=True)},
            "one | A | - | AB",
        ),
        (
            {"A": Member("A", prefer=("A",)), "B": Member("B", manual=True)},
            "one | A | - | AB",
        ),
        # Who made neither of the two is not asked.
        ({"C": Member("C", manual=True)}, "three | B | A set_aside, C put | -"),
    ],
)
def test_whose_wish_counts(members, then):
    assert told(a_world(TO_ALL, **members), "A:one B:three") == then


def test_a_dispute_goes_on_when_the_newest_comes_from_who_has_no_wish():
    world = a_world(TO_ALL, A=Member("A", manual=True))

    assert told(world, "A:one C! B:two C:three") == "three | C | - | BC"


def test_while_something_waits_the_others_wait_with_it():
    world = a_world(TO_ALL, B=Member("B", manual=True))

    assert told(world, "A:one B:two C:six") == "one | A | - | ABC"
    # What was settled before anybody was to be asked is settled.
    assert told(world, "A:one@1 C:six@3 B:two@2") == "six | C | A set_aside | BC"


@pytest.mark.parametrize("policy", OnDelete)
def test_a_side_deleted_under_any_policy_settles_it(policy):
    world = a_world(
        TO_ALL,
        A=Member("A", manual=True, on_delete=policy),
        B=Member("B", on_delete=policy),
    )

    assert told(world, "A:one B:two A-") == "two | B | A put, C put | -"
    assert told(world, "A:one B:two B-") == "one | A | B put, C put | -"


def test_sides_tell_what_lies_there():
    story = Story(MANUAL, "A:one B:->there")
    one, other = dispute.sides(story.file, MANUAL)

    assert (one.slot, one.kind, one.size, one.mtime_ns) == (A, Kind.FILE, 3, 1)
    assert one.digest == story.file.digest
    assert (other.slot, other.kind, other.size, other.mtime_ns) == (B, Kind.LINK, 5, 2)
    assert other.digest is None
    assert dispute.sides(Story(MANUAL, "A:one B!").file, MANUAL) == []


# Digests ----------------------------------------------------------------------


def test_contents_are_read_only_where_sizes_do_not_tell():
    assert told(MANUAL, "A:one B:three", eager=False) == "one | A | - | AB"
    same = Story(MANUAL, "A:one B:two", eager=False)
    assert shown(same) == "one | A | A inspect, B inspect, C put | -"
    assert shown(same.tell("A! B!")) == "one | A | - | AB"


def test_a_side_that_may_have_become_equal_is_read():
    story = Story(MANUAL, "A:one B:three", eager=False)

    story.tell("A:other")
    assert shown(story) == "other | A | A inspect, B inspect | AB"
    assert shown(story.tell("A! B!")) == "other | A | - | AB"
    story.tell("A:three")
    assert shown(story) == "three | A | A inspect | AB"
    assert shown(story.tell("A!")) == "three | AB | B amend, C put | -"


def test_links_are_not_read():
    assert told(MANUAL, "A:->t B:abc", eager=False) == "->t | A | - | AB"


def test_a_report_that_repeats_a_side_may_tell_its_digest():
    story = Story(MANUAL, "A:one B:three", eager=False)
    again = Found(story.disk[B].seen("x"), b"d" * 32)
    story.file = reconcile.found(story.file, B, again, MANUAL)

    assert story.file.copies[B].digest == b"d" * 32
    assert shown(story) == "one | A | - | AB"


# Entries that come and go, and what they wish ---------------------------------


def test_who_is_not_configured_holds_nobody_up_and_loses_nothing():
    story = Story(MANUAL, "A:one B:two")
    story.world = without(MANUAL, B)
    story.file = comparison.judged(comparison.compare(story.file, story.world), MANUAL)

    assert story.task(C) is Task.PUT
    assert dispute.sides(story.file, story.world) == []
    story.carry_out(C)
    story.world = MANUAL
    story.report(B)
    assert shown(story) == "one | AC | - | ABC"


def test_what_is_left_when_the_newest_belongs_to_nobody_any_more():
    story = Story(MANUAL, "A:one B:two")
    story.world = without(MANUAL, A)
    story.file = comparison.compare(story.file, story.world)

    assert (story.newest(), shown(story)[-1]) == ("two", "-")
    assert story.file.copies[A].doubt is Doubt.ASIDE


def test_when_nobody_wants_to_be_asked_any_more_it_is_decided():
    story = Story(MANUAL, "A:one@1 B:two@2")
    story.world = KEEPING
    story.file = comparison.compare(story.file, KEEPING)

    assert shown(story) == "two | B | A set_aside, C put | -"


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        ("A:one B:two", "two | B | A put, C put | -"),
        ("A:one B:two C:six", "two | B | - | BC"),
        # What was only behind is behind still, and no third side.
        ("A:one B! C! A:two B:six", "six | B | A put, C put | -"),
    ],
)
def test_a_storage_of_which_nothing_is_known_any_more_is_no_side(steps, then):
    story = Story(MANUAL, steps)
    story.file = reconcile.dropped(story.file, A, MANUAL)

    assert shown(story).replace("| A |", "| - |") == then


# What a person says -----------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "keep", "then"),
    [
        ("A:one B:two", A, "one | A | B put, C put | -"),
        ("A:one B:two", B, "two | B | A put, C put | -"),
        ("A:one C! B:two", C, "one | AC | B put | -"),
        ("A:one C! B:two", B, "two | B | A put, C put | -"),
        ("A:one B:two C:six", C, "six | C | A put, B put | -"),
        ("A:one B:two C:six", A, "one | A | B put, C put | -"),
        # Two sides that agree against the third: nothing to copy between them.
        ("A:one B:two C:two", B, "two | BC | A put, B amend | -"),
        ("A:one B:two C:two", A, "one | A | B put, C put | -"),
        # All are kept: the later one has the name.
        ("A:one B:two", None, "two | B | A set_aside, C put | -"),
        ("A:one@9 B:two@1", None, "one | A | B set_aside, C put | -"),
        ("A:one@2 B:two@1 C:six@3", None, "six | C | A set_aside, B set_aside | -"),
        ("A:one@9 B:two C:two", None, "one | A | B set_aside, C set_aside | -"),
        ("A:one@1 B:two C:two", None, "two | BC | A set_aside, B amend | -"),
    ],
)
def test_a_decision(steps, keep, then):
    story = decide(Story(MANUAL, steps), keep)

    assert shown(story) == then
    story.settle()
    assert shown(story).endswith("| ABC | - | -")


def test_what_is_edited_after_the_decision_is_a_conflict_again():
    story = decide(Story(MANUAL, "A:one B:two"), A)

    assert shown(story.tell("B:three")) == "one | A | - | AB"
    story = decide(Story(MANUAL, "A:one B:two"), A)
    assert shown(story.tell("B~")) == "one | A | B put, C put | -"


def test_wishes_still_count_for_which_one_keeps_the_name():
    world = a_world(TO_ALL, A=Member("A", manual=True), B=Member("B", prefer=("A",)))
    story = decide(Story(world, "A:one B:two"), None)

    assert shown(story) == "one | A | B set_aside, C put | -"


# Laws -------------------------------------------------------------------------

WORLDS = st.sampled_from(
    [MANUAL, a_world(TO_ALL, A=Member("A", manual=True), B=Member("B", larger=True))]
)
FEW = st.lists(STEPS, max_size=5)


def disputed(world: World, before: Any, after: Any, eager: bool) -> Story:
    """Return a story in which two contents met somewhere in the middle."""
    story = play(Story(world, eager=eager), before)
    story.tell("A:left B:right")
    return play(story, after).settle()


@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=8), st.booleans())
def test_nothing_is_renamed_or_replaced_unasked(slots, eager):
    story = Story(MANUAL, eager=eager)
    last: dict[int, str] = {}
    for number, slot in enumerate(slots):
        last[slot] = f"content {number}"
        story.write(slot, last[slot])
    story.settle()
    sides = {side.slot for side in dispute.sides(story.file, MANUAL)}

    assert story.aside == {}
    for slot, content in last.items():
        assert story.disk[slot].content == content
    assert sides >= last.keys() if len(last) > 1 else not sides


@given(FEW, FEW, WORLDS, st.booleans(), st.integers(0, 3))
def test_a_decision_ends_it_and_all_get_what_was_chosen(
    before, after, world, eager, choice
):
    story = disputed(world, before, after, eager)
    sides = dispute.sides(story.file, world)
    if not sides:
        return
    held = {side.slot: story.disk[side.slot].content for side in sides}
    version, already = story.file.version, set(story.kept)
    keep = [*held, None][choice % (len(held) + 1)]
    decide(story, keep)

    assert dispute.sides(story.file, world) == []
    assert relation(story.file.version, version) is Relation.NEWER
    story.settle()
    contents = {story.disk[slot].content for slot in (A, B, C)}
    assert len(contents) == 1
    if keep is None:
        assert contents | {*story.kept} == {*held.values()} | already
    else:
        assert (contents, {*story.kept}) == ({held[keep]}, already)


@given(FEW, FEW, WORLDS, st.booleans())
def test_a_dispute_is_about_contents_that_differ(before, after, world, eager):
    story = disputed(world, before, after, eager)
    sides = dispute.sides(story.file, world)

    assert len({story.disk[side.slot].content for side in sides}) != 1
    for side in sides:
        thing = story.disk[side.slot].seen("x")
        assert (side.kind, side.mtime_ns) == (thing.kind, thing.stamp.mtime_ns)
    if sides:
        assert {story.task(slot) for slot in SLOTS.values()} == {None}


@given(FEW, FEW, st.booleans(), st.sampled_from([A, B, C]))
def test_deleting_all_sides_but_one_settles_it(before, after, eager, stays):
    story = disputed(MANUAL, before, after, eager)
    held = {
        s.slot: story.disk[s.slot].content for s in dispute.sides(story.file, MANUAL)
    }
    if stays not in held:
        return
    for slot, content in held.items():
        if content != held[stays]:
            story.delete(slot)
    story.settle()

    assert dispute.sides(story.file, MANUAL) == []
    assert {thing.content for thing in story.disk.values()} == {held[stays]}


@given(FEW, FEW, st.booleans())
def test_making_all_sides_equal_settles_it(before, after, eager):
    story = disputed(MANUAL, before, after, eager)
    for side in dispute.sides(story.file, MANUAL):
        story.write(side.slot, "agreed")
    sides = dispute.sides(story.settle().file, MANUAL)

    assert sides == []
    assert len({thing.content for thing in story.disk.values()}) < 2
