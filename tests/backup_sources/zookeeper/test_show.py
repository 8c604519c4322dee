"""A large tree is written to while it is backed up; it is lost, and restored."""

from typing import Any

import pytest

from tests.backup_sources.zookeeper.show import (
    LOGIN,
    NODES,
    busy,
    counters,
    lived,
    planted,
)


@pytest.mark.parametrize("mode", ["hierarchical", "transactional"])
async def test_everything_comes_back(park, mode):
    park.said |= {
        "auth": [{"credential": LOGIN}],
        "containers": ["/app/locks"],
        "ttl": {"/app/soon": 3_600_000},
        "data": str(park.zoo.servers[0].data),
    }
    planted(park.zoo)
    await lived(park)
    with busy(park.zoo):
        report, _ = await park.report(mode=mode)
        said: dict[str, Any] = report.origin["consistency"]
        assert report.failed == {}
        assert report.origin["nodes"] >= NODES
        # Read node by node, what moved is named; what a server has is of one moment.
        assert bool(said["moved_nodes"]) == (mode == "hierarchical")

    before = park.zoo.content("/app")
    assert len(before) >= NODES
    report, vault = await park.report(mode=mode)
    assert report.origin["consistency"]["consistent"]
    next_names = counters(park.zoo)
    park.zoo.clear()
    await park.restored(vault)

    assert park.zoo.content("/app") == before
    assert counters(park.zoo) == next_names
    assert park.zoo.servers[0].owner("/app/locks") == "container"
    assert park.zoo.servers[0].owner("/app/soon") == "ttl"
