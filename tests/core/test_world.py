"""Who there is, and what the rules say of a file."""

from msgspec.structs import replace

from syncd.core.file import Copy, Doubt, File, Kind
from syncd.core.ignoring import Ignored
from syncd.core.world import World
from tests.core.story import NOW, TO_ALL, A, B, a_world, without

FILE = File(id=1, path="photos/x.jpg", kind=Kind.FILE, size=10, origin=0b1)


def test_every_configured_entry_has_its_bit():
    assert a_world().slots == 0b111
    assert without(a_world(), B).slots == 0b101


def test_owners_begin_with_where_the_file_was_made():
    assert a_world().judge(FILE, 1 << A).owners == 0b001
    assert a_world(TO_ALL).judge(FILE, 1 << B).owners == 0b111


def test_rules_hear_of_everything_they_may_ask():
    rule = {
        "match": {
            "path": "/photos/",
            "mime": ["image/*"],
            "size": {"min": 10, "max": 10},
            "age": {"min": "1d"},
            "from": ["A"],
        },
        "sync": ["C"],
    }
    fitting = replace(FILE, mime="image/jpeg", mtime_ns=int((NOW - 90_000) * 1e9))
    world = a_world(rule)

    assert world.judge(fitting, 0b1).owners == 0b101
    for wrong in (
        replace(fitting, path="x.jpg"),
        replace(fitting, mime="text/plain"),
        replace(fitting, size=11),
        replace(fitting, mtime_ns=int(NOW * 1e9)),
    ):
        assert world.judge(wrong, 0b1).owners == 0b1
    assert world.judge(fitting, 0b10).owners == 0b10


def test_a_folder_is_asked_as_a_folder():
    rule = {"match": {"size": {"min": 1}}, "sync": ["C"]}
    folder = replace(FILE, kind=Kind.DIRECTORY, size=0)

    assert a_world(rule).judge(FILE, 0b1).owners == 0b101
    assert a_world(rule).judge(folder, 0b1).owners == 0b001


def test_an_entry_never_owns_what_it_ignores():
    world = replace(a_world(TO_ALL), ignored={B: Ignored(["*.jpg", "cache/"])})
    folder = replace(FILE, path="cache", kind=Kind.DIRECTORY)

    assert world.judge(FILE, 1 << A).owners == 0b101
    assert world.judge(FILE, 1 << B).owners == 0b101
    assert world.judge(replace(FILE, path="x.png"), 1 << A).owners == 0b111
    assert world.judge(folder, 1 << A).owners == 0b101
    assert world.judge(replace(FILE, path="cache"), 1 << A).owners == 0b111


def test_an_entry_does_not_own_a_version_that_it_let_go():
    unsure = a_world(TO_ALL, {"match": {"mime": "image/*"}, "ban": ["B", "C"]})
    let_go = replace(FILE, copies={B: Copy(doubt=Doubt.LET_GO)})

    assert a_world(TO_ALL).judge(let_go, 1 << A).owners == 0b101
    assert unsure.judge(let_go, 1 << A).undecided == 0b100


def test_it_is_known_which_pattern_an_entry_ignores_a_file_by():
    world = replace(a_world(TO_ALL), ignored={B: Ignored(["*.jpg", "photos/"])})
    folder = replace(FILE, path="photos", kind=Kind.DIRECTORY)

    assert world.ignoring(FILE, B) == "photos/"
    assert world.ignoring(FILE, A) is None
    assert world.ignoring(folder, B) == "photos/"
    assert world.ignoring(replace(FILE, path="photos"), B) is None


def test_nobody_waits_for_a_mime_type_for_an_entry_that_ignores_the_file():
    rule = {"match": {"mime": "image/*"}, "sync": ["B"]}
    world = a_world(rule)

    assert world.judge(FILE, 1 << A).needs_mime
    ignoring = replace(world, ignored={B: Ignored(["*.jpg"])})
    assert not ignoring.judge(FILE, 1 << A).needs_mime


def test_people_are_told_what_each_rule_did():
    world = a_world(TO_ALL, {"ban": ["B"]})
    steps = world.explain(replace(FILE, origin=0b1001))

    assert [step.added for step in steps] == [("B", "C"), ()]
    assert [step.removed for step in steps] == [(), ("B",)]


def test_an_entry_that_is_not_configured_any_more_is_no_origin():
    world: World = without(a_world({"sync": ["B"]}), A)
    (step,) = world.explain(FILE)

    assert step.added == ("B",)
