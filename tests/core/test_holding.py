"""What is done about a change that was kept from the others."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core import dispute, holding
from syncd.core.change import Found, Gone
from syncd.core.file import Alarm, Doubt, Kind, Seen, Slot
from syncd.core.guard import ORDERED, Keeping
from syncd.core.reconcile import dropped, found, gone
from syncd.core.world import Member, OnDelete, World
from tests.core.story import NAMES, NOW, SLOTS, TO_ALL, A, B, C, Story, a_world

ALL = 0b111


def watchful(world: World, entries: str = "A", *, since: Any = None) -> World:
    """Return the world in which every change of these entries is kept."""
    of = sum(1 << SLOTS[name] for name in entries)
    return replace(world, keeping=Keeping(of, of, of, since or {}))


class Held(Story):
    """A story in which changes of some entries are kept from a moment on."""

    def keep(self, entries: str = "A") -> "Held":
        self.world = watchful(self.world, entries)
        return self

    def freely(self) -> "Held":
        self.world = replace(self.world, keeping=Keeping())
        return self

    def let_go(self, slot: Slot = A) -> "Held":
        self.file = holding.let_go(self.file, slot, self.world)
        return self

    def undone(self, slot: Slot = A) -> "Held":
        self.file = holding.undone(self.file, slot, self.world)
        return self

    def held(self) -> str:
        """Return of what entries what is kept."""
        return " ".join(
            f"{NAMES[slot]} {copy.held.alarm}"
            for slot, copy in sorted(self.file.copies.items())
            if copy.held is not None
        )


def story(steps: str = "A:one B! C!", **options: Any) -> Held:
    told = Held(a_world(TO_ALL), **options)
    told.tell(steps)
    return told


# Keeping ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "steps", "held", "shown"),
    [
        ("A:one B! C!", "A-", "A deletions", "one | BC | -"),
        ("A:one B! C!", "A:two", "A overwrites", "one | BC | -"),
        ("A:one B! C! A:two B! C!", "A:one", "A rollbacks", "two | BC | -"),
        ("A:one B! C!", "A:two A:three", "A overwrites", "one | BC | -"),
        ("A:one B! C!", "A:two A-", "A deletions", "one | BC | -"),
        ("A:one B! C!", "A- A:two", "A overwrites", "one | BC | -"),
        ("A:one B! C!", "A:two A:one@9", "", "one | ABC | B amend, C amend"),
        ("A:->x B! C!", "A:->y", "A overwrites", "->x | BC | -"),
        ("A:/ B! C!", "A-", "A deletions", "/ | BC | -"),
        # Nothing of the others is touched by these.
        ("A:one", "A-", "", "- | A | -"),
        ("", "A:one", "", "one | A | B put, C put"),
        ("A:one B! C! A- B! C!", "A:two", "", "two | A | B put, C put"),
        ("A:one B! C!", "A~", "", "one | ABC | B amend, C amend"),
        ("A:one", "A:two", "", "two | A | B put, C put"),
        # Others are not concerned.
        ("A:one B! C!", "B:two", "", "two | B | A put, C put"),
        ("A:one B! C!", "B-", "", "- | B | A delete, C delete"),
    ],
)
def test_what_is_kept_of_an_entry(before, steps, held, shown):
    told = story(before).keep()
    told.tell(steps)

    assert (told.held(), told.shown()) == (held, shown)


@pytest.mark.parametrize(
    ("keeping", "shown"),
    [(Keeping(), "one | BC | A inspect"), (ORDERED, "two | A | B put, C put")],
)
def test_what_a_person_ordered_is_known_to_be_no_touch(keeping: Keeping, shown: str):
    """Though it is as long as what lay there, and nobody has read it yet."""
    told = story("A:one B! C!", eager=False)
    told.world = replace(told.world, keeping=keeping)
    told.tell("A:two")

    assert told.shown() == shown


def test_what_was_ordered_of_one_entry_says_nothing_of_another():
    told = story("A:one B! C! B:two", eager=False)
    told.world = replace(told.world, keeping=ORDERED)
    told.tell("A:six")

    assert told.file.copies[B].doubt is Doubt.COMPARING


def test_a_deletion_gives_no_work_to_anybody():
    told = story().keep()
    told.tell("A-")

    assert told.file.copies[A].doubt is Doubt.HELD
    assert [told.order(slot) for slot in (A, B, C)] == [None] * 3


def test_a_deletion_that_may_also_lie_elsewhere_is_no_deletion():
    told = story().keep()
    after = gone(told.file, A, Gone("x"), told.world, moved=True)

    assert after.deleted


@pytest.mark.parametrize("policy", [OnDelete.RESTORE, OnDelete.IGNORE])
def test_a_deletion_that_does_not_spread_anyway_is_not_kept(policy):
    world = watchful(a_world(TO_ALL, A=Member("A", on_delete=policy)))
    told = Held(world, "A:one B! C! A-")

    assert told.held() == ""


def test_what_no_rule_wants_elsewhere_is_not_kept():
    told = Held(watchful(a_world()), "A:one A-")

    assert told.held() == ""


def test_what_is_newer_than_the_hold_is_changed_freely():
    told = story()
    told.world = watchful(told.world, since={A: NOW - 1})
    told.tell("A:two")
    assert told.held() == ""

    told.world = watchful(told.world, since={A: NOW})
    told.tell("B! C! A:three")
    assert told.held() == "A overwrites"


def test_a_content_of_an_older_size_is_read_before_it_is_passed_on():
    told = story("A:one B! C! A:three B! C!", eager=False).keep()
    told.world = replace(told.world, keeping=Keeping(rollbacks=0b1))
    told.tell("A:two")
    assert told.shown() == "three | BC | A inspect"
    told.tell("A!")
    assert told.shown() == "two | A | B put, C put"

    told.tell("B! C! A:three")
    assert told.shown() == "two | BC | A inspect"
    told.tell("A!")
    assert told.held() == "A rollbacks"


def test_few_older_contents_are_remembered_each_once():
    told = story("A:1 B! A:22 B! A:333 B! A:1 B! A:4444 B! A:55555 B!")

    assert [size for size, _ in told.file.older] == [4, 1, 3]


# Letting go -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ("A-", "- | A | B delete, C delete"),
        ("A:two", "two | A | B put, C put"),
        # Others did something meanwhile.
        ("A:two B-", "two | A | B put, C put"),
        ("A:two@9 B:two@9 C!", "two | ABC | -"),
    ],
)
def test_what_is_let_go_goes_to_the_others(steps, shown):
    told = story().keep().tell(steps).let_go()

    assert (told.held(), told.shown()) == ("", shown)


def test_what_was_ignored_as_deleted_may_be_overwritten_and_let_go():
    world = a_world(TO_ALL, A=Member("A", on_delete=OnDelete.IGNORE))
    told = Held(watchful(world), "A:one B! C! A- A:two")
    assert told.held() == "A overwrites"

    assert told.let_go().shown() == "two | A | B put, C put"


def test_two_edits_are_a_conflict_once_both_are_known():
    told = story().keep().tell("A:two@5 B:three@7 C!").let_go().settle()

    assert told.newest() == "three"
    assert len(told.aside) == 1


def test_the_cause_is_that_of_the_change():
    told = story().keep()
    other = dataclasses.replace(told.disk[A], content="other", ctime_ns=99)
    change = Found(other.seen("x"), b"2" * 32, cause="c0ffee")
    told.file = found(told.file, A, change, told.world)
    held = told.file.copies[A].held
    assert held is not None
    assert held.cause == "c0ffee"

    assert told.let_go().file.cause == "c0ffee"


# Coming to nothing ------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        ("A- A:one", "one | ABC | B amend, C amend"),
        ("A- B:two", "two | B | A put, C put"),
        ("A- B-", "- | AB | C delete"),
        ("A- B- C-", "- | ABC | -"),
        ("A:two A~ A:one", "one | ABC | B amend, C amend"),
    ],
)
def test_what_comes_to_nothing_is_not_held_any_more(steps, shown):
    told = story().keep().tell(steps)

    assert (told.held(), told.shown()) == ("", shown)


def test_what_is_held_becomes_the_newest_where_nothing_else_is_left():
    told = story("A:one B!").keep().tell("A:two")
    told.file = dropped(told.file, B, told.world)

    assert told.held() == ""
    assert told.shown() == "two | A | B put, C put"


def test_another_number_for_the_same_content_leaves_a_deletion_what_it_is():
    told = story("A:one B!").keep().tell("A- C:one")
    assert told.held() == "A deletions"

    assert told.let_go().shown() == "- | A | B delete, C delete"


def test_a_deletion_of_what_is_no_longer_the_newest_is_none():
    told = story().keep().tell("A-")
    copies = {**told.file.copies, A: replace(told.file.copies[A], base=None)}
    told.file = replace(told.file, copies=copies)

    assert told.let_go().shown() == "one | BC | A put"


def test_a_deletion_where_no_rule_wants_it_any_more_is_nobody_elses_business():
    told = story().keep().tell("A-")
    told.file = replace(told.file, owners=0b110)

    assert told.let_go().shown() == "one | BC | -"


# Undoing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "before", "after"),
    [
        ("A-", "one | BC | A put", "one"),
        ("A:two", "one | BC | A put", "one"),
        ("A:two B:three C!", "three | BC | A put", "three"),
        ("A:two B- C!", "- | BC | A delete", "-"),
    ],
)
def test_what_is_undone_is_as_the_others_have_it(steps, before, after):
    told = story().keep().tell(steps).undone()
    assert (told.held(), told.shown()) == ("", before)

    told.settle()
    assert told.newest() == after
    assert len({thing.content for thing in told.disk.values()}) <= 1


def test_what_nobody_has_any_more_stays_deleted():
    told = story("A:one B! A:two").keep()
    told.tell("A-")
    assert told.held() == "A deletions"

    assert told.undone().settle().newest() == "one"


def test_an_edit_of_what_is_about_to_be_undone_loses_nothing():
    told = story().keep().tell("A:two").undone().freely()
    told.tell("A:three").settle()

    assert told.newest() in ("one", "three")
    assert len(told.aside) == 1


def test_a_file_made_where_one_is_about_to_come_back_loses_nothing():
    told = story().keep().tell("A-").undone().freely()
    told.tell("A:three").settle()

    assert told.newest() in ("one", "three")
    assert len(told.aside) == 1


# Laws -------------------------------------------------------------------------

STEP = st.sampled_from(
    ["A:two", "A:three", "A-", "A~", "B:four", "B:fifth", "B-", "C:sixths", "C-"]
)


def tell(told: Held, steps: list[str]) -> None:
    for step in steps:
        if "~" not in step or A in told.disk:
            told.tell(step)


def carry_out(told: Held, entries: tuple[Slot, ...]) -> dict[Slot, str]:
    """Let some entries do all they are to do; return what lies there then."""
    while able := [s for s in entries if told.order(s) is not None]:
        told.carry_out(able[0])
    return {s: told.disk[s].content for s in entries if s in told.disk}


@given(st.lists(STEP, max_size=6))
def test_held_work_never_reaches_another_entry(steps):
    """Others do what they do as if the held entry had done nothing.

    Unless something else of it was passed on: an edit of what others had deleted.
    """
    kept, silent = story().keep(), story()
    tell(kept, steps)
    tell(silent, [step for step in steps if step[0] != "A"])

    passed = kept.file.version[A] > silent.file.version[A]
    others = carry_out(kept, (B, C))
    if kept.file.copies[A].held is not None and not passed:
        assert others == carry_out(silent, (B, C))


@given(st.lists(STEP, max_size=6), st.booleans())
def test_after_a_decision_all_comes_to_rest_and_is_equal(steps, meant):
    told = story().keep()
    tell(told, steps)
    if told.file.copies[A].held is not None:
        told.let_go() if meant else told.undone()
    told.freely().settle()

    assert told.held() == ""
    assert all(copy.doubt is Doubt.NONE for copy in told.file.copies.values())
    contents = [told.disk.get(slot) and told.disk[slot].content for slot in (A, B, C)]
    assert len(set(contents)) == 1


@given(st.lists(STEP.filter(lambda step: step[0] == "A"), min_size=1, max_size=6))
def test_letting_go_is_as_if_nothing_had_been_kept(steps):
    """What the others have not touched meanwhile ends as it would have without."""
    kept, free = story().keep(), story()
    tell(kept, steps)
    tell(free, steps)
    if kept.file.copies[A].held is not None:
        kept.let_go()
    kept.freely().settle()
    free.settle()

    assert kept.newest() == free.newest()
    assert kept.file.deleted is free.file.deleted


@given(st.lists(STEP.filter(lambda step: step[0] == "A"), min_size=1, max_size=6))
def test_undoing_gives_back_what_was(steps):
    told = story().keep()
    tell(told, steps)
    if told.file.copies[A].held is None:
        return
    told.undone().freely().settle()

    assert told.newest() == "one"
    assert {thing.content for thing in told.disk.values()} == {"one"}


def test_every_alarm_can_be_told():
    assert [str(alarm) for alarm in Alarm] == ["deletions", "overwrites", "rollbacks"]


# Beside other doubts ------------------------------------------------------------


def test_a_held_content_is_nothing_that_a_touch_could_go_back_to():
    told = Held(a_world(TO_ALL, A=Member("A", on_delete=OnDelete.IGNORE)))
    told.tell("A:one B! C! A-").keep().tell("A:two A~")
    assert told.held() == "A overwrites"

    told.freely().let_go()
    assert told.shown() == "two | A | B put, C put"


def test_a_deletion_of_one_side_settles_a_dispute_though_deletions_are_kept():
    told = Held(a_world(TO_ALL, A=Member("A", manual=True)))
    told.tell("A:one B! C! A:two B:three")
    assert told.file.disputed == 0b010

    told.keep().tell("A-")
    assert (told.held(), told.shown()) == ("", "three | B | A put, C put")


def test_a_dispute_waits_for_a_deletion_that_is_kept():
    told = Held(a_world(TO_ALL, A=Member("A", manual=True)))
    told.tell("A:one B! C! A:two C! B:three").keep().tell("A-")
    assert (told.held(), told.file.disputed) == ("A deletions", 0b010)

    told.freely().let_go()
    assert (told.file.disputed, told.shown()) == (0, "three | B | A put, C put")


def test_a_kept_edit_is_no_side_of_a_dispute():
    told = Held(a_world(TO_ALL, A=Member("A", manual=True)))
    told.tell("A:one B! C! A:two C! B:three").keep("C").tell("C:four")

    assert told.held() == "C overwrites"
    assert [side.slot for side in dispute.sides(told.file, told.world)] == [A, B]


def test_a_damaged_copy_is_no_edit_to_a_guard():
    told = story(eager=False).keep()
    told.world = replace(told.world, doubted={A: 1})
    stamp = told.file.copies[A].stamp
    assert stamp is not None
    short = Seen("x", Kind.FILE, replace(stamp, size=0))
    after = found(told.file, A, Found(short), told.world)

    assert (after.copies[A].doubt, after.copies[A].held) == (Doubt.DAMAGED, None)
