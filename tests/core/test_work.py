"""What is left to do, read off the record; and the order for it."""

import pytest
from msgspec.structs import replace

from syncd.core import work
from syncd.core.change import Amend, Delete, Inspect, Put, SetAside, Source
from syncd.core.file import Copy, Doubt, File, Kind, Stamp, Trouble, mask
from syncd.core.keeping import Loss
from syncd.core.work import Task
from syncd.core.world import Member, OnUnmatch
from tests.core.story import NOW, TO_ALL, A, B, C, Story, a_world, without

WORLD = a_world(TO_ALL)
UP = 0b111
OLD, NEW = {A: 1}, {A: 2}
STAMP = Stamp(size=3, mtime_ns=1)
DIGEST = b"d" * 32

HELD = Copy(version=NEW, stamp=STAMP)
STALE = Copy(version=OLD, stamp=STAMP, kind=Kind.FILE)
FILE = File(
    id=7,
    path="x",
    size=3,
    mtime_ns=1,
    digest=DIGEST,
    version=NEW,
    origin=1 << A,
    owners=0b111,
    copies={A: HELD},
    cause="because",
)
GONE = replace(FILE, deleted=True)
SIDE = Copy(version={B: 2}, stamp=Stamp(size=9), doubt=Doubt.DISPUTED, kind=Kind.FILE)
DISPUTED = replace(FILE, copies={**FILE.copies, C: SIDE})


def with_b(copy: Copy, file: File = FILE) -> File:
    return replace(file, copies={**file.copies, B: copy})


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (FILE, Task.PUT),
        (with_b(STALE), Task.PUT),
        (with_b(HELD), None),
        (with_b(replace(HELD, meta=-1)), Task.AMEND),
        (with_b(HELD, replace(FILE, meta=1)), Task.AMEND),
        (with_b(replace(STALE, doubt=Doubt.ASIDE, aside="y")), Task.SET_ASIDE),
        (with_b(replace(STALE, doubt=Doubt.COMPARING)), Task.INSPECT),
        (with_b(replace(STALE, doubt=Doubt.COMPARING, digest=DIGEST)), None),
        (with_b(Copy(version=NEW, doubt=Doubt.LET_GO)), None),
        (with_b(replace(STALE, doubt=Doubt.HELD)), None),
        # A person decides: until then nothing but reading is done.
        (with_b(Copy(), DISPUTED), None),
        (with_b(STALE, DISPUTED), None),
        (with_b(replace(HELD, meta=-1), DISPUTED), None),
        (
            with_b(replace(STALE, doubt=Doubt.ASIDE, aside="y"), DISPUTED),
            Task.SET_ASIDE,
        ),
        (with_b(SIDE), None),
        (with_b(replace(SIDE, stamp=STAMP)), Task.INSPECT),
        (with_b(replace(SIDE, stamp=STAMP, digest=DIGEST)), None),
        (with_b(replace(SIDE, stamp=STAMP, kind=Kind.LINK)), None),
        (with_b(HELD, replace(DISPUTED, mime_wanted=True)), Task.INSPECT),
        # Not an owner.
        (replace(FILE, owners=0b101), None),
        (with_b(STALE, replace(FILE, owners=0b101)), None),
        (with_b(HELD, replace(FILE, owners=0b101)), None),
        # A tombstone.
        (GONE, None),
        (with_b(STALE, GONE), Task.DELETE),
        (with_b(Copy(version=NEW), GONE), None),
        (with_b(STALE, replace(GONE, owners=0b101)), None),
        # A rule waits for the MIME type.
        (replace(FILE, mime_wanted=True), Task.PUT),
        (with_b(HELD, replace(FILE, mime_wanted=True)), Task.INSPECT),
        (with_b(STALE, replace(GONE, mime_wanted=True)), Task.DELETE),
    ],
)
def test_what_b_has_to_do(file, expected):
    assert work.task(file, B, WORLD) is expected


