"""What a worker says: from any thread, with secrets masked, on a disk that is full."""

import asyncio
import errno
import os

import pytest

from syncd.child import telling
from syncd.child.telling import Telling
from syncd.core.errand import Advance
from syncd.core.job import Progress


@pytest.fixture
async def told() -> list[Advance]:
    return []


@pytest.fixture
async def say(tmp_path, told):
    say = Telling(tmp_path / "log", ["hush", ""], told.append)
    yield say
    say.close()


async def test_lines_come_into_the_log_in_order_and_masked(say, told, tmp_path):
    say.line("one")
    await asyncio.to_thread(say.line, "two hush\nthree")
    say.line("")
    say.flush()

    log = (tmp_path / "log").read_text()
    assert log == "one\ntwo ********\nthree\n\n"
    assert told[-1].logged == len(log)
    assert say.tail(2) == ["three", ""]


async def test_more_may_be_masked_later(say, tmp_path):
    say.line("later")
    say.hide(["later"])
    say.line("later, and hush")
    say.flush()

    assert (tmp_path / "log").read_text() == "later\n********, and ********\n"


async def test_progress_is_told_now_and_then_and_the_last_of_it_for_sure(say, told):
    for number in range(1000):
        say.progress(Progress(items=number))
    assert told == []
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.01)

    assert [advance.progress.items for advance in told] == [999]


async def test_a_second_log_gets_what_is_said_while_it_is_wanted(say, tmp_path):
    say.line("before")
    say.also(tmp_path / "vault")
    say.line("during")
    say.also(None)
    say.line("after")
    say.flush()

    assert (tmp_path / "vault").read_text() == "during\n"
    assert (tmp_path / "log").read_text() == "before\nduring\nafter\n"


async def test_a_log_that_cannot_be_written_stops_nothing(say, tmp_path, monkeypatch):
    write = os.write

    def full(file: int, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    say.line("lost")
    say.flush()
    monkeypatch.setattr(os, "write", write)
    say.line("kept")
    say.flush()

    assert (tmp_path / "log").read_text() == "(1 lines could not be written)\nkept\n"


async def test_a_log_has_an_end(say, tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "LOG_MOST", 10)
    for _ in range(5):
        say.line("123456")
        say.flush()

    log = (tmp_path / "log").read_bytes()
    assert log == b"123456\n123\n" + telling.CUT


async def test_a_log_goes_on_where_an_earlier_attempt_ended(tmp_path, told):
    (tmp_path / "log").write_text("first\n")
    say = Telling(tmp_path / "log", [], told.append)
    say.line("second")
    say.close()

    assert (tmp_path / "log").read_text() == "first\nsecond\n"
    assert told[-1].logged == 13
