"""What a report means: tables for every paragraph of the contract, and laws."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core import comparison, reconcile
from syncd.core.change import Found, Gone, Inspect
from syncd.core.file import ABSENT, Doubt, File, Kind, Seen, Stamp
from syncd.core.version import Relation, relation
from syncd.core.work import Task
from syncd.core.world import Member, OnDelete, World
from tests.core.story import (
    NOW,
    SLOTS,
    TO_ALL,
    A,
    B,
    C,
    Story,
    Thing,
    a_world,
    digest,
    told,
    without,
)

WORLD = a_world(TO_ALL)
NO_RULES = a_world()
MANUAL = a_world(
    TO_ALL,
    A=Member("A", manual=True),
    B=Member("B", manual=True),
    C=Member("C", manual=True),
)

# Tables -----------------------------------------------------------------------
# Each row: what happens; then newest content | who is up to date | what is left.


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # A new file is wanted by everyone whom the rules name.
        ("A:one", "one | A | B put, C put"),
        ("A:one B!", "one | AB | C put"),
        ("A:one B! C!", "one | ABC | -"),
        # The newer content follows, from wherever it comes.
        ("A:one B! C! B:two", "two | B | A put, C put"),
        ("A:one B! A:two A:three", "three | A | B put, C put"),
        # An edit of a copy that is behind is made from what it held: a conflict.
        ("A:one B! A:two B:six", "six | B | A set_aside, C put"),
        # A touch is no new version: only the times travel.
        ("A:one B! C! A~", "one | ABC | B amend, C amend"),
        ("A:one B! C! A~ B! C!", "one | ABC | -"),
        # A stale copy that is touched is still what it was.
        ("A:one B! A:two B~", "two | A | B put, C put"),
        # The newest content at a stale copy: adopted, nothing is copied.
        ("A:one B! A:two B:two", "two | AB | A amend, C put"),
        # ... and so at one that had nothing.
        ("A:one B:one", "one | AB | A amend, C put"),
        # Empty files are files.
        ("A: B!", " | AB | C put"),
        # A file in place of a folder, and the other way round.
        ("A:/ B! C! A:one", "one | A | B put, C put"),
        ("A:one B! C! A:/", "/ | A | B put, C put"),
        ("A:->here B! C! B:->there", "->there | B | A put, C put"),
    ],
)
def test_create_and_modify(steps, then):
    assert told(WORLD, steps) == then


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # A deletion goes everywhere ...
        ("A:one B! C! A-", "- | A | B delete, C delete"),
        ("A:one B! C! B- A! C!", "- | ABC | -"),
        # ... also where the file had not arrived yet: there is nothing to do.
        ("A:one B! A-", "- | A | B delete"),
        # Deleted on both: no error, no conflict.
        ("A:one B! C! A- B-", "- | AB | C delete"),
        # Of a copy that is behind: the edit survives.
        ("A:one B! C! A:two B-", "two | A | B put, C put"),
        # A deletion against an edit: the edit survives, told in either order.
        ("A:one B! C! A- B:two", "two | B | A put, C put"),
        ("A:one B! C! B:two A-", "two | B | A put, C put"),
        # A mere touch of what is to be deleted does not save it.
        ("A:one B! C! A- B~", "- | A | B delete, C delete"),
        # Made again after it was deleted.
        ("A:one B! C! A- B! C! B:two", "two | B | A put, C put"),
        ("A:one B! C! A- A:one", "one | A | B put, C put"),
        # Nothing is known of it: nothing happens.
        ("A-", "? | - | -"),
    ],
)
def test_delete(steps, then):
    assert told(WORLD, steps) == then


def test_what_is_made_under_the_name_of_a_loser_that_is_gone_is_an_ordinary_file():
    story = Story(WORLD, "A:one")
    story.file = replace(story.file, conflict_of="y")

    assert story.tell("A:two").file.conflict_of == "y"
    assert story.tell("A- A:three").file.conflict_of is None


@pytest.mark.parametrize(
    ("policy", "then"),
    [
        (OnDelete.PROPAGATE, "- | B | A delete, C delete"),
        (OnDelete.RESTORE, "one | AC | B put"),
        (OnDelete.IGNORE, "one | AC | -"),
    ],
)
def test_what_a_deletion_means_is_for_the_entry_to_say(policy, then):
    world = a_world(TO_ALL, B=Member("B", on_delete=policy))

    assert told(world, "A:one B! C! B-") == then


def test_a_copy_that_was_let_go_is_wanted_again_when_there_is_a_new_version():
    world = a_world(TO_ALL, B=Member("B", on_delete=OnDelete.IGNORE))

    assert told(world, "A:one B! C! B- A:two") == "two | A | B put, C put"
    assert told(world, "A:one B! C! B- B:two") == "two | B | A put, C put"


def owners_after(world: World, steps: str) -> str:
    owners = Story(world, steps).file.owners
    return "".join(name for name, slot in SLOTS.items() if owners >> slot & 1)


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # Who let a version go is no owner of it, so that nothing is pending ...
        ("A:one B! C! B-", "AC"),
        ("A:one B! C! B- A~", "AC"),
        # ... until the next version, or until it lies there again.
        ("A:one B! C! B- A:two", "ABC"),
        ("A:one B! C! B- B:two", "ABC"),
        ("A:one B! C! B- B:one", "ABC"),
        ("A:one B! C! B- A- A:one", "ABC"),
        # Only a copy of the newest version is let go.
        ("A:one B! C! A:two B-", "ABC"),
    ],
)
def test_who_let_a_version_go_does_not_own_it(steps, then):
    world = a_world(TO_ALL, B=Member("B", on_delete=OnDelete.IGNORE))

    assert owners_after(world, steps) == then


def test_who_let_it_go_owns_it_again_when_nothing_is_known_of_its_storage():
    world = a_world(TO_ALL, B=Member("B", on_delete=OnDelete.IGNORE))
    story = Story(world, "A:one B! C! B-")
    story.file = reconcile.dropped(story.file, B, world)

    assert story.shown() == "one | AC | B put"


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        # The newest version is nowhere any more: what is left takes its place.
        ("A:one B! A:three A-", "one | B | A put, C put"),
        ("A:one B! C! A:three A-", "one | BC | A put"),
        ("A:one B! A:three C! B:six@1 A-", "three | C | A put, B set_aside"),
        # Only what lost a conflict is left: that has another name already.
        ("B:one A:two A-", "? | - | A put, B set_aside, C put"),
        ("B:one A:two A- B!", "- | AB | -"),
    ],
)
def test_what_becomes_of_the_others_when_the_newest_version_is_lost(steps, then):
    world = a_world(TO_ALL, A=Member("A", on_delete=OnDelete.RESTORE))

    assert told(world, steps) == then


def test_what_is_left_with_who_should_not_have_it_is_left_alone():
    world = a_world({"sync": ["A"]}, A=Member("A", on_delete=OnDelete.RESTORE))
    story = Story(a_world({"sync": ["A", "B"]}), "A:one B!")
    story.world = world
    story.file = comparison.judged(story.file, world)

    assert story.tell("A:three A-").shown() == "? | - | A put"


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        ("A:one B!", "one | B | A put, C put"),
        ("A:one", "- | - | -"),
        ("A:one A:three B! A:four", "three | B | A put, C put"),
        ("B:one", "one | B | A put, C put"),
        ("A:one B! C! B-", "- | B | C delete"),
    ],
)
def test_a_storage_of_which_nothing_is_known_any_more(steps, then):
    story = Story(WORLD, steps)
    before = story.file
    story.file = reconcile.dropped(before, A, WORLD)

    assert story.shown().replace("| A |", "| - |") == then
    assert (story.file is before) == (steps == "B:one")


def test_what_it_really_has_is_told_again_and_stays():
    story = Story(WORLD, "A:one")
    story.file = reconcile.dropped(story.file, A, WORLD)
    story.report(A)

    assert story.shown() == "one | A | B put, C put"


@pytest.mark.parametrize("policy", OnDelete)
def test_what_nobody_has_any_more_is_gone_whatever_the_policy(policy):
    world = a_world(TO_ALL, A=Member("A", on_delete=policy))

    assert told(world, "A:one A-") == "- | A | -"


# Moves ------------------------------------------------------------------------


def moved(
    story: Story, to: File, slot: int = A, *, content: str | None = None
) -> tuple[File, File]:
    """Let an entry move what lies at a story's path; return both files."""
    thing = story.disk[slot]
    seen = replace(thing.seen(to.path), stamp=thing.seen("").stamp)
    if content is not None:
        seen = Thing(content, thing.mtime_ns, 5).seen(to.path)
    change = Found(seen, old=story.file.path)
    new = reconcile.found(to, slot, change, story.world, story.file)
    old = reconcile.gone(story.file, slot, Gone(story.file.path), story.world)
    return new, old


