"""A ZooKeeper backed up, beside a walk that only reads every node, pipelined."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from kazoo.client import KazooClient

from syncd.backup_sources.contract import Around
from syncd.backup_sources.zookeeper.options import ZooKeeperOptions
from syncd.backup_sources.zookeeper.source import ZooKeeper
from syncd.core.backup import Wanted
from tests.backup_sources.fakes import FolderStaging, Listener
from tests.benchmarks.ours import Placed
from tests.benchmarks.plan import Plan, Result, Row
from tests.benchmarks.workshop import Workshop
from tests.peers import zookeeper
from tests.peers.zookeeper import Zoo

SIZE = 1024
WIDTH = 200
WINDOW = 256
"""Requests that the walk has under way."""

WALK = "kazoo, pipelined walk"


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return what a backup of many small nodes takes, and a walk to read them."""
    count, runs = plan.pick(20_000, 2000), plan.pick(5, 1)
    taken: dict[str, list[float]] = {}
    with zookeeper.alone(settings={"snapCount": 5000}) as zoo:
        _planted(zoo, count)
        data = str(zoo.servers[0].data)
        source = {"kind": "zookeeper", "hosts": zoo.hosts, "data": data}
        ours: dict[str, Callable[[], float]] = {
            WALK: lambda: _walked(zoo, count),
            "syncd, the source": lambda: _read(workshop, source, {}),
            "syncd, the source, transactional": lambda: _read(
                workshop, source, {"mode": "transactional"}
            ),
        }
        with _Daemon(workshop.new_folder(), source) as daemon:
            daemon.start_unready()
            daemon.until_ready()
            ours["syncd, the whole job"] = lambda: _backed_up(daemon)
            for _ in range(runs):
                for name, run in ours.items():
                    taken.setdefault(name, []).append(run())
    result = Result(f"Backup of {count:,} nodes of {SIZE:,} bytes in a ZooKeeper")
    walk = median(taken[WALK])
    for name, seconds in taken.items():
        middle = median(seconds)
        row: Row = {"tool": name, "s": middle, "x": middle / walk, "n": len(seconds)}
        row["nodes a second"] = round(count / middle)
        result.rows.append(row)
    result.notes += [
        f"x is against {WALK}, {WINDOW} requests under way; it reads data only, syncd"
        " also ACLs, and looks a second time for what has moved",
        "the whole job: from the request until the vault is durable, its process"
        " included, which the first time has to be started",
    ]
    return result


class _Daemon(Placed):
    """A daemon that backs up a ZooKeeper."""

    def __init__(self, home: Path, source: Mapping[str, Any]) -> None:
        self._source = dict(source)
        super().__init__(home, {"A": _folder(home)})

    def write_config(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self.further = {"backup": {"source": self._source}}
        super().write_config(settings)


def _folder(home: Path) -> Path:
    folder = home / "A"
    folder.mkdir()
    return folder


def _planted(zoo: Zoo, count: int) -> None:
    with zoo.visited() as client:
        client.create("/app")
        for number in range(count // WIDTH):
            batch = client.transaction()
            batch.create(f"/app/{number}", b"." * SIZE)
            for inner in range(WIDTH - 1):
                data = f"{number} {inner} ".encode().ljust(SIZE, b".")
                batch.create(f"/app/{number}/n{inner}", data)
            batch.commit()


def _walked(zoo: Zoo, count: int) -> float:
    with zoo.visited() as client:
        begin = time.perf_counter()
        found = _all_below(client, "/app")
        seconds = time.perf_counter() - begin
    assert found == count + 1, found
    return seconds


def _all_below(client: KazooClient, top: str) -> int:
    """Return how many nodes were read at and below one."""
    todo, listed, found = deque([top]), deque[tuple[str, Any]](), 0
    read: deque[tuple[str, Any]] = deque()
    while todo or read or listed:
        while todo and len(read) < WINDOW:
            path = todo.popleft()
            read.append((path, client.get_async(path)))
        if read:
            path, answer = read.popleft()
            _, stat = answer.get(60)
            found += 1
            if stat.numChildren:
                listed.append((path, client.get_children_async(path)))
        elif listed:
            path, answer = listed.popleft()
            todo.extend(f"{path}/{name}" for name in answer.get(60))
    return found


def _read(
    workshop: Workshop, source: Mapping[str, Any], variables: dict[str, Any]
) -> float:
    """Back up into a folder, in this process: what a worker does, and no vault."""
    said = {name: one for name, one in source.items() if name != "kind"}
    options = ZooKeeperOptions.model_validate(said).model_dump()
    made = ZooKeeper.create(options, Around(scratch=workshop.new_folder()))
    into = FolderStaging(workshop.new_folder())
    begin = time.perf_counter()
    report = asyncio.run(made.back_up(Wanted(variables=variables), into, Listener()))
    seconds = time.perf_counter() - begin
    assert not report.failed, report.failed
    return seconds


def _backed_up(daemon: Placed) -> float:
    begin = time.perf_counter()
    job = daemon.http("POST", "/backups", {}).json()
    daemon.listen(f"/jobs/{job['id']}/log")
    seconds = time.perf_counter() - begin
    assert daemon.http("GET", f"/jobs/{job['id']}").json()["state"] == "successful"
    return seconds
