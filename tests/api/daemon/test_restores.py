"""Restores: what may be asked for, and what is refused at once or by the job."""

import re

import pytest

from syncd.core.job import State

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
OLD, NEW = "20260101T000000", "20260102T000000"


@pytest.fixture(autouse=True)
def vaults(backups):
    backups.add(OLD)
    backups.add(NEW)
    return backups.known


def only(backups):
    (job,) = backups.asked.values()
    return job


async def test_the_answer_is_the_bare_id(http, backups):
    body = {"vault": OLD, "dbs": ["a", {"b": {"tables": ["t"]}}]}
    answer = await http.post("/restore", json=body)

    assert answer.status_code == 200
    assert UUID.fullmatch(answer.content)
    assert answer.headers["Content-Type"] == "application/json"
    assert only(backups).id == answer.text
    assert only(backups).asked["databases"] == ["a", {"b": {"tables": ["t"]}}]


async def test_other_names(http, backups):
    body = {"vault": OLD, "args": ["a"], "changeDbNames": {"a": "b"}, "mode": "x"}
    await http.post("/restore", json=body)

    asked = only(backups).asked
    assert (asked["names"], asked["variables"]) == ({"a": "b"}, {"mode": "x"})


async def test_by_time(http, backups):
    backups.add("20260101T120000", failed="why")
    ts = (await http.get(f"/listbackups/{OLD}")).json()["ts"]

    await http.post("/restore", json={"ts": str(ts + 1)})

    assert only(backups).vault == NEW


async def test_a_name_goes_before_a_time(http, backups):
    await http.post("/restore", json={"vault": OLD, "ts": "nonsense"})

    assert only(backups).vault == OLD


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 404),
        ({"dbs": ["a"]}, 404),
        ({"vault": "unknown"}, 404),
        ({"vault": ".."}, 404),
        ({"vault": ["x"]}, 404),
        ({"vault": ""}, 404),
        ({"ts": "99999999999999"}, 404),
        ({"ts": "nonsense"}, 404),
        ({"vault": OLD, "dbs": "a"}, 400),
        ({"vault": OLD, "dbs": {"a": {}}}, 400),
        ({"vault": OLD, "dbs": ["../a"]}, 500),
        ({"vault": OLD, "dbs": ["a"], "changeDbNames": {"a": "/b"}}, 500),
        ({"vault": OLD, "dbs": ["a"], "changeDbNames": {"a": 1}}, 500),
        ({"vault": OLD, "externalBackupPath": "../x"}, 400),
    ],
)
async def test_refused_as_failed(http, backups, body, status):
    answer = await http.post("/restore", json=body)

    assert answer.status_code == status
    assert answer.json()["status"] == "Failed"
    assert answer.json().keys() == {"status", "message"}
    assert not backups.asked


async def test_the_words_that_clients_know(http):
    answer = await http.post("/restore", json={"vault": OLD, "dbs": "a"})

    assert answer.json()["message"] == "dbs must be a list of databases"


@pytest.mark.parametrize(
    "body",
    [
        {"vault": OLD, "unknown": 1},
        {"vault": OLD, "changeDbNames": ["a"]},
        [1],
    ],
)
async def test_refused_with_a_message(http, backups, body):
    answer = await http.post("/restore", json=body)

    assert answer.status_code == 500
    assert answer.json().keys() == {"message"}
    assert not backups.asked


async def test_broken_json(http):
    headers = {"Content-Type": "application/json"}

    assert (
        await http.post("/restore", content="{", headers=headers)
    ).status_code == 400


async def test_a_failed_one_only_when_forced(http, backups):
    backups.add("20260103T000000", failed="why")
    body = {"vault": "20260103T000000"}

    answer = await http.post("/restore", json=body)
    assert (answer.status_code, answer.json()["status"]) == (409, "Failed")

    answer = await http.post("/restore", json={**body, "force": True})
    assert answer.status_code == 200


async def test_one_kept_elsewhere(http, backups):
    backups.add("20260103T000000", folder="a/b")
    body = {"vault": "20260103T000000", "externalBackupPath": "a/b"}

    assert (await http.post("/restore", json=body)).status_code == 200
    assert only(backups).asked["folder"] == "a/b"


async def test_from_no_vault(http, backups):
    answer = await http.post("/external/restore", json={"mode": "x"})

    assert (answer.status_code, answer.text) == (200, only(backups).id)
    assert only(backups).vault is None
    assert only(backups).asked["variables"] == {"mode": "x"}


async def test_from_no_vault_nothing_else_can_be_said(http):
    answer = await http.post("/external/restore", json={"dbs": ["a"]})

    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/json"


class TestWithoutFullRestore:
    @pytest.fixture
    def manners(self):
        return {"full_restore": False}

    @pytest.mark.parametrize("more", [{}, {"dbs": []}])
    async def test_the_job_refuses(self, http, backups, more):
        answer = await http.post("/restore", json={"vault": OLD, **more})

        assert (answer.status_code, answer.text) == (200, only(backups).id)
        assert only(backups).state is State.FAILED
        status = await http.get(f"/jobstatus/{answer.text}")
        assert status.status_code == 500
        assert "switched off" in status.json()["err"]

    async def test_named_ones_are_restored(self, http, backups):
        await http.post("/restore", json={"vault": OLD, "dbs": ["a"]})

        assert only(backups).state is State.QUEUED

    async def test_nothing_comes_from_elsewhere(self, http, backups):
        answer = await http.post("/external/restore")

        assert (answer.status_code, backups.asked) == (500, {})


async def test_what_would_be_done_may_be_asked(http, backups):
    backups.add("20260103T000000")
    body = {"vault": "20260103T000000", "dryRun": True}

    assert (await http.post("/restore", json=body)).status_code == 200
    assert only(backups).asked["dry_run"] is True
