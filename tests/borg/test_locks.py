"""Locks: waited for, left behind, or none of our business."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from syncd.borg import locks
from syncd.core.borg import words
from syncd.core.borg.values import Place
from syncd.errors import StorageBusy


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Have Borg wait for no lock long; the words are made when they are needed."""
    monkeypatch.setattr(words, "_COMMON", ("--log-json", "--lock-wait=2"))


def lock(repository: str, holder: str) -> Path:
    """Hold a repository, as Borg does it."""
    folder = Path(repository) / "lock.exclusive"
    folder.mkdir()
    file = folder / holder
    file.touch()
    return file


async def test_a_lock_of_a_process_that_is_no_more_is_removed(bench):
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    lock(bench.repository.path, f"{locks.ours()}.{gone.pid}-0")

    assert (await bench.do(bench.backup())).files == 1


async def test_a_lock_whose_number_went_to_another_process_is_removed(bench):
    file = lock(bench.repository.path, f"{locks.ours()}.{os.getpid()}-0")
    before = psutil.Process().create_time() - 60
    os.utime(file, (before, before))

    assert (await bench.do(bench.backup())).files == 1
    assert "was left behind" in bench.heard.text


@pytest.mark.parametrize("host", ["ours", "another@123"])
async def test_a_lock_that_may_be_held_is_left_alone(bench, host):
    holder = locks.ours() if host == "ours" else host
    file = lock(bench.repository.path, f"{holder}.{os.getpid()}-0")

    with pytest.raises(StorageBusy, match="somebody else works on the repository"):
        await bench.do(bench.backup())

    assert file.exists()


async def test_nothing_is_known_of_locks_elsewhere_or_of_none(tmp_path):
    assert not await locks.left_behind(Place("/srv", "backup"))
    assert not await locks.left_behind(Place(str(tmp_path)))


async def test_a_lock_of_no_known_form_is_left_alone(tmp_path):
    lock(str(tmp_path), "somebody")

    assert not await locks.left_behind(Place(str(tmp_path)))


async def test_a_holder_that_is_gone_holds_nothing(tmp_path):
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    lock(str(tmp_path), f"{locks.ours()}.{gone.pid}-0")

    assert await locks.left_behind(Place(str(tmp_path)))
