import asyncio
import fcntl
import os
import signal
import time
from pathlib import Path

import pytest
import structlog
import zmq

from syncd import wire
from syncd.errors import ConfigError, Conflict, NotFound, Unavailable
from tests.supervisor.conftest import House, children, descriptors, turns, until


async def test_a_child_comes_up_and_gets_its_settings_over_the_link(house):
    h = await house("good")
    await h.active("good")
    await until(lambda: h.heard_from("good"))

    hello = h.heard_from("good")[0]

    assert isinstance(hello, wire.Hello)
    assert hello.marker is not None and hello.marker.startswith("s3cr3t ")
    assert hello.pid == h.pid("good")
    assert ("good", "active") in h.news


async def test_secrets_of_our_environment_stay_here(house, monkeypatch):
    monkeypatch.setenv("VAULT_PASSWORD", "x")
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    h = await house("good")
    await until(lambda: h.heard_from("good"))

    marker = h.heard_from("good")[0].marker

    assert "VAULT_PASSWORD" not in marker
    assert "NOTIFY_SOCKET" not in marker
    assert "'PATH'" in marker


async def test_a_child_has_no_descriptor_of_ours(house, run):
    with (run.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)
        h = await house("good")
        await until(lambda: h.heard_from("good"))

    assert h.heard_from("good")[0].marker.endswith(" []")


async def test_a_process_that_cannot_be_ended_is_reported(house, monkeypatch):
    monkeypatch.setattr("syncd.supervisor.keeper.KILL_WAIT", 0.3)
    h = await house("deaf", "good", grace=0.1)
    await h.active("deaf", "good")
    child = h.supervisor._keepers["deaf"].child
    monkeypatch.setattr(child, "signal", lambda number: None)

    for _ in range(2):
        with pytest.raises(Unavailable, match="entry deaf does not end"):
            await h.supervisor.stop("deaf")
    assert h.supervisor.status("deaf") == "active"
    with pytest.raises(Conflict, match="already running"):
        await h.supervisor.start("deaf")

    monkeypatch.undo()
    child.signal(signal.SIGKILL)
    await until(lambda: h.supervisor.status("deaf") == "stopped")


async def test_a_message_goes_down_and_an_answer_comes_up(house):
    h = await house("good")
    await h.active("good")

    assert h.supervisor.send("good", wire.Rescan("echo 42"))

    await until(lambda: wire.Walked(False, 0.0, 42) in h.heard_from("good"))


async def test_figures_are_kept_and_log_lines_are_written(house):
    with structlog.testing.capture_logs() as lines:
        h = await house("good")
        await until(lambda: h.supervisor.figures("good"))

    assert h.supervisor.figures("good") == wire.Figures(1, 2, True, None, 0.25)
    assert {
        "event": "it rains",
        "log_level": "warning",
        "drops": 7,
        "entry": "good",
    } in lines


async def test_a_killed_child_is_back_within_a_second_then_pauses_grow(house):
    h = await house("good")
    await h.active("good")
    gaps = []
    for _ in range(3):
        old = h.pid("good")
        h.lost.clear()
        os.kill(old, signal.SIGKILL)
        assert await until(lambda: h.lost) < 0.3  # a bound for loaded machines
        gaps.append(await until(lambda: h.state("good") == "active"))
        assert h.pid("good") != old

    assert gaps[0] < 1.0
    assert 1.0 < gaps[1] < 2.0 < gaps[2] < 3.5
    assert h.supervisor.life("good").restarts == 3
    assert h.kept == []


async def test_the_reason_of_a_death_is_told(house):
    h = await house("dies", "good")
    await h.active("good")
    await until(lambda: h.state("dies") == "failing")

    assert "code 3" in h.supervisor.life("dies").reason


async def test_a_child_that_always_dies_neither_spins_nor_disturbs_another(house):
    h = await house("dies", "good")
    await h.active("good")
    pid = h.pid("good")
    with turns() as counted:
        await asyncio.sleep(2.0)

    assert h.supervisor.life("dies").restarts <= 3
    assert len(counted) < 200
    assert h.pid("good") == pid
    assert h.lost.count("good") == 0
    assert h.supervisor.status("dies") == "active"


async def test_a_name_is_handed_to_the_child_as_it_is(house):
    names = ["good ünï", "good $(circus.wid) ((circus.env.path))", "good"]
    h = await house(*names)

    await until(lambda: all(h.heard_from(name) for name in names))

    assert {h.heard_from(name)[0].entry for name in names} == set(names)


async def test_names_that_differ_in_case_only_get_a_child_each(house):
    h = await house("good a", "good A")

    await h.active("good a", "good A")

    assert h.pid("good a") != h.pid("good A")


