"""What came of orders, and what is known afterwards."""

import pytest
from msgspec.structs import replace

from syncd.core import comparison, outcome, reconcile, work
from syncd.core.change import Amend, Done, Failed, Found, Gone, Inspect, Put, Why
from syncd.core.file import (
    ABSENT,
    LONGEST_PAUSE,
    Copy,
    Doubt,
    File,
    Kind,
    Seen,
    Stamp,
)
from syncd.core.outcome import FIRST_PAUSE
from syncd.core.work import Task
from syncd.core.world import Member, OnDelete, OnUnmatch
from tests.core.story import NOW, TO_ALL, A, B, C, Story, Thing, a_world, digest

WORLD = a_world(TO_ALL)


def test_a_copy_that_was_put_is_up_to_date():
    story = Story(WORLD, "A:one", eager=False)
    story.tell("B!")

    assert story.shown() == "one | AB | C put"
    assert story.file.digest == digest(story.disk[A])  # Read while it was copied.


def test_a_copy_that_was_put_too_late_is_of_the_version_it_was_made_from():
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert isinstance(order, Put)
    what = outcome.issued(order, story.file)
    result = story.do(B, order)
    story.tell("A:three")
    story.file = outcome.done(story.file, B, what, result, WORLD)

    copy = story.file.copies[B]
    assert (copy.version, copy.digest) == (what.version, digest(story.disk[B]))
    assert (copy.kind, copy.present) == (Kind.FILE, True)
    assert story.settle().shown() == "three | ABC | -"


def test_a_copy_that_was_put_after_the_file_was_deleted_goes_again():
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)
    result = story.do(B, order)
    story.tell("A-")
    story.file = outcome.done(story.file, B, what, result, WORLD)

    assert story.shown() == "- | A | B delete"


def test_what_was_let_go_while_it_was_put_is_owned_when_it_lies_there():
    world = a_world(TO_ALL, B=Member("B", on_delete=OnDelete.IGNORE))
    story = Story(world, "A:one")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)
    story.tell("B:one B-")
    assert story.file.owners == 0b101
    result = story.do(B, order)
    story.file = outcome.done(story.file, B, what, result, world)

    assert story.file.owners == 0b111
    assert story.settle().shown() == "one | ABC | -"


def test_an_edit_of_a_copy_that_was_put_too_late_is_made_from_that():
    story = Story(WORLD, "A:one C!")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)
    result = story.do(B, order)
    story.tell("A:two@99")
    story.file = outcome.done(story.file, B, what, result, WORLD)
    story.tell("B:six@98")

    assert story.shown() == "two | A | B set_aside, C put"


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        ("A:one B! C! A- B!", "- | AB | C delete"),
        ("A:one B:two A!", "two | B | A put, C put"),
        ("A:one B! C! A~ B!", "one | ABC | C amend"),
    ],
)
def test_what_was_done_is_done(steps, then):
    assert Story(WORLD, steps).shown() == then


def test_an_unwanted_copy_that_was_deleted_is_no_tombstone():
    world = a_world({"sync": ["A"]}, B=Member("B", on_unmatch=OnUnmatch.DELETE))
    story = Story(a_world({"sync": ["A", "B"]}), "A:one B!")
    story.world = world
    story.file = comparison.judged(story.file, world)
    story.tell("B!")

    assert story.shown() == "one | A | -"
    assert story.file.copies[B] == ABSENT


def test_what_was_touched_again_while_it_was_amended_is_amended_again():
    story = Story(WORLD, "A:one B! C! A~")
    order = story.order(B)
    assert isinstance(order, Amend)
    what = outcome.issued(order, story.file)
    result = story.do(B, order)
    story.tell("A~")
    story.file = outcome.done(story.file, B, what, result, WORLD)

    assert story.task(B) is Task.AMEND
    assert story.settle().shown() == "one | ABC | -"


# Kept aside -------------------------------------------------------------------


def test_the_loser_is_a_new_file_that_goes_everywhere():
    story = Story(WORLD, "A:one B:two A!")
    (kept,) = story.aside.values()

    assert kept.conflict_of == "x"
    assert (kept.size, kept.owners, kept.uptodate) == (3, 0b111, 0b001)
    assert kept.digest == digest(Thing("one", 0, 0))
    assert story.settle().shown() == "two | ABC | -"


