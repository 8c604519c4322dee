"""Which copy is the newest, what conflicts, and what travels without content."""

import pytest

from syncd.core import comparison, conflict, reconcile
from syncd.core.change import Found
from syncd.core.file import Copy, Doubt, File, Kind, Stamp
from syncd.core.world import Member, OnDelete
from tests.core.story import NOW, TO_ALL, A, B, Story, Thing, a_world, told, without

WORLD = a_world(TO_ALL)


@pytest.mark.parametrize(
    ("rules", "steps", "then"),
    [
        # In no rule: it stays where it was made, and nobody else is told.
        ([], "A:one", "one | A | -"),
        ([], "A:one A-", "- | A | -"),
        # The same content elsewhere: both made it, both own it.
        ([], "A:one B:one", "one | AB | A amend"),
        # Banned where it was made: it is a source, but no owner ...
        ([TO_ALL, {"ban": ["A"]}], "A:one", "one | - | B put, C put"),
        ([TO_ALL, {"ban": ["A"]}], "A:one B! C!", "one | BC | -"),
        # ... and deleting it there is nobody else's business.
        ([TO_ALL, {"ban": ["A"]}], "A:one B! C! A-", "one | BC | -"),
        ([TO_ALL, {"ban": ["A"]}], "A:one B! C! B-", "- | B | C delete"),
        # Rules may tell by origin, which moves with every new version.
        ([{"match": {"from": ["A"]}, "sync": ["B"]}], "A:one B!", "one | AB | -"),
        ([{"match": {"from": ["A"]}, "sync": ["B"]}], "B:one", "one | B | -"),
        # It grows past a limit: now others own it.
        ([{"match": {"size": {"min": 4}}, "sync": ["B"]}], "A:one", "one | A | -"),
        (
            [{"match": {"size": {"min": 4}}, "sync": ["B"]}],
            "A:one A:four",
            "four | A | B put",
        ),
    ],
)
def test_owners(rules, steps, then):
    assert told(a_world(*rules), steps) == then


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # Edited on both while apart: one wins, the other is kept aside.
        ("A:one B! C! A:two B:six", "six | B | A set_aside, C put"),
        ("A:one B! C! A:two@9 B:six@8", "two | A | B set_aside, C put"),
        # The same edit on both is no conflict.
        ("A:one B! C! A:two B:two", "two | AB | A amend, C put"),
        # Two histories that know nothing of each other.
        ("A:one B:two", "two | B | A set_aside, C put"),
        ("A:one@9 B:two@8", "one | A | B set_aside, C put"),
        # Another size: no digest is needed to see that contents differ.
        ("A:one@9 B:three@8", "one | A | B set_aside, C put"),
        # Nobody overwrites the loser elsewhere before one has kept it aside.
        ("A:one B:one C:two", "two | C | A set_aside, B put"),
        # Three contents: the latest wins, the others are kept.
        ("A:one B:two C:six", "six | C | A set_aside, B set_aside"),
        # A folder wins over a file or link, whichever was told first.
        ("A:one B:/", "/ | B | A set_aside, C put"),
        ("A:/ B:one", "/ | A | B set_aside, C put"),
        ("A:->t B:/", "/ | B | A set_aside, C put"),
        ("A:/ B:/", "/ | AB | C put"),
        # Links differ by where they point.
        ("A:->t@1 B:->t@1", "->t | AB | C put"),
        ("A:->t B:->u", "->u | B | A set_aside, C put"),
        # The loser was deleted before it was kept: then there is nothing to keep.
        ("A:one B:two A-", "two | B | A put, C put"),
        # The loser was edited before it was kept: it still goes aside.
        ("A:one B:two A:three", "two | B | A set_aside, C put"),
    ],
)
def test_conflicts(steps, then):
    assert told(WORLD, steps) == then


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # Equal sizes, nothing read yet: both are asked to read.
        ("A:one B:one", "one | A | A inspect, B inspect, C put"),
        ("A:one B:one B!", "one | A | A inspect, C put"),
        ("A:one B:one A!", "one | A | B inspect, C put"),
        ("A:one@1 B:one@1 A! B!", "one | AB | C put"),
        ("A:one B:two B! A!", "two | B | A set_aside, C put"),
        # Perhaps only touched: nobody is sent anything before that is known.
        ("A:one B! C! A~", "one | BC | A inspect"),
        ("A:one B! C! A~ A!", "one | ABC | B amend, C amend"),
        ("A:one B! C! A:two A!", "two | A | B put, C put"),
        # Nobody else has it: why ask? It is new.
        ("A:one A:two", "two | A | B put, C put"),
        # The copy that is compared is edited, or deleted, meanwhile.
        ("A:one B! C! A~ A:three", "three | A | B put, C put"),
        ("A:one B! C! A~ A-", "- | A | B delete, C delete"),
        # What it would be compared with is gone: there is nothing to compare with.
        ("A:one B:two A-", "two | B | A put, C put"),
        # The newest is deleted while a copy of an older one is compared.
        ("A:one B! C! B~ A-", "- | A | B inspect, C delete"),
        ("A:one B! C! B~ A- B!", "- | A | B delete, C delete"),
        ("A:one B! C! B:two A- B!", "two | B | A put, C put"),
    ],
)
def test_comparing_what_was_not_read_yet(steps, then):
    assert told(WORLD, steps, eager=False) == then


