"""Backups: what may be asked for, what is answered, byte by byte."""

import json
import re
from zoneinfo import ZoneInfo

import pytest

from syncd.core.job import Event
from syncd.core.vault import Pin
from syncd.errors import NoRoom, NotFound
from tests.api.daemon.memory import NOON

NAME = re.compile(rb"\d{8}T\d{6}")


def only(backups):
    (job,) = backups.asked.values()
    return job


class TestAsking:
    async def test_the_answer_is_the_bare_name(self, http, backups):
        answer = await http.post("/backup")

        assert answer.status_code == 200
        assert NAME.fullmatch(answer.content)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.text == only(backups).vault

    async def test_nothing_is_asked_for_by_default(self, http, backups):
        await http.post("/backup")

        asked = only(backups).asked
        assert (asked["databases"], asked["pin"], asked["folder"]) == (None, None, "")

    @pytest.mark.parametrize(
        ("body", "databases"),
        [
            ({"dbs": ["a", "b"]}, ["a", "b"]),
            ({"args": ["a"]}, ["a"]),
            ({"dbs": []}, None),
            ({"dbs": None}, None),
            ({"dbs": ["a/b c", "Žofie"]}, ["a/b c", "Žofie"]),
            (
                {
                    "dbs": [
                        {"a": {"collections": ["c", {"d": {}}]}},
                        {"b": {"tables": []}},
                    ]
                },
                [{"a": {"collections": ["c", {"d": {}}]}}, {"b": {"tables": []}}],
            ),
            ({"vault": "x", "ts": "1", "changeDbNames": {"a": "b"}}, None),
        ],
    )
    async def test_databases(self, http, backups, body, databases):
        answer = await http.post("/backup", json=body)

        assert answer.status_code == 200
        assert only(backups).asked["databases"] == databases

    @pytest.mark.parametrize(
        ("said", "evictable"),
        [
            *[(word, True) for word in ("true", "True", "TRUE", "1", "t", "y", "yes")],
            *[(word, False) for word in ("False", "0", "no", "", "maybe")],
            (True, True),
            (1, True),
            (False, False),
            (0, False),
            (None, False),
        ],
    )
    async def test_what_may_be_evicted(self, http, backups, said, evictable):
        await http.post("/backup", json={"allow_eviction": said})

        pin = only(backups).asked["pin"]
        assert (pin is None) == evictable
        assert evictable or pin["by"] == "anybody"

    @pytest.mark.parametrize("type", [None, "application/x-www-form-urlencoded"])
    async def test_a_body_is_read_whatever_curl_says_of_it(self, http, backups, type):
        headers = {} if type is None else {"Content-Type": type}
        await http.post("/backup", content=b'{"dbs": ["a"]}', headers=headers)

        assert only(backups).asked["databases"] == ["a"]

    async def test_variables_are_those_that_the_source_takes(self, http, backups):
        await http.post("/backup", json={"mode": {"any": ["thing", 1]}})

        assert only(backups).asked["variables"] == {"mode": {"any": ["thing", 1]}}

    async def test_marks_and_places(self, http, backups):
        body = {"sharded": "true", "externalBackupPath": "a//b/./c", "dbs": ["x"]}
        await http.post("/backup", json=body)

        asked = only(backups).asked
        assert (asked["flags"], asked["folder"]) == ({"sharded": True}, "a/b/c")

    async def test_asking_twice_with_one_key_is_asking_once(self, http, backups):
        key = {"Idempotency-Key": "k"}
        first = await http.post("/backup", headers=key)
        second = await http.post("/backup", headers=key)

        assert first.text == second.text == only(backups).vault

    async def test_two_in_one_second_have_two_names(self, http):
        names = {(await http.post("/backup")).text for _ in range(5)}

        assert len(names) == 5

    async def test_a_full_disk_is_told(self, http, backups):
        backups.says = NoRoom("the disk is full")

        answer = await http.post("/backup")

        assert (answer.status_code, answer.json()) == (
            507,
            {"message": "the disk is full"},
        )

    async def test_a_missing_source_is_told(self, http, backups):
        backups.says = NotFound("source default not found")

        assert (await http.post("/backup")).status_code == 404


