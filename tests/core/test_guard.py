"""How much at once is too much, and what is kept until that is known."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core import guard
from syncd.core.file import Alarm, Copy, Doubt, File, Held, Kind, Stamp
from syncd.core.guard import (
    AT_WILL,
    FREELY,
    LATER,
    LITTLE,
    LONGEST,
    SOON,
    WINDOW,
    Guard,
    Keeping,
    Limit,
    Limits,
    Room,
    Verdict,
)

A, B = 0, 1
NOON = 1_700_000_000.0
OFF = Limits(Limit(), Limit(), Limit())
DELETIONS, OVERWRITES, ROLLBACKS = Alarm


def kept(guard: Guard, alarm: Alarm, number: int, now: float = NOON) -> Guard:
    guard.note_kept(alarm, number, number, now)
    return guard


def room(guard: Guard, files: int, now: float = NOON, scanning: bool = False) -> Room:
    return guard.room(now, files, scanning=scanning)


# Limits -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "total", "reach"),
    [
        (Limit(50, 0.25), 100, 50),
        (Limit(50, 0.25), 1000, 250),
        (Limit(1, 0.5), 9, 4.5),
        (Limit(50), 9, 50),
        (Limit(0, 0.25), 1000, inf),
        (Limit(), 1, inf),
    ],
)
def test_both_the_number_and_the_share_must_be_exceeded(limit, total, reach):
    assert limit.reach(total) == reach


# Verdicts ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alarm", "number", "files", "verdict"),
    [
        # More than 50 and more than a quarter.
        (DELETIONS, 50, 50, Verdict.LET_GO),
        (DELETIONS, 51, 149, Verdict.HOLD),
        (DELETIONS, 51, 153, Verdict.LET_GO),
        (DELETIONS, 250, 750, Verdict.LET_GO),
        (DELETIONS, 251, 749, Verdict.HOLD),
        # Nothing is left of at least two.
        (DELETIONS, 2, 0, Verdict.HOLD),
        (DELETIONS, 1, 0, Verdict.LET_GO),
        (DELETIONS, 2, 1, Verdict.LET_GO),
        # More than 100 and more than nine in ten.
        (OVERWRITES, 100, 0, Verdict.LET_GO),
        (OVERWRITES, 101, 0, Verdict.HOLD),
        (OVERWRITES, 900, 100, Verdict.LET_GO),
        (OVERWRITES, 901, 99, Verdict.HOLD),
        # More than 50.
        (ROLLBACKS, 50, 0, Verdict.LET_GO),
        (ROLLBACKS, 51, 10_000, Verdict.HOLD),
    ],
)
def test_what_is_too_much(alarm, number, files, verdict):
    one = kept(Guard(Limits()), alarm, number)

    assert one.verdict(alarm, NOON, files) is None
    assert one.verdict(alarm, NOON + LATER, files) is verdict


def test_what_was_passed_on_of_late_counts():
    one = Guard(Limits())
    for row in range(40):
        one.note_passed(DELETIONS, row, NOON)
    kept(one, DELETIONS, 20, NOON + 1)

    assert one.verdict(DELETIONS, NOON + LATER + 1, 0) is Verdict.HOLD


def test_what_was_passed_on_before_does_not_count():
    one = Guard(Limits())
    for row in range(40):
        one.note_passed(DELETIONS, row, NOON)
    kept(one, DELETIONS, 20, NOON + WINDOW)

    assert one.verdict(DELETIONS, NOON + LATER + WINDOW, 30) is Verdict.LET_GO


def test_a_file_counts_once_however_often_it_changes():
    one = Guard(Limits())
    for again in range(200):
        one.note_passed(OVERWRITES, again % 2, NOON)
    kept(one, OVERWRITES, 50)

    assert one.verdict(OVERWRITES, NOON + LATER, 2) is Verdict.LET_GO


def test_rollbacks_are_overwrites_too():
    one = kept(kept(Guard(Limits()), ROLLBACKS, 45), OVERWRITES, 60)

    assert one.verdict(ROLLBACKS, NOON + LATER, 0) is Verdict.LET_GO
    assert one.verdict(OVERWRITES, NOON + LATER, 0) is Verdict.HOLD
    assert one.hold(OVERWRITES, NOON) == [OVERWRITES, ROLLBACKS]
    assert one.hold(ROLLBACKS, NOON + 1) == []
    assert one.held == {OVERWRITES: NOON, ROLLBACKS: NOON}


def test_where_something_was_overwritten_not_all_is_gone():
    one = kept(kept(Guard(Limits()), DELETIONS, 2), OVERWRITES, 1)

    assert one.verdict(DELETIONS, NOON + LATER, 0) is Verdict.LET_GO


def test_what_comes_back_counts_no_more():
    one = kept(kept(Guard(Limits()), DELETIONS, 60), DELETIONS, -10)

    assert one.verdict(DELETIONS, NOON + LATER, 10) is Verdict.LET_GO


def test_folders_are_kept_but_do_not_count():
    one = Guard(Limits())
    one.note_kept(DELETIONS, 500, 0, NOON)

    assert room(one, 10).deletions == 0
    assert one.verdict(DELETIONS, NOON + LATER, 10) is Verdict.LET_GO


def test_nothing_is_said_of_what_is_held_already_or_not_there():
    one = kept(Guard(Limits(), {DELETIONS: NOON - 9}), DELETIONS, 500)

    assert one.verdict(DELETIONS, NOON + LATER, 0) is None
    assert one.verdict(OVERWRITES, NOON + LATER, 0) is None
    assert one.due(NOON, 0) == inf


# Patience ---------------------------------------------------------------------


def test_little_is_let_go_sooner_than_what_may_become_much():
    little = int(LITTLE * 250)

    assert kept(Guard(Limits()), DELETIONS, little).due(NOON, 1000) == NOON + SOON
    assert kept(Guard(Limits()), DELETIONS, 50).due(NOON, 1000) == NOON + LATER


def test_ten_batches_are_one():
    one, now = Guard(Limits()), NOON
    for batch in range(10):
        kept(one, DELETIONS, 300, now)
        assert one.verdict(DELETIONS, now + 0.9, 2700 - 300 * batch) is None
        now += 0.9

    assert one.verdict(DELETIONS, now + LATER, 0) is Verdict.HOLD


def test_too_much_is_held_even_if_there_is_no_quiet():
    one = Guard(Limits())
    for second in range(int(LONGEST)):
        kept(one, DELETIONS, 100, NOON + second)

    assert one.verdict(DELETIONS, NOON + LONGEST - 0.5, 0) is None
    assert one.verdict(DELETIONS, NOON + LONGEST, 0) is Verdict.HOLD


def test_what_is_not_too_much_is_let_go_even_if_there_is_no_quiet():
    one = Guard(Limits())
    for second in range(int(WINDOW)):
        kept(one, DELETIONS, 1, NOON + second)

    assert one.verdict(DELETIONS, NOON + WINDOW - 0.5, 1000) is None
    assert one.verdict(DELETIONS, NOON + WINDOW, 1000) is Verdict.LET_GO


def test_when_all_is_told_nothing_is_awaited():
    one = kept(Guard(Limits()), DELETIONS, 60)
    one.note_all_told()
    assert one.due(NOON, 1000) < NOON
    assert one.verdict(DELETIONS, NOON, 1000) is Verdict.LET_GO

    kept(one, DELETIONS, 1)
    assert one.due(NOON, 1000) == NOON + LATER


def test_what_was_passed_on_of_late_is_told():
    one = Guard(Limits())
    for row in range(3):
        one.note_passed(DELETIONS, row, NOON + row)

    assert one.passed(DELETIONS, NOON + 5) == (3, NOON)
    assert one.passed(DELETIONS, NOON + WINDOW + 1) == (1, NOON + 2)
    assert one.passed(OVERWRITES, NOON + 5)[0] == 0


def test_a_clock_that_was_set_back_makes_nobody_wait():
    one = kept(Guard(Limits()), DELETIONS, 60, NOON + 7200)

    assert one.verdict(DELETIONS, NOON, 0) is None
    assert one.verdict(DELETIONS, NOON + LATER, 0) is Verdict.HOLD


def test_a_clock_that_was_set_back_counts_nothing_twice():
    one = Guard(Limits())
    for row in range(60):
        one.note_passed(DELETIONS, row, NOON + 7200)
    kept(one, DELETIONS, 3)

    assert one.verdict(DELETIONS, NOON + LATER, 100) is Verdict.LET_GO


# Room -------------------------------------------------------------------------


def test_what_could_not_be_too_many_never_waits():
    assert room(Guard(Limits()), 1000) == Room(50, 100, 50)


def test_what_was_passed_on_of_late_takes_up_room():
    one = Guard(Limits())
    for row in range(20):
        one.note_passed(DELETIONS, row, NOON)
    for row in range(20, 32):
        one.note_passed(OVERWRITES, row, NOON)
    for row in range(32, 36):
        one.note_passed(ROLLBACKS, row, NOON)

    assert room(one, 1000) == Room(30, 84, 34)
    assert room(one, 1000, NOON + WINDOW) == Room(50, 100, 50)


def test_what_is_changed_anew_counts_as_what_it_was_last():
    one = Guard(Limits())
    one.note_passed(OVERWRITES, 1, NOON)
    one.note_passed(ROLLBACKS, 1, NOON)
    assert room(one, 1000) == Room(50, 99, 49)

    one.note_passed(DELETIONS, 1, NOON)
    assert room(one, 1000) == Room(49, 100, 50)


def test_the_last_of_all_do_not_go_at_once():
    assert room(Guard(Limits()), 3).deletions == 2
    assert room(Guard(Limits()), 2).deletions == 1
    assert room(Guard(Limits()), 1).deletions == 50
    assert room(Guard(OFF), 3).deletions == inf


def test_while_some_wait_the_others_wait_with_them():
    assert room(kept(Guard(Limits()), DELETIONS, 1), 1000).deletions == 0
    assert room(kept(Guard(Limits()), OVERWRITES, 1), 1000).overwrites == 0
    assert room(kept(Guard(OFF), ROLLBACKS, 1), 1000).rollbacks == 0


def test_while_some_are_held_the_others_are_held_with_them():
    one = Guard(Limits(), {DELETIONS: NOON, OVERWRITES: NOON + 1, ROLLBACKS: NOON + 1})

    assert room(one, 1000) == Room(0, 0, 0, since=NOON + 1)


def test_what_was_changed_while_the_entry_was_away_waits_until_all_is_told():
    assert room(Guard(Limits()), 1000, scanning=True) == Room(0, 0, 0)


@pytest.mark.parametrize("scanning", [True, False])
def test_a_guard_that_is_off_keeps_nothing(scanning):
    one = Guard(OFF)
    one.note_passed(DELETIONS, 1, NOON)

    assert room(one, 1000, scanning=scanning) == AT_WILL


def test_entries_with_few_files_cannot_overwrite_too_many():
    assert room(Guard(Limits()), 50).rollbacks == inf
    assert room(Guard(Limits()), 51).rollbacks == 50
    assert room(Guard(Limits()), 100).overwrites == inf
    assert room(Guard(Limits()), 101).overwrites == 100


def test_what_is_being_read_counts_as_held_for_a_while():
    one = Guard(Limits())
    assert room(one, 1000) == Room(50, 100, 50)

    assert room(one, 0, NOON + WINDOW - 1).rollbacks == 50
    assert kept(one, ROLLBACKS, 51).verdict(ROLLBACKS, NOON + 3, 0) is Verdict.HOLD
    kept(one, ROLLBACKS, -51)
    assert room(one, 0, NOON + WINDOW).rollbacks == inf


@pytest.mark.parametrize("on", [OVERWRITES, ROLLBACKS])
def test_either_guard_of_what_is_overwritten_counts_it_all(on):
    """Before it is read, a rollback is not known to be one."""
    limits = replace(OFF, **{on: Limit(5, 0.5)})
    one = Guard(limits)
    for row, alarm in enumerate([OVERWRITES, ROLLBACKS, OVERWRITES]):
        one.note_passed(alarm, row, NOON)

    assert getattr(room(one, 1000), on) == 2


def test_after_a_decision_everything_is_judged_anew():
    one = kept(Guard(Limits(), {DELETIONS: NOON}), DELETIONS, 60)
    one.note_passed(DELETIONS, 1, NOON)
    one.settle([DELETIONS, ROLLBACKS])
    kept(one, DELETIONS, -60)

    assert one.held == {}
    assert one.verdict(DELETIONS, NOON + WINDOW, 0) is None
    assert room(one, 100).deletions == 50


def test_what_came_to_nothing_is_over():
    one = Guard(Limits(), {DELETIONS: NOON, OVERWRITES: NOON, ROLLBACKS: NOON})
    kept(one, OVERWRITES, 1)
    assert one.over() == [DELETIONS]

    kept(one, OVERWRITES, -1)
    assert one.over() == [DELETIONS, OVERWRITES, ROLLBACKS]


# Keeping ----------------------------------------------------------------------


def test_what_exceeds_the_room_is_kept():
    rooms = {A: Room(2, 5, 0), B: Room(0, 0, inf, since=NOON)}

    assert guard.keeping(rooms, {}, {}) == Keeping(0b10, 0b10, 0b01, {B: NOON})
    assert guard.keeping(rooms, {A: 2}, {A: 5}).deletions == 0b10
    assert guard.keeping(rooms, {A: 3}, {A: 6}) == Keeping(0b11, 0b11, 0b01, {B: NOON})


def test_nothing_is_kept_of_one_entry():
    everything = Keeping(0b11, 0b11, 0b11, {A: NOON})

    assert everything.without(A) == Keeping(0b10, 0b10, 0b10, {A: NOON})


def a_file(**facts) -> File:
    copies = {A: Copy(stamp=Stamp(3), digest=b"new", kind=Kind.FILE), B: Copy()}
    return File(id=1, path="x", version={A: 1}, **{"copies": copies, **facts})


@pytest.mark.parametrize(
    ("keeping", "facts", "alarm"),
    [
        (FREELY, {}, None),
        (Keeping(overwrites=0b10), {}, None),
        (Keeping(overwrites=0b01), {}, OVERWRITES),
        (Keeping(rollbacks=0b01), {}, None),
        (Keeping(rollbacks=0b01), {"older": ((3, b"new"),)}, ROLLBACKS),
        (Keeping(overwrites=0b01), {"older": ((3, b"new"),)}, OVERWRITES),
        (Keeping(0, 1, 0, {A: NOON}), {"changed_at": NOON}, OVERWRITES),
        (Keeping(0, 1, 0, {A: NOON}), {"changed_at": NOON + 1}, None),
    ],
)
def test_for_what_a_change_is_kept(keeping, facts, alarm):
    assert keeping.alarm(a_file(**facts), A) is alarm


def test_only_a_content_of_an_older_size_needs_to_be_read():
    file = a_file(older=((3, b"old"),))
    copies = {A: replace(file.copies[A], digest=None)}
    unread = replace(file, copies=copies)
    watchful = Keeping(rollbacks=0b01)

    assert watchful.needs_digest(unread, A)
    assert not watchful.needs_digest(file, A)
    assert not FREELY.needs_digest(unread, A)
    assert not watchful.needs_digest(replace(unread, older=((4, b"old"),)), A)
    link = {A: replace(copies[A], kind=Kind.LINK)}
    assert not watchful.needs_digest(replace(unread, copies=link), A)


# What was passed on -----------------------------------------------------------

BOTH = {A: Copy(version={A: 1}, stamp=Stamp(3)), B: Copy({A: 1}, Stamp(3))}
NEW = {"version": {A: 2}, "origin": 0b01}


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        ({}, {}, None),
        ({}, {**NEW, "deleted": True}, (A, DELETIONS)),
        ({}, {**NEW, "version": {A: 1, B: 2}, "origin": 0b10}, (B, OVERWRITES)),
        ({"older": ((3, b"one"),)}, {**NEW, "digest": b"one"}, (A, ROLLBACKS)),
        ({"older": ((3, b"one"),)}, {**NEW, "digest": b"two"}, (A, OVERWRITES)),
        # Unread, it is judged by its size.
        ({"older": ((3, b"one"),)}, {**NEW, "size": 3}, (A, ROLLBACKS)),
        ({"older": ((3, b"one"),)}, {**NEW, "size": 4}, (A, OVERWRITES)),
        ({"deleted": True}, NEW, None),
        ({"kind": Kind.DIRECTORY}, {**NEW, "deleted": True}, None),
        ({}, {**NEW, "origin": 0b11}, None),
        ({}, {**NEW, "origin": 0}, None),
        # Nobody else had anything.
        ({"copies": {A: BOTH[A], B: Copy()}}, {**NEW, "deleted": True}, None),
        # It had nothing itself.
        ({"copies": {A: Copy(), B: BOTH[B]}}, NEW, None),
    ],
)
def test_what_a_change_was_to_the_others(before, after, passed):
    was = replace(File(id=1, path="x", version={A: 1}, copies=BOTH), **before)

    assert guard.passed(was, replace(was, **after)) == passed


def test_what_of_a_file_is_kept():
    held = Held(DELETIONS, NOON, "why")
    copy = guard.withheld(Copy(version={A: 1}), DELETIONS, NOON, "why")

    assert copy == Copy(version={A: 1}, doubt=Doubt.HELD, held=held)
    assert guard.kept(a_file(copies={A: copy, B: Copy()})) == {A: held}


# Laws -------------------------------------------------------------------------

TIMES = st.floats(0, 5)
STEPS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3), TIMES), max_size=20)


@given(STEPS, st.integers(0, 2000))
def test_what_is_below_the_limits_is_never_held(steps, files):
    """Whatever the order of what is passed on and kept."""
    one, now, changed = Guard(Limits()), NOON, 0
    for row, (number, keep, pause) in enumerate(steps):
        now += pause
        changed += number
        if keep:
            kept(one, DELETIONS, number, now)
        else:
            for each in range(number):
                one.note_passed(DELETIONS, row * 1000 + each, now)
    too_many = changed > max(50, 0.25 * (files + changed)) or not files

    verdict = one.verdict(DELETIONS, now + LATER, files)
    assert too_many or verdict is not Verdict.HOLD
    if kept_back := one.kept[DELETIONS]:
        assert verdict is not None
        recent = kept_back > max(50, 0.25 * (files + changed))
        assert verdict is Verdict.HOLD or not recent


@given(STEPS, st.integers(0, 2000))
def test_whatever_waits_has_a_time_when_it_no_longer_does(steps, files):
    one, now = Guard(Limits()), NOON
    for number, which, pause in steps:
        now += pause
        kept(one, [*Alarm][which % 3], number, now)

    due = one.due(now, files)
    if one.kept.total():
        now = max(now, due)
        assert any(one.verdict(alarm, now, files) for alarm in Alarm)
    else:
        assert due == inf


@given(STEPS, st.integers(0, 2000), st.booleans())
def test_there_is_no_room_while_anything_is_kept(steps, files, scanning):
    one, now = Guard(Limits()), NOON
    for number, which, pause in steps:
        now += pause
        kept(one, [*Alarm][which % 3], number, now)

    left = room(one, files, now, scanning)
    assert (left.deletions == 0) >= bool(one.kept[DELETIONS])
    assert (left.overwrites == 0) >= bool(one.kept[OVERWRITES])
    assert (left.rollbacks == 0) >= bool(one.kept[ROLLBACKS])
