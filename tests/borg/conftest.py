import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.core.borg.tasks import Mode
from tests.borg.bench import Bench, Machines
from tests.peers.sshd import Machine, new_key


@pytest.fixture(scope="session")
def empty(tmp_path_factory) -> Path:
    """A repository that was just made: to copy it is faster than to make one."""
    bench = Bench(tmp_path_factory.mktemp("empty"))
    asyncio.run(bench.prepare())
    return Path(bench.repository.path)


@pytest.fixture
async def bench(tmp_path, empty) -> Bench:
    """A repository that is ready, and a source with a file."""
    shutil.copytree(empty, tmp_path / "repository")
    bench = Bench(tmp_path)
    (bench.source / "a").write_text("one")
    return bench


@pytest.fixture(scope="session")
def machines(tmp_path_factory) -> Iterator[Machines]:
    """A client and a machine with repositories, which know one key of ours."""
    folder = tmp_path_factory.mktemp("machines")
    key = new_key(folder / "key")
    public = (folder / "key.pub").read_text()
    client, store = Machine(folder / "client"), Machine(folder / "store")
    try:
        for machine in (client, store):
            machine.let_in(public)
            machine.start()
        yield Machines(client, store, key)
    finally:
        client.stop()
        store.stop()


@pytest.fixture
async def remote(tmp_path, machines) -> Bench:
    """A client elsewhere, and a repository on a third machine."""
    bench = Bench(tmp_path, machines)
    # Borg on the client remembers what it has seen, and takes a copy for an attack.
    await bench.prepare()
    (bench.source / "a").write_text("one")
    return bench


@pytest.fixture(params=["here", Mode.PUSH, Mode.PULL])
async def anywhere(request, tmp_path, machines, empty) -> Bench:
    """This machine, or a client elsewhere in each of the ways."""
    if request.param == "here":
        shutil.copytree(empty, tmp_path / "repository")
        return Bench(tmp_path)
    bench = Bench(tmp_path, machines)
    bench.mode = request.param
    await bench.prepare()
    return bench
