"""Records: masks of slots, and who holds what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.file import (
    ABSENT,
    LONGEST_PAUSE,
    MAX_SLOTS,
    Copy,
    Doubt,
    File,
    Stamp,
    Trouble,
    has,
    mask,
    slots,
)

SLOTS = st.sets(st.integers(0, MAX_SLOTS - 1))
OLD, NEW = {0: 1}, {0: 2}
STAMP = Stamp(size=1)


@given(SLOTS)
def test_a_mask_is_a_set_of_slots(some):
    assert list(slots(mask(some))) == sorted(some)
    assert all(has(mask(some), slot) == (slot in some) for slot in range(MAX_SLOTS))


def test_every_mask_fits_a_signed_column_of_64_bits():
    assert mask(range(MAX_SLOTS)) < 2**63


@pytest.mark.parametrize(
    ("copy", "holds"),
    [
        (Copy(version=NEW, stamp=STAMP), True),
        (Copy(version=OLD, stamp=STAMP), False),
        (Copy(version=NEW), False),
        (Copy(version=NEW, stamp=STAMP, doubt=Doubt.COMPARING), False),
        (Copy(version=NEW, stamp=STAMP, doubt=Doubt.ASIDE), False),
        (ABSENT, False),
    ],
)
def test_who_holds_the_newest_version(copy, holds):
    file = File(id=1, path="x", version=NEW, owners=0b1, copies={0: copy})

    assert file.holds_newest(0) == holds
    assert file.holders == file.uptodate == int(holds)


@pytest.mark.parametrize(
    ("copy", "holds"),
    [
        (Copy(version=NEW), True),
        (ABSENT, True),
        (Copy(version=OLD, stamp=STAMP), False),
        (Copy(version=NEW, stamp=STAMP), False),
    ],
)
def test_who_is_in_step_with_a_tombstone_has_nothing(copy, holds):
    file = File(id=1, path="x", version=NEW, deleted=True, owners=0b1, copies={0: copy})

    assert file.holds_newest(0) == holds
    assert file.uptodate == int(holds)


def test_a_holder_that_is_no_owner_is_not_up_to_date():
    held = Copy(version=NEW, stamp=STAMP)
    file = File(id=1, path="x", version=NEW, owners=0b01, copies={0: held, 1: held})

    assert (file.holders, file.uptodate) == (0b11, 0b01)


def test_nothing_is_known_of_an_entry_that_never_spoke():
    file = File(id=1, path="x", version=NEW)

    assert file.copy(5) is ABSENT
    assert not file.copy(5).present
    assert not file.holds_newest(5)


def test_who_let_it_go_and_who_disputes_it():
    copies = {
        0: Copy(version=NEW, stamp=STAMP),
        2: Copy(version=NEW, doubt=Doubt.LET_GO),
        3: Copy(version=OLD, stamp=STAMP, doubt=Doubt.DISPUTED),
        5: Copy(version=OLD, stamp=STAMP, doubt=Doubt.DISPUTED),
    }
    file = File(id=1, path="x", version=NEW, copies=copies)

    assert (file.let_go, file.disputed, file.holders) == (0b100, 0b101000, 0b1)


@pytest.mark.parametrize(
    ("now", "waits"),
    [
        (1000.0, False),
        (999.9, True),
        (1000.0 - LONGEST_PAUSE, True),
        (999.0 - LONGEST_PAUSE, False),  # The clock was set back since.
    ],
)
def test_trouble_waits_for_its_time_but_not_for_a_clock_that_was_set_back(now, waits):
    assert Trouble("no room", attempts=1, retry_at=1000.0).waits(now) is waits