def test_a_move_is_a_new_file_that_the_others_rename_and_a_deletion():
    story = Story(WORLD, "A:one B!")
    stamp = story.disk[B].seen("x").stamp
    new, old = moved(story, reconcile.blank("y"))

    assert old.deleted
    assert not new.deleted
    assert new.copies[B].hint == ("x", stamp)
    assert C not in new.copies  # It never had it: it gets a copy.
    assert new.digest == story.file.digest


def test_what_was_moved_knows_where_it_was_until_its_next_version():
    story = Story(WORLD, "A:one B!")
    tale = Story(WORLD, path="y")
    tale.file, old = moved(story, tale.file)
    tale.disk[A] = story.disk[A]

    assert (tale.file.moved_from, old.moved_from) == ("x", None)
    assert tale.tell("A~").file.moved_from == "x"  # A touch is no version.
    assert tale.tell("A:two").file.moved_from is None
    story.file, back = moved(tale, old)
    assert (story.file.moved_from, back.moved_from) == ("y", None)
    gone = reconcile.gone(story.file, A, Gone("x"), WORLD)
    assert (gone.deleted, gone.moved_from) == (True, None)


def test_what_others_had_here_already_was_not_moved():
    there = Story(WORLD, "C:one", path="y")
    new, _ = moved(Story(WORLD, "A:one B!"), there.file)

    assert new.holds_newest(A)
    assert new.moved_from is None


