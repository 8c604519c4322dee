"""A change as people are told of it, step by step."""

from msgspec.structs import replace

from syncd.api.rooms import StepSaid
from syncd.api.story import MOST, story
from syncd.core.change import (
    Amend,
    Delete,
    Done,
    Failed,
    Found,
    Gone,
    Inspect,
    Order,
    Put,
    SetAside,
    Source,
    Why,
)
from syncd.core.file import Kind, Seen, Stamp
from syncd.replication.chronicle import Kind as Happened
from syncd.replication.chronicle import Step
from tests.core.story import TO_ALL, A, B, C, Story, a_world

WORLD = a_world(TO_ALL)
STAMP = Stamp(size=3)
FILE = replace(Story(WORLD, "A:one").file, cause="why", changed_at=2.0)
PUT = Put(
    1,
    "x",
    Kind.FILE,
    3,
    0,
    0,
    None,
    None,
    [Source("A", "x", STAMP), Source("C", "x", STAMP)],
    None,
    cause="why",
)
NOTICED = Step(1.0, Happened.NOTICED, A, Found(Seen("x", Kind.FILE, STAMP)))
DECIDED = StepSaid(at=2.0, step="decided", what="changed", entries=["A", "B", "C"])


def test_from_the_event_to_the_copies():
    steps = [
        NOTICED,
        Step(3.0, Happened.ORDERED, B, PUT),
        Step(4.0, Happened.ANSWERED, B, PUT, Done(1, None, copied=3)),
        Step(5.0, Happened.ANSWERED, C, PUT, Failed(1, Why.BLOCKED, "no room")),
    ]

    assert story(FILE, WORLD, steps) == [
        StepSaid(at=1.0, step="noticed", what="found", entry="A"),
        DECIDED,
        StepSaid(at=3.0, step="ordered", what="put", entry="B", sources=["A", "C"]),
        StepSaid(at=4.0, step="done", what="put", entry="B", bytes=3),
        StepSaid(at=5.0, step="failed", what="put", entry="C", reason="no room"),
    ]


def test_what_is_forgotten_the_index_tells():
    assert story(FILE, WORLD, []) == [DECIDED]
    assert story(replace(FILE, cause=""), WORLD, []) == []


def test_what_was_decided():
    def decided(**more):
        return story(replace(FILE, **more), WORLD, [])[0].what

    assert decided(deleted=True) == "deleted"
    assert decided(moved_from="old") == "moved"


def test_every_order_has_a_word():
    orders: dict[str, Order] = {
        "put": replace(PUT, sources=[]),
        "delete": Delete(1, "x", Kind.FILE, STAMP),
        "amend": Amend(1, "x", STAMP, 0, 0),
        "set aside": SetAside(1, "x", STAMP, "y"),
        "read": Inspect(1, "x", STAMP, digest=True, mime=False),
    }
    for word, order in orders.items():
        _, said = story(FILE, WORLD, [Step(3.0, Happened.ORDERED, B, order)])
        assert (said.what, said.sources) == (word, [])


def test_what_is_gone_and_what_is_only_renamed():
    gone = Step(1.0, Happened.NOTICED, A, Gone("x"))
    renamed = Step(
        3.0, Happened.ORDERED, B, replace(PUT, hint=("old\U0010feff", STAMP))
    )

    first, _, last = story(FILE, WORLD, [gone, renamed])

    assert first.what == "gone"
    assert last.sources == [r"old\xff on the entry itself"]


def test_an_entry_that_is_configured_no_more_is_left_out():
    assert story(FILE, WORLD, [replace(NOTICED, slot=9)]) == [DECIDED]


def test_endless_attempts_do_not_hide_how_it_began():
    failed = Failed(1, Why.BLOCKED, "no room")
    tries = [Step(3.0 + n, Happened.ANSWERED, B, PUT, failed) for n in range(200)]

    said = story(FILE, WORLD, [NOTICED, *tries])

    assert [one.step for one in said[:2]] == ["noticed", "decided"]
    assert len(said) == 2 + MOST
    assert said[-1].at == 202.0