def test_two_losers_have_two_names():
    story = Story(WORLD, "A:one B:two C:six").settle()

    assert len(story.aside) == 2
    assert {file.origin for file in story.aside.values()} == {1 << A, 1 << B}


def test_a_loser_kept_under_a_name_that_is_known_is_compared_with_that():
    story = Story(WORLD, "A:one B:two")
    order = story.order(A)
    assert order
    there = Story(WORLD, "C:one", path="y")
    result = Done(order.id, story.disk[A].seen("y"))
    kept = outcome.kept_aside(A, story.file, there.file, result, WORLD)

    assert kept.uptodate == 0b101


# Failed -----------------------------------------------------------------------


def fail(story: Story, slot: int, why: Why) -> None:
    """Let what the entry is to do fail."""
    order = story.order(slot)
    assert order is not None
    what = outcome.issued(order, story.file)
    result = Failed(order.id, why, "no room")
    story.file = outcome.failed(story.file, slot, what, result, story.world)


def failing(why: Why, times: int) -> File:
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert order is not None
    for _ in range(times):
        what = outcome.issued(order, story.file)
        result = Failed(1, why, "no room")
        story.file = outcome.failed(story.file, B, what, result, WORLD)
    return story.file


@pytest.mark.parametrize(
    ("why", "times", "pause"),
    [
        (Why.BLOCKED, 1, FIRST_PAUSE),
        (Why.BLOCKED, 2, 2 * FIRST_PAUSE),
        (Why.BLOCKED, 5, 16 * FIRST_PAUSE),
        (Why.BLOCKED, 11, LONGEST_PAUSE),
        (Why.BLOCKED, 2000, LONGEST_PAUSE),
        # A report of what changed is under way.
        (Why.CHANGED, 1, 0.1),
        (Why.CHANGED, 2, 2 * FIRST_PAUSE),
        (Why.SOURCE, 1, 0.1),
    ],
)
def test_what_failed_is_tried_again_after_growing_pauses(why, times, pause):
    trouble = failing(why, times).copies[B].trouble

    assert trouble is not None
    assert trouble.retry_at - NOW == pytest.approx(pause, abs=1e-3)
    assert (trouble.attempts, trouble.reason) == (times, "no room")
    assert trouble.blocked == (why is Why.BLOCKED)


def test_what_is_relieved_is_tried_at_once_and_remembers_how_often_it_failed():
    file = failing(Why.BLOCKED, 5)
    relieved = outcome.relieved(file, B)

    assert work.order(file, B, 1, WORLD, 0b111) is None
    assert work.order(relieved, B, 1, WORLD, 0b111) is not None
    before, after = file.copies[B].trouble, relieved.copies[B].trouble
    assert before
    assert after == replace(before, retry_at=0.0)
    assert outcome.relieved(file, A) is file


def test_a_hint_that_failed_is_not_tried_again():
    for steps in ("", "A:two"):
        story = Story(WORLD, "A:one")
        order = story.order(B)
        assert order
        what = outcome.issued(order, story.file)
        story.tell(steps)
        hinted = comparison.with_copy(story.file, B, Copy(hint=("y", Stamp())))
        result = Failed(order.id, Why.SOURCE, "no")

        assert outcome.failed(hinted, B, what, result, WORLD).copy(B).hint is None


@pytest.mark.parametrize(
    ("why", "waits"), [(Why.SOURCE, False), (Why.CHANGED, False), (Why.BLOCKED, True)]
)
def test_an_order_that_was_out_of_date_does_not_delay_the_next(why, waits):
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)
    story.tell("A:three")
    result = Failed(order.id, why, "the source changed")
    story.file = outcome.failed(story.file, B, what, result, WORLD)

    assert (story.order(B) is None) == waits


@pytest.mark.parametrize(
    ("steps", "blocked", "other"),
    [
        ("B!", False, False),  # It succeeded.
        ("A:two", True, False),  # A new version does not make room ...
        ("B:six", False, False),  # ... but the entry shows that it can be written.
        ("A-", True, True),
    ],
)
def test_when_trouble_is_over(steps, blocked, other):
    for why, remains in ((Why.BLOCKED, blocked), (Why.CHANGED, other)):
        story = Story(WORLD, "A:one")
        fail(story, B, why)
        story.world = a_world(TO_ALL, now=NOW + 100)
        story.tell(steps)
        assert (story.file.copy(B).trouble is not None) == remains


