"""What people are told of what happened."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from syncd.core import path as paths
from syncd.core.change import (
    Delete,
    Done,
    Failed,
    Outcome,
    Put,
    SetAside,
    Why,
)
from syncd.core.file import Copy, Doubt, File, Kind, Seen, Stamp, Trouble
from syncd.core.outcome import issued
from syncd.replication import headlines
from syncd.replication.batch import Ended, News, Reported, Touched
from syncd.store.files import facts
from tests.core.story import TO_ALL, A, B, a_world, without

WORLD = a_world(TO_ALL)
STAMP = Stamp(size=3)
FILE = File(
    id=1,
    path="d/x",
    size=3,
    version={A: 1},
    origin=0b1,
    owners=0b11,
    copies={A: Copy(version={A: 1}, stamp=STAMP)},
    cause="because",
)
NAMED = {"fid": paths.fid("d/x"), "filename": "d/x", "cause": "because"}
GONE = replace(FILE, deleted=True, version={A: 2})


def said(
    before: File | None = None,
    after: File | None = None,
    *results: tuple[Any, Outcome],
    world=WORLD,
) -> list[tuple[str, dict[str, Any]]]:
    heard: list[tuple[str, dict[str, Any]]] = []
    touched = []
    if after is not None:
        was = facts(before, 0, before.disputed) if before else None
        now = facts(after, 0, after.disputed)
        touched = [Touched(before, was, after, now)]
    ended = [(issued(order, FILE), result) for order, result in results]
    news: list[News] = [Reported(A, 1, []), Ended(B, 0, ended)]

    def say(kind: str, items: Sequence[headlines.Headline]) -> None:
        heard.extend((kind, item.shown()) for item in items)

    headlines.tell(touched, news, world, say)
    return heard


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        (None, FILE, "created"),
        (GONE, replace(FILE, version={A: 3}), "created"),
        (FILE, replace(FILE, version={A: 2}, size=4), "modified"),
        (FILE, replace(FILE, version={A: 2}, cause="another"), "modified"),
        (FILE, GONE, "deleted"),
    ],
)
def test_changes(before, after, action):
    facts = {"cause": after.cause, "size": after.size}
    expected = {**NAMED, **facts, "action": action, "entries": ["A"]}

    assert said(before, after) == [("change", expected)]


def test_what_others_turn_out_to_have_is_adopted_not_modified():
    both = replace(FILE, version={A: 1, B: 1}, origin=0b11)
    elsewhere = replace(FILE, version={A: 1, B: 2}, origin=0b10)
    ((_, told),) = said(FILE, both)

    assert (told["action"], told["entries"]) == ("adopted", ["B"])
    ((_, told),) = said(both, elsewhere)
    assert (told["action"], told["entries"]) == ("modified", ["B"])
    ((_, told),) = said(replace(FILE, origin=0), both)
    assert (told["action"], told["entries"]) == ("modified", ["A", "B"])


def test_a_move_tells_where_from():
    odd = paths.from_bytes(b"\xff")
    moved = replace(FILE, moved_from=odd, cause="a move", version={A: 9})
    again = replace(moved, version={A: 2}, cause="another move")
    bumped = replace(moved, version={A: 2})

    for before, after in ((None, moved), (GONE, moved), (FILE, moved), (moved, again)):
        ((_, told),) = said(before, after)
        assert (told["action"], told["from"]) == ("moved", r"\xff")
        assert told["entries"] == ["A"]
    assert said(moved, bumped) == []
    ((_, told),) = said(moved, replace(bumped, deleted=True))
    assert told["action"] == "deleted"


def test_what_wins_a_conflict_is_no_news():
    assert said(FILE, replace(FILE, version={A: 1, B: 2})) == []


def test_what_waits_for_a_person_is_told_when_it_begins_and_ends():
    side = Copy(version={B: 1}, stamp=STAMP, doubt=Doubt.DISPUTED, kind=Kind.FILE)
    disputed = replace(FILE, copies={**FILE.copies, B: side})
    facts = {**NAMED, "state": "disputed", "entries": ["A", "B"]}

    assert said(FILE, disputed) == [("conflict", facts)]
    assert said(disputed, disputed) == []
    settled = {**facts, "state": "settled", "entries": []}
    assert said(disputed, FILE) == [("conflict", settled)]
    [change, conflict] = said(None, disputed)
    assert (change[0], conflict) == ("change", ("conflict", facts))


def test_a_touch_is_no_news():
    assert said(FILE, replace(FILE, meta=1)) == []
    assert said(FILE, FILE) == []


def test_entries_that_are_not_configured_any_more_are_not_named():
    ((_, told),) = said(None, replace(FILE, origin=0b11), world=without(WORLD, A))

    assert told["entries"] == ["B"]


def test_names_that_are_no_text_are_shown_as_people_can_read_them():
    odd = replace(FILE, path=paths.from_bytes(b"\xff"))
    ((_, told),) = said(None, odd)

    assert told["filename"] == r"\xff"
    assert told["fid"] == paths.fid(odd.path)


PUT = Put(
    id=1,
    path="d/x",
    kind=Kind.FILE,
    size=3,
    mtime_ns=0,
    mode=0o644,
    target=None,
    digest=None,
    sources=[],
    replaces=None,
    cause="because",
)
ASIDE = SetAside(1, "d/x", STAMP, "d/y", "because")
DELETE = Delete(1, "d/x", Kind.FILE, STAMP, "because")
SEEN = Seen("d/y", Kind.FILE, STAMP)


@pytest.mark.parametrize(
    ("order", "result", "expected"),
    [
        (PUT, Done(1, SEEN, copied=3), ("transfer", {"state": "done", "bytes": 3})),
        (
            PUT,
            Failed(1, Why.BLOCKED, "no room"),
            ("transfer", {"state": "failed", "reason": "no room"}),
        ),
        (ASIDE, Done(1, SEEN), ("conflict", {"kept_as": "d/y"})),
    ],
)
def test_results(order, result, expected):
    kind, more = expected

    assert said(None, None, (order, result)) == [(kind, NAMED | {"entry": "B"} | more)]


@pytest.mark.parametrize(
    ("order", "result"), [(DELETE, Done(1, None)), (ASIDE, Done(1, None))]
)
def test_what_goes_without_saying(order, result):
    assert said(None, None, (order, result)) == []


def test_what_is_logged(caplog: pytest.LogCaptureFixture):
    with capture_logs() as lines:
        said(
            None, None, (PUT, Failed(1, Why.BLOCKED, "no room")), (ASIDE, Done(1, SEEN))
        )
        said(None, FILE)
        with caplog.at_level(logging.DEBUG):
            said(None, FILE)

    told = [(line["log_level"], line["action"]) for line in lines]
    assert told == [("warning", "order"), ("warning", "conflict"), ("debug", "change")]
    assert lines[0]["why"] == "blocked"


def test_a_damaged_copy_is_told_once_and_what_becomes_of_it():
    world = replace(WORLD, doubted={B: 1})
    damaged = Copy(stamp=STAMP, doubt=Doubt.DAMAGED)
    alone = replace(damaged, trouble=Trouble("nobody has it", 1, 0.0))
    before = replace(FILE, copies={B: Copy(version={A: 1}, stamp=STAMP)})
    facts = {**NAMED, "entry": "B"}
    del facts["cause"]

    for copy, remedy in ((damaged, "it is fetched anew"), (alone, "nobody has it")):
        after = replace(FILE, copies={B: copy})
        with capture_logs() as lines:
            told = said(before, after, world=world)
            again = said(after, after, world=world)
        assert told == [("damage", facts | {"remedy": remedy})]
        assert again == []
        assert [line["event"] for line in lines] == ["damaged copy"]
    elsewhere = replace(FILE, copies={7: damaged})
    assert said(before, elsewhere, world=world) == []
