"""Health: the object, and the gauges under the names that dashboards know."""

import pytest

from syncd.api.auth import Auth
from syncd.core.backup import Health, Sounded
from tests.api.daemon.memory import NOON
from tests.api.daemon.test_handler import OPERATOR, RIGHT

ROOM = {
    "size": 1,
    "free_space": 2,
    "total_space": 3,
    "free_inodes": 4,
    "total_inodes": 5,
    "used_inodes": 6,
}


async def test_without_backups(http):
    answer = await http.get("/health")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "status": "UP",
        "backup_queue_size": 0,
        "storage": {"dump_count": 0, **ROOM},
    }


async def test_vaults_that_cannot_be_reached_are_a_warning(http, backups):
    backups.add("20260101T000000")
    backups.missing = "/srv/vaults is not the vault store that was here before"

    answer = await http.get("/health")

    said = answer.json()
    assert said["status"] == "Warning"
    assert said["storage"]["trouble"] == "the vaults cannot be reached"
    assert said["storage"]["dump_count"] == 1
    # Anybody may ask, and folders are nobody's business.
    assert "/srv" not in answer.text
    assert "backup_daemon_status 0\n" in (await http.get("/health/prometheus")).text


async def test_the_newest_and_the_newest_good_one(http, backups):
    backups.add("20260101T000000", exit_code=0)
    backups.add("20260102T000000", failed="exit code 3", exit_code=3)
    backups.add("20260103T000000", folder="elsewhere")
    await http.post("/backup")

    said = (await http.get("/health")).json()

    storage = said["storage"]
    assert (said["status"], said["backup_queue_size"]) == ("Warning", 1)
    assert storage["dump_count"] == 2
    assert isinstance(storage["last"].pop("ts"), int)
    assert storage["last"] == {
        "id": "20260102T000000",
        "failed": True,
        "locked": False,
        "sharded": False,
        "canceled": False,
        "metrics": {
            "exit_code": 3,
            "spent_time": 1500,
            "size": 123,
            "exception": "exit code 3",
        },
    }
    assert storage["lastSuccessful"]["id"] == "20260101T000000"
    good = {"exit_code": 0, "spent_time": 1500, "size": 123}
    assert storage["lastSuccessful"]["metrics"] == good
    assert "lastProven" not in storage


async def test_what_was_proven(http, backups):
    backups.add("20260101T000000", proven=NOON)
    backups.add("20260102T000000")

    storage = (await http.get("/health")).json()["storage"]
    assert storage["lastProven"]["id"] == "20260101T000000"


async def test_anything_below_is_the_same(http):
    assert (await http.get("/health/x")).json() == (await http.get("/health")).json()


async def test_probes(http):
    live, ready = await http.get("/health/live"), await http.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "UP"})
    assert (ready.status_code, ready.json()["status"]) == (200, "UP")


async def test_gauges(http, backups):
    backups.add("20260101T000000", exit_code=0)
    backups.add("20260102T000000", failed="why", flags={"sharded": True})
    ts = (await http.get("/listbackups/20260102T000000")).json()["ts"]
    good = (await http.get("/listbackups/20260101T000000")).json()["ts"]

    answer = await http.get("/health/prometheus")

    expected = "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["Content-Type"] == expected
    lines = answer.text.splitlines()
    last = 'backup_storage_last_{}{{id="20260102T000000"}} {}'
    fine = 'backup_storage_last_successful_{}{{id="20260101T000000"}} {}'
    assert [line for line in lines if not line.startswith("#")] == [
        "backup_queue_size 0",
        "backup_daemon_status 0",
        "backup_storage_dump_count 2",
        "backup_storage_size 1",
        "backup_storage_free_space 2",
        "backup_storage_space_total 3",
        "backup_storage_free_inodes 4",
        "backup_storage_inodes_total 5",
        "backup_storage_used_inodes 6",
        last.format("failed", 1),
        last.format("locked", 0),
        last.format("sharded", 1),
        last.format("exit_code", 1),
        last.format("size", 123),
        last.format("spent_time", 1500),
        last.format("timestamp", ts),
        fine.format("failed", 0),
        fine.format("locked", 0),
        fine.format("sharded", 0),
        fine.format("exit_code", 0),
        fine.format("size", 123),
        fine.format("spent_time", 1500),
        fine.format("timestamp", good),
    ]
    names = [line.split("{")[0].split()[0] for line in lines if line[0] != "#"]
    assert [f"# TYPE {name} gauge" for name in names] == [
        line for line in lines if line[0] == "#"
    ]


async def test_gauges_of_nothing(http):
    lines = (await http.get("/health/prometheus")).text.splitlines()

    assert "backup_daemon_status 1" in lines
    assert not [line for line in lines if "last" in line]


class TestSources:
    @pytest.fixture(autouse=True)
    def sources(self, backups):
        good = Health(reachable=True, detail="zk-1 is away", figures={"lag": 2.0})
        backups.sources = {'zoo"': Sounded(good, NOON)}

    async def test_how_they_are(self, http, backups):
        said = (await http.get("/health")).json()
        assert said["status"] == "UP"
        figures = {"figures": {"lag": 2.0}, "ts": int(NOON * 1000)}
        told = {"reachable": True, "detail": "zk-1 is away", **figures}
        assert said["sources"] == {'zoo"': told}
        lines = (await http.get("/health/prometheus")).text.splitlines()
        assert r'backup_source_reachable{source="zoo\""} 1' in lines

        backups.sources["other"] = Sounded(Health(reachable=False), NOON)
        assert (await http.get("/health")).json()["status"] == "Warning"
        lines = (await http.get("/health/prometheus")).text.splitlines()
        assert 'backup_source_reachable{source="other"} 0' in lines
        assert "backup_daemon_status 0" in lines


class TestSourcesForStrangers:
    @pytest.fixture
    def auth(self):
        return Auth(policy=OPERATOR)

    @pytest.mark.parametrize("headers", [{}, {"Authorization": RIGHT}])
    async def test_details_are_told_to_who_may_read_logs(self, http, backups, headers):
        away = Health(reachable=False, detail="no ZooKeeper at zk-1")
        backups.sources = {"zoo": Sounded(away, NOON)}
        said = (await http.get("/health", headers=headers)).json()["sources"]

        assert ("detail" in said["zoo"]) == bool(headers)


class TestIncremental:
    @pytest.fixture
    def with_incremental(self):
        return True

    async def test_its_own(self, http, incremental):
        incremental.add("20260101T000000")

        said = (await http.get("/incremental/health")).json()
        assert said["storage"]["dump_count"] == 1
        assert (await http.get("/health")).json()["storage"]["dump_count"] == 0
        gauges = (await http.get("/incremental/health/prometheus")).text
        assert "backup_storage_dump_count 1\n" in gauges
