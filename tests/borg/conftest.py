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
def away(tmp_path, machines) -> Bench:
    """A client elsewhere, and no repository."""
    bench = Bench(tmp_path, machines)
    (bench.source / "a").write_text("one")
    return bench


@pytest.fixture
def remote(away: Bench, machines, empty) -> Bench:
    """A client elsewhere, and a repository on a third machine."""
    copied(empty, away, machines)
    return away


@pytest.fixture(params=["here", Mode.PUSH, Mode.PULL])
def anywhere(request, tmp_path, machines, empty) -> Bench:
    """This machine, or a client elsewhere in each of the ways."""
    if request.param == "here":
        shutil.copytree(empty, tmp_path / "repository")
        return Bench(tmp_path)
    bench = Bench(tmp_path, machines)
    bench.mode = request.param
    copied(empty, bench, machines)
    return bench


def copied(empty: Path, bench: Bench, machines: Machines) -> None:
    """Have a machine hold a copy of a repository.

    Borg on the client remembers what it has seen of that before, and would take the
    copy for an attack.
    """
    shutil.copytree(empty, bench.folder / "repository")
    for remembered in (".cache/borg", ".config/borg"):
        shutil.rmtree(machines.client.home / remembered, ignore_errors=True)