def test_what_it_would_be_compared_with_is_gone_from_there_only():
    world = a_world(TO_ALL, A=Member("A", on_delete=OnDelete.RESTORE))
    story = Story(world, "A:one B:two B! A-", eager=False)

    assert story.shown() == "two | B | A put, C put"


@pytest.mark.parametrize("first", ["A! B!", "B! A!"])
def test_two_edits_that_might_be_touches_are_both_kept(first):
    story = Story(WORLD, "A:one B! C! B:two A:six", eager=False)
    for step in first.split():
        if story.order({"A": A, "B": B}[step[0]]) is not None:
            story.tell(step)

    assert story.settle().shown() == "six | ABC | -"
    assert len(story.aside) == 1


@pytest.mark.parametrize(
    ("steps", "unmanaged", "then"),
    [
        # A copy that no rule wants any more stays, and is not kept up to date.
        ("A:one B!", "", "one | A | -"),
        ("A:one B!", "A:two", "two | A | -"),
        # An edit of it goes ahead if the newest version has not moved ...
        ("A:one B!", "B:two", "two | B | A put"),
        # ... otherwise both are kept.
        ("A:one B!", "A:two B:six", "six | B | A set_aside"),
        # A deletion of it is nobody else's business.
        ("A:one B!", "B-", "one | A | -"),
        ("A:one B!", "A:two B-", "two | A | -"),
        # A deletion elsewhere leaves it alone.
        ("A:one B!", "A-", "- | A | -"),
    ],
)
def test_copies_that_no_rule_wants_any_more(steps, unmanaged, then):
    story = Story(a_world({"sync": ["A", "B"]}), steps)
    story.world = a_world({"sync": ["A"]})
    story.file = comparison.judged(story.file, story.world)

    assert story.tell(unmanaged).shown() == then


@pytest.mark.parametrize(
    ("meanwhile", "then"),
    [
        ("", "one | AB | -"),  # It never left.
        ("A:two", "two | A | B put"),  # Only behind.
        ("A:two B:two@5", "two | AB | A amend"),  # The same again: adopted.
        ("B-", "one | A | B put"),
    ],
)
def test_rules_that_want_an_unmanaged_copy_again(meanwhile, then):
    wanted, unwanted = a_world({"sync": ["A", "B"]}), a_world({"sync": ["A"]})
    story = Story(wanted, "A:one B!")
    for world, steps in ((unwanted, meanwhile), (wanted, "")):
        story.world = world
        story.file = comparison.judged(story.file, world)
        story.tell(steps)

    assert story.shown() == then


def test_a_touch_says_when_and_carries_the_new_time():
    story = Story(WORLD, "A:one@100 B! C! A:one@50")

    assert story.file.mtime_ns == 50
    assert story.settle().shown() == "one | ABC | -"
    assert {thing.mtime_ns for thing in story.disk.values()} == {50}


@pytest.mark.parametrize("steps", ["A:one@100 B:one@50", "B:one@50 A:one@100"])
def test_of_two_equal_files_the_later_time_is_taken(steps):
    story = Story(WORLD, steps).settle()

    assert {thing.mtime_ns for thing in story.disk.values()} == {100}