@pytest.mark.parametrize(
    "file",
    [
        FILE,
        with_b(STALE),
        with_b(HELD),
        with_b(replace(HELD, meta=-1)),
        with_b(replace(STALE, doubt=Doubt.COMPARING)),
        with_b(Copy(version=NEW, doubt=Doubt.LET_GO)),
        replace(FILE, owners=0b101),
        replace(FILE, mime_wanted=True),
        with_b(STALE, GONE),
    ],
)
@pytest.mark.parametrize("on_unmatch", OnUnmatch)
def test_behind_is_who_has_a_task(file, on_unmatch):
    world = a_world(TO_ALL, B=Member("B", on_unmatch=on_unmatch))
    tasks = [work.task(file, slot, world) for slot in (A, B, C)]

    assert work.behind(file, world) == mask(
        slot for slot, task in enumerate(tasks) if task is not None
    )


def test_who_is_behind():
    file = with_b(STALE)

    assert work.behind(file, WORLD) == 0b110
    assert work.behind(file, without(WORLD, C)) == 0b010
    assert work.behind(replace(file, owners=0b001), WORLD) == 0
    aside = replace(STALE, doubt=Doubt.ASIDE, aside="y")
    assert work.behind(with_b(aside, replace(FILE, owners=0b001)), WORLD) == 0b010


ON_UNMATCH = a_world(B=Member("B", on_unmatch=OnUnmatch.DELETE))


@pytest.mark.parametrize("on_unmatch", [OnUnmatch.DELETE, OnUnmatch.TRASH])
@pytest.mark.parametrize(
    ("file", "goes"),
    [
        (with_b(HELD, replace(FILE, owners=0b001)), True),
        # An edit that nobody else has.
        (with_b(STALE, replace(FILE, owners=0b001)), False),
        # No owner holds it yet.
        (with_b(HELD, replace(FILE, owners=0b100)), False),
        (with_b(HELD, replace(FILE, owners=0)), False),
    ],
)
def test_an_unwanted_copy_goes_only_where_asked_for_and_once_it_is_safe(
    file, goes, on_unmatch
):
    world = a_world(B=Member("B", on_unmatch=on_unmatch))

    assert (work.task(file, B, world) is Task.DELETE) == goes
    assert work.task(file, B, WORLD) is None
    assert work.task(file, B, without(world, B)) is None


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            with_b(replace(STALE, digest=b"o" * 32), GONE),
            Delete(5, "x", Kind.FILE, STAMP, "because", b"o" * 32, Loss.DELETED),
        ),
        (
            with_b(HELD, replace(FILE, owners=0b001)),
            Delete(5, "x", Kind.FILE, STAMP, "because", DIGEST, Loss.UNMATCHED),
        ),
    ],
)
def test_a_deletion_says_what_goes_and_why(file, expected):
    assert work.order(file, B, 5, ON_UNMATCH, UP) == expected


def test_a_put_says_what_it_replaces():
    order = work.order(with_b(replace(STALE, digest=b"o" * 32)), B, 5, WORLD, UP)

    assert isinstance(order, Put)
    assert order.was == b"o" * 32


# Orders -----------------------------------------------------------------------


def test_to_put_what_another_entry_holds():
    assert work.order(with_b(STALE), B, 5, WORLD, UP) == Put(
        id=5,
        path="x",
        kind=Kind.FILE,
        size=3,
        mtime_ns=1,
        mode=0o644,
        target=None,
        digest=DIGEST,
        sources=[Source("A", "x", STAMP)],
        replaces=STAMP,
        hint=None,
        cause="because",
    )


def test_every_holder_that_is_up_is_a_source_but_the_target_itself():
    file = with_b(HELD)
    order = work.order(file, C, 5, WORLD, UP)

    assert isinstance(order, Put)
    assert [source.entry for source in order.sources] == ["A", "B"]
    half = work.order(file, C, 5, WORLD, 0b110)
    assert isinstance(half, Put)
    assert [source.entry for source in half.sources] == ["B"]


def test_a_put_waits_until_a_source_is_up():
    assert work.order(FILE, B, 5, WORLD, 0b110) is None
    assert work.order(FILE, B, 5, without(WORLD, A), UP) is None


@pytest.mark.parametrize("kind", [Kind.DIRECTORY, Kind.LINK])
def test_folders_and_links_need_no_source(kind):
    order = work.order(replace(FILE, kind=kind, target="t"), B, 5, WORLD, 0)

    assert isinstance(order, Put)
    assert (order.kind, order.target, order.sources) == (kind, "t", [])


