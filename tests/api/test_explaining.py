"""A file's story: what is said of it on every entry."""

from typing import Any

from msgspec.structs import replace

from syncd.api.explaining import explained
from syncd.api.rooms import CopySaid, FileState, FileView
from syncd.core.file import Kind
from syncd.core.ignoring import Ignored
from syncd.core.world import Member, OnDelete, World
from tests.core.story import TO_ALL, B, Story, a_world

VIEW = FileView(
    fid="f",
    filename="x",
    size=3,
    owners=[],
    uptodate=[],
    kind=Kind.FILE,
    mtime=0,
    state=FileState.UPTODATE,
)


IGNORING = Member("B", on_delete=OnDelete.IGNORE)


def said(world: World, steps: str, **more: Any) -> dict[str, CopySaid]:
    """Return what is said at the end of a story, by entry."""
    story = Story(world, steps, **more)
    told = explained(story.file, VIEW, world, [TO_ALL], set())
    return {one.entry: one for one in told.entries}


def test_which_pattern_keeps_it_from_an_entry():
    world = replace(a_world(TO_ALL), ignored={B: Ignored(["x"])})
    told = said(world, "A:one")

    assert told["B"].because == "entry B ignores it (pattern x)"
    assert (told["B"].owner, told["B"].state) == (False, "none")
    assert told["C"].because == "rule 1 syncs it here"


def test_who_let_a_version_go_is_told_apart_from_who_never_had_it():
    told = said(a_world(TO_ALL, B=IGNORING), "A:one B! C! B-")

    assert (told["B"].owner, told["B"].state) == (False, "deleted here only")
    assert "on_delete: ignore" in told["B"].because
    again = said(a_world(TO_ALL, B=IGNORING), "A:one B! C! B- A:two")
    assert (again["B"].owner, again["B"].state) == (True, "pending")
    assert again["B"].because == "rule 1 syncs it here"


def test_what_was_moved_tells_from_where():
    file = replace(Story(a_world(TO_ALL), "A:one").file, moved_from="old\U0010feff")

    assert explained(file, VIEW, a_world(), [], set()).moved_from == r"old\xff"


def test_who_disputes_it_and_who_waits():
    world = a_world(TO_ALL, A=Member("A", manual=True))
    told = said(world, "A:one B:two")

    assert told["A"].state == told["B"].state == "disputed: a person has to choose"
    assert (told["C"].state, told["C"].owner) == ("waits for a decision", True)
    alone = a_world({"sync": ["A", "B"]}, A=Member("A", manual=True))
    assert said(alone, "A:one B:two")["C"].state == "none"
