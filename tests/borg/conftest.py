from collections.abc import Iterator

import pytest

from syncd.core.borg.tasks import Mode
from tests.borg.bench import Bench, Machines
from tests.peers.sshd import Machine, new_key


@pytest.fixture
async def bench(tmp_path) -> Bench:
    """A repository that is ready, and a source with a file."""
    bench = Bench(tmp_path)
    await bench.prepare()
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
    await bench.prepare()
    (bench.source / "a").write_text("one")
    return bench


@pytest.fixture(params=["here", Mode.PUSH, Mode.PULL])
async def anywhere(request, tmp_path, machines) -> Bench:
    """This machine, or a client elsewhere in each of the ways."""
    if request.param == "here":
        bench = Bench(tmp_path)
    else:
        bench = Bench(tmp_path, machines)
        bench.mode = request.param
    await bench.prepare()
    return bench