def test_a_move_takes_along_what_reading_the_content_told():
    story = Story(WORLD, "A:one B!")
    story.file = replace(story.file, mime="image/png")
    new, _ = moved(story, reconcile.blank("y"))

    assert (new.digest, new.mime) == (digest(story.disk[A]), "image/png")


def test_a_move_that_others_have_not_even_begun_is_passed_on():
    story = Story(WORLD, "A:one B!")
    stamp = story.disk[B].seen("x").stamp
    between = Story(WORLD, path="y")
    between.file, _ = moved(story, between.file)
    between.disk[A] = story.disk[A]
    last, middle = moved(between, reconcile.blank("z"))

    assert last.copies[B].hint == ("x", stamp)
    assert middle.deleted
    assert middle.copies[B].hint is None


def test_what_is_edited_after_a_move_is_not_renamed_but_copied():
    story = Story(WORLD, "A:one B!")
    new, _ = moved(story, reconcile.blank("y"))
    seen = Thing("two", 50, 50).seen("y")
    new = reconcile.found(new, A, Found(seen), WORLD)

    assert new.copy(B).hint is None


def test_who_let_it_go_has_nothing_to_rename():
    world = a_world(TO_ALL, B=Member("B", on_delete=OnDelete.IGNORE))
    story = Story(world, "A:one B! C! B-")
    new, _ = moved(story, reconcile.blank("y"))

    assert new.copy(B).hint is None
    assert new.copy(C).hint is not None


@pytest.mark.parametrize("policy", [OnDelete.RESTORE, OnDelete.IGNORE])
def test_where_the_old_path_stays_with_the_others_nobody_renames(policy):
    story = Story(a_world(TO_ALL, A=Member("A", on_delete=policy)), "A:one B! C!")
    new, old = moved(story, reconcile.blank("y"))

    assert not old.deleted
    assert new.copy(B).hint is new.copy(C).hint is None


