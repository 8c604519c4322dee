"""Large trees: what a backup takes, and how much of it at once."""

import re
import tracemalloc

from syncd.core.backup import Wanted
from tests.backup_sources.fakes import FolderStaging, Listener
from tests.backup_sources.zookeeper.test_source import nodes
from tests.peers.zookeeper import Zoo

TEN = 10


def planted(client, top: str, count: int, size: int, width: int = 200) -> None:
    """Make a tree of so many nodes, and their number below each other one."""
    client.create(top)
    for number in range(count // width):
        batch = client.transaction()
        batch.create(f"{top}/{number}")
        for inner in range(width - 1):
            data = f"{number} {inner} ".encode().ljust(size, b".")
            batch.create(f"{top}/{number}/n{inner}", data)
        batch.commit()


def packets(zoo: Zoo) -> int:
    """Return how many requests the server has had."""
    found = re.search(r"zk_packets_received\s+(\d+)", zoo.servers[0].say("mntr"))
    assert found
    return int(found[1])


async def test_not_much_more_than_one_request_for_each_node(park):
    with park.zoo.visited() as client:
        planted(client, "/app", 4000, 1024)
    before = packets(park.zoo)
    report, _ = await park.report("app")

    assert report.origin["nodes"] == 4001
    assert packets(park.zoo) - before < 4001 * 1.1


async def test_memory_does_not_grow_with_what_is_in_the_nodes(park):
    with park.zoo.visited() as client:
        planted(client, "/app", 200, 100_000, width=2)
    tracemalloc.start()
    try:
        into = FolderStaging(park.home / "vault")
        wanted = Wanted(databases=["app"])
        report = await park.source().back_up(wanted, into, Listener())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert report.origin["nodes"] == 201
    assert most < 15_000_000


def widened(client, top: str, number: int) -> None:
    """Make a node with so many children."""
    client.create(top)
    for start in range(0, number, 2000):
        batch = client.transaction()
        for one in range(start, start + 2000):
            batch.create(f"{top}/{one:020}")
        batch.commit()


async def test_a_hundred_thousand_children_of_one(park):
    number = 100_000
    with park.zoo.visited() as client:
        widened(client, "/wide", number)
    report, vault = await park.report("wide")

    assert report.failed == {}
    assert len(nodes(vault)) == number + 1


async def test_many_children_and_large_nodes_come_back(park):
    number = 10_000
    park.said["packet"] = 500_000
    with park.zoo.visited() as client:
        widened(client, "/wide", number)
        client.create("/large", bytes(1_048_000))
    vault = await park.backed_up()
    with park.zoo.visited() as client:
        client.delete("/large")
        for one in range(0, number, number // TEN):
            client.delete(f"/wide/{one:020}")
            client.set(f"/wide/{one + 1:020}", b"changed")
    report = await park.restored(vault)

    assert (report.changed["created"], report.changed["replaced"]) == (TEN + 1, TEN)
    with park.zoo.visited() as client:
        assert len(client.get_children("/wide")) == number
        assert client.get("/large")[0] == bytes(1_048_000)
