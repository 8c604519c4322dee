"""A source that stops in the middle is followed by another, from where it stopped."""

import asyncio
import errno

import pytest
from blake3 import blake3

from syncd.child import fetch
from syncd.child.contents import write_contents
from syncd.child.fetch import Sources
from syncd.child.link import Log
from syncd.child.serve import Server
from syncd.core.change import Put, Source
from syncd.core.file import Kind
from syncd.drivers.contract import Written
from syncd.drivers.local_storage import content as kernel
from syncd.drivers.local_storage.storage import LocalStorage
from syncd.drivers.memory import Memory
from syncd.errors import StorageBusy, StorageError
from tests.child.rig import file
from tests.drivers.hands import stamp

MIB = 1 << 20
SIZE = 6 * MIB
CONTENT = b"".join(number.to_bytes(4, "big") for number in range(SIZE // 4))
GIVEN = 2
"""Chunks of a mebibyte that come from a source that then ends as told."""


class Ending(Memory):
    """A source that gives a few chunks; and then?"""

    def __init__(self, then=""):
        super().__init__()
        self.then = then
        self.starts: list[int] = []
        self.test_over = asyncio.Event()

    async def read(self, path, stamp, start=0, length=None):
        self.starts.append(start)
        left = GIVEN
        async for chunk in super().read(path, stamp, start, length):
            if not left and self.then:
                await self._end(path)
            left -= 1
            yield chunk

    async def _end(self, path):
        match self.then:
            case "fails":
                raise StorageBusy("the disk does not answer")
            case "hangs":
                await self.test_over.wait()
            case "changes":
                self.set(path, file(b"changed"))


class Bench:
    """A local folder as target, and some sources on their sockets."""

    def __init__(self, folder, target):
        self.folder = folder
        self.target = target
        self.told = []
        self.servers = []
        self.drivers = []
        self.addresses = {}
        self.sources: list[Source] = []

    def add(self, name, driver, stamp=None):
        """Serve the driver's file ``a`` as a source."""
        if stamp is None:
            stamp = driver.set("a", file(CONTENT)).stamp
            self.drivers.append(driver)
        path = self.addresses[name] = self.folder / name
        log = Log(lambda _: None)
        self.servers.append(Server(driver, path, lambda _: None, log))
        self.sources.append(Source(name, "a", stamp))
        return driver

    async def copy(self, *, digest=True, content=CONTENT):
        put = Put(
            id=1,
            path="b",
            kind=Kind.FILE,
            size=SIZE,
            mtime_ns=5,
            mode=0o640,
            target=None,
            digest=blake3(content).digest() if digest else None,
            sources=self.sources,
            replaces=None,
            cause="why",
        )
        sources = Sources(self.addresses, Log(self.told.append))
        try:
            [result] = await write_contents(
                self.target, sources, "T", [put], lambda *_: None
            )
        finally:
            sources.close()
        return result

    def read(self):
        return (self.folder / "target/b").read_bytes()

    def relays(self):
        """Return which source went on from where, as the log has it."""
        return [(told.fields["source"], told.fields["offset"]) for told in self.told]


@pytest.fixture
async def bench(short):
    (short / "target").mkdir()
    target = LocalStorage(short / "target")
    await target.open()
    bench = Bench(short, target)
    yield bench
    for source in bench.drivers:
        source.test_over.set()
    await asyncio.sleep(0.05)
    for server in bench.servers:
        server.close()
    await target.close()
    await asyncio.sleep(0.05)  # the threads see that the line is cut


@pytest.mark.parametrize("then", ["fails", "hangs"])
async def test_another_goes_on_where_one_stopped(bench, then, monkeypatch):
    monkeypatch.setattr(fetch, "PATIENCE", 1.0)
    first = bench.add("A", Ending(then))
    second = bench.add("C", Ending())

    result = await bench.copy()

    assert isinstance(result, Written), result
    assert bench.read() == CONTENT
    assert (first.starts, second.starts) == ([0], [GIVEN * MIB])
    assert bench.relays() == [("C", GIVEN * MIB)]
    assert bench.told[0].fields["cause"] == "why"


async def test_a_third_goes_on_when_the_second_stops(bench):
    bench.add("A", Ending("fails"))
    bench.add("C", Ending("fails"))
    last = bench.add("D", Ending())

    assert isinstance(await bench.copy(), Written)

    assert bench.read() == CONTENT
    assert last.starts == [2 * GIVEN * MIB]
    assert bench.relays() == [("C", GIVEN * MIB), ("D", 2 * GIVEN * MIB)]


async def test_one_that_has_changed_before_it_gave_anything_is_passed_over(bench):
    bench.add("A", Ending("fails"))
    bench.add("C", Ending()).set("a", file(b"changed"))
    last = bench.add("D", Ending())

    assert isinstance(await bench.copy(), Written)

    assert bench.read() == CONTENT
    assert last.starts == [GIVEN * MIB]


async def test_what_a_changed_source_gave_is_thrown_away(bench):
    bench.add("A", Ending("changes"))
    second = bench.add("C", Ending())

    assert isinstance(await bench.copy(), Written)

    assert bench.read() == CONTENT
    assert second.starts == [0]
    assert bench.relays() == []


async def test_what_cannot_be_verified_in_the_end_is_thrown_away(bench):
    bench.add("A", Ending("fails"))
    second = bench.add("C", Ending())

    assert isinstance(await bench.copy(digest=False), Written)

    assert bench.read() == CONTENT
    assert second.starts == [0]


async def test_two_that_do_not_fit_together_are_never_put_together(bench):
    """The one that stopped held something else: the digest tells."""
    liar = Ending("fails")
    bench.add("A", liar, liar.set("a", file(bytes(SIZE))).stamp)
    second = bench.add("C", Ending())

    assert isinstance(await bench.copy(), Written)

    assert bench.read() == CONTENT
    assert second.starts == [GIVEN * MIB, 0]


async def test_when_all_stop_nothing_is_left(bench):
    for name in ("A", "C"):
        bench.add(name, Ending("fails"))

    result = await bench.copy()

    assert isinstance(result, StorageError)
    assert str(result).startswith("source")
    assert list((bench.folder / "target").iterdir()) == []


class TestDescriptors:
    """A file that can be opened, on a disk that fails in the middle of it."""

    @pytest.fixture
    async def failing(self, bench, monkeypatch):
        def copy(source, temp, count, start):
            if start >= GIVEN * MIB:
                raise kernel._Broke(start, OSError(errno.EIO, "no answer"))
            return copy_range(source, temp, count, start)

        copy_range = kernel._copy_range
        monkeypatch.setattr(kernel, "_STEP", MIB)
        monkeypatch.setattr(kernel, "_copy_range", copy)
        root = bench.folder / "source"
        root.mkdir()
        (root / "a").write_bytes(CONTENT)
        driver = LocalStorage(root)
        await driver.open()
        bench.add("A", driver, await stamp(driver, "a"))
        yield root / "a"
        await driver.close()

    @pytest.mark.parametrize("digest", [True, False])
    async def test_another_goes_on(self, bench, failing, digest):
        second = bench.add("C", Ending())

        assert isinstance(await bench.copy(digest=digest), Written)

        assert bench.read() == CONTENT
        assert second.starts == [GIVEN * MIB]
        assert bench.relays() == [("C", GIVEN * MIB)]

    async def test_not_if_the_first_has_changed_meanwhile(self, bench, failing):
        class Changing(Ending):
            async def read(self, path, stamp, start=0, length=None):
                failing.write_bytes(b"x" * SIZE)
                async for chunk in super().read(path, stamp, start, length):
                    yield chunk

        second = bench.add("C", Changing())

        assert isinstance(await bench.copy(digest=False), Written)

        assert bench.read() == CONTENT
        assert second.starts == [GIVEN * MIB, 0]

    async def test_with_no_other_it_fails(self, bench, failing):
        result = await bench.copy()

        assert isinstance(result, StorageError)
        assert "cannot be read: no answer" in str(result)
        assert list((bench.folder / "target").iterdir()) == []
