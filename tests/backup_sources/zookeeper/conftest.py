"""Parks to work in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup_sources.zookeeper.park import Park
from tests.peers import zookeeper
from tests.peers.zookeeper import Encrypted, Zoo


@pytest.fixture
def park(zoo: Zoo, tmp_path: Path) -> Park:
    """An empty ZooKeeper alone."""
    zoo.clear()
    return Park(zoo, tmp_path)


@pytest.fixture(scope="session")
def trio() -> Iterator[Zoo]:
    """An ensemble of three."""
    with zookeeper.ensemble() as trio:
        yield trio


@pytest.fixture
def reserve(trio: Zoo, tmp_path: Path) -> Iterator[Park]:
    """An empty ensemble of three, whose members may be killed."""
    trio.clear()
    yield Park(trio, tmp_path)
    trio.started()


@pytest.fixture(scope="session")
def encrypted() -> Iterator[Encrypted]:
    """A ZooKeeper that speaks TLS."""
    with Encrypted() as zoo:
        yield zoo


@pytest.fixture(scope="session")
def with_sasl() -> Iterator[Zoo]:
    """A ZooKeeper that knows logins by SASL."""
    with zookeeper.with_sasl() as zoo:
        yield zoo