def test_trouble_with_a_copy_of_the_former_version_only_stays_if_it_is_the_storages():
    for why, remains in ((Why.BLOCKED, True), (Why.CHANGED, False)):
        story = Story(WORLD, "A:one B! C! A~")
        fail(story, B, why)
        story.tell("A:two")
        assert (story.file.copies[B].trouble is not None) == remains


# Inspected --------------------------------------------------------------------


def asked(story: Story, slot: int) -> outcome.Issued:
    order = story.order(slot)
    assert isinstance(order, Inspect)
    return outcome.issued(order, story.file)


def test_what_was_read_of_a_copy_that_is_another_by_now_tells_nothing():
    story = Story(WORLD, "A:one@1 B:one@1", eager=False)
    what = asked(story, B)
    result = Done(1, story.disk[B].seen("x"), b"d" * 32)
    story.tell("B:one@2")

    assert outcome.done(story.file, B, what, result, WORLD) == story.file


def test_a_mime_type_is_learned_and_decides():
    world = a_world({"match": {"mime": ["text/*"]}, "sync": ["B"]})
    story = Story(world, "A:one", eager=False)
    assert story.shown() == "one | A | A inspect"

    assert story.tell("A!").shown() == "one | A | B put"
    assert story.file.mime == "text/plain"


def test_reading_again_clears_trouble_with_reading():
    world = a_world({"match": {"mime": ["text/*"]}, "sync": ["B"]})
    story = Story(world, "A:one", eager=False)
    what = asked(story, A)
    fail(story, A, Why.BLOCKED)
    result = Done(1, story.disk[A].seen("x"), None, "text/plain")
    story.file = outcome.done(story.file, A, what, result, world)

    assert story.file.copies[A].trouble is None
    assert story.shown() == "one | A | B put"


def test_reading_what_is_no_longer_the_newest_tells_nothing_of_it():
    world = a_world({"match": {"mime": ["text/*"]}, "sync": ["C"]}, {"sync": ["B"]})
    story = Story(world, "A:one B!")
    what = asked(story, A)
    result = Done(1, story.disk[A].seen("x"), None, "text/plain")
    story.tell("B:two")
    story.file = outcome.done(story.file, A, what, result, world)

    assert story.file.mime is None


def test_a_comparison_that_failed_once_is_decided_when_it_was_read():
    story = Story(WORLD, "A:one@1 B:one@1 A!", eager=False)
    fail(story, B, Why.BLOCKED)
    story.world = a_world(TO_ALL, now=NOW + 5)

    assert story.tell("B!").shown() == "one | AB | C put"
    assert story.file.copies[B].trouble is None


def test_a_comparison_stays_undecided_when_nothing_was_read():
    story = Story(WORLD, "A:one@1 B:one@1 A!", eager=False)
    what = asked(story, B)
    result = Done(1, story.disk[B].seen("x"))
    story.file = outcome.done(story.file, B, what, result, WORLD)

    assert story.file.copies[B].doubt is Doubt.COMPARING


def test_an_answer_without_what_lies_there_changes_nothing():
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)

    assert outcome.done(story.file, B, what, Done(1, None), WORLD) is story.file


def test_our_own_write_is_no_news():
    story = Story(WORLD, "A:one B!")
    before = story.file
    seen = Seen("x", Kind.FILE, story.disk[B].seen("x").stamp)

    assert reconcile.found(before, B, Found(seen), WORLD) == before
    after_delete = Story(WORLD, "A:one B! C! A- B! C!").file
    assert reconcile.gone(after_delete, C, Gone("x"), WORLD) is after_delete


def test_a_storage_that_keeps_no_modes_is_not_asked_for_ever():
    story = Story(WORLD, "A:one")
    order = story.order(B)
    assert order
    what = outcome.issued(order, story.file)
    thing = Thing("one", 77, 77, mode=0o777)
    result = Done(1, thing.seen("x"), digest(thing))
    story.file = outcome.done(story.file, B, what, result, WORLD)

    assert story.task(B) is None
    assert story.file.copies[B].mode == 0o777
    assert replace(story.file.copies[B], mode=0).present
