"""What a power cut left, on A or B, of what both or one of them held."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as but

from syncd.core import damage, reconcile, work
from syncd.core.change import Found, Gone
from syncd.core.file import Copy, Doubt, File, Kind, Seen, Stamp
from syncd.core.world import Member, OnDelete, World
from tests.core.story import TO_ALL, A, B, C, Story, Thing, a_world, without

TO_A_AND_B = {"sync": ["A", "B"]}
ZEROS = "\0" * 4


def cut(
    world: World,
    slot: int,
    left: Callable[[Thing], Thing | None],
    steps: str = "A:good B!",
) -> Story:
    """Return the story after a power cut that left that of what the slot had."""
    story = Story(world, steps)
    everything = {A: 1, B: 1, C: 1}
    story.world = but(world, doubted=everything)
    left_over = left(story.disk[slot])
    if left_over is None:
        story.disk.pop(slot)
    else:
        story.disk[slot] = left_over
    story.report(slot)
    return story


def short(thing: Thing) -> Thing:
    return replace(thing, content="")


def short_and_earlier(thing: Thing) -> Thing:
    return replace(
        thing, content="go", mtime_ns=thing.mtime_ns - 1, ctime_ns=thing.ctime_ns - 1
    )


def zeroed(thing: Thing) -> Thing:
    return replace(thing, content=ZEROS)


def zeroed_and_earlier(thing: Thing) -> Thing:
    return replace(thing, content=ZEROS, ctime_ns=thing.ctime_ns - 1)


def zeroed_and_dressed(thing: Thing) -> Thing:
    """Somebody gave it another owner after the system came up."""
    return replace(thing, content=ZEROS, ctime_ns=thing.ctime_ns + 1000)


DAMAGES = [short, short_and_earlier, zeroed, zeroed_and_earlier, zeroed_and_dressed]


def whole(thing: Thing) -> Thing:
    return thing


def emptied_by_hand(thing: Thing) -> Thing:
    return Thing("", thing.mtime_ns + 1000, thing.ctime_ns + 1000)


def edited(thing: Thing) -> Thing:
    return Thing("new!", thing.mtime_ns + 1000, thing.ctime_ns + 1000)


def copied_over_with_its_time(thing: Thing) -> Thing:
    return Thing("old!", thing.mtime_ns - 1, thing.ctime_ns + 1000)


def grown(thing: Thing) -> Thing:
    return Thing("good and more", thing.mtime_ns + 1, thing.ctime_ns + 1)


@pytest.mark.parametrize("left", DAMAGES)
@pytest.mark.parametrize("slot", [A, B])
def test_a_damaged_copy_is_fetched_anew_wherever_it_is(slot: int, left):
    story = cut(a_world(TO_A_AND_B), slot, left)

    name, other = ("A", "B") if slot == A else ("B", "A")
    assert story.shown() == f"good | {other} | {name} put"
    assert story.settle().shown() == "good | AB | -"
    assert story.disk[slot].content == "good"
    assert not story.aside


@pytest.mark.parametrize(
    ("left", "content"),
    [
        (whole, "good"),
        (emptied_by_hand, ""),
        (edited, "new!"),
        (copied_over_with_its_time, "old!"),
        (grown, "good and more"),
    ],
)
@pytest.mark.parametrize("slot", [A, B])
def test_what_is_whole_or_edited_is_believed(slot: int, left, content: str):
    story = cut(a_world(TO_A_AND_B), slot, left).settle()

    assert story.shown() == f"{content} | AB | -"


@pytest.mark.parametrize("left", DAMAGES)
def test_without_a_power_cut_every_difference_is_an_edit(left):
    story = Story(a_world(TO_A_AND_B), "A:good B!")
    story.disk[A] = left(story.disk[A])
    story.disk[A] = replace(story.disk[A], ctime_ns=story.disk[A].ctime_ns + 5)
    story.report(A)

    assert story.shown().endswith("| A | B put")


def test_what_was_written_long_before_is_an_edit():
    story = Story(a_world(TO_A_AND_B), "A:good B!")
    story.world = but(story.world, doubted={A: story.disk[A].ctime_ns + 1})
    story.disk[A] = short_and_earlier(story.disk[A])
    story.report(A)

    assert story.settle().shown() == "go | AB | -"


@pytest.mark.parametrize("left", DAMAGES)
def test_the_only_copy_stays_and_is_told_and_goes_nowhere(left):
    story = cut(a_world(TO_A_AND_B), A, left, "A:good")

    copy = story.file.copy(A)
    assert copy.trouble is not None
    assert copy.trouble.blocked
    assert "no other entry has it" in copy.trouble.reason
    assert story.file.holders == 0
    assert story.order(A) is None
    assert story.order(B) is None
    assert story.disk[A].content == left(Thing("good", 1, 1)).content


def test_a_copy_that_comes_back_mends_the_only_damaged_one():
    world = a_world(TO_A_AND_B)
    story = cut(without(world, B), A, short)
    assert story.order(A) is None

    story.world = world

    assert story.settle().shown() == "good | AB | -"


def test_the_only_copy_is_taken_as_it_is_when_it_is_touched():
    story = cut(a_world(TO_A_AND_B), A, zeroed, "A:good")
    story.touch(A)

    assert story.settle().shown() == f"{ZEROS} | AB | -"


def test_the_only_copy_that_is_deleted_is_gone():
    story = cut(a_world(TO_A_AND_B), A, zeroed, "A:good")
    story.delete(A)

    assert story.settle().shown() == "- | A | -"


@pytest.mark.parametrize("eager", [True, False])
def test_touching_a_damaged_copy_spreads_nothing(eager: bool):
    story = cut(a_world(TO_A_AND_B), A, zeroed)
    story._eager = eager
    story.disk[A] = replace(story.disk[A], ctime_ns=10_000)
    story.report(A)
    story.touch(A)

    assert story.settle().shown() == "good | AB | -"


def test_editing_a_damaged_copy_is_an_edit_and_loses_nothing():
    story = cut(a_world(TO_A_AND_B), B, zeroed)
    story.write(B, "rescued", 10_000)
    story.settle()

    assert story.newest() == "rescued"
    assert story.disk[A].content == "rescued"


def test_deleting_a_damaged_copy_deletes_nothing_elsewhere():
    story = cut(a_world(TO_A_AND_B), A, zeroed)
    story.world = but(story.world, doubted={})
    story.delete(A)

    assert story.settle().shown() == "good | AB | -"


def test_a_newer_content_replaces_a_damaged_copy():
    story = cut(a_world(TO_A_AND_B), A, zeroed)
    story.write(B, "newer")

    assert story.settle().shown() == "newer | AB | -"


def test_a_damaged_copy_of_what_is_deleted_goes_too():
    story = cut(a_world(TO_A_AND_B), A, zeroed)
    story.world = but(story.world, doubted={})
    story.delete(B)

    assert story.settle().shown() == "- | AB | -"


def test_a_damaged_copy_that_was_behind_already_gets_the_newest():
    story = cut(a_world(TO_A_AND_B), B, short, "A:good B! A:newer")

    assert story.settle().shown() == "newer | AB | -"
    assert not story.aside


@pytest.mark.parametrize("slot", [A, B])
def test_an_earlier_content_that_came_back_is_kept_beside(slot: int):
    """A rename over the file that never reached the disk: the old file is there."""
    story = Story(a_world(TO_A_AND_B), "A:old B! A:new B!")
    story.world = but(story.world, doubted={slot: story.disk[slot].ctime_ns})
    story.disk[slot] = Thing("old and long", 1, 1)
    story.report(slot)
    story.settle()

    assert story.shown() == "new | AB | -"
    (kept,) = story.aside.values()
    assert kept.size == len("old and long")


def test_an_earlier_content_stays_where_nobody_has_the_newer():
    story = Story(a_world(TO_A_AND_B), "A:new")
    story.world = but(story.world, doubted={A: 1})
    story.disk[A] = Thing("old and long", 0, 0)
    story.report(A)

    assert story.settle().shown() == "old and long | AB | -"


@pytest.mark.parametrize("steps", ["A:good B!", "A:->there B!", "A:/ B!"])
def test_what_is_gone_may_never_have_been_on_the_disk(steps: str):
    story = cut(a_world(TO_A_AND_B), A, lambda _: None, steps)

    assert story.shown().endswith("| B | A put")
    assert story.settle().shown().endswith("| AB | -")


def test_what_nobody_else_has_is_gone():
    assert cut(a_world(TO_A_AND_B), A, lambda _: None, "A:good").file.deleted


def test_what_was_there_long_before_was_deleted():
    story = Story(a_world(TO_A_AND_B), "A:good B!")
    story.world = but(story.world, doubted={A: story.disk[A].ctime_ns + 1})
    story.delete(A)

    assert story.settle().shown() == "- | AB | -"


def test_a_folder_that_was_there_long_before_was_deleted():
    story = Story(a_world(TO_A_AND_B), "A:/ B!")
    story.world = but(story.world, doubted={A: int(story.file.changed_at * 1e9) + 1})
    story.delete(A)

    assert story.settle().shown() == "- | AB | -"


def test_deletions_that_are_ignored_stay_so_only_if_they_were_any():
    world = a_world(TO_A_AND_B, A=Member("A", on_delete=OnDelete.IGNORE))
    story = cut(world, A, lambda _: None)

    assert story.settle().shown() == "good | AB | -"


def test_without_digests_what_became_shorter_is_damaged():
    story = Story(a_world(TO_A_AND_B), "A:good B!", eager=False)
    story.world = but(story.world, doubted={A: 1})
    story.disk[A] = short(story.disk[A])
    story.report(A)

    assert story.settle().shown() == "good | AB | -"
    assert story.disk[A].content == "good"


def test_what_is_another_kind_of_thing_now_is_news():
    story = cut(a_world(TO_A_AND_B), A, lambda thing: Thing("->there", 10_000, 10_000))

    assert story.settle().disk[B].content == "->there"


def test_a_copy_in_another_doubt_is_judged_as_ever():
    file = File(
        id=1,
        path="x",
        version={A: 1},
        copies={A: Copy(stamp=Stamp(4, 5, 5), doubt=Doubt.ASIDE)},
    )
    world = but(a_world(), doubted={A: 1})
    story = Story(world)
    story.disk[A] = Thing("", 5, 5)
    change = story.change(A)
    assert not isinstance(change, Gone)

    assert damage.verdict(file, A, change, world) is damage.Verdict.SOUND


LOSSES = st.tuples(
    st.sampled_from(["", "go", ZEROS, "old!", "good and more"]),
    st.integers(0, 12),
    st.integers(0, 12),
)


def lost(thing: Thing, loss: tuple[str, int, int]) -> Thing:
    """Return a content that was there before, or part of it, and none of later."""
    content, mtime, ctime = loss
    if not ctime and len(content) <= len(thing.content):
        return replace(thing, content=content, mtime_ns=thing.mtime_ns - mtime)
    return Thing(content, thing.mtime_ns - mtime, thing.ctime_ns - 1 - ctime)


@given(
    st.sampled_from(["A:old B! A:good B!", "A:good B! C!", "A:old B! B:good A! C!"]),
    st.dictionaries(st.sampled_from([A, B, C]), LOSSES | st.none(), max_size=2),
)
def test_whatever_a_power_cut_leaves_a_good_copy_wins(steps, losses):
    """As long as one entry has it on its disk, everybody has it in the end."""
    story = Story(a_world(TO_ALL), steps)
    story.world = but(story.world, doubted={A: -100, B: -100, C: -100})
    held = set(story.disk)
    for slot in losses.keys() & held:
        loss = losses[slot]
        if loss is None:
            del story.disk[slot]
        else:
            story.disk[slot] = lost(story.disk[slot], loss)
    for slot in held:
        story.report(slot)
    story.settle()

    if held - losses.keys():
        assert story.shown() == "good | ABC | -"
        assert {thing.content for thing in story.disk.values()} == {"good"}


def test_a_seen_folder_is_never_damaged():
    found = Found(Seen("x", Kind.DIRECTORY, Stamp(inode=1)))
    world = but(a_world(TO_ALL), doubted={A: 1})
    file = reconcile.found(reconcile.blank("x"), A, found, world)

    assert reconcile.found(file, A, found, world) == file
    assert work.task(file, A, world) is None