def test_a_change_of_mode_alone_travels_without_content():
    story = Story(WORLD, "A:one B! C!")
    story.disk[A] = Thing("one", story.disk[A].mtime_ns, 99, mode=0o600)
    story.report(A)

    assert story.shown() == "one | ABC | B amend, C amend"
    assert story.file.mode == 0o600


def test_the_mode_of_a_folder_travels_but_not_its_time():
    story = Story(WORLD, "A:/@5 B! C!")
    story.disk[A] = Thing("/", 77, 99)
    story.report(A)
    assert story.shown() == "/ | ABC | -"

    story.disk[A] = Thing("/", 78, 100, mode=0o700)
    story.report(A)
    assert story.shown() == "/ | ABC | B amend, C amend"


def test_the_mime_type_decides_who_owns_the_file():
    world = a_world({"match": {"mime": ["image/*"]}, "sync": ["B"]})
    story = Story(world, "A:one")
    assert (story.file.owners, story.file.mime_wanted) == (0b1, True)

    seen = story.disk[A].seen("x")
    file = reconcile.found(story.file, A, Found(seen, mime="image/png"), world)
    assert (file.owners, file.mime_wanted) == (0b11, False)


def test_a_new_content_may_have_another_mime_type():
    world = a_world({"match": {"mime": ["image/*"]}, "sync": ["B"]})
    story = Story(world, "A:one")
    story.file = comparison.learned(story.file, None, "image/png", world)
    story.tell("A:two")

    assert (story.file.mime, story.file.mime_wanted) == (None, True)


def test_rules_about_age_say_when_to_ask_again():
    world = a_world({"match": {"age": {"min": "1d"}}, "sync": ["B"]})
    story = Story(world)
    story.write(A, "one", int(NOW * 1e9))
    assert story.file.owners == 0b1
    assert story.file.judge_at is not None
    later = a_world({"match": {"age": {"min": "1d"}}, "sync": ["B"]}, now=NOW + 90_000)

    assert comparison.judged(story.file, later).owners == 0b11
    assert comparison.judged(story.file, world) is story.file


def test_an_entry_that_is_not_configured_any_more_owns_nothing():
    story = Story(WORLD, "A:one B! C!")
    world = without(WORLD, B)

    assert comparison.judged(story.file, world).owners == 0b111
    story.tell("A-")
    assert comparison.judged(story.file, world).owners == 0b101
    assert comparison.judged(story.file, WORLD) is story.file


def test_what_only_a_former_entry_could_tell_is_not_waited_for():
    story = Story(a_world(), "A:one@9", eager=False)
    story.world = without(WORLD, A)
    story.tell("B:two@1")

    assert story.newest() == "two"
    assert story.file.copies[A].doubt is Doubt.ASIDE  # Kept, should it come back.
    assert story.shown() == "two | B | C put"


def test_a_comparison_that_waits_for_a_former_entry_can_be_decided():
    story = Story(WORLD, "A:one@1 B:two@1 B!", eager=False)
    assert story.shown() == "one | A | A inspect, C put"
    story.world = without(WORLD, A)
    story.file = comparison.compare(story.file, story.world)

    assert story.shown() == "two | B | C put"


def test_a_configured_entry_rather_keeps_the_loser_than_a_former_one():
    story = Story(WORLD, "A:one B!")
    story.world = without(WORLD, A)
    story.tell("C:six")

    assert story.newest() == "six"
    assert story.file.copies[B].doubt is Doubt.ASIDE


def test_what_a_former_entry_held_is_set_aside_under_its_number():
    story = Story(a_world(), "A:one")
    story.world = without(WORLD, A)
    story.tell("B:two")

    assert story.file.copies[A].aside == conflict.name("x", "0", NOW)


def test_a_copy_is_compared_by_kind_first():
    file = File(id=1, path="x", kind=Kind.FILE, size=1, digest=b"d")
    for kind, same in ((Kind.DIRECTORY, False), (Kind.LINK, False)):
        copy = Copy(kind=kind, stamp=Stamp(size=1), digest=b"d")
        assert comparison.same_content(file, copy) is same
