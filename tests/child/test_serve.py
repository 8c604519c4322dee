import asyncio
import os
import socket
import stat

import pytest

from syncd.child.fetch import NoDescriptors, NotGiven, Sources
from syncd.child.frames import MOST, frame
from syncd.child.link import Log
from syncd.child.serve import Server
from syncd.core.file import Stamp
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.drivers.memory import Memory
from syncd.errors import NotFound, StorageChanged, Unavailable
from syncd.supervisor import content
from syncd.wire import FETCH_MOST, Fetch
from tests.child.rig import file


class Served:
    """A storage that others may read, and what was told to be touched."""

    def __init__(self, driver, path):
        self.path = path
        self.touched: list[str] = []
        self.server = Server(driver, path, self.touched.append, Log(lambda _: None))
        self.sources = Sources({"S": path})

    async def close(self):
        self.sources.close()
        self.server.close()
        await asyncio.sleep(0.05)  # its threads see that the line is cut


@pytest.fixture
async def root(short):
    (short / "root").mkdir()
    (short / "root" / "a").write_bytes(b"content")
    return short / "root"


@pytest.fixture
async def served(short, root):
    driver = LocalStorage(root)
    await driver.open()
    served = Served(driver, short / "s")
    yield served
    await served.close()
    await driver.close()


def stamp(path):
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


async def text(served, *args):
    return b"".join([c async for c in content.read(served.path, *args)])


async def test_files_come_as_descriptors(served, root):
    files = [("a", stamp(root / "a")), ("none", Stamp()), ("a", stamp(root / "a"))]

    one, none, other = await served.sources.fetch("S", files)

    assert isinstance(none, NotGiven)
    for descriptor in (one, other):
        assert os.read(descriptor, 99) == b"content"
        os.close(descriptor)


async def test_a_file_that_changed_is_not_given_and_is_looked_at(served, root):
    old = stamp(root / "a")
    (root / "a").write_bytes(b"another")

    (given,) = await served.sources.fetch("S", [("a", old)])

    assert isinstance(given, NotGiven)
    async with asyncio.timeout(30):
        while served.touched != ["a"]:
            await asyncio.sleep(0.005)


async def test_two_hundred_files_fit_one_message(served, root):
    descriptors = await served.sources.fetch("S", [("a", stamp(root / "a"))] * 200)

    assert len(set(descriptors)) == 200
    for descriptor in descriptors:
        os.close(descriptor)


async def test_a_connection_is_used_again_and_closed_when_idle(
    served, root, monkeypatch
):
    for _ in range(3):
        (one,) = await served.sources.fetch("S", [("a", stamp(root / "a"))])
        os.close(one)
    assert len(served.server._callers) == 1

    monkeypatch.setattr("syncd.child.fetch.IDLE", -1.0)
    served.sources.close_idle()
    await asyncio.sleep(0.05)
    assert len(served.server._callers) == 0


async def test_nobody_serving_is_not_given(short):
    sources = Sources({"S": short / "nothing"})

    for entry in ("S", "unknown"):
        (given,) = await sources.fetch(entry, [("a", Stamp())])
        assert isinstance(given, NotGiven)


async def test_the_parent_reads_a_content_or_a_part_of_it(served, root):
    assert await text(served, "a", stamp(root / "a")) == b"content"
    assert await text(served, "a", stamp(root / "a"), 1, 3) == b"ont"


async def test_the_parent_hears_what_is_wrong(served, root):
    with pytest.raises(StorageChanged):
        await text(served, "a", Stamp(1, 2, 3, 4))
    with pytest.raises(NotFound):
        await text(served, "none", Stamp())
    await served.close()
    with pytest.raises(Unavailable):
        await text(served, "a", stamp(root / "a"))


async def test_a_storage_without_descriptors_gives_chunks(short):
    driver = Memory()
    await driver.open()
    seen = driver.set("a", file(b"x" * (3 << 20)))
    served = Served(driver, short / "s")

    (given,) = await served.sources.fetch("S", [("a", seen.stamp)])
    chunks = [c async for c in served.sources.stream("S", "a", seen.stamp)]
    with pytest.raises(StorageChanged):
        _ = [c async for c in served.sources.stream("S", "a", Stamp(1))]
    await served.close()

    assert isinstance(given, NoDescriptors)
    assert b"".join(chunks) == b"x" * (3 << 20)
    assert len(chunks) >= 3


@pytest.mark.parametrize(
    "data",
    [
        (MOST + 1).to_bytes(4, "big"),
        b"\0\0\0\1\xc1",
        b"GET / HTTP/1.1\r\n\r\n",
        frame(Fetch([("a", Stamp())] * (FETCH_MOST + 1))),
    ],
)
async def test_who_asks_what_nobody_should_is_hung_up_on(served, data):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(5)
        await asyncio.to_thread(caller.connect, str(served.path))
        caller.sendall(data)
        assert await asyncio.to_thread(caller.recv, 99) == b""


async def test_the_socket_is_ours_alone_and_a_stale_one_is_replaced(short):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(short / "s"))
    driver = Memory()
    served = Served(driver, short / "s")

    assert stat.S_IMODE((short / "s").stat().st_mode) == 0o600
    await served.close()
