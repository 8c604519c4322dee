"""Backups at the newer addresses: objects, statuses of the request alone."""

import pytest

from syncd.core.job import Event

WHERE = "/api/v1/backup"
ASK = {"storageName": "default", "blobPath": "'/a/b'", "databases": ["x"]}


async def test_a_life(http, backups):
    answer = await http.post(WHERE, json=ASK)

    said = answer.json()
    id = said["backupId"]
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert said["creationTime"].startswith("20")
    assert said["creationTime"].endswith(".000000Z")
    database = {
        "databaseName": "x",
        "status": "notStarted",
        "size": 0,
        "duration": 0,
        "path": "a/b",
        "errorMessage": "",
        "creationTime": said["creationTime"],
    }
    assert said == {
        "status": "notStarted",
        "errorMessage": "",
        "backupId": id,
        "creationTime": said["creationTime"],
        "completionTime": "",
        "storageName": "default",
        "blobPath": "a/b",
        "databases": [database],
    }

    backups.step(id, Event.START)
    assert (await http.get(f"{WHERE}/{id}")).json()["status"] == "inProgress"
    assert (await http.delete(f"{WHERE}/{id}?blobPath=a/b")).status_code == 409

    backups.step(id, Event.SUCCEED)
    said = (await http.get(f"{WHERE}/{id}")).json()
    assert said["status"] == said["databases"][0]["status"] == "completed"
    assert said["completionTime"] > said["creationTime"]
    (database,) = said["databases"]
    assert (database["size"], database["duration"]) == (123, 1500)

    answer = await http.delete(f"{WHERE}/{id}", params={"blobPath": "/a/b"})
    assert answer.status_code == 200
    assert answer.json() == {"message": "OK", "backupId": id, "blobPath": "a/b"}
    assert (await http.get(f"{WHERE}/{id}")).status_code == 404
    again = await http.delete(f"{WHERE}/{id}?blobPath=a/b")
    assert again.status_code == 404


async def test_all_databases(http, backups):
    id = (await http.post(WHERE, json={"blobPath": "a"})).json()["backupId"]
    backups.finish(id)

    said = (await http.get(f"{WHERE}/{id}")).json()
    assert [one["databaseName"] for one in said["databases"]] == ["A", "B"]


@pytest.mark.parametrize("event", [Event.FAIL, Event.CANCEL])
async def test_a_failed_one_is_still_there(http, backups, event):
    id = (await http.post(WHERE, json=ASK)).json()["backupId"]
    backups.step(id, Event.START)
    backups.step(id, event, "it is broken")
    if event is Event.CANCEL:
        backups.step(id, Event.STOPPED)

    answer = await http.get(f"{WHERE}/{id}")

    assert answer.status_code == 200
    said = answer.json()
    assert (said["status"], said["databases"][0]["status"]) == ("failed", "failed")
    assert said["errorMessage"]
    assert (await http.delete(f"{WHERE}/{id}?blobPath=a/b")).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "blobPath is missing"),
        ({"blobPath": ""}, "blobPath is missing"),
        ({"blobPath": "''"}, "blobPath is missing"),
        ({"blobPath": "/"}, "blobPath is missing"),
        ({"blobPath": 7}, "blobPath is missing"),
        ({"blobPath": "a/../../b"}, "without .."),
        ({"blobPath": "a", "storageName": "other"}, "there is only 'default'"),
        ({"blobPath": "a", "databases": "x"}, "must be a list"),
        ({"blobPath": "a", "databases": [1]}, "databases: a database has a name"),
        ({"blobPath": "a", "dbs": ["x"]}, "'dbs' is not known"),
    ],
)
async def test_bad_requests(http, backups, body, words):
    answer = await http.post(WHERE, json=body)

    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert not backups.asked


async def test_broken_json(http):
    headers = {"Content-Type": "application/json"}

    assert (await http.post(WHERE, content="{", headers=headers)).status_code == 400


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_unknown_ones(http, backups, method):
    backups.add("20260101T000000")
    restore = await http.post("/restore", json={"vault": "20260101T000000"})
    params = {"blobPath": "a"} if method == "DELETE" else {}

    for id in ("x", restore.text):
        answer = await http.request(method, f"{WHERE}/{id}", params=params)
        assert answer.status_code == 404
        assert answer.json()["message"]


async def test_deleting_names_the_folder(http, backups):
    id = (await http.post(WHERE, json=ASK)).json()["backupId"]
    backups.finish(id)

    assert (await http.delete(f"{WHERE}/{id}")).status_code == 400
    assert (await http.delete(f"{WHERE}/{id}?blobPath=other")).status_code == 404
    assert (await http.get(f"{WHERE}/{id}")).status_code == 200


async def test_one_that_is_read_stays(http, backups):
    id = (await http.post(WHERE, json=ASK)).json()["backupId"]
    backups.finish(id)
    backups.lent.add(id)

    assert (await http.delete(f"{WHERE}/{id}?blobPath=a/b")).status_code == 409


async def test_a_vault_whose_job_is_forgotten_is_still_a_backup(http, backups):
    """As after the loss of the index: it was found in its folder again."""
    where = {"folder": "a/b", "databases": ["x"], "listed": ["x"], "partial": True}
    backups.add("20261121T080000", **where)
    backups.add("20261121T080001", failed="no room", **where)
    backups.add("20261121T080002", listed=["x"])

    said = (await http.get(f"{WHERE}/20261121T080000")).json()
    assert (said["status"], said["blobPath"]) == ("completed", "a/b")
    assert said["completionTime"] > said["creationTime"]
    (database,) = said["databases"]
    assert (database["databaseName"], database["size"]) == ("x", 123)
    said = (await http.get(f"{WHERE}/20261121T080001")).json()
    assert (said["status"], said["errorMessage"]) == ("failed", "no room")
    # What lies in no folder of its own was never asked for here.
    assert (await http.get(f"{WHERE}/20261121T080002")).status_code == 404

    answer = await http.delete(f"{WHERE}/20261121T080000?blobPath=a/b")
    assert answer.status_code == 200
    assert (await http.get(f"{WHERE}/20261121T080000")).status_code == 404
