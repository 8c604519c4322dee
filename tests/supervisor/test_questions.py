"""Questions to children, and what becomes of them."""

import asyncio

import pytest

from syncd import wire
from syncd.core.file import Kind
from syncd.core.keeping import Kept, Loss, Wish
from syncd.errors import Unavailable
from syncd.supervisor import questions
from syncd.supervisor.questions import Questions


def kept(path: str) -> Kept:
    return Kept(path, f"place of {path}", 7, Kind.FILE, 1, 1, Loss.DELETED)


class Line:
    def __init__(self) -> None:
        self.sent: list[tuple[str, wire.Down]] = []
        self.deaf = False

    def send(self, name: str, message: wire.Down) -> bool:
        self.sent.append((name, message))
        return not self.deaf


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def asking(line: Line) -> Questions:
    return Questions(line.send)


async def test_an_answer_comes_in_pages(asking, line):
    task = asyncio.create_task(asking.recall("B", "d", below=True))
    await asyncio.sleep(0)
    [(name, asked)] = line.sent
    assert (name, asked) == ("B", wire.Recall(asked.id, "d", below=True))
    asking.hear(wire.Recalled(asked.id, [kept("a"), kept("b")], last=False))
    asking.hear(wire.Recalled(asked.id + 1, [kept("x")], last=True))
    asking.hear(wire.Recalled(asked.id, [kept("c")], last=False))
    asking.hear(wire.Recalled(asked.id, [], last=True))

    assert [one.path for one in await task] == ["a", "b", "c"]
    asking.hear(wire.Recalled(asked.id, [kept("late")], last=True))


async def test_each_answer_goes_to_who_asked(asking, line):
    tasks = [asyncio.create_task(asking.recall(name, "x")) for name in ("A", "B")]
    await asyncio.sleep(0)
    for name, asked in reversed(line.sent):
        asking.hear(wire.Recalled(asked.id, [kept(name)], last=False))
        asking.hear(wire.Recalled(asked.id, [], last=True))

    assert [[one.path for one in found] for found in await asyncio.gather(*tasks)] == [
        ["A"],
        ["B"],
    ]


async def test_what_came_of_wishes(asking, line):
    wishes = [Wish("a", "x"), Wish("b", "y")]
    task = asyncio.create_task(asking.undo("B", wishes, "cause"))
    await asyncio.sleep(0)
    [(_, asked)] = line.sent
    assert asked == wire.Undo(asked.id, wishes, "cause")
    asking.hear(wire.Undone(asked.id, [None, "no"]))

    assert await task == [None, "no"]


async def test_a_child_that_cannot_tell(asking, line):
    task = asyncio.create_task(asking.recall("B", "x"))
    await asyncio.sleep(0)
    asking.hear(wire.Recalled(line.sent[0][1].id, [], last=True, trouble="it rests"))

    with pytest.raises(Unavailable, match="it rests"):
        await task


@pytest.mark.parametrize("question", ["recall", "undo"])
async def test_nobody_there(asking, line, question):
    line.deaf = True
    with pytest.raises(Unavailable, match="it is not running"):
        await (
            asking.recall("B", "x")
            if question == "recall"
            else asking.undo("B", [Wish("a", "x")], "")
        )


async def test_a_child_that_dies(asking, line):
    tasks = [asyncio.create_task(asking.recall(name, "x")) for name in ("A", "B")]
    await asyncio.sleep(0)
    asking.lost("B")
    asking.hear(wire.Recalled(line.sent[0][1].id, [], last=True))

    assert await tasks[0] == []
    with pytest.raises(Unavailable, match="it stopped before it had answered"):
        await tasks[1]


async def test_a_child_that_says_nothing(asking, monkeypatch):
    monkeypatch.setattr(questions, "PATIENCE", 0.01)

    with pytest.raises(Unavailable, match="no answer within"):
        await asking.undo("B", [Wish("a", "x")], "")


async def test_nothing_is_left_of_what_was_called_off(asking):
    task = asyncio.create_task(asking.recall("B", "x"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert asking._waiting == {}
