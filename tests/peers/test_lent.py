"""Servers are nobody's children here, and never outlive those who asked for them."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import REPOSITORY
from tests.peers.lent import PR_SET_CHILD_SUBREAPER, Lent

SERVER = [sys.executable, "-c", "import time; print('hi', flush=True); time.sleep(600)"]
BORROWER = """
import sys, time
from pathlib import Path
from tests.peers.lent import Lent
print(Lent(sys.argv[2:], Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=[0, 1])
def subreaper(request):
    """Whether orphans below us become our children, as they do for a supervisor."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, request.param, 0, 0, 0)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.usefixtures("subreaper")
def test_a_server_is_no_child_of_ours(tmp_path: Path):
    before = psutil.Process().children(recursive=True)
    lent = Lent(SERVER, tmp_path / "log")
    try:
        assert lent.runs
        assert psutil.Process().children(recursive=True) == before
        wait_for(lambda: (tmp_path / "log").read_text() == "hi\n", 60)
        lent.signal(signal.SIGTERM)
        wait_for(lambda: not lent.runs, 60)
    finally:
        lent.kill()
    assert not psutil.pid_exists(lent.pid)


def test_a_server_ends_with_who_asked_for_it_even_if_that_is_killed(tmp_path: Path):
    borrower = subprocess.Popen(
        [sys.executable, "-c", BORROWER, str(tmp_path / "log"), *SERVER],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    with borrower:
        assert borrower.stdout
        server = psutil.Process(int(borrower.stdout.readline()))
        assert server.is_running()
        borrower.kill()
    wait_for(lambda: not server.is_running(), 60)