async def test_stop_start_restart(house):
    h = await house("good")
    await h.active("good")
    pid = h.pid("good")

    await h.supervisor.restart("good")
    assert h.state("good") == "active"
    assert h.pid("good") != pid
    assert str(pid) not in children()
    assert h.kept == []

    pid = h.pid("good")
    await h.supervisor.stop("good")
    assert h.supervisor.status("good") == "stopped"
    assert str(pid) not in children()
    assert h.supervisor.life("good").pid is None
    assert h.kept == [("good", True)]
    assert h.lost == ["good", "good"]

    await h.supervisor.start("good")
    assert h.state("good") == "active"
    assert h.kept == [("good", True), ("good", False)]


async def test_commands_that_make_no_sense_are_refused_in_words(house):
    h = await house("good", "off", stopped={"off"})
    await h.active("good")
    supervisor = h.supervisor

    for command, name, words in [
        (supervisor.start, "good", "entry good is already running"),
        (supervisor.stop, "off", "entry off is already stopped"),
        (supervisor.restart, "off", "entry off is not running"),
        (supervisor.stats, "off", "entry off is not running"),
    ]:
        with pytest.raises(Conflict) as refused:
            await command(name)
        assert str(refused.value) == words
    assert h.kept == []


@pytest.mark.parametrize("command", ["start", "stop", "restart", "stats"])
async def test_an_unknown_entry_is_not_found(house, command):
    h = await house()

    with pytest.raises(NotFound, match=r"^entry nope not found$"):
        await getattr(h.supervisor, command)("nope")
    for question in (h.supervisor.status, h.supervisor.life, h.supervisor.figures):
        with pytest.raises(NotFound, match=r"^entry nope not found$"):
            question("nope")
    assert not h.supervisor.send("nope", wire.Stop())


async def test_of_two_who_stop_one_wins(house):
    h = await house("good")
    await h.active("good")

    answers = await asyncio.gather(
        *(h.supervisor.stop("good") for _ in range(3)), return_exceptions=True
    )

    assert sorted(str(a) for a in answers) == [
        "None",
        "entry good is already stopped",
        "entry good is already stopped",
    ]


async def test_a_stopped_entry_stays_stopped(house):
    h = await house("good", "off", stopped={"off"})
    await h.active("good")
    await h.supervisor.stop("good")
    await asyncio.sleep(1.2)

    assert h.supervisor.status("good") == h.supervisor.status("off") == "stopped"
    assert not h.supervisor.send("good", wire.Rescan())


async def test_a_failing_entry_can_be_stopped_and_restarted(house, monkeypatch):
    monkeypatch.setattr("syncd.supervisor.supervisor.ANSWER_WAIT", 0.5)
    h = await house("dies")
    await until(lambda: h.supervisor.life("dies").restarts == 1)
    await until(lambda: h.state("dies") == "failing")

    assert h.supervisor.status("dies") == "active"
    with pytest.raises(Conflict, match="already running"):
        await h.supervisor.start("dies")
    with pytest.raises(Unavailable, match="does not come up"):
        await h.supervisor.restart("dies")
    await h.supervisor.stop("dies")

    assert h.supervisor.status("dies") == "stopped"


async def test_a_child_that_ignores_sigterm_is_killed_and_stop_answers(house):
    h = await house("deaf", "good", grace=1.0)
    await h.active("deaf", "good")
    pid, other = h.pid("deaf"), h.pid("good")
    begin = time.monotonic()
    stopping = asyncio.create_task(h.supervisor.stop("deaf"))
    await until(lambda: h.state("deaf") == "stopping")

    assert h.supervisor.status("deaf") == "active"
    os.kill(other, signal.SIGKILL)  # the other one does not wait for it
    await until(lambda: h.supervisor.life("good").pid not in (other, None))
    assert not stopping.done()
    await stopping

    assert time.monotonic() - begin >= 1.0
    assert str(pid) not in children()


async def test_a_child_is_asked_to_end_by_signal_too(house):
    h = await house("termed", grace=60.0)  # longer than the test may take
    await h.active("termed")

    await h.supervisor.stop("termed")

    assert h.state("termed") == "stopped"


async def test_a_silent_child_counts_as_starting_and_restart_says_so(
    house, monkeypatch
):
    monkeypatch.setattr("syncd.supervisor.supervisor.ANSWER_WAIT", 0.3)
    h = await house("dumb")
    await until(lambda: h.supervisor.life("dumb").pid)

    assert h.state("dumb") == "starting"
    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s"):
        await h.supervisor.restart("dumb")


async def test_five_children_end_together(run):
    before = descriptors()
    names = ["good 1", "good 2", "good 3", "deaf 1", "deaf 2"]
    h = House(run)
    async with h.make(*names, grace=0.7) as one, one.working(h.duties(*names)):
        await h.active(*names)

    assert all(h.state(name) == "stopped" for name in names)
    assert children() == set()
    assert descriptors() == before
    assert list(run.iterdir()) == []


