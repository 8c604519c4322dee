"""What goes into one transaction, of what entries have said."""

from typing import Any

import pytest

from syncd import wire
from syncd.core.change import Gone
from syncd.replication import incoming
from syncd.replication.batch import Ended, Reported

GREETING = (0, wire.Walked(True, 0.1, 0))
ENDED = Ended(0, 1, [])


def told(number: int, *, ordered: bool = False) -> Reported:
    return Reported(0, number, [Gone("a"), Gone("b")], ordered=ordered)


def test_what_is_told_comes_as_it_was_said():
    said: dict[str, Any] = {
        "changes": [Gone("a")],
        "at": 5.0,
        "ahead": 4,
        "more": True,
        "ordered": True,
    }

    changes = wire.Changes(number=3, **said)
    assert incoming.reported(1, changes) == Reported(slot=1, number=3, **said)


@pytest.mark.parametrize(
    ("waiting", "number"),
    [
        ([], 0),
        ([GREETING, told(1)], 0),
        ([told(1), ENDED, GREETING, told(2)], 2),
        ([told(1), told(2), told(3)], 2),
        ([told(1), told(2, ordered=True)], 1),
        ([ENDED, told(2, ordered=True)], 1),
        ([told(1, ordered=True), told(2, ordered=True), told(3)], 2),
        ([told(1, ordered=True), ENDED], 1),
    ],
)
def test_what_goes_together(monkeypatch: pytest.MonkeyPatch, waiting, number):
    monkeypatch.setattr(incoming, "MOST", 4)

    assert incoming.together(waiting) == waiting[:number]
