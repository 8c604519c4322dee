"""The sources under test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backup_sources.fakes import FolderStaging, FolderVault
from tests.backup_sources.hands import (
    CommandHand,
    CouchHand,
    EntriesHand,
    Hand,
    ZooKeeperHand,
)
from tests.peers import zookeeper
from tests.peers.couchdb import Couch
from tests.peers.zookeeper import Zoo


@pytest.fixture(scope="session")
def couch() -> Iterator[Couch]:
    """A CouchDB; whoever uses it makes the databases anew."""
    with Couch() as couch:
        yield couch


@pytest.fixture(scope="session")
def zoo() -> Iterator[Zoo]:
    """A ZooKeeper alone; whoever uses it clears it first."""
    with zookeeper.alone() as zoo:
        yield zoo


@pytest.fixture(params=["entries", "command", "couchdb", "zookeeper"])
def hand(request, tmp_path: Path) -> Hand:
    home = tmp_path / "home"
    home.mkdir()
    if request.param == "couchdb":
        return CouchHand(home, request.getfixturevalue("couch"))
    if request.param == "zookeeper":
        return ZooKeeperHand(home, request.getfixturevalue("zoo"))
    kinds: dict[str, Callable[[Path], Hand]] = {
        "entries": EntriesHand,
        "command": CommandHand,
    }
    return kinds[request.param](home)


Staged = Callable[..., FolderStaging]


@pytest.fixture
def stage(tmp_path: Path) -> Staged:
    """Begin vaults; each may follow on a last one."""
    number = 0

    def stage(last: FolderVault | None = None) -> FolderStaging:
        nonlocal number
        number += 1
        return FolderStaging(tmp_path / f"vault {number}", last)

    return stage