class TestRefusing:
    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({"unknown": 1}, 500, "'unknown' is not known here"),
            ({"instances": ["a"]}, 500, "'instances' is not known here"),
            ({"dbs": ["a"], "args": ["a"]}, 500, "give one of them"),
            ({"dbs": ["../x"]}, 500, "no name of a database"),
            ({"dbs": ["a", "\n"]}, 500, "no name of a database"),
            ({"dbs": ["a", ""]}, 500, "1 to 255 bytes"),
            ({"dbs": ["a" * 256]}, 500, "1 to 255 bytes"),
            ({"dbs": ["ü" * 128]}, 500, "1 to 255 bytes"),
            ({"dbs": [1]}, 500, "1 to 255 bytes, not '1'"),
            ({"dbs": ["a"] * 10_001}, 400, "dbs has 10001 databases; say 10000"),
            ({"dbs": [1] * 100_000}, 413, "more than 64000 values"),
            ({"dbs": [{"a": {"rows": []}}]}, 500, "can be chosen: collections, tables"),
            ({"dbs": [{"a": []}]}, 500, "can be chosen"),
            ({"dbs": [{"a": {"tables": "t"}}]}, 500, "must be a list"),
            ({"dbs": [{}]}, 500, "a database is a name"),
            ({"dbs": [{"a": {}, "b": {}}]}, 500, "a database is a name"),
            ({"dbs": "a"}, 400, "dbs must be a list of databases"),
            ({"externalBackupPath": "../x"}, 400, "without .."),
            ({"externalBackupPath": "a/../../x"}, 400, "without .."),
            ({"externalBackupPath": "/x"}, 400, "without .."),
            ({"externalBackupPath": "a\0b"}, 400, "must be a path"),
            ({"externalBackupPath": 7}, 400, "must be a path"),
            ([1], 500, "must be a JSON object"),
            ("text", 500, "must be a JSON object"),
        ],
    )
    async def test_what_makes_no_sense(self, http, backups, body, status, words):
        answer = await http.post("/backup", json=body)

        assert answer.status_code == status
        assert words in answer.json()["message"]
        assert answer.headers["Content-Type"] == "application/json"
        assert not backups.asked

    @pytest.mark.parametrize("content", [b"", b"{", b'{"dbs": ["a"]', b"\xff{}"])
    async def test_broken_json(self, http, backups, content):
        headers = {"Content-Type": "application/json"}
        answer = await http.post("/backup", content=content, headers=headers)

        assert answer.status_code == 400
        assert answer.json().keys() == {"message"}
        assert not backups.asked

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/json; charset=latin-1"},
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        ],
    )
    async def test_a_body_is_never_passed_over(self, http, backups, headers):
        answer = await http.post("/backup", content=b'{"dbs":["a"]}', headers=headers)

        assert answer.status_code == 415
        assert not backups.asked

    async def test_an_unknown_parameter(self, http, backups):
        answer = await http.post("/backup?dbs=a")

        assert answer.status_code == 400
        assert not backups.asked

    async def test_another_method(self, http):
        answer = await http.delete("/backup")

        assert answer.status_code == 405
        said = {"message": "The method is not allowed for the requested URL."}
        assert answer.json() == said
        assert "POST" in answer.headers["Allow"]


class TestPrefixes:
    @pytest.fixture
    def manners(self):
        return {"prefixes": True, "namespace": "shop"}

    @pytest.mark.parametrize(
        ("body", "prefix"),
        [
            ({"dbs": ["a"], "prefix": "night"}, "night_shop"),
            ({"dbs": ["a"]}, "shop"),
            ({"prefix": "night"}, ""),
            ({"dbs": ["a"], "prefix": "night", "externalBackupPath": "x"}, ""),
        ],
    )
    async def test_partial_backups_have_one(self, http, backups, body, prefix):
        await http.post("/backup", json=body)

        assert only(backups).asked["prefix"] == prefix

    @pytest.mark.parametrize("prefix", ["../x", "a b", 7, "x" * 65, "ž"])
    async def test_bad_ones(self, http, backups, prefix):
        answer = await http.post("/backup", json={"dbs": ["a"], "prefix": prefix})

        assert answer.status_code == 500
        assert "prefix is made of" in answer.json()["message"]


async def test_without_prefixes_they_mean_nothing(http, backups):
    await http.post("/backup", json={"dbs": ["a"], "prefix": "../x"})

    assert only(backups).asked["prefix"] == ""


