"""The names of kept contents: what goes in comes out, whatever the name was."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.core.keeping import Loss
from syncd.drivers.local_storage import labels
from syncd.drivers.local_storage.labels import Label

NOON = 1_785_672_000_000_000_000
NAMES = st.binary(max_size=138).filter(lambda name: not set(b"/\0") & set(name))


LABELS = st.builds(
    Label,
    name=NAMES,
    at_ns=st.integers(0, 4_000_000_000 * 10**9),
    loss=st.sampled_from(Loss),
    cause=st.from_regex("[0-9a-f]{0,16}", fullmatch=True),
    mtime=st.integers(-(2**63), 2**63 - 1).map(labels.mtime),
    digest=st.none() | st.binary(min_size=32, max_size=32),
)
NESTED = labels.written(NOON, Loss.REPLACED, "", 1, None)


@given(LABELS)
@example(Label(b"", NOON, Loss.DELETED, "", labels.mtime(0), None))
@example(Label(b"a~b~", NOON, Loss.UNDONE, "c0ff", labels.mtime(-1), b"\xff" * 32))
@example(Label(NESTED, NOON, Loss.DELETED, "", labels.mtime(0), None))
@example(Label(b"\n~\xff", NOON, Loss.UNMATCHED, "0" * 16, labels.mtime(5), b"~" * 32))
def test_what_is_written_can_be_read(label):
    behind = labels.written(
        label.at_ns, label.loss, label.cause, int(label.mtime, 16), label.digest
    )

    assert len(behind) <= labels.LONGEST
    assert labels.read(labels.day(label.at_ns), label.name + behind) == label


@given(st.binary(max_size=200))
def test_other_names_are_none_of_ours(name):
    assert labels.read("2026-08-02", name) is None


@pytest.mark.parametrize("time", ["240000", "126000", "125960", "999999"])
def test_times_that_are_none(time):
    name = b"a~%s.000000001-r-0000000000000000-0" % time.encode()

    assert labels.read("2026-08-02", name) is None
    assert labels.read("2026-13-02", name.replace(time.encode(), b"120000")) is None


@pytest.mark.parametrize("cause", ["a-b", "~", "UPPER", "0" * 17, "é", "a/b"])
def test_a_cause_that_cannot_be_written_is_left_out(cause):
    behind = labels.written(NOON, Loss.REPLACED, cause, 1, b"short")
    told = labels.read(labels.day(NOON), b"a" + behind)

    assert told is not None
    assert (told.cause, told.digest) == ("", None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-08-02", True),
        ("2026-02-30", False),
        ("2026-8-2", False),
        ("", False),
        ("notes", False),
        ("2026-08-02x", False),
    ],
)
def test_days(name, expected):
    assert labels.is_day(name) is expected


@pytest.mark.parametrize(
    ("name", "over"),
    [("2026-08-02", False), ("2026-08-01", False), ("2026-07-31", True)],
)
def test_a_day_is_over_when_the_next_one_is(name, over):
    assert labels.day(NOON) == "2026-08-02"
    assert labels.is_over(name, NOON) is over
