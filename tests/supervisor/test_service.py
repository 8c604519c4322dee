import asyncio
import os
import socket
import time

import pytest

from syncd.supervisor.service import Service
from tests.supervisor.conftest import until


class Systemd:
    """The socket systemd listens on, and what it was told."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self.seen = []

    def told(self):
        while True:
            try:
                self.seen.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.seen


@pytest.fixture(params=["path", "abstract"])
def systemd(request, run, monkeypatch):
    run.mkdir()
    path = str(run / "notify") if request.param == "path" else f"\0syncd-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", path.replace("\0", "@"))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    listening = Systemd(path)
    yield listening
    listening.socket.close()


async def test_a_whole_life(systemd):
    async with Service() as service:
        service.ready()
        service.status("3 entries,\nünï 日本")
        service.stopping()

    assert systemd.told() == ["READY=1", "STATUS=3 entries, ünï 日本", "STOPPING=1"]


async def test_signs_of_life_come_at_half_the_time(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with Service():
        took = await until(lambda: systemd.told().count("WATCHDOG=1") >= 5)

    assert took >= 0.2
    assert systemd.told()[-1] == "STOPPING=1"


async def test_a_loop_that_hangs_gives_no_sign_of_life(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    async with Service():
        await until(systemd.told)
        before = len(systemd.told())
        time.sleep(0.2)

        assert len(systemd.told()) == before


async def test_a_watchdog_for_another_process_is_none_of_our_business(
    systemd, monkeypatch
):
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    async with Service():
        await asyncio.sleep(0.1)

    assert systemd.told() == ["STOPPING=1"]


async def test_without_systemd_nothing_is_said(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    async with Service() as service:
        service.ready()
        service.status("fine")


async def test_a_systemd_that_does_not_read_keeps_nobody_waiting(systemd):
    async with Service() as service:
        for n in range(5000):  # far more than fit: whoever waits, waits for ever
            service.status(f"{n}" * 100)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_socket_that_is_gone_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nothing"))
    async with Service() as service:
        service.ready()
