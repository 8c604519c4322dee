import asyncio
import json
import logging
import os
import signal
import sys

import pytest
import zmq
from circus.exc import ConflictError

from syncd.errors import Unavailable
from syncd.supervisor.processes import Child, Processes, environment
from tests.supervisor.conftest import children, turns, until


@pytest.fixture
async def processes(run):
    run.mkdir()
    context = zmq.Context()
    async with Processes(run, context, grace=0.5) as processes:
        yield processes
    context.term()
    assert children() == set()


async def born(processes, *arguments, name="A"):
    made: list[Child] = []
    await processes.start(name, arguments, made.append)
    return made[0]


async def test_every_exit_code_arrives_at_its_child(processes):
    codes = [0, 1, 3, 70, 255]
    made = [
        await born(processes, "-c", f"import os; os._exit({code})") for code in codes
    ]

    assert await asyncio.gather(*(child.gone for child in made)) == codes


async def test_a_death_by_signal_arrives_as_such(processes):
    child = await born(processes, "-c", "import time; time.sleep(60)")
    os.kill(child.pid, signal.SIGABRT)

    assert await child.gone == -signal.SIGABRT


async def test_an_exit_is_told_unasked(processes):
    child = await born(processes, "-c", "import time; time.sleep(60)")
    os.kill(child.pid, signal.SIGKILL)

    async with asyncio.timeout(30):  # nobody asks now and then: it is told or never
        await child.gone


async def test_nothing_ticks_while_nothing_happens(processes):
    await born(processes, "-c", "import time; time.sleep(60)")
    with turns() as counted:
        await asyncio.sleep(1.0)

    assert len(counted) <= 2


async def test_what_is_left_is_killed_at_the_end(run):
    run.mkdir()
    context = zmq.Context()
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    async with Processes(run, context) as processes:
        child = await born(processes, "-c", deaf)

    assert child.gone.result() == -signal.SIGKILL
    assert children() == set()
    context.term()


async def test_stopping_what_has_ended_is_no_error(processes):
    child = await born(processes, "-c", "pass")
    await child.gone

    await processes.stop(child)


async def test_a_process_that_cannot_be_made_is_an_error(processes, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such python")

    with pytest.raises(Unavailable):
        await born(processes)
    assert processes._arbiter.watchers == []


async def test_an_interpreter_in_a_folder_with_spaces(processes, monkeypatch, tmp_path):
    (tmp_path / "my python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my python"))

    assert await (await born(processes, "-c", "exit(5)")).gone == 5


async def test_nothing_is_kept_of_those_that_went(processes):
    for _ in range(3):
        await (await born(processes, "-c", "pass")).gone

    assert processes._arbiter.watchers == []
    assert processes._children == {}


async def test_our_signals_stay_ours(run):
    run.mkdir()
    loop, context = asyncio.get_running_loop(), zmq.Context()
    got: list[str] = []
    before = {n: signal.getsignal(n) for n in (signal.SIGHUP, signal.SIGINT)}
    loop.add_signal_handler(signal.SIGWINCH, got.append, "window")
    async with Processes(run, context):
        assert {n: signal.getsignal(n) for n in before} == before
        loop.add_signal_handler(signal.SIGTERM, got.append, "term")
        os.kill(os.getpid(), signal.SIGWINCH)
        await until(lambda: got == ["window"])
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: got == ["window", "term"])
    for number in (signal.SIGWINCH, signal.SIGTERM):
        loop.remove_signal_handler(number)
    context.term()


async def test_an_order_is_given_again_while_a_person_uses_circusctl(processes):
    answers = iter([ConflictError("busy"), ConflictError("busy"), 42])

    def order():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await processes._order(order) == 42


async def test_circusctl_may_look(processes, run):
    await born(processes, "-c", "import time; time.sleep(60)", name="Disk")
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.connect(f"ipc://{run}/control")
        client.send(json.dumps({"id": "1", "command": "list"}).encode())
        await until(lambda: client.poll(0))
        answer = json.loads(client.recv())

    assert answer["watchers"] == ["1 disk"]


def test_only_what_is_harmless_is_handed_down():
    ours = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "/x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "NOTIFY_SOCKET": "/x",
        "WATCHDOG_USEC": "1",
    }

    theirs = environment(ours)

    assert theirs.keys() == {"PATH", "LC_ALL", "PYTHONPATH", "PYTHONSAFEPATH"}
    assert theirs["PYTHONPATH"].endswith("/x")


async def test_circus_keeps_quiet(processes, caplog):
    with caplog.at_level(logging.WARNING, "circus"):
        await (await born(processes, "-c", "exit(1)")).gone

    assert caplog.records == []


async def test_a_child_that_somebody_else_reaped_is_gone_too(processes):
    child = await born(processes, "-c", "import time; time.sleep(60)")
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)  # the loop has no chance to be first

    assert await child.gone == 0
    assert processes._arbiter.watchers == []
