"""Borg in workers: real processes, which leave nothing behind however they end."""

import asyncio
import shlex
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from syncd.core.borg.tasks import PrepareClient, Survey, Task
from syncd.core.borg.values import Client, Login, Policy
from syncd.core.errand import Deed, Done, Work
from syncd.supervisor.supervisor import Supervisor
from tests.borg.bench import PASSPHRASE, Bench
from tests.borg.conftest import empty, machines

__all__ = ["empty", "machines"]

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 60.0
ENDLESS = {"command": "cat /dev/zero"}


class House:
    """Workers, and a repository."""

    def __init__(self, supervisor: Supervisor, bench: Bench) -> None:
        self.workers = supervisor.workers
        self.bench = bench
        self.log = bench.folder / "log"

    async def run(self, task: Task, **more: Any) -> Done:
        work = Work(
            id="job",
            deed=Deed.BORG,
            borg=task,
            log=str(self.log),
            scratch=str(self.bench.folder / "worker"),
        )
        return await self.workers.run(work, **more)

    async def archives(self) -> list[str]:
        repository = self.bench.repository
        done = await self.run(Survey(**self.bench.common(), repository=repository))
        assert done.borg, done.error
        return [one.name for one in done.borg.archives]


async def until(fact: Callable[[], Any]) -> None:
    async with asyncio.timeout(WITHIN):
        while not fact():
            await asyncio.sleep(0.01)


def running(repository: str) -> list[psutil.Process]:
    """Return every Borg, and every SSH, that works on the repository."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if repository in " ".join(words) and "create" in " ".join(words):
            found.append(process)
    return found


@pytest.fixture
async def house(tmp_path, monkeypatch, empty) -> AsyncIterator[House]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    folder = Path(tempfile.mkdtemp(prefix="s-"))
    shutil.copytree(empty, tmp_path / "repository")
    bench = Bench(tmp_path)
    (bench.source / "a").write_text("one")
    run = folder / "run"
    async with Supervisor(run, [], news=lambda *_: None, grace=1.0) as supervisor:
        yield House(supervisor, bench)
        assert psutil.Process().children() == []
    shutil.rmtree(folder)


async def test_a_worker_backs_up_and_tells_what_came_of_it(house):
    done = await house.run(house.bench.backup(before=f"echo '{PASSPHRASE[:18]}'"))

    assert (done.error, done.borg.files) == ("", 1)
    assert done.result["archive"] == done.borg.archive
    assert await house.archives() == [done.borg.archive]
    assert not (house.bench.folder / "worker").exists()


async def test_what_is_secret_stands_in_no_log(house):
    command = f"echo {shlex.quote(PASSPHRASE)} >&2; exit 3"

    done = await house.run(
        house.bench.backup(policy=Policy.PIPED, variables={"command": command})
    )

    assert done.reason == "storage"
    for text in (done.error, house.log.read_text()):
        assert "********" in text
        assert PASSPHRASE not in text


async def test_a_wrong_passphrase_is_not_tried_again(house):
    wrong = replace(house.bench.repository, passphrase="another one")

    done = await house.run(house.bench.backup(repository=wrong))

    assert (done.reason, done.retry) == ("wrong", False)
    assert "another passphrase; correct" in done.error


async def test_a_machine_that_nobody_knows_is_no_lost_store(house, machines):
    client = Client(hostname="web", address="127.0.0.1", port=machines.client.port)

    done = await house.run(PrepareClient(client=client, login=Login(key=machines.key)))

    assert (done.reason, done.retry) == ("stranger", False)


async def test_work_without_a_task_is_refused(house):
    done = await house.run(None)

    assert done.reason == "wrong"


@pytest.mark.parametrize("how", ["cancel", "kill"])
async def test_nothing_is_left_of_it_however_it_ends(house, how):
    path = house.bench.repository.path
    endless = house.bench.backup(policy=Policy.PIPED, variables=ENDLESS)
    task = asyncio.create_task(house.run(endless))
    await until(lambda: running(path) or task.done())
    assert not task.done(), task.result()

    if how == "cancel":
        assert house.workers.cancel("job", "not wanted any more")
    else:
        [worker] = [
            one
            for one in psutil.Process().children(recursive=True)
            if "syncd.child.worker" in one.cmdline()
        ]
        worker.send_signal(signal.SIGKILL)
    done = await task

    assert done.reason == ("canceled" if how == "cancel" else "died")
    await until(lambda: not running(path))
    assert await house.archives() == []
    after = await house.run(house.bench.backup())
    assert after.error == ""


async def test_nothing_is_left_on_a_client_either(house, machines, tmp_path):
    folder = tmp_path / "far"
    folder.mkdir()
    remote = Bench(folder, machines)
    await remote.prepare()
    house.bench = remote
    endless = remote.backup(policy=Policy.PIPED, variables=ENDLESS)
    task = asyncio.create_task(house.run(endless))
    path = remote.repository.path

    def borgs() -> list[psutil.Process]:
        return [one for one in running(path) if "borg" in one.name()]

    await until(lambda: borgs() or task.done())
    assert not task.done(), task.result()
    assert house.workers.cancel("job", "not wanted any more")
    done = await task

    assert done.reason == "canceled"
    await until(lambda: not running(path))
    assert await house.archives() == []