def test_a_copy_that_no_rule_wants_any_more_is_not_taken_for_another_path():
    story = Story(WORLD, "A:one B! C!")
    story.world = a_world({"match": {"path": "/x"}, "sync": ["A", "B"]})
    story.file = comparison.judged(story.file, story.world)
    new, old = moved(story, reconcile.blank("y"))

    assert old.deleted
    assert new.copy(B).hint is not None
    assert new.copy(C).hint is None


def test_a_move_of_a_copy_that_no_rule_wants_any_more_takes_nothing_from_others():
    story = Story(WORLD, "A:one B! C!")
    story.world = a_world({"match": {"path": "/x"}, "sync": ["B", "C"]})
    story.file = comparison.judged(replace(story.file, origin=1 << B), story.world)
    new, old = moved(story, reconcile.blank("y"))

    assert not old.deleted
    assert new.copy(B).hint is new.copy(C).hint is None


def test_a_loser_that_was_moved_here_is_no_hint_for_the_winner():
    story = Story(WORLD, "A:one@1 B!")
    there = Story(WORLD, "C:two@99", path="y")
    new, _ = moved(story, there.file)

    assert new.copies[A].doubt is Doubt.ASIDE
    assert new.copy(B).hint is None


def test_who_has_something_at_the_new_path_gets_no_hint():
    story = Story(WORLD, "A:one@9 B!")
    there = Story(WORLD, "B:old@1", path="y")
    new, _ = moved(story, there.file)

    assert new.copies[B].hint is None
    assert new.copies[B].doubt is Doubt.ASIDE


@pytest.mark.parametrize(
    "change",
    [
        {"content": "other size"},
        {"content": "/"},
    ],
)
def test_what_is_not_what_lay_there_was_not_moved(change):
    story = Story(WORLD, "A:one B!")
    new, _ = moved(story, reconcile.blank("y"), **change)

    assert new.digest is None
    assert new.copy(B).hint is None


def test_a_stale_copy_is_moved_without_hints():
    story = Story(WORLD, "A:one B! C! A:two")
    new, old = moved(story, reconcile.blank("y"), B)

    assert new.copy(C).hint is None
    assert old.copy(B) is ABSENT
    assert not old.deleted


def test_an_owner_of_the_old_path_only_deletes_and_one_of_the_new_only_gets_it():
    world = a_world(
        {"match": {"path": "/x"}, "sync": ["A", "B"]},
        {"match": {"path": "/y"}, "sync": ["A", "C"]},
    )
    story = Story(world, "A:one B!")
    new, old = moved(story, reconcile.blank("y"))
    owners = new.owners, old.owners

    assert owners == (0b101, 0b011)
    tale = Story(world, path="y")
    tale.file = new
    assert (tale.task(B), tale.task(C)) == (None, Task.PUT)
    tale.file = old
    assert (tale.task(B), tale.task(C)) == (Task.DELETE, None)


# Digest, MIME, time -----------------------------------------------------------


def test_what_is_told_with_the_news_need_not_be_asked():
    seen = Thing("one", 1, 1).seen("x")
    file = reconcile.found(
        reconcile.blank("x"), A, Found(seen, b"d" * 32, "text/plain", cause="c"), WORLD
    )

    assert (file.digest, file.mime, file.cause) == (b"d" * 32, "text/plain", "c")
    assert file.changed_at == NOW


def test_a_report_that_only_repeats_may_still_tell_digest_and_mime():
    story = Story(WORLD, "A:one", eager=False)
    again = Found(story.disk[A].seen("x"), b"d" * 32, "text/plain")
    file = reconcile.found(story.file, A, again, WORLD)

    assert (file.digest, file.mime) == (b"d" * 32, "text/plain")
    assert file.version == story.file.version


def test_a_repeated_report_brings_the_digest_that_a_comparison_waits_for():
    story = Story(WORLD, "A:one@1 B:one@1", eager=False)
    assert story.task(B) is Task.INSPECT
    for slot in (A, B):
        thing = story.disk[slot]
        again = Found(thing.seen("x"), digest(thing))
        story.file = reconcile.found(story.file, slot, again, WORLD)

    assert story.shown() == "one | AB | C put"