def test_content_that_lies_there_under_another_name_needs_no_source():
    hint = ("old", STAMP)
    order = work.order(with_b(Copy(hint=hint)), B, 5, WORLD, 0)

    assert isinstance(order, Put)
    assert (order.hint, order.sources) == (hint, [])


def test_nothing_is_put_over_what_lost_a_conflict_before_it_is_kept():
    loser = replace(STALE, doubt=Doubt.ASIDE, aside="y")
    file = replace(with_b(STALE), copies={A: HELD, B: STALE, C: loser})

    assert work.order(file, B, 5, WORLD, UP) is None
    another = replace(loser, version={C: 9})
    kept = replace(file, copies={**file.copies, C: another})
    assert isinstance(work.order(kept, B, 5, WORLD, UP), Put)
    absent = replace(file, copies={A: HELD, C: loser})
    assert isinstance(work.order(absent, B, 5, WORLD, UP), Put)


def test_the_simple_orders():
    aside = replace(STALE, doubt=Doubt.ASIDE, aside="y")
    folder = with_b(replace(STALE, kind=Kind.DIRECTORY), GONE)

    assert work.order(folder, B, 5, WORLD, UP) == Delete(
        5, "x", Kind.DIRECTORY, STAMP, "because"
    )
    assert work.order(with_b(replace(HELD, meta=-1)), B, 5, WORLD, UP) == Amend(
        5, "x", STAMP, 0o644, 1, "because"
    )
    assert work.order(with_b(aside), B, 5, WORLD, UP) == SetAside(
        5, "x", STAMP, "y", "because"
    )
    assert work.order(with_b(HELD), B, 5, WORLD, UP) is None


def test_a_copy_in_doubt_is_read_where_it_lies():
    doubtful = replace(STALE, doubt=Doubt.COMPARING)

    assert work.order(with_b(doubtful), B, 5, WORLD, UP) == Inspect(
        5, "x", STAMP, digest=True, mime=False, cause="because"
    )


def test_only_one_holder_is_asked_to_read_the_newest():
    file = with_b(HELD, replace(FILE, mime_wanted=True))

    assert isinstance(work.order(file, A, 5, WORLD, UP), Inspect)
    assert work.order(file, B, 5, WORLD, UP) is None
    first_is_down = work.order(file, B, 5, WORLD, 0b110)
    assert isinstance(first_is_down, Inspect)
    assert (first_is_down.digest, first_is_down.mime) == (False, True)


@pytest.mark.parametrize(
    ("file", "needed"),
    [
        (with_b(replace(STALE, doubt=Doubt.COMPARING)), False),  # It is known.
        (with_b(STALE, replace(FILE, digest=None)), False),  # Nobody asks.
        (
            with_b(replace(STALE, doubt=Doubt.COMPARING), replace(FILE, digest=None)),
            True,
        ),
        # Of another size, or nothing like a file: the digest would tell nothing.
        (
            with_b(
                replace(STALE, doubt=Doubt.COMPARING, stamp=Stamp(size=4)),
                replace(FILE, digest=None),
            ),
            False,
        ),
        (
            with_b(Copy(doubt=Doubt.COMPARING), replace(FILE, digest=None)),
            False,
        ),
        (
            with_b(
                replace(STALE, doubt=Doubt.COMPARING),
                replace(FILE, digest=None, kind=Kind.LINK),
            ),
            False,
        ),
    ],
)
def test_when_the_newest_has_to_be_read(file, needed):
    assert work.needs_digest(file, A) == needed


def test_what_failed_waits_for_its_time():
    trouble = Trouble("no room", attempts=1, retry_at=NOW + 1)
    file = with_b(Copy(trouble=trouble))

    assert work.task(file, B, WORLD) is Task.PUT
    assert work.order(file, B, 5, WORLD, UP) is None
    later = a_world(TO_ALL, now=NOW + 1)
    assert isinstance(work.order(file, B, 5, later, UP), Put)
    assert isinstance(work.order(file, C, 5, WORLD, UP), Put)  # Nobody else waits.


def test_a_story_needs_each_copy_once():
    story = Story(WORLD, "A:one").settle()

    assert [story.order(slot) for slot in (A, B, C)] == [None] * 3
