"""What records look like in answers."""

import base64

from msgspec.structs import replace

from syncd.api import views
from syncd.api.rooms import ConflictState, FileState
from syncd.core import path as paths
from syncd.core.file import Kind, Trouble
from syncd.core.world import Member
from syncd.wire import Figures
from tests.core.story import TO_ALL, B, Story, a_world, without

WORLD = a_world(TO_ALL, A=Member("A", manual=True))


def test_a_file():
    file = replace(Story(WORLD, "A:one B!").file, conflict_of="y", mime="text/plain")
    view = views.file(file, WORLD)

    assert (view.fid, view.filename, view.size) == (paths.fid("x"), "x", 3)
    assert (view.owners, view.uptodate) == (["A", "B", "C"], ["A", "B"])
    assert (view.kind, view.mimetype, view.conflict_of) == (
        Kind.FILE,
        "text/plain",
        "y",
    )
    assert view.digest == b"one".ljust(32, b"\0").hex()
    assert view.filename_base64 is None


def test_a_name_that_is_no_text():
    file = replace(Story(WORLD, "A:one").file, path=paths.from_bytes(b"\xff"))
    view = views.file(file, WORLD)

    assert view.filename == r"\xff"
    assert base64.b64decode(view.filename_base64 or "") == b"\xff"


def test_how_far_a_file_is():
    pending, done = Story(WORLD, "A:one"), Story(WORLD, "A:one B! C!")
    full = replace(done.file.copies[B], trouble=Trouble("full", 1, 1.0, blocked=True))
    states = {
        FileState.PENDING: pending.file,
        FileState.UPTODATE: done.file,
        FileState.BLOCKED: replace(done.file, copies={**done.file.copies, B: full}),
    }

    for state, file in states.items():
        assert views.file(file, WORLD).state is state
    kept = replace(done.file, conflict_of="y")
    assert views.file(kept, WORLD).state is FileState.CONFLICT
    disputed = Story(WORLD, "A:one B:two").file
    assert views.file(disputed, WORLD).state is FileState.CONFLICT
    assert views.file(disputed, without(WORLD, B)).state is FileState.PENDING


def test_what_was_kept():
    kept = replace(Story(WORLD, "A:one").file, conflict_of="d/y")
    view = views.conflict(kept, WORLD)

    assert (view.state, view.conflict_of) == (ConflictState.KEPT, "d/y")
    assert (view.conflict_of_fid, view.sides) == (paths.fid("d/y"), [])
    assert (view.owners, view.uptodate) == (["A", "B", "C"], ["A"])


def test_what_waits_for_a_person():
    view = views.conflict(Story(WORLD, "A:one B:->there").file, WORLD)
    one, other = view.sides

    assert (view.state, view.conflict_of) == (ConflictState.DISPUTED, None)
    assert (one.entry, one.kind, one.size, one.mtime) == ("A", Kind.FILE, 3, 1e-9)
    assert one.digest == b"one".ljust(32, b"\0").hex()
    assert (other.entry, other.kind, other.digest) == ("B", Kind.LINK, None)


def test_how_much_is_watched():
    figures = Figures(3, 1, walking=False, last_walk=None, blocked=0.0, overflows=2)
    none = Figures(0, 0, walking=False, last_walk=None, blocked=0.0)

    assert views.watching(replace(figures, unscanned=7.5)) == {
        "watched": 3,
        "unwatched": 1,
        "watched_ratio": 0.75,
        "oldest_unscanned_seconds": 7.5,
        "overflows": 2,
    }
    assert "watched_ratio" not in views.watching(none)
