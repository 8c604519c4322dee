"""Seeking a place of the listing finds what counting up to it would."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.file import File, Kind
from syncd.replication.batch import Touched
from syncd.replication.ranks import Ranks
from syncd.store.files import BLOCK, KINDS, Facts

LISTED = Facts(
    kind=KINDS[Kind.FILE],
    size=1,
    owners=1,
    uptodate=1,
    behind=0,
    blocked=0,
    deleted=False,
    conflict=False,
)
FOLDER = replace(LISTED, kind=KINDS[Kind.DIRECTORY])
GONE = replace(LISTED, deleted=True)

ROWS = st.sampled_from([1, 2, 3, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK, 5 * BLOCK + 7])
CHANGES = st.lists(
    st.tuples(ROWS, st.sampled_from([LISTED, FOLDER, GONE])), max_size=30
)


def listed_from(rows: list[int], row: int, offset: int) -> list[int]:
    return [one for one in rows if one >= row][offset:]


@given(CHANGES, st.integers(0, 10))
def test_a_place_is_found_whatever_has_changed(changes, offset):
    ranks, now = Ranks(), dict[int, Facts]()
    for row, facts in changes:
        file = File(id=row, path=str(row))
        ranks.change([Touched(None, now.get(row), file, facts)])
        now[row] = facts
    rows = sorted(row for row, facts in now.items() if facts is LISTED)

    assert listed_from(rows, *ranks.seek(offset)) == rows[offset:]


def test_it_begins_with_what_the_index_counted():
    ranks = Ranks()
    ranks.fill([(0, 3), (4, BLOCK), (5, 1)])

    assert ranks.seek(0) == (0, 0)
    assert ranks.seek(2) == (0, 2)
    assert ranks.seek(3) == (4 * BLOCK, 0)
    assert ranks.seek(BLOCK + 3) == (5 * BLOCK, 0)
    assert ranks.seek(BLOCK + 10) == (6 * BLOCK, 6)
