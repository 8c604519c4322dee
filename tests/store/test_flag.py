"""How a run knows how the one before it ended."""

import asyncio
import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from syncd.errors import ConfigError, Damaged, NoRoom, Unavailable
from syncd.store import flag
from syncd.store.check import Check
from syncd.store.database import Store
from syncd.store.flag import Ended, Flag, How

HERE, BEFORE = "this boot", "the boot before"


def ended(state: Path, boot: str = HERE) -> Ended:
    return Flag(state, boot).look()


def hoisted(state: Path, boot: str = HERE) -> Flag:
    up = Flag(state, boot)
    up.look()
    up.hoist()
    return up


def at(state: Path, seconds: float) -> None:
    os.utime(state / "running", (seconds, seconds))


def test_before_the_first_run_nothing_has_ended(tmp_path):
    assert ended(tmp_path) == Ended()


@pytest.mark.parametrize(
    ("boots", "orderly", "expected"),
    [
        ((HERE, HERE), True, (How.CLEAN, Check.NONE, False)),
        ((BEFORE, HERE), True, (How.CLEAN, Check.NONE, True)),
        ((HERE, HERE), False, (How.KILLED, Check.QUICK, False)),
        ((BEFORE, HERE), False, (How.POWER_CUT, Check.THOROUGH, True)),
        (("", ""), False, (How.POWER_CUT, Check.THOROUGH, True)),
        (("", HERE), False, (How.POWER_CUT, Check.THOROUGH, True)),
        ((HERE, ""), False, (How.POWER_CUT, Check.THOROUGH, True)),
    ],
)
def test_what_the_next_run_finds(tmp_path, boots, orderly, expected):
    before, now = boots
    up = hoisted(tmp_path, before)
    if orderly:
        up.lower()

    found = ended(tmp_path, now)

    doubts = found.doubted_since is not None
    assert (found.how, found.check, doubts) == expected


def test_contents_of_some_minutes_before_the_last_sign_of_life_are_doubted(tmp_path):
    hoisted(tmp_path, BEFORE)
    at(tmp_path, 1000.5)

    assert ended(tmp_path).doubted_since == int((1000.5 - flag.RECENT) * 1e9)


def test_a_clock_that_began_anew_doubts_everything(tmp_path):
    hoisted(tmp_path, BEFORE)
    at(tmp_path, 10)

    assert ended(tmp_path).doubted_since == 1


def test_looking_leaves_it_as_it_was_until_everything_is_dealt_with(tmp_path):
    """Who dies between looking and hoisting must not hide the power cut."""
    hoisted(tmp_path, BEFORE)

    assert ended(tmp_path) == ended(tmp_path)
    assert ended(tmp_path).how is How.POWER_CUT


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"[]", b'{"boot": 1}'])
def test_a_flag_that_cannot_be_read_stands_for_the_worst(tmp_path, content):
    (tmp_path / "running").write_bytes(content)

    assert ended(tmp_path).how is How.POWER_CUT


def test_damage_is_looked_for_closely_and_the_second_time_replaced(tmp_path):
    up = hoisted(tmp_path)
    up.note_damage()
    first = ended(tmp_path)

    up = Flag(tmp_path, HERE)
    up.look()
    up.hoist(damaged=first.damaged)
    up.note_damage()
    second = ended(tmp_path)

    assert (first.check, second.check) == (Check.THOROUGH, Check.REPLACE)
    hoisted(tmp_path).lower()
    assert ended(tmp_path).check is Check.NONE


def test_damage_found_before_hoisting_does_not_hide_the_power_cut(tmp_path):
    hoisted(tmp_path, BEFORE)
    found_at_once = Flag(tmp_path, HERE)
    found_at_once.look()

    found_at_once.note_damage()

    assert ended(tmp_path).how is How.POWER_CUT
    assert ended(tmp_path).damaged == 1


async def test_it_is_touched_only_while_something_is_recorded(
    tmp_path, store: Store, monkeypatch
):
    monkeypatch.setattr(flag, "EVERY", 0.01)
    up = hoisted(tmp_path)
    at(tmp_path, 1000)
    keeping = asyncio.create_task(up.keep(store))

    await asyncio.sleep(0.1)
    idle = ended(tmp_path).alive
    await store.run(lambda _: None)
    while ended(tmp_path).alive == idle:
        await asyncio.sleep(0.01)

    keeping.cancel()
    await asyncio.wait([keeping])
    assert idle == 1000


async def test_a_flag_that_was_taken_away_stops_nobody(tmp_path):
    up = hoisted(tmp_path)
    (tmp_path / "running").unlink()

    up.touch()
    up.lower()

    assert ended(tmp_path).how is How.CLEAN


def flags(state: Path) -> tuple[How, int]:
    found = ended(state)
    return found.how, found.damaged


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (None, (How.CLEAN, 0)),
        (ConfigError("x"), (How.CLEAN, 0)),
        (Damaged("x"), (How.KILLED, 1)),
        (ZeroDivisionError(), (How.KILLED, 0)),
    ],
)
def test_the_next_run_finds_how_this_one_ended(tmp_path, error, found):
    raised = pytest.raises(type(error)) if error else nullcontext()
    with raised, flag.flown(tmp_path, HERE) as (_, before):
        assert before.how is How.CLEAN
        assert flags(tmp_path) == (How.KILLED, 0)
        if error is not None:
            raise error

    assert flags(tmp_path) == found


def test_who_ends_before_dealing_with_the_power_cut_leaves_the_flag(tmp_path):
    hoisted(tmp_path, BEFORE)

    with pytest.raises(ConfigError), flag.flown(tmp_path, HERE):
        raise ConfigError("a wrong port")

    assert ended(tmp_path).how is How.POWER_CUT


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "running").mkdir()
    with pytest.raises(Unavailable, match=r"cannot be written: .*; see to its disk"):
        flag.flown(tmp_path, HERE).__enter__()

    full = OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(flag.unwritable(tmp_path, full), NoRoom)
