"""Who is let in: strange, lost and emptied storages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.admission import (
    FEW,
    Admitted,
    Known,
    Refused,
    Shown,
    TakenOver,
    admit,
)

INDEX = "this index"
KNOWN = Known(
    slot=0, name="A", marker="ours", marked=True, noted=5, forget=False, holds=10
)
FRESH = replace(KNOWN, marked=False, noted=0, holds=0)
SHOWN = Shown(marker="ours", empty=False, ledger=INDEX, noted=5)
OTHERS = {
    "B's": (1, "B", True),
    "former": (2, "Z", False),
}


def asked(shown: Shown, known: Known = KNOWN, *, accepted: bool = False):
    return admit(shown, known, INDEX, OTHERS, accepted)


@pytest.mark.parametrize(
    ("shown", "known", "expected"),
    [
        # All is as it was.
        (SHOWN, KNOWN, Admitted(forget=False)),
        # The first time: no marker yet, no ledger yet.
        (Shown(None, True, None, 0), FRESH, Admitted(forget=True)),
        (Shown(None, False, None, 0), FRESH, Admitted(forget=True)),
        # Marked, but nothing was told before the first crash.
        (replace(SHOWN, noted=0), FRESH, Admitted(forget=False)),
        # The ledger was lost, or is of another index.
        (replace(SHOWN, ledger=None, noted=0), KNOWN, Admitted(forget=True)),
        (replace(SHOWN, ledger="another"), KNOWN, Admitted(forget=True)),
        # The index is an old copy of itself: the ledger knows more than it does.
        (replace(SHOWN, noted=6), KNOWN, Admitted(forget=True)),
        # The ledger is behind: it says again what it has lost, but not what is gone.
        (replace(SHOWN, noted=4), KNOWN, Admitted(forget=False, behind=True)),
        (SHOWN, replace(KNOWN, forget=True), Admitted(forget=True)),
        # The index was lost: whatever marker there is becomes the entry's.
        (replace(SHOWN, marker="unheard"), FRESH, TakenOver("unheard", None)),
        # The entry was given another name.
        (replace(SHOWN, marker="former"), FRESH, TakenOver("former", 2)),
        # Only one file was there: perhaps somebody deleted it.
        (replace(SHOWN, empty=True), replace(KNOWN, holds=FEW - 1), Admitted(False)),
        (replace(SHOWN, empty=True), replace(KNOWN, holds=0), Admitted(False)),
    ],
)
def test_who_comes_in(shown, known, expected):
    assert asked(shown, known) == expected


@pytest.mark.parametrize(
    ("shown", "known", "words"),
    [
        (replace(SHOWN, marker=None), KNOWN, "lost its .syncd-marker"),
        (replace(SHOWN, marker=None, empty=True), KNOWN, "lost its .syncd-marker"),
        (replace(SHOWN, marker="unheard"), KNOWN, "not the storage that was here"),
        (replace(SHOWN, marker="former"), KNOWN, "not the storage that was here"),
        (replace(SHOWN, marker="B's"), KNOWN, "the storage of entry B"),
        (replace(SHOWN, marker="B's"), FRESH, "the storage of entry B"),
        (replace(SHOWN, empty=True), KNOWN, "empty but held 10 files"),
        (replace(SHOWN, empty=True), replace(KNOWN, holds=FEW), "empty but held 2"),
    ],
)
def test_who_waits_for_a_persons_word(shown, known, words):
    answer = asked(shown, known)

    assert isinstance(answer, Refused)
    assert words in answer.reason
    assert "syncd entries approve A" in answer.reason
    assert answer.emptied == ("empty but" in words)


def test_an_emptied_storage_may_be_filled_again_or_accepted():
    emptied = replace(SHOWN, empty=True)
    answer = asked(emptied)

    assert isinstance(answer, Refused)
    assert "syncd entries restore A" in answer.reason
    assert asked(emptied, accepted=True) == Admitted(forget=False)


@given(
    st.builds(
        Shown,
        marker=st.sampled_from([None, "ours", "B's", "former", "unheard"]),
        empty=st.booleans(),
        ledger=st.sampled_from([None, INDEX, "another"]),
        noted=st.integers(0, 9),
    ),
    st.booleans(),
)
def test_a_marked_entry_only_ever_lets_its_own_storage_in(shown, accepted):
    answer = asked(shown, accepted=accepted)

    assert isinstance(answer, Admitted) <= (shown.marker == "ours")
    assert not isinstance(answer, TakenOver)
    if isinstance(answer, Admitted) and shown.empty:
        assert accepted
