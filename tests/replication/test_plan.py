"""What other rules would do, counted per entry."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncd.core.file import Copy, File, Kind, Stamp
from syncd.core.ignoring import Ignored
from syncd.core.rules import Rules, parse
from syncd.core.world import Member, World
from syncd.replication.plan import Plan, Planner, Share, Some, Total, plan

NAMES = {2: "A", 0: "B", 5: "C"}
A, B, C = 4, 1, 32
SLOTS = {name: slot for slot, name in NAMES.items()}
NOW = 1_700_000_000.0
VERSION = {2: 1}
HELD = Copy(version=VERSION, stamp=Stamp(size=10))
FILE = File(
    id=1,
    path="a/b.txt",
    size=10,
    version=VERSION,
    origin=A,
    owners=A,
    mime="text/plain",
    copies={2: HELD},
)
ALL_B = {"sync": ["B"]}


def world_of(*rules: Any, **ignored: Ignored) -> World:
    return World(
        members={slot: Member(name) for slot, name in NAMES.items()},
        rules=Rules(parse({"rules": list(rules)}, None), SLOTS),
        now=NOW,
        ignored={SLOTS[name]: patterns for name, patterns in ignored.items()},
    )


def planned(*files: File, rules=(ALL_B,), **ignored: Ignored) -> Plan:
    return plan(files, world_of(*rules, **ignored))


def test_nothing_changes():
    assert planned(FILE, rules=()) == Plan(
        {"A": Share(), "B": Share(), "C": Share()}, Total(files=1)
    )


def test_a_file_gets_an_owner():
    result = planned(FILE)

    one = Some(1, 10, ("a/b.txt",))
    assert result.entries["B"] == Share(copy=one)
    assert result.entries["A"] == result.entries["C"] == Share()
    assert result.total == Total(files=1, copy=one)


def test_what_is_on_its_way_already_is_no_news():
    assert planned(replace(FILE, owners=A | B)).total == Total(files=1)


def test_what_lies_there_already_is_adopted():
    there = replace(FILE, copies={2: HELD, 0: HELD})
    old = replace(FILE, copies={2: HELD, 0: Copy(version={}, stamp=Stamp(size=10))})

    assert planned(there).entries["B"].copy == Some()
    assert planned(old).entries["B"].copy.files == 1


def test_a_file_loses_an_owner():
    owned = replace(FILE, owners=A | B, copies={2: HELD, 0: HELD})
    let_go = replace(FILE, copies={2: HELD, 0: HELD})

    assert planned(owned, rules=[]).entries["B"] == Share(
        stop=Some(1, 10, ("a/b.txt",))
    )
    assert planned(let_go, rules=[]).total == Total(files=1)


def test_banned_from_where_it_was_made():
    result = planned(FILE, rules=[{"ban": ["A"]}])

    assert result.entries["A"].stop.files == 1


def test_what_depends_on_an_unknown_type_is_undecided():
    unknown = replace(FILE, mime=None, owners=A | B | C)
    rules = [
        {"match": {"mime": "image/*"}, "sync": ["B"]},
        {"match": {"mime": "image/*"}, "ban": ["A"]},
    ]
    result = planned(unknown, FILE, rules=rules)

    assert {name: one.undecided for name, one in result.entries.items()} == {
        "A": 1,
        "B": 1,
        "C": 0,
    }
    assert result.entries["C"].stop.files == 1
    assert result.entries["A"].stop == result.entries["B"].stop == Some()
    assert result.entries["B"].copy == Some()
    assert result.total.undecided == 1
    assert result.total.files == 2


def test_what_an_entry_ignores_it_neither_gets_nor_waits_for():
    owned = replace(FILE, owners=A | B, copies={2: HELD, 0: HELD})
    unknown = replace(FILE, mime=None)
    images = {"match": {"mime": "image/*"}, "sync": ["B", "C"]}
    texts = Ignored(["*.txt"])

    assert planned(FILE, B=texts).total == Total(files=1)
    assert planned(owned, B=texts).entries["B"].stop.files == 1
    assert planned(replace(FILE, path="b.png"), B=texts).entries["B"].copy.files == 1
    result = planned(unknown, rules=[images], B=texts)
    assert (result.entries["B"].undecided, result.entries["C"].undecided) == (0, 1)


def test_folders_and_deleted_files_are_not_counted():
    folder = replace(FILE, kind=Kind.DIRECTORY)

    assert planned(folder, replace(FILE, deleted=True)).total == Total()


def test_entries_that_are_gone_do_not_matter():
    elsewhere = replace(FILE, origin=A | 2, owners=A | 2, copies={2: HELD, 1: HELD})

    assert planned(elsewhere, rules=[{"sync": ["gone"]}]).total == Total(files=1)


def test_a_few_examples_are_given_for_people():
    files = [replace(FILE, path=f"{n}\U0010feff") for n in range(9)]
    some = planned(*files).entries["B"].copy

    assert (some.files, some.bytes) == (9, 90)
    assert some.examples == tuple(rf"{n}\xff" for n in range(5))


def test_a_plan_is_a_document_in_the_order_of_the_entries():
    document: Any = planned(FILE).document()

    empty = {"files": 0, "bytes": 0, "examples": []}
    one = {"files": 1, "bytes": 10, "examples": ["a/b.txt"]}
    assert json.loads(json.dumps(document)) == {
        "entries": {
            "A": {"copy": empty, "stop": empty, "undecided": 0},
            "B": {"copy": one, "stop": empty, "undecided": 0},
            "C": {"copy": empty, "stop": empty, "undecided": 0},
        },
        "total": {"files": 1, "copy": one, "stop": empty, "undecided": 0},
    }
    assert list(document["entries"]) == ["A", "B", "C"]


MASKS = st.sampled_from([0, A, B, C, A | B, A | B | C])
FILES = st.builds(
    lambda size, origin, owners, held: replace(
        FILE,
        size=size,
        origin=origin,
        owners=owners,
        copies={slot: HELD for slot in NAMES if held >> slot & 1},
    ),
    st.integers(0, 10),
    MASKS,
    MASKS,
    MASKS,
)


@given(st.lists(FILES, max_size=6), st.integers(0, 6))
def test_batches_add_up(files, cut):
    world = world_of(ALL_B, {"ban": ["C"]})
    planner = Planner(world)
    planner.add(files[:cut])
    planner.add(files[cut:])
    result = planner.result()

    assert result == plan(files, world)
    for part in ("copy", "stop"):
        shares = [getattr(one, part) for one in result.entries.values()]
        total = getattr(result.total, part)
        assert total.files == sum(one.files for one in shares)
        assert total.bytes == sum(one.bytes for one in shares)


@given(st.lists(FILES, max_size=6))
def test_once_done_nothing_is_left_to_do(files):
    world = world_of(ALL_B, {"ban": ["C"]})
    done = [replace(file, owners=(file.origin | B) & ~C) for file in files]

    assert plan(done, world).total == Total(files=len(files))
