"""Restores at the newer addresses: renamed, tried out, watched."""

import asyncio

import pytest

from syncd.core.job import Event

VAULT = "20260101T000000"
WHERE = "/api/v1/restore"
ITEM = {"previousDatabaseName": "a", "databaseName": "b", "namespace": "shop"}
ASK = {"blobPath": "x", "databases": [ITEM]}


@pytest.fixture(autouse=True)
def vault(backups):
    return backups.add(VAULT, folder="x")


async def test_a_life(http, backups):
    answer = await http.post(f"{WHERE}/{VAULT}", json=ASK)

    said = answer.json()
    id = said["restoreId"]
    assert answer.status_code == 200
    assert (said["status"], said["blobPath"]) == ("notStarted", "x")
    assert said["databases"][0].items() >= {**ITEM, "status": "notStarted"}.items()
    (job,) = backups.asked.values()
    assert (job.asked["names"], job.asked["databases"]) == ({"a": "b"}, ["a"])
    assert (await http.delete(f"{WHERE}/{id}")).status_code == 409

    backups.finish(id)
    said = (await http.get(f"{WHERE}/{id}")).json()
    assert (said["status"], said["restoreId"]) == ("completed", id)
    assert said["databases"][0]["databaseName"] == "b"
    assert said["databases"][0]["previousDatabaseName"] == "a"

    answer = await http.delete(f"{WHERE}/{id}")
    assert answer.json() == {"message": "OK", "restoreId": id, "blobPath": "x"}
    answer = await http.delete(f"{WHERE}/{id}?blobPath=/y")
    assert answer.json()["blobPath"] == "y"


@pytest.mark.parametrize(
    ("event", "status"), [(Event.SUCCEED, "completed"), (Event.FAIL, "failed")]
)
async def test_a_dry_run_is_answered_when_it_is_over(http, backups, event, status):
    body = {**ASK, "dryRun": True}
    asking = asyncio.create_task(http.post(f"{WHERE}/{VAULT}", json=body))
    while not backups.asked:
        await asyncio.sleep(0)
    ((id, job),) = backups.asked.items()
    assert job.asked["dry_run"] is True
    backups.step(id, Event.START)
    backups.step(id, event, "it cannot be" if event is Event.FAIL else "")

    said = (await asking).json()

    assert said["status"] == status
    assert said["errorMessage"] == ("it cannot be" if status == "failed" else "")


async def test_everything(http, backups):
    await http.post(f"{WHERE}/{VAULT}", json={"blobPath": "x"})

    (job,) = backups.asked.values()
    assert job.asked["databases"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "blobPath is missing"),
        ({"blobPath": "x", "databases": {}}, "must be a list of objects"),
        ({"blobPath": "x", "databases": ["a"]}, "databases[0] must be an object"),
        ({**ASK, "databases": [{**ITEM, "x": ""}]}, "databases[0] must be an object"),
        ({**ASK, "databases": [{**ITEM, "namespace": 1}]}, "namespace must be text"),
        (
            {**ASK, "databases": [{"databaseName": "a"}]},
            "databases[0].previousDatabaseName",
        ),
        (
            {**ASK, "databases": [{"previousDatabaseName": "a"}]},
            "databases[0].databaseName",
        ),
        ({**ASK, "databases": [ITEM, ITEM]}, "can be restored once"),
        ({**ASK, "dryRun": "no"}, "dryRun must be true or false"),
        ({**ASK, "dryrun": True}, "'dryrun' is not known"),
        ({**ASK, "storageName": "s3"}, "there is only 'default'"),
    ],
)
async def test_bad_requests(http, backups, body, words):
    answer = await http.post(f"{WHERE}/{VAULT}", json=body)

    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert not backups.asked


@pytest.mark.parametrize(("vault", "path"), [("x", "x"), (VAULT, "y")])
async def test_a_backup_that_is_not_there(http, vault, path):
    answer = await http.post(f"{WHERE}/{vault}", json={"blobPath": path})

    assert answer.status_code == 404


async def test_unknown_ones(http):
    backup = (await http.post("/backup")).text

    for id in ("x", backup):
        assert (await http.get(f"{WHERE}/{id}")).status_code == 404
        assert (await http.delete(f"{WHERE}/{id}")).status_code == 404


class TestWithoutFullRestore:
    @pytest.fixture
    def manners(self):
        return {"full_restore": False}

    async def test_everything_is_refused(self, http):
        said = (await http.post(f"{WHERE}/{VAULT}", json={"blobPath": "x"})).json()

        assert said["status"] == "failed"
        assert "switched off" in said["errorMessage"]
