import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest
import structlog
import zmq
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from syncd import wire
from syncd.supervisor.links import BURST, WAITING, Links, path_in
from tests.supervisor.conftest import until


class Line:
    """A Links with everything it heard, and peers on real sockets."""

    def __init__(self, path):
        path.parent.mkdir(exist_ok=True)
        self.path = path
        self.context = zmq.Context()
        self.heard = []
        self.peers = []
        self.links = Links(path, self.context, ["A", "é"], self.hear)

    def hear(self, name, pid, message):
        self.heard.append((name, pid, message))

    def peer(self, identity):
        peer = self.context.socket(zmq.DEALER)
        peer.set(zmq.LINGER, 0)
        if identity:
            peer.set(zmq.IDENTITY, identity)
        peer.connect(f"ipc://{self.path}")
        self.peers.append(peer)
        return peer


@pytest.fixture
async def line(run):
    async with opened(run / "link") as line:
        yield line


@asynccontextmanager
async def opened(path):
    line = Line(path)
    try:
        async with line.links:
            yield line
    finally:
        for peer in line.peers:
            peer.close()
        line.context.term()


async def test_a_message_comes_with_name_and_process(line):
    line.peer("é".encode()).send(wire.encode(wire.Walked(True, 1.0, 2)))

    await until(lambda: line.heard)

    assert line.heard == [("é", os.getpid(), wire.Walked(True, 1.0, 2))]


async def test_strangers_and_garbage_are_dropped_and_logged_once_in_a_while(line):
    stranger, nameless, known = line.peer(b"B"), line.peer(None), line.peer(b"A")
    with structlog.testing.capture_logs() as lines:
        for frame in [b"", b"\xc1", b"\x91" * 5000, wire.encode(wire.Stop())]:
            for peer in (stranger, nameless, known):
                peer.send(frame)
        known.send_multipart([b"", wire.encode(wire.Suspended("two parts"))])
        for _ in range(300):
            stranger.send(wire.encode(wire.Suspended("x")))
        known.send(wire.encode(wire.Suspended("sound")))
        await until(lambda: line.heard)
        await until(lambda: line.links._dropped == 4 * 3 + 1 + 300)

    assert [message for _, _, message in line.heard] == [wire.Suspended("sound")]
    assert 1 <= len(lines) <= 5


@given(st.binary(max_size=200))
@budget(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_frame_breaks_it(run, frame):
    heard = []
    run.mkdir(exist_ok=True)
    links = Links(run / "l", zmq.Context.instance(), ["A"], lambda *m: heard.append(m))

    links._take([zmq.Frame(b"A"), zmq.Frame(frame)])

    assert len(heard) + links._dropped == 1


async def test_nobody_there_takes_nothing(line):
    assert not line.links.send("A", wire.Stop())


async def test_a_peer_that_went_takes_nothing(line):
    peer = line.peer(b"A")
    peer.send(wire.encode(wire.Ask("A", 1)))
    await until(lambda: line.heard)
    assert line.links.send("A", wire.Stop())

    peer.close()

    await until(lambda: not line.links.send("A", wire.Stop()))


async def test_a_peer_that_does_not_read_is_full_some_time_but_never_blocks(line):
    peer = line.peer(b"A")
    peer.set(zmq.RCVHWM, 1)
    peer.send(wire.encode(wire.Ask("A", 1)))
    await until(lambda: line.heard)
    large, sent = wire.Adopt("x" * 100_000), 0
    while line.links.send("A", large):
        sent += 1
        assert sent < 10 * WAITING
    assert sent >= WAITING

    # It reads again: it gets all that was taken, and more is taken.
    got = 0
    while got < sent:
        await until(lambda: peer.get(zmq.EVENTS) & zmq.POLLIN)
        assert wire.decode_down(peer.recv()) == large
        got += 1
    await until(lambda: line.links.send("A", wire.Stop()))


async def test_a_full_peer_keeps_nobody_else_waiting(line):
    full, other = line.peer(b"A"), line.peer("é".encode())
    full.set(zmq.RCVHWM, 1)
    for peer in (full, other):
        peer.send(wire.encode(wire.Ask("A", 1)))
    await until(lambda: len(line.heard) == 2)
    while line.links.send("A", wire.Adopt("x" * 100_000)):
        pass

    assert line.links.send("é", wire.Noted(1))

    await until(lambda: other.get(zmq.EVENTS) & zmq.POLLIN)
    assert wire.decode_down(other.recv()) == wire.Noted(1)


async def test_a_successor_takes_the_place_of_a_peer_that_still_hangs_on(line):
    old = line.peer(b"A")
    old.send(wire.encode(wire.Ask("A", 1)))
    await until(lambda: line.heard)
    new = line.peer(b"A")
    new.send(wire.encode(wire.Ask("A", 2)))
    await until(lambda: len(line.heard) == 2)

    assert line.links.send("A", wire.Noted(7))

    await until(lambda: new.get(zmq.EVENTS) & zmq.POLLIN)
    assert wire.decode_down(new.recv()) == wire.Noted(7)


async def test_nothing_is_overlooked_in_a_busy_talk(line):
    peer = line.peer(b"A")
    peer.send(wire.encode(wire.Ask("A", 0)))
    await until(lambda: line.heard)
    for n in range(2000):
        if n % 3:
            line.links.send("A", wire.Noted(n))
        peer.send(wire.encode(wire.Progress(n, n)))
        if n % 7 == 0:
            await asyncio.sleep(0)

    await until(lambda: len(line.heard) == 2001)

    assert [m.id for _, _, m in line.heard[1:]] == list(range(2000))


async def test_a_flood_leaves_the_loop_to_others(line):
    peer = line.peer(b"A")
    loop = asyncio.get_running_loop()
    flooding = loop.run_in_executor(None, flood, peer, 20_000)
    most, last = 0, 0
    while len(line.heard) < 20_000:
        await asyncio.sleep(0)
        most, last = max(most, len(line.heard) - last), len(line.heard)
    await flooding

    assert most <= BURST


async def test_slow_hearing_ends_a_burst_early(run):
    async with opened(run / "link") as line:

        def slow(*message):
            time.sleep(0.02)
            line.heard.append(message)

        line.links._heard = slow
        peer = line.peer(b"A")
        for n in range(BURST):
            peer.send(wire.encode(wire.Progress(n, n)))
        await until(lambda: len(line.heard) >= 1)

        assert len(line.heard) < 5
        await until(lambda: len(line.heard) == BURST)


async def test_a_hearer_that_fails_does_not_stop_the_line(line):
    problems = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: problems.append(c))
    keep, line.links._heard = line.links._heard, lambda *_: 1 / 0
    peer = line.peer(b"A")
    peer.send(wire.encode(wire.Ask("A", 1)))
    await until(lambda: problems)
    line.links._heard = keep
    peer.send(wire.encode(wire.Ask("A", 2)))

    await until(lambda: line.heard)


def flood(peer, frames):
    for n in range(frames):
        peer.send(wire.encode(wire.Progress(n, n)))


def test_each_daemon_has_its_own_path_and_clears_that_of_others(tmp_path):
    (tmp_path / "link-1").touch()

    assert path_in(tmp_path) == tmp_path / f"link-{os.getpid()}"
    assert list(tmp_path.iterdir()) == []