async def test_a_process_loads_before_it_is_known_what_it_is_to_do(run):
    h = House(run)
    async with h.make("good", "good too") as supervisor:
        supervisor.load(["good"])
        await h.active("good")
        assert h.heard == []  # It waits for its settings.
        process = h.pid("good")

        async with supervisor.working(h.duties("good", "good too")):
            await until(lambda: h.heard_from("good") and h.heard_from("good too"))
            assert h.pid("good") == process
    assert children() == set()


async def test_a_process_loaded_for_a_stopped_entry_ends(run):
    h = House(run)
    async with h.make("off") as supervisor:
        supervisor.load(["off"])
        await h.active("off")

        async with supervisor.working(h.duties("off", stopped={"off"})):
            assert h.state("off") == "stopped"
            assert children() == set()
            assert h.heard == []


async def test_loaded_processes_end_though_there_never_was_work(run):
    h = House(run)
    async with h.make("good", "dumb") as supervisor:
        supervisor.load(["good", "dumb"])
        await h.active("good")

    assert children() == set()
    assert h.state("good") == h.state("dumb") == "stopped"


async def test_restarts_leak_nothing(house):
    h = await house("good")
    await h.active("good")
    await h.supervisor.restart("good")
    before = len(descriptors())
    for _ in range(3):
        await h.supervisor.restart("good")

    assert len(descriptors()) == before
    assert len(children()) == 1


async def test_what_a_child_started_goes_with_it(house):
    h = await house("good")
    await h.active("good")
    h.supervisor.send("good", wire.Rescan("spawn"))
    await until(lambda: len(h.heard_from("good")) == 2)
    grandchild = h.heard_from("good")[-1].paths
    os.kill(grandchild, 0)

    os.kill(h.pid("good"), signal.SIGKILL)

    await until(lambda: is_dead(grandchild), 2.0)


def is_dead(pid: int) -> bool:
    """Tell whether the process is gone; who inherits it may reap it late."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rsplit(")")[-1].split()[0] == "Z"


async def test_last_words_are_heard_before_the_loss_is_told(house):
    h = await house("good")
    await until(lambda: h.heard_from("good"))
    lost_before = []

    def slow():
        time.sleep(0.006)  # longer than a burst: one frame per turn of the loop
        lost_before.append(h.lost[:])

    h.heed = slow
    h.supervisor.send("good", wire.Rescan("last-words 50"))
    await until(lambda: h.lost)

    assert lost_before == [[]] * 50
    assert ("good", "failing") in h.news


async def test_stats_have_the_fields_of_the_api(house):
    h = await house("good")
    await h.active("good")

    stats = await h.supervisor.stats("good")

    assert set(stats) == {
        "age",
        "cpu",
        "create_time",
        "ctime",
        "mem",
        "mem_info1",
        "mem_info2",
        "started",
    }
    now = time.time()
    assert 0 < stats["age"] < 60
    assert now - 60 < stats["create_time"] <= now + 1
    assert now - 60 < stats["started"] <= now
    assert 0 <= stats["cpu"] < 400
    assert 0 < stats["mem"] < 100
    assert stats["ctime"].startswith("0:0")
    assert stats["mem_info1"].endswith("M") and stats["mem_info2"].endswith("M")


async def test_a_suspended_entry_says_why_until_it_is_trusted(house):
    h = await house("good")
    h.supervisor.told_suspended("good", "too early")
    await h.active("good")

    h.supervisor.told_suspended("good", "the root is missing")
    assert h.state("good") == "suspended"
    assert h.supervisor.life("good").reason == "the root is missing"
    assert h.supervisor.status("good") == "active"

    h.supervisor.told_suspended("good", None)
    assert h.state("good") == "active"


async def test_a_run_folder_too_deep_for_sockets_is_refused(run):
    with pytest.raises(ConfigError, match="too long"):
        async with House(run / ("x" * 100)).make():
            pass


async def test_sockets_are_for_us_alone(house):
    h = await house("good")

    assert h.run.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name.split("-")[0] for p in h.run.iterdir()) == [
        "control",
        "events",
        "link",
    ]
    assert {p.stat().st_mode & 0o777 for p in h.run.iterdir()} == {0o600}


async def test_only_our_own_child_is_heard(house):
    h = await house("good")
    await until(lambda: h.supervisor.figures("good"))
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.set(zmq.IDENTITY, b"good")
        stranger.connect(f"ipc://{next(h.run.glob('link-*'))}")
        with structlog.testing.capture_logs() as lines:
            stranger.send(wire.encode(wire.Ask("good", h.pid("good"))))
            stranger.send(wire.encode(wire.Suspended("I say so")))
            await until(lambda: len(lines) == 2)
        answered = stranger.poll(50)

    assert {line["event"] for line in lines} == {"stranger not heard"}
    assert not answered
    assert len(h.heard) == 1