def test_a_stale_copy_tells_nothing_of_the_newest():
    story = Story(WORLD, "A:one B! A:three", eager=False)
    again = Found(story.disk[B].seen("x"), b"d" * 32, "image/png")

    assert reconcile.found(story.file, B, again, WORLD) == story.file


# Laws -------------------------------------------------------------------------

CONTENTS = st.sampled_from(["one", "two", "three", "", "/", "->t"])
STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 2), CONTENTS),
    st.tuples(st.sampled_from(["touch", "delete", "carry_out"]), st.integers(0, 2)),
)
STORIES = st.lists(STEPS, min_size=1, max_size=14)
WORLDS = st.sampled_from(
    [
        WORLD,
        NO_RULES,
        a_world(TO_ALL, {"ban": ["A"]}),
        a_world({"match": {"size": {"min": 4}}, "sync": ["B", "C"]}),
        a_world(
            TO_ALL,
            A=Member("A", on_delete=OnDelete.RESTORE, larger=True),
            B=Member("B", on_delete=OnDelete.IGNORE, prefer=("C", "B")),
        ),
        MANUAL,
        a_world(TO_ALL, B=Member("B", manual=True, on_delete=OnDelete.RESTORE)),
        a_world({"ban": ["C"]}, C=Member("C", manual=True, on_delete=OnDelete.IGNORE)),
    ]
)


def play(story: Story, steps: Any, check: Any = lambda _story: None) -> Story:
    """Take the steps that make sense; check after each."""
    for what, slot, *more in steps:
        if what in ("touch", "delete") and slot not in story.disk:
            continue
        if what == "carry_out" and story.order(slot) is None:
            continue
        getattr(story, what)(slot, *more)
        check(story)
    return story


FOUND = st.builds(
    Found,
    st.builds(
        Seen,
        st.just("a"),
        st.sampled_from(Kind),
        st.builds(Stamp, st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)),
        st.sampled_from([0o644, 0o755]),
        st.sampled_from([None, "", "to"]),
    ),
    st.sampled_from([None, b"1" * 32]),
    st.sampled_from([None, "text/plain"]),
    cause=st.just("why"),
)


@given(FOUND, WORLDS, st.sampled_from([A, B, C]), st.sampled_from([None, "b"]))
def test_what_nobody_spoke_of_is_known_as_if_it_were_compared(
    change, world, slot, conflict_of
):
    file = File(id=7, path="a", conflict_of=conflict_of)
    compared = reconcile.found(file, slot, change, world, reconcile.blank("elsewhere"))
    assert reconcile.found(file, slot, change, world) == compared


@given(STORIES, WORLDS, st.booleans())
def test_a_report_that_comes_twice_counts_once(steps, world, eager):
    def twice(story: Story) -> None:
        before = story.file
        for slot in (A, B, C):
            story.report(slot)
        assert story.file == before

    play(Story(world, eager=eager), steps, twice)


@given(STORIES, WORLDS, st.booleans())
def test_owners_always_follow_the_rules(steps, world, eager):
    def owners(story: Story) -> None:
        assert comparison.judged(story.file, world) is story.file
        if story.file.version and not story.file.deleted:
            verdict = world.judge(story.file, story.file.origin)
            assert story.file.owners == verdict.owners

    play(Story(world, eager=eager), steps, owners)


@given(STORIES, WORLDS, st.booleans())
def test_every_version_is_newer_than_the_one_before(steps, world, eager):
    versions = [Story(world).file.version]

    def newer(story: Story) -> None:
        assert relation(story.file.version, versions[-1]) in (
            Relation.NEWER,
            Relation.SAME,
        )
        versions.append(story.file.version)

    play(Story(world, eager=eager), steps, newer)


@given(STORIES, st.sampled_from([WORLD, MANUAL]), st.booleans())
def test_a_tombstone_never_beats_a_file_that_was_changed(steps, world, eager):
    """Whatever is written last somewhere is not deleted by what others do."""
    story = play(Story(world, eager=eager), steps)
    story.write(B, "last words")
    for slot in (A, C):
        story.delete(slot)
    story.settle()
    beside = [file for file in story.aside.values() if file.size == len("last words")]

    assert story.newest() == "last words" or beside


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=8),
    st.sampled_from([WORLD, MANUAL]),
    st.booleans(),
)
def test_equal_contents_are_never_a_conflict(steps, world, eager):
    story = Story(world, eager=eager)
    for slot, work in steps:
        story.write(slot, "same")
        if work and story.order(slot) is not None:
            story.carry_out(slot)
    story.settle()

    assert story.shown() == "same | ABC | -"
    assert story.aside == {}