class TestListing:
    async def test_nothing(self, http):
        answer = await http.get("/listbackups")

        assert (answer.status_code, answer.content) == (200, b"[]\n")

    async def test_oldest_first_failed_ones_too(self, http, backups):
        backups.add("20260102T000000", failed="why")
        backups.add("shop_20260101T000000", partial=True)
        backups.add("20260103T000000", folder="elsewhere")
        backups.add("20251231T000000", canceled=True)

        assert (await http.get("/listbackups")).json() == [
            "20251231T000000",
            "shop_20260101T000000",
            "20260102T000000",
        ]

    async def test_one_that_runs_is_not_there(self, http, backups):
        name = (await http.post("/backup")).text

        assert (await http.get("/listbackups")).json() == []
        answer = await http.get(f"/listbackups/{name}")
        assert (answer.status_code, answer.json()) == (404, f"backup {name} not found")

        backups.finish(name)
        assert (await http.get("/listbackups")).json() == [name]
        assert (await http.get(f"/listbackups/{name}")).json()["valid"] is True

    async def test_a_full_one(self, http, backups):
        backups.add("20261121T072913", exit_code=0, size=1234, seconds=0.0305)

        said = (await http.get("/listbackups/20261121T072913")).json()

        ts = said.pop("ts")
        assert said == {
            "id": "20261121T072913",
            "is_granular": False,
            "db_list": "full backup",
            "failed": False,
            "locked": False,
            "sharded": False,
            "canceled": False,
            "exit_code": 0,
            "spent_time": "30ms",
            "size": "1234b",
            "valid": True,
            "evictable": True,
        }
        assert isinstance(ts, int)
        assert ts % 1000 == 0

    async def test_a_failed_partial_pinned_one(self, http, backups):
        backups.add(
            "20261121T072913",
            partial=True,
            listed=["a"],
            failed="exit code 3",
            exit_code=3,
            pin=Pin("why", "me", NOON),
            flags={"sharded": True},
            variables={"mode": "secret"},
        )

        said = (await http.get("/listbackups/20261121T072913")).json()

        assert said["is_granular"] is True
        assert said["db_list"] == ["a"]
        assert (said["failed"], said["valid"], said["evictable"]) == (
            True,
            False,
            False,
        )
        assert (said["exit_code"], said["exception"]) == (3, "exit code 3")
        assert said["sharded"] is True
        assert "custom_vars" not in said

    async def test_one_whose_command_never_ran_has_figures_too(self, http, backups):
        backups.add("20261121T072913", failed="no such command", seconds=0.0, size=0)

        said = (await http.get("/listbackups/20261121T072913")).json()

        assert (said["exit_code"], said["spent_time"], said["size"]) == (1, "0ms", "0b")

    async def test_a_damaged_one_is_not_valid(self, http, backups):
        backups.add("20261121T072913", damaged=["data/x"])

        said = (await http.get("/listbackups/20261121T072913")).json()
        assert (said["failed"], said["valid"]) == (False, False)

    @pytest.mark.parametrize("name", ["x", "%2e%2e", "granular", "a%2Fb", "..%2f.."])
    async def test_an_unknown_one(self, http, name):
        answer = await http.get(f"/listbackups/{name}")

        assert answer.status_code == 404
        assert answer.json().endswith("not found")

    async def test_one_kept_elsewhere_is_not_listed(self, http, backups):
        backups.add("20261121T072913", folder="x")

        assert (await http.get("/listbackups/20261121T072913")).status_code == 404
        assert (await http.get("/backup/20261121T072913")).status_code == 204

    async def test_the_time_is_that_of_the_name_here(self, http, backups):
        backups.now = NOON
        name = (await http.post("/backup")).text
        backups.finish(name)

        assert (await http.get(f"/listbackups/{name}")).json()["ts"] == NOON * 1000

    @pytest.mark.parametrize("name", ["manual", "20269999T000000"])
    async def test_a_name_without_a_time_is_as_old_as_its_vault(
        self, http, backups, name
    ):
        backups.add(name)

        assert (await http.get(f"/listbackups/{name}")).json()["ts"] == NOON * 1000


class TestZones:
    """Vaults are named in another zone than this machine's."""

    @pytest.fixture
    def with_incremental(self) -> bool:
        return True

    @pytest.fixture
    def manners(self):
        zones = {"zone": "Asia/Tokyo", "incremental_zone": "Asia/Kolkata"}
        return {which: ZoneInfo(zone) for which, zone in zones.items()}

    async def test_the_time_is_that_of_the_name_there(self, http, backups, incremental):
        backups.add("20261121T162913")
        incremental.add("20261121T125913")
        moment = 1795246153_000

        for where in ("", "/incremental"):
            [name] = (await http.get(f"{where}/listbackups")).json()
            said = (await http.get(f"{where}/listbackups/{name}")).json()
            assert said["ts"] == moment
            health = (await http.get(f"{where}/health")).json()
            assert health["storage"]["last"]["ts"] == moment
            found = await http.get(f"{where}/find?ts={moment}")
            assert found.json()["id"] == name
            later = await http.get(f"{where}/find?ts={moment + 1}")
            assert later.status_code == 404


