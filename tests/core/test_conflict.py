"""Which of two contents keeps the name, and what the other is called."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core import path as paths
from syncd.core.conflict import SKEW, candidate_wins, is_for_people, name
from syncd.core.file import Copy, Doubt, File, Kind, Stamp
from syncd.core.world import Member
from tests.core.story import NOW, A, B, C, a_world

SECOND = 1_000_000_000
TODAY = int(NOW) * SECOND
OLD, NEW, LATER = TODAY - 9, TODAY - 5, TODAY + int(SKEW) * SECOND + SECOND
LOW, HIGH = b"a" * 32, b"b" * 32


def wins(
    candidate: dict[str, Any], newest: dict[str, Any], **members: Any
) -> bool | None:
    """Tell whether what B found wins over what A made."""
    fact: dict[str, Any] = {
        "kind": Kind.FILE,
        "size": 5,
        "mtime": NEW,
        "digest": None,
        "target": None,
    }
    one, other = fact | candidate, fact | newest
    copy = Copy(
        stamp=Stamp(one["size"], one["mtime"]),
        kind=one["kind"],
        digest=one["digest"],
        target=one["target"],
    )
    file = File(
        id=1,
        path="x",
        kind=other["kind"],
        size=other["size"],
        mtime_ns=other["mtime"],
        digest=other["digest"],
        target=other["target"],
        version={A: 1},
        origin=1 << A,
        copies={B: copy},
    )
    return candidate_wins(file, B, a_world(**members))


FOLDER = {"kind": Kind.DIRECTORY, "size": 0}
LINK = {"kind": Kind.LINK, "size": 0}


@pytest.mark.parametrize(
    ("candidate", "newest", "expected"),
    [
        # A folder keeps its name against anything else, however late that is.
        (FOLDER | {"mtime": OLD}, {}, True),
        ({}, FOLDER | {"mtime": OLD}, False),
        # The later time wins ...
        ({"mtime": NEW}, {"mtime": OLD}, True),
        ({"mtime": OLD}, {"mtime": NEW}, False),
        # ... unless it lies in the future by more than a clock may be wrong.
        ({"mtime": LATER}, {"mtime": OLD}, False),
        ({"mtime": OLD}, {"mtime": LATER}, True),
        ({"mtime": LATER - 2 * SECOND}, {"mtime": NEW}, True),
        # Equal times, or none to be believed: the content decides.
        ({"size": 6}, {"size": 5}, True),
        ({"size": 5}, {"size": 6}, False),
        ({"size": 6, "mtime": LATER}, {"mtime": LATER + 9}, True),
        ({"digest": HIGH}, {"digest": LOW}, True),
        ({"digest": LOW}, {"digest": HIGH}, False),
        # A file rather than a link; links by where they point.
        ({}, LINK | {"target": "a"}, True),
        (LINK | {"target": "a"}, {}, False),
        (LINK | {"target": "b"}, LINK | {"target": "a"}, True),
        (LINK | {"target": "a"}, LINK | {"target": "b"}, False),
        # Nobody has read one of them: that must be done first.
        ({"digest": HIGH}, {}, None),
        ({}, {"digest": HIGH}, None),
    ],
)
def test_who_wins(candidate, newest, expected):
    assert wins(candidate, newest) is expected


LARGER, SMALLER = {"size": 9, "mtime": OLD}, {"size": 5, "mtime": NEW}


@pytest.mark.parametrize(
    ("members", "candidate", "newest", "expected"),
    [
        # The larger content, whichever of the two entries wishes so.
        ({"A": Member("A", larger=True)}, LARGER, SMALLER, True),
        ({"B": Member("B", larger=True)}, SMALLER, LARGER, False),
        ({"C": Member("C", larger=True)}, LARGER, SMALLER, False),
        ({"A": Member("A", larger=True)}, {"mtime": OLD}, {"mtime": NEW}, False),
        # The content of the entry that stands first in a list.
        ({"A": Member("A", prefer=("B",))}, {"mtime": OLD}, {}, True),
        ({"A": Member("A", prefer=("B", "A"))}, {"mtime": OLD}, {}, True),
        ({"B": Member("B", prefer=("A", "B"))}, {}, {"mtime": OLD}, False),
        # A list that names neither decides nothing.
        ({"A": Member("A", prefer=("C",))}, {"mtime": NEW}, {"mtime": OLD}, True),
        # Two wishes: that of the first entry counts.
        (
            {"A": Member("A", prefer=("A",)), "B": Member("B", larger=True)},
            LARGER,
            SMALLER,
            False,
        ),
        # The sizes of links are those of their targets.
        (
            {"A": Member("A", larger=True)},
            {"kind": Kind.LINK, "size": 99, "target": "t", "mtime": OLD},
            {"kind": Kind.LINK, "size": 2, "target": "tt", "mtime": OLD},
            False,
        ),
    ],
)
def test_what_entries_wish(members, candidate, newest, expected):
    assert wins(candidate, newest, **members) is expected


MANUAL = {"A": Member("A", manual=True)}


@pytest.mark.parametrize(
    ("copy", "members", "expected"),
    [
        # Both sides are asked, and nobody else ...
        ({}, MANUAL, True),
        ({}, {"B": Member("B", manual=True)}, True),
        ({}, {"C": Member("C", manual=True)}, False),
        ({}, {}, False),
        # ... until it waits: then everyone who has something there is.
        ({"doubt": Doubt.DISPUTED}, {"C": Member("C", manual=True)}, True),
        ({"doubt": Doubt.DISPUTED}, {"B": Member("B", manual=True)}, True),
        ({"doubt": Doubt.DISPUTED}, {}, False),
        # What lies in a folder cannot wait.
        ({"kind": Kind.DIRECTORY}, MANUAL, False),
        ({"kind": Kind.LINK}, MANUAL, True),
    ],
)
def test_who_leaves_it_to_people(copy, members, expected):
    there = Copy(stamp=Stamp(5, NEW), kind=Kind.FILE)
    file = File(
        id=1,
        path="x",
        size=6,
        version={A: 1},
        origin=1 << A,
        copies={B: replace(there, **copy), C: there},
    )

    assert is_for_people(file, B, a_world(**members)) is expected


def test_entries_that_are_not_configured_wish_nothing():
    copy = Copy(stamp=Stamp(9, OLD), kind=Kind.FILE)
    world = a_world(A=Member("A", prefer=("B",)))
    file = File(
        id=1, path="x", size=5, mtime_ns=NEW, version={7: 1}, origin=1 << 7, copies={}
    )
    file = replace(file, copies={9: copy})

    assert candidate_wins(file, 9, world) is False
    assert candidate_wins(replace(file, origin=1 << A), 9, world) is False
    assert candidate_wins(replace(file, origin=0, copies={B: copy}), B, world) is False


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.txt", "a.sync-conflict-20231114-221320-A.txt"),
        ("d/e/a.txt", "d/e/a.sync-conflict-20231114-221320-A.txt"),
        ("README", "README.sync-conflict-20231114-221320-A"),
        ("d.d/README", "d.d/README.sync-conflict-20231114-221320-A"),
        (".bashrc", ".bashrc.sync-conflict-20231114-221320-A"),
        (".a.toml", ".a.sync-conflict-20231114-221320-A.toml"),
        ("a.tar.gz", "a.tar.sync-conflict-20231114-221320-A.gz"),
        ("a.", "a.sync-conflict-20231114-221320-A."),
        (
            "a." + "x" * 65,
            f"a.{'x' * 65}.sync-conflict-20231114-221320-A",
        ),
    ],
)
def test_what_a_loser_is_called(path, expected):
    assert name(path, "A", NOW) == expected


PARTS = st.text(min_size=1, max_size=90).filter(lambda t: not set(t) & {"/", "\0"})
DISK_NAMES = st.one_of(
    PARTS.map(str.encode),
    st.binary(min_size=1, max_size=255).filter(lambda n: not set(n) & {0, 0x2F}),
).map(lambda n: n[:255])


@given(DISK_NAMES, PARTS.filter(lambda t: len(t.encode()) <= 100))
@example(b"a." + b"x" * 253, "B" * 100)
@example(b"x" * 253 + b".a", "B" * 100)
@example("ä".encode() * 127, "B" * 100)
@example("\U0010fe80".encode() * 63, "A")
@example(b"\xff" * 255, "A")
def test_the_name_of_a_loser_fits_every_file_system(raw, entry):
    path = paths.from_bytes(raw)
    loser = name(f"d/{path}", entry, NOW)
    last = paths.to_bytes(paths.name(loser))

    assert paths.parent(loser) == "d"
    assert len(last) <= 255
    assert paths.from_bytes(last) == paths.name(loser)
    assert b".sync-conflict-20231114-221320-" in last
    assert not paths.is_reserved(loser) or paths.is_reserved(path)


@given(DISK_NAMES)
def test_a_short_extension_stays(raw):
    path = paths.from_bytes(raw)
    stem, _, extension = path.rpartition(".")
    if stem and len(paths.to_bytes(extension)) <= 64:
        assert name(path, "A", NOW).endswith(f"-A.{extension}")