WISHES: Any = st.sampled_from(
    [
        {},
        {"A": Member("A", larger=True)},
        {"B": Member("B", prefer=("A",))},
        {"A": Member("A", prefer=("C", "B")), "B": Member("B", larger=True)},
    ]
)
WRITTEN = st.tuples(CONTENTS, st.integers(1, 3))


@given(WRITTEN, WRITTEN, WISHES, st.booleans())
def test_the_winner_does_not_depend_on_who_was_told_first(by_a, by_b, wishes, eager):
    newest = []
    for slots in ([A, B], [B, A]):
        story = Story(a_world(TO_ALL, **wishes), eager=eager)
        for slot in slots:
            story.write(slot, *(by_a, by_b)[slot])
        newest.append(story.settle().newest())

    assert newest[0] == newest[1]


@given(STORIES, WORLDS, st.booleans())
def test_work_comes_to_an_end_and_then_all_agree(steps, world, eager):
    story = play(Story(world, eager=eager), steps).settle()
    file = story.file

    settled = (Doubt.NONE, Doubt.LET_GO, Doubt.DISPUTED)
    assert all(copy.doubt in settled for copy in file.copies.values())
    for slot in (A, B, C):
        if file.disputed:
            continue  # Nothing of it goes anywhere.
        if file.owners >> slot & 1 and file.copy(slot).doubt is Doubt.NONE:
            assert file.holds_newest(slot) or not file.version
    if not file.deleted:
        held = {story.disk[s].content for s in (A, B, C) if file.holds_newest(s)}
        assert len(held) <= 1


@given(STORIES, WORLDS, st.booleans())
def test_what_is_known_of_copies_is_what_lies_there(steps, world, eager):
    def true(story: Story) -> None:
        for slot in (A, B, C):
            thing = story.disk.get(slot)
            expected = thing.seen("x").stamp if thing else None
            assert story.file.copy(slot).stamp == expected

    play(Story(world, eager=eager), steps, true)


@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=10), st.booleans())
def test_nothing_that_was_written_without_knowing_the_other_is_lost(slots, eager):
    """Each writes once, over nothing or over what it knows; all of it is kept."""
    story = Story(WORLD, eager=eager)
    last: dict[int, str] = {}
    for number, slot in enumerate(slots):
        last[slot] = f"content {number}"
        story.write(slot, last[slot])
    story.settle()
    kept = {story.newest()} | {
        bytes(file.copies[slot].digest or file.digest or b"").rstrip(b"\0").decode()
        for file in story.aside.values()
        for slot in file.copies
    }

    if eager:
        assert set(last.values()) <= kept
    assert len(story.aside) == len(last) - 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["touch", "carry_out"]), st.sampled_from([A, B]))
    )
)
@example([("carry_out", B), ("touch", B)])
def test_what_is_touched_while_it_is_compared_is_not_lost(steps):
    story = Story(without(WORLD, C), "A:one B:two", eager=False)
    for what, slot in steps:
        if what == "touch" or isinstance(story.order(slot), Inspect):
            getattr(story, what)(slot)
    story.settle()

    assert {story.newest(), *story.kept} == {"one", "two"}


def test_a_loser_that_becomes_a_folder_is_remembered_as_one():
    story = Story(WORLD, "A:one B:two A:/")
    copy = story.file.copies[A]

    assert (copy.doubt, copy.kind) == (Doubt.ASIDE, Kind.DIRECTORY)
    assert copy.stamp == story.disk[A].seen("x").stamp


def test_seen_is_believed_for_a_link_without_target():
    seen = Seen("x", Kind.LINK, Stamp(size=3))
    file = reconcile.found(reconcile.blank("x"), A, Found(seen), WORLD)

    assert (file.kind, file.target, file.size) == (Kind.LINK, None, 0)
