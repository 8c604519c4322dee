"""Counts that are kept up to date equal counts made anew."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.file import Kind
from syncd.replication.tally import Count, Tally
from syncd.store.files import KINDS, Facts

MASKS = st.integers(0, 7)
FACTS = st.builds(
    Facts,
    kind=st.sampled_from(sorted(KINDS.values())),
    size=st.integers(0, 9),
    owners=MASKS,
    uptodate=MASKS,
    behind=MASKS,
    blocked=MASKS,
    deleted=st.booleans(),
    conflict=st.booleans(),
)
FILE = Facts(
    kind=KINDS[Kind.FILE],
    size=10,
    owners=0b11,
    uptodate=0b01,
    behind=0b10,
    blocked=0,
    deleted=False,
    conflict=False,
)


def counted(*some: Facts) -> Tally:
    tally = Tally()
    for facts in some:
        tally.change([(None, facts)])
    return tally


def shown(tally: Tally) -> tuple[int, int, list[Count]]:
    return tally.files, tally.conflicts, [tally.of(slot) for slot in range(3)]


def test_what_is_counted_of_a_file():
    tally = counted(FILE)

    assert (tally.files, tally.conflicts) == (1, 0)
    assert tally.of(0) == Count(files=1, bytes=10, owned=1)
    assert tally.of(1) == Count(owned=1, pending=1)
    assert tally.of(2) == Count()


def test_folders_and_deleted_files_only_count_as_work():
    folder = replace(FILE, kind=KINDS[Kind.DIRECTORY])
    for facts in (folder, replace(FILE, deleted=True)):
        tally = counted(facts)
        assert (tally.files, tally.of(0), tally.of(1)) == (0, Count(), Count(pending=1))


def test_links_count_like_files():
    assert counted(replace(FILE, kind=KINDS[Kind.LINK])).files == 1


def test_trouble_and_conflicts():
    tally = counted(replace(FILE, blocked=0b10, conflict=True))

    assert tally.conflicts == 1
    assert tally.of(0) == Count(files=1, bytes=10, owned=1, conflicts=1)
    assert tally.of(1) == Count(owned=1, pending=1, blocked=1, conflicts=1)


@given(st.lists(st.dictionaries(st.integers(0, 4), FACTS), max_size=15))
def test_a_tally_kept_up_to_date_equals_a_recount(batches):
    tally = Tally()
    files: dict[int, Facts] = {}
    for batch in batches:
        tally.change((files.get(number), facts) for number, facts in batch.items())
        files |= batch

    assert shown(tally) == shown(counted(*files.values()))


@given(st.lists(FACTS, max_size=20))
def test_a_tally_filled_by_groups_equals_one_filled_one_by_one(some):
    groups: dict[Facts, list[int]] = {}
    for facts in some:
        groups.setdefault(replace(facts, size=0), []).append(facts.size)
    tally = Tally()
    tally.fill((facts, len(sizes), sum(sizes)) for facts, sizes in groups.items())

    assert shown(tally) == shown(counted(*some))
