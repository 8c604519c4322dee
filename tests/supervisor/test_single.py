import os
import signal
import stat
import subprocess
import sys

import pytest
import structlog

from syncd.errors import AlreadyRunning, ConfigError
from syncd.supervisor.single import held

HOLD = """
import sys
from pathlib import Path
from syncd.supervisor.single import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_name_of_the_first(tmp_path, other):
    with pytest.raises(AlreadyRunning) as refused, held(tmp_path / "state"):
        pass

    words = f"another syncd, process {other.pid}, uses the state folder"
    assert str(refused.value) == f"{words} {tmp_path / 'state'}"


def test_a_killed_holder_is_no_obstacle(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()

    with held(tmp_path / "state"):
        assert (tmp_path / "state" / "lock").read_text() == f"{os.getpid()}\n"


def test_it_can_be_held_again_and_again(tmp_path):
    for _ in range(2):
        with held(tmp_path):
            pass


def test_the_lock_is_not_inherited(tmp_path):
    with held(tmp_path):
        process = subprocess.Popen(["sleep", "10"], close_fds=False)
    try:
        with held(tmp_path):
            pass
    finally:
        process.kill()
        process.wait()


def test_a_new_folder_is_for_us_alone(tmp_path):
    with held(tmp_path / "a" / "b"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
        assert (tmp_path / "a" / "b" / "lock").stat().st_mode & 0o777 == 0o600


def test_an_open_folder_is_closed_and_that_is_said(tmp_path):
    tmp_path.chmod(0o755)
    with structlog.testing.capture_logs() as lines, held(tmp_path):
        pass

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert [line["was"] for line in lines] == ["0755"]
    with structlog.testing.capture_logs() as lines, held(tmp_path):
        pass
    assert lines == []


def test_a_file_is_no_state_folder(tmp_path):
    (tmp_path / "f").touch()

    for place in (tmp_path / "f", tmp_path / "f" / "g"):
        with pytest.raises(ConfigError, match=str(place)), held(place):
            pass