class TestPublishing:
    @pytest.fixture
    def manners(self):
        return {"publish_variables": True}

    async def test_variables_are_told(self, http, backups):
        backups.add("20261121T072913", variables={"mode": "x"})
        backups.add("20261121T072914")

        said = (await http.get("/listbackups/20261121T072913")).json()
        assert said["custom_vars"] == {"mode": "x"}
        other = (await http.get("/listbackups/20261121T072914")).json()
        assert "custom_vars" not in other


class TestFinding:
    @pytest.fixture
    async def moments(self, http, backups):
        for name in ("20260103T000000", "20260101T000000", "20260102T000000"):
            backups.add(name)
        return {
            name: (await http.get(f"/listbackups/{name}")).json()["ts"]
            for name in backups.known
        }

    @pytest.mark.parametrize("as_text", [True, False])
    async def test_by_a_body(self, http, moments, as_text):
        moment = moments["20260101T000000"] + 1
        body = {"ts": str(moment) if as_text else moment}

        answer = await http.request("GET", "/find", json=body)

        assert answer.status_code == 200
        assert answer.json()["id"] == "20260102T000000"

    async def test_by_a_parameter(self, http, moments):
        moment = moments["20260102T000000"]

        assert (await http.get(f"/find?ts={moment}")).json()["id"] == "20260102T000000"

    @pytest.mark.parametrize("moment", ["99999999999999", "x", "", 1.5, True, [1]])
    async def test_nothing_of_that_time(self, http, moments, moment):
        answer = await http.request("GET", "/find", json={"ts": moment})

        assert answer.status_code == 404
        shown = moment if isinstance(moment, str) else ascii(json.dumps(moment))
        assert answer.json() == f"backup with ts {shown} or newer not found"

    async def test_no_time(self, http):
        answer = await http.get("/find")

        assert answer.status_code == 500
        assert "ts is missing" in answer.json()["message"]

    async def test_a_broken_body(self, http):
        headers = {"Content-Type": "application/json"}
        answer = await http.request("GET", "/find", content=b"{", headers=headers)

        assert answer.status_code == 400


class TestIncremental:
    @pytest.fixture
    def with_incremental(self):
        return True

    @pytest.fixture
    def manners(self):
        return {"variables": ["start_ts"]}

    async def test_it_needs_one_to_add_to(self, http, incremental):
        answer = await http.post("/incremental/backup")

        assert answer.status_code == 409
        assert answer.json()["status"] == "Failed"
        assert not incremental.asked

    async def test_it_begins_at_the_newest_of_its_kind(
        self, http, backups, incremental
    ):
        backups.add("20260101T000000")
        incremental.add("20260102T000000")
        backups.add("20260103T000000", failed="why")
        backups.add("20260104T000000", partial=True)

        answer = await http.post("/incremental/backup")

        assert answer.text == only(incremental).vault
        ts = (await http.get("/incremental/listbackups/20260102T000000")).json()["ts"]
        assert only(incremental).asked["variables"] == {"start_ts": ts // 1000}
        assert not backups.asked

    async def test_its_list_is_its_own(self, http, backups, incremental):
        backups.add("20260101T000000")
        incremental.add("20260102T000000")

        assert (await http.get("/incremental/listbackups")).json() == [
            "20260102T000000"
        ]
        said = (await http.get("/incremental/listbackups/20260102T000000")).json()
        assert said["db_list"] == "incremental backup"

    async def test_its_jobs_are_its_own(self, http, backups, incremental):
        backups.add("20260101T000000")
        name = (await http.post("/incremental/backup")).text

        answer = await http.get(f"/incremental/jobstatus/{name}")
        assert (answer.status_code, answer.json()["type"]) == (
            206,
            "incremental backup",
        )
        assert (await http.get(f"/jobstatus/{name}")).status_code == 404
        incremental.step(name, Event.START)
        assert (await http.post(f"/incremental/terminate/{name}")).status_code == 200
