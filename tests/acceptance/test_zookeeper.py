"""A daemon that backs up a ZooKeeper, asked as others document it."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.test_backup_daemon import ME, PATIENCE, Guarded, upload
from tests.backup_sources.zookeeper.test_source import put
from tests.peers import zookeeper
from tests.peers.zookeeper import Zoo


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with zookeeper.alone() as zoo:
        yield zoo


@pytest.fixture
def daemon(zoo: Zoo) -> Iterator[Guarded]:
    zoo.clear()
    source = {
        "kind": "zookeeper",
        "hosts": zoo.hosts,
        "packet": 4000,
        "data": str(zoo.servers[0].data),
    }
    with Guarded(source=source) as daemon:
        yield daemon.start()


def listed(daemon: Guarded, backup: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(daemon.curl(f"/listbackups/{backup}")[1])
    return found


def test_every_line_of_the_documentation(daemon, zoo):
    with zoo.visited() as client:
        put(client, "/tmp/x", bytes(range(256)))
        put(client, "/zookeeper/quota/tmp/zookeeper_limits", b"count=9,bytes=-1")
        client.create("/tmp/n-", sequence=True)
    before = zoo.content("/")
    status, backup = daemon.post("/backup")
    assert (status, daemon.polled(backup)[0]) == (200, 200)
    assert listed(daemon, backup)["valid"] is True

    zoo.clear()
    wanted = {"vault": backup, "dbs": ["zookeeper", "tmp"]}
    dry = daemon.post("/restore", {**wanted, "dryRun": True})[1]
    assert daemon.polled(dry)[0] == 200
    assert "tmp" not in zoo.content("/")
    status, task = daemon.post("/restore", wanted)
    assert daemon.polled(task) == (
        200,
        {
            "task_id": task,
            "type": "restore",
            "status": "Successful",
            "vault": backup,
            "err": "",
        },
    )
    assert zoo.content("/") == before

    said = {**wanted, "dbs": ["tmp"], "changeDbNames": {"tmp": "other"}}
    assert daemon.polled(daemon.post("/restore", said)[1])[0] == 200
    assert zoo.content("/other").keys() == {"/other", "x", "n-0000000001"}

    one = daemon.post("/backup", {"dbs": ["tmp"]})[1]
    assert daemon.polled(one)[0] == 200
    assert listed(daemon, one)["db_list"] == ["tmp"]
    assert daemon.polled(daemon.post("/restore", {"vault": one})[1])[0] == 200

    task = daemon.post("/restore", {"vault": backup, "dbs": ["nope"]})[1]
    status, body = daemon.polled(task)
    assert (status, "no node nope" in body["err"]) == (500, True)

    origin = next(
        one["summary"]["origin"]
        for one in daemon.vaults()
        if one["summary"]["name"] == backup
    )
    assert origin["consistency"]["consistent"] is True
    assert origin["consistency"]["begun"] <= origin["consistency"]["ended"]


def test_modes(daemon, zoo):
    hierarchical = daemon.post("/backup", {"mode": "hierarchical"})[1]
    assert daemon.polled(hierarchical)[0] == 200

    with zoo.visited() as client:
        put(client, "/tmp/x", bytes(range(256)))
        client.create("/tmp/n-", sequence=True)
    before = zoo.content("/")
    transactional = daemon.post("/backup", {"mode": "transactional"})[1]
    assert daemon.polled(transactional)[0] == 200
    zoo.clear()
    wanted = {"vault": transactional, "dbs": ["zookeeper", "tmp"]}
    assert daemon.polled(daemon.post("/restore", wanted)[1])[0] == 200
    assert zoo.content("/") == before
    undo = {"vault": transactional, "mode": "undo"}
    assert daemon.polled(daemon.post("/restore", undo)[1])[0] == 200
    assert "tmp" not in zoo.content("/")

    # What is meant otherwise is never passed off as done.
    status, body = daemon.polled(daemon.post("/backup", {"mode": "transaction"})[1])
    assert (status, "hierarchical or transactional" in body["err"]) == (500, True)


def test_how_it_is(daemon, zoo):
    def known() -> bool:
        said.update(json.loads(daemon.curl("/health")[1]).get("sources", {}))
        return bool(said)

    said: dict[str, dict[str, Any]] = {}
    wait_for(known, PATIENCE, daemon.log_end)
    assert said["default"]["reachable"] is True
    figures = {"members": 1, "members_there": 1, "quorum": 1, "lag": 0}
    assert figures.items() <= said["default"]["figures"].items()
    told = daemon._http.get("/metrics").text
    assert 'syncd_source_reachable{source="default",store="full"} 1.0' in told
    assert (
        'syncd_source_figure{figure="quorum",source="default",store="full"} 1' in told
    )


def test_how_it_is_when_it_is_not_there():
    source = {"kind": "zookeeper", "hosts": ["127.0.0.1:1"], "patience": 1}
    with Guarded(source=source) as daemon:
        daemon.start()
        wait_for(
            lambda: json.loads(daemon.curl("/health")[1])["status"] == "Warning",
            PATIENCE,
            daemon.log_end,
        )
        me = ("-u", ":".join(ME))
        (known,) = json.loads(daemon.curl(*me, "/health")[1])["sources"].values()
        assert known["detail"].startswith("no ZooKeeper at 127.0.0.1:1")
        assert known["figures"]["quorum"] == 0
        told = daemon._http.get("/metrics").text
        assert 'syncd_source_reachable{source="default",store="full"} 0.0' in told


def test_a_vault_of_the_daemon_before(daemon, zoo):
    inner, outer = BytesIO(), BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("app/", b"")
        archive.writestr("app/content", bytes([233, 13, 10]).decode("cp437"))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("znodes.zip", inner.getvalue())
    name = "20200101T000000"
    assert upload(daemon, name, outer.getvalue()).status_code == 200
    task = daemon.post("/restore", {"vault": name, "dbs": ["app"]})[1]

    assert daemon.polled(task)[0] == 200
    assert zoo.content("/app")["/app"][0] == bytes([233, 13, 10])


@pytest.mark.parametrize("everything", [True, False])
def test_a_restore_that_is_killed_is_taken_back(daemon, zoo, everything):
    with zoo.visited() as client:
        client.create("/app")
        for number in range(1200):
            last = client.create_async(f"/app/n{number}", b"then" * 100)
        last.get(60)
    backup = daemon.post("/backup", {"dbs": ["app"]})[1]
    assert daemon.polled(backup)[0] == 200
    with zoo.visited() as client:
        for number in range(1200):
            last = client.set_async(f"/app/n{number}", b"now")
        last.get(60)
    now = zoo.content("/app")

    task = daemon.post("/restore", {"vault": backup})[1]
    with zoo.visited() as client:
        wait_for(lambda: client.get("/app/n0")[0] != b"now", PATIENCE, every=0.001)
    if everything:
        daemon.kill()
        daemon.start()
    else:
        for process in daemon.processes():
            if "syncd.child.worker" in process.cmdline():
                process.kill()
    assert daemon.polled(task)[0] == 500
    wait_for(lambda: zoo.content("/app") == now, PATIENCE, daemon.log_end, every=0.2)
    wait_for(
        lambda: "is as it was before it" in daemon.polled(task)[1]["err"], PATIENCE
    )
    daemon.tolerated.append("cut off")

    task = daemon.post("/restore", {"vault": backup})[1]
    assert daemon.polled(task)[0] == 200
    assert {data for data, _ in zoo.content("/app").values()} == {b"then" * 100, b""}
