"""When to try again what a storage refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.room import Lack, Room, is_relieved

FULL = Room(free=100, names=5)
CROWDED = Room(free=10_000, names=0)
LOCKED = Room(free=10_000, names=5, read_only=True)


@pytest.mark.parametrize(
    ("at", "now", "relieved"),
    [
        (FULL, FULL, False),
        (FULL, Room(free=900, names=9), False),  # More, but not enough.
        (FULL, Room(free=1000, names=5), True),
        (FULL, Room(free=99, names=5), False),
        (CROWDED, CROWDED, False),
        (CROWDED, Room(free=20_000, names=0), False),
        (CROWDED, Room(free=9_000, names=1), True),
        (LOCKED, LOCKED, False),
        (LOCKED, Room(free=10_000, names=5), True),
        (LOCKED, Room(free=0, names=5), True),  # It will say so itself.
        (FULL, Room(free=10_000, names=5, read_only=True), False),
        (Room(), Room(), False),  # A limit that it does not show.
    ],
)
def test_relief(at: Room, now: Room, relieved: bool):
    assert is_relieved(Lack(at, needed=1000), now) == relieved


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (LOCKED, "read-only"),
        (CROWDED, "takes no more files"),
        (FULL, "100 bytes are free"),
    ],
)
def test_the_obstacle_is_told_in_words(room: Room, words: str):
    assert words in room.obstacle


ROOMS = st.builds(
    Room,
    free=st.integers(0, 3000),
    names=st.integers(0, 3),
    read_only=st.booleans(),
)


@given(ROOMS, st.integers(0, 3000))
def test_nothing_is_tried_again_while_nothing_changes(room: Room, needed: int):
    assert not is_relieved(Lack(room, needed), room)
