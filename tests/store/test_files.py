"""Files in the index: kept whole, found by what is asked for."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection, text

from syncd.core import path as paths
from syncd.core.file import Alarm, Base, Copy, Doubt, File, Kind, Stamp, Trouble
from syncd.core.guard import withheld
from syncd.errors import NotFound
from syncd.store import files
from syncd.store.database import Store
from syncd.store.files import KINDS, Facts

HELD = Copy(version={0: 1}, stamp=Stamp(size=10))
FILE = File(
    id=1,
    path="a/b.txt",
    size=10,
    version={0: 1},
    origin=0b1,
    owners=0b11,
    copies={0: HELD},
    changed_at=100.0,
)
FULL = File(
    id=9,
    path=paths.from_bytes(b"d/\xff\n"),
    kind=Kind.LINK,
    size=2**40,
    mtime_ns=-5,
    mode=0o4755,
    target="über",
    digest=b"d" * 32,
    mime="text/plain",
    version={0: 1, 61: 2**40},
    deleted=True,
    meta=3,
    origin=1 << 61,
    owners=(1 << 62) - 1,
    copies={
        0: Copy(
            version={0: 1},
            stamp=Stamp(2**40, -5, 7, 2**64 - 1, "etag"),
            mode=0o600,
            meta=-1,
            digest=b"e" * 32,
            doubt=Doubt.COMPARING,
            aside="x",
            hint=("y", Stamp()),
            trouble=Trouble("no room", 3, 1.5, True),
            kind=Kind.FILE,
            target="t",
            base=Base({0: 1}, 5, None),
        ),
        61: Copy(),
    },
    conflict_of="x",
    mime_wanted=True,
    judge_at=5.5,
    changed_at=7.25,
    cause="because",
    moved_from="y",
)


async def add(store: Store, *some: File, behind: int = 0, disputed: int = 0) -> None:
    rows = [(one, files.facts(one, behind, disputed)) for one in some]
    await store.run(files.add, rows)


def numbered(count: int, **facts: Any) -> list[File]:
    return [
        replace(FILE, id=number, path=f"f{number}", **facts)
        for number in range(1, count + 1)
    ]


# Kept whole -------------------------------------------------------------------


@pytest.mark.parametrize("file", [FILE, FULL], ids=["plain", "full"])
async def test_a_record_comes_back_as_it_was(store: Store, file: File):
    await add(store, file, behind=0b1)
    facts = files.facts(file, 0b1)

    assert await store.read(files.load, [file.path]) == {file.path: (file, facts)}
    assert await store.read(files.by_ids, [file.id]) == [file]
    assert await store.read(files.by_fid, paths.fid(file.path)) == file


async def test_a_record_is_written_over(store: Store):
    await add(store, FILE)
    changed = replace(FULL, id=FILE.id, path=FILE.path)
    facts = files.facts(changed, 0b1)
    await store.run(files.change, [(changed, facts)])

    assert await store.read(files.load, [FILE.path]) == {FILE.path: (changed, facts)}
    assert await store.read(files.due, 5.5, 10) == [(changed, facts)]
    assert await store.read(files.count) == [(replace(facts, size=0), 1, 2**40)]


async def test_many_are_read_at_once(store: Store):
    many = numbered(1200)
    await add(store, *many)
    names = [file.path for file in many]

    assert len(await store.read(files.load, [*names, "unknown"])) == 1200
    got = await store.read(files.by_ids, [file.id for file in many])
    assert sorted(got, key=lambda file: file.id) == many
    assert await store.read(files.highest_id) == 1200


async def test_an_empty_index(store: Store):
    await store.run(files.add, [])
    await store.run(files.change, [])

    assert await store.read(files.highest_id) == 0
    assert await store.read(files.load, ["a"]) == {}
    assert await store.read(files.count) == []


FILES = st.builds(
    File,
    id=st.just(1),
    path=st.just("p"),
    kind=st.sampled_from(Kind),
    size=st.integers(0, 2**50),
    deleted=st.booleans(),
    owners=st.integers(0, 2**62 - 1),
    version=st.just({0: 1}),
    copies=st.dictionaries(
        st.integers(0, 61),
        st.builds(
            Copy,
            version=st.sampled_from([{0: 1}, {}]),
            stamp=st.none() | st.just(Stamp()),
            trouble=st.none()
            | st.builds(
                Trouble,
                reason=st.text(),
                attempts=st.just(1),
                retry_at=st.just(1.0),
                blocked=st.booleans(),
            ),
        ),
        max_size=3,
    ),
    conflict_of=st.none() | st.text(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, st.integers(0, 2**62 - 1))
async def test_the_columns_repeat_the_record(store: Store, file: File, behind: int):
    facts = files.facts(file, behind)
    await store.run(files.forget, [1])
    await store.run(files.add, [(file, facts)])

    assert await store.read(files.load, ["p"]) == {"p": (file, facts)}
    assert facts.blocked & ~behind == 0
    assert facts.uptodate & ~facts.owners == 0
    assert facts.conflict == (file.conflict_of is not None and not file.deleted)
    assert facts.kind == KINDS[file.kind]


# Work -------------------------------------------------------------------------


async def test_pending_work_is_found_by_entry_page_by_page(store: Store):
    await add(store, *numbered(5), behind=0b10)
    await add(store, replace(FILE, id=6, path="other"), behind=0b01)
    await add(store, replace(FILE, id=7, path="gone", deleted=True), behind=0b10)

    async def pending(slot: int, deleted: bool, after: int, limit: int) -> list[int]:
        page = await store.read(files.pending, slot, deleted, after, limit)
        return [file.id for file in page]

    assert await pending(1, False, 0, 2) == [1, 2]
    assert await pending(1, False, 2, 2) == [3, 4]
    assert await pending(1, False, 4, 2) == [5]
    assert await pending(0, False, 0, 9) == [6]
    assert await pending(1, True, 0, 9) == [7]
    assert await pending(2, False, 0, 9) == []


async def test_a_walk_over_everything(store: Store):
    await add(store, *numbered(3), behind=0b10)
    page = await store.read(files.after, 1, 9)

    assert [file.id for file, _ in page] == [2, 3]
    assert page[0][1] == files.facts(page[0][0], 0b10)
    assert len(await store.read(files.after, 0, 2)) == 2


async def test_what_is_due(store: Store):
    for number, at in enumerate((None, 10.0, 20.0), 1):
        await add(store, replace(FILE, id=number, path=f"f{number}", judge_at=at))

    async def due(now: float) -> list[int]:
        return sorted(file.id for file, _ in await store.read(files.due, now, 9))

    assert await due(9.9) == []
    assert await due(10.0) == [2]
    assert await due(99.0) == [2, 3]


@pytest.mark.parametrize(
    ("file", "behind", "goes"),
    [
        (replace(FILE, deleted=True), 0, True),
        (replace(FILE, deleted=True), 0b1, False),
        (replace(FILE, deleted=True, changed_at=200.0), 0, False),
        (FILE, 0, False),
    ],
)
async def test_which_tombstones_may_be_forgotten(store: Store, file, behind, goes):
    await add(store, file, behind=behind)
    rows = await store.read(files.forgettable, 150.0, 9)

    assert rows == ([file.id] if goes else [])


async def test_what_is_forgotten_is_gone(store: Store):
    await add(store, *numbered(3))
    await store.run(files.forget, [1, 3])

    assert [file.id for file, _ in await store.read(files.after, 0, 9)] == [2]


# Listing ----------------------------------------------------------------------


async def listed(store: Store, **options: Any) -> list[str]:
    page = await store.read(files.page, **{"offset": 0, "limit": 99} | options)
    return [file.path for file in page.files]


async def test_a_listing_has_files_and_links_as_they_became_known(store: Store):
    await add(store, *numbered(3))
    await add(store, replace(FILE, id=4, path="folder", kind=Kind.DIRECTORY))
    await add(store, replace(FILE, id=5, path="gone", deleted=True))
    await add(store, replace(FILE, id=6, path="link", kind=Kind.LINK))

    assert await listed(store) == ["f1", "f2", "f3", "link"]
    assert await listed(store, offset=1, limit=2) == ["f2", "f3"]
    assert await listed(store, offset=9) == []
    page = await store.read(files.page, offset=1, limit=1)
    assert page.total == 4
    assert (await store.read(files.page, offset=0, limit=1, total=77)).total == 77


async def test_a_path_and_what_is_below_it(store: Store):
    names = ["foo", "foo/a", "foo/b/c", "foobar", "foo-", "foo0", "fo", "x/foo"]
    for number, name in enumerate(names, 1):
        await add(store, replace(FILE, id=number, path=name))

    assert await listed(store, path="foo") == ["foo", "foo/a", "foo/b/c"]
    assert await listed(store, path="foo/b") == ["foo/b/c"]
    assert await listed(store, path="Foo") == []


async def test_by_owner_and_by_state(store: Store):
    both = {0: HELD, 1: HELD}
    no_room = Copy(trouble=Trouble("no room", 1, 1.0, blocked=True))
    some = {
        "done": (replace(FILE, copies=both), 0),
        "behind": (FILE, 0b10),
        "full": (replace(FILE, copies={0: HELD, 1: no_room}), 0b10),
        "aside": (replace(FILE, copies=both, owners=0b10, conflict_of="done"), 0),
        "times": (replace(FILE, copies=both), 0b10),
    }
    for number, (name, (file, behind)) in enumerate(some.items(), 1):
        await add(store, replace(file, id=number, path=name), behind=behind)

    await add(store, replace(FILE, id=9, path="disputed"), disputed=0b10)

    first = ["done", "behind", "full", "times", "disputed"]
    assert await listed(store, owner=0b01) == first
    assert await listed(store, owner=0b10) == [*some, "disputed"]
    assert await listed(store, where="uptodate") == ["done", "aside"]
    assert await listed(store, where="pending") == ["behind", "full", "times"]
    assert await listed(store, where="blocked") == ["full"]
    assert await listed(store, where="conflict") == ["aside", "disputed"]
    assert await listed(store, where="pending", owner=0b100) == []
    page = await store.read(files.page, offset=0, limit=1, where="pending")
    assert page.total == 3


@pytest.mark.parametrize(
    "fid",
    ["", "x", "ä", "91473751-8e49-5240-b03c-96547fcd86dc", "91473751"],
)
async def test_an_id_that_no_file_has(store: Store, fid):
    await add(store, FILE)
    with pytest.raises(NotFound, match=f"file {fid} not found"):
        await store.read(files.by_fid, fid)


async def test_counting_puts_together_what_is_alike(store: Store):
    some = [*numbered(3), replace(FILE, id=4, path="x", kind=Kind.LINK, size=1)]
    await add(store, *some, behind=0b10)
    plain = Facts(KINDS[Kind.FILE], 0, 0b11, 0b01, 0b10, 0, False, False)

    assert sorted(await store.read(files.count), key=lambda row: row[1]) == [
        (replace(plain, kind=KINDS[Kind.LINK]), 1, 1),
        (plain, 3, 30),
    ]


HELD_BACK = withheld(Copy(version={0: 1}), Alarm.DELETIONS, 100.0, "why")


async def keep_held(store: Store, *slots: int) -> None:
    """Keep three files; of those of each slot a deletion is held."""
    for row in (1, 2, 3):
        copies = dict.fromkeys(slots, HELD_BACK if row != 2 else HELD)
        file = replace(FILE, id=row, path=f"f{row}", copies=copies)
        await store.run(files.add, [(file, files.facts(file, 0))])


async def test_what_is_held_is_found_by_entry(store: Store):
    await keep_held(store, 0, 5)

    found = await store.read(files.held, 5, 0, 9)
    assert [(file.id, known.held) for file, known in found] == [
        (1, 0b100001),
        (3, 0b100001),
    ]
    assert [file.id for file, _ in await store.read(files.held, 5, 1, 9)] == [3]
    assert [file.id for file, _ in await store.read(files.held, 0, 0, 1)] == [1]
    assert await store.read(files.held, 1, 0, 9) == []
    assert [file.id for file in await store.read(files.held_page, 5, 1, 9)] == [3]
    page = await store.read(files.page, offset=0, limit=9, where="held")
    assert [file.id for file in page.files] == [1, 3]


async def test_what_is_held_is_found_without_looking_at_everything(store: Store):
    def plan(db: Connection) -> str:
        query = text(
            "EXPLAIN QUERY PLAN SELECT record FROM files"
            " WHERE held != 0 AND held & 1 != 0 AND id > 5 ORDER BY id LIMIT 9"
        )
        return " ".join(str(row) for row in db.execute(query))

    assert "files_held" in await store.read(plan)


def test_records_of_before_there_were_guards_are_read():
    plain = replace(FILE, older=())
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(plain))
    short = fields[: File.__struct_fields__.index("older")]

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(short), type=File) == plain
