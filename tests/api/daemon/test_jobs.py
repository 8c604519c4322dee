"""Jobs: 206 while they last, 200 or 500 in the end, and an end on request."""

import asyncio

import pytest

from syncd.api.auth import Auth, Policy
from syncd.api.credentials import Pair
from syncd.core.job import Event, State


async def test_a_life(http, backups):
    name = (await http.post("/backup")).text
    body = {"task_id": name, "type": "backup", "err": ""}

    answer = await http.get(f"/jobstatus/{name}")
    assert answer.status_code == 206
    assert answer.json() == {**body, "status": "Queued", "vault": None}

    backups.step(name, Event.START)
    answer = await http.get(f"/jobstatus/{name}")
    assert answer.status_code == 206
    assert answer.json() == {**body, "status": "Processing", "vault": name}

    backups.step(name, Event.SUCCEED)
    answer = await http.get(f"/jobstatus/{name}")
    assert answer.status_code == 200
    assert answer.json() == {**body, "status": "Successful", "vault": name}
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        ({}, 200, ("Successful", "")),
        ({"failed": "no room"}, 500, ("Failed", "no room\n")),
        ({"folder": "a/b"}, 404, None),
    ],
)
async def test_of_a_forgotten_job_the_vault_tells(http, backups, more, status, said):
    backups.add("20260101T000000", **more)

    answer = await http.get("/jobstatus/20260101T000000")

    assert answer.status_code == status
    if said:
        body = answer.json()
        assert (body["status"], body["err"]) == said
        assert (body["vault"], body["type"]) == ("20260101T000000", "backup")


async def test_a_failed_backup_tells_its_last_lines(http, backups):
    name = (await http.post("/backup")).text
    job = backups.step(name, Event.START)
    backups.logs[job.id] = b"".join(b"line %d\n" % n for n in range(2000))
    backups.step(name, Event.FAIL, "exit code 3")

    answer = await http.get(f"/jobstatus/{name}")

    assert answer.status_code == 500
    said = answer.json()
    assert said.keys() == {"task_id", "type", "status", "vault", "err"}
    assert said["status"] == "Failed"
    lines = " ".join(f"line {n}\n" for n in range(1995, 2000))
    assert said["err"] == f"exit code 3\n {lines}"


async def test_a_failed_restore_tells_its_last_lines(http, backups):
    backups.add("20260101T000000")
    body = {"vault": "20260101T000000"}
    id = (await http.post("/restore", json=body)).text
    backups.step(id, Event.START)
    backups.logs[id] = b"one\nbad news: gone"
    backups.step(id, Event.FAIL, "bad news")

    said = (await http.get(f"/jobstatus/{id}")).json()

    assert said["err"] == "one\n\nbad news: gone\n"
    assert (said["task_id"], said["vault"]) == (id, "20260101T000000")


async def test_an_interrupted_one_says_so(http, backups):
    name = (await http.post("/backup")).text
    backups.step(name, Event.START)
    backups.step(name, Event.INTERRUPT, "interrupted by a restart")

    answer = await http.get(f"/jobstatus/{name}")

    assert answer.status_code == 500
    assert answer.json()["err"] == "interrupted by a restart\n"


async def test_a_canceled_one_has_failed(http, backups):
    name = (await http.post("/backup")).text

    answer = await http.post(f"/terminate/{name}")
    assert answer.status_code == 200
    assert answer.json() == f"Backup {name} successfully terminated"

    answer = await http.get(f"/jobstatus/{name}")
    assert (answer.status_code, answer.json()["status"]) == (500, "Failed")
    assert "canceled by anybody" in answer.json()["err"]
    stats = (await http.get(f"/listbackups/{name}")).json()
    assert (stats["canceled"], stats["failed"]) == (True, True)


@pytest.mark.parametrize("id", ["x", "%2e%2e", "20260101T000000"])
async def test_an_unknown_one(http, id):
    answer = await http.get(f"/jobstatus/{id}")

    assert answer.status_code == 404
    shown = id.replace("%2e", ".")
    expected = f"Sorry, no job '{shown}' recorded in database"
    assert answer.json() == {"message": expected}


async def test_one_that_was_evicted_is_unknown(http, backups):
    name = (await http.post("/backup")).text
    backups.finish(name)
    assert (await http.get(f"/jobstatus/{name}")).status_code == 200

    await http.post(f"/evict/{name}")

    assert (await http.get(f"/jobstatus/{name}")).status_code == 404


async def test_one_kept_elsewhere_is_known(http, backups):
    name = (await http.post("/backup", json={"externalBackupPath": "x"})).text
    backups.finish(name)

    assert (await http.get(f"/jobstatus/{name}")).status_code == 200
    assert (await http.get("/listbackups")).json() == []


async def test_many_ask_at_once(http, backups):
    name = (await http.post("/backup")).text
    backups.step(name, Event.START)

    answers = await asyncio.gather(
        *(http.get(f"/jobstatus/{name}") for _ in range(300))
    )

    assert {answer.status_code for answer in answers} == {206}
    assert {answer.json()["status"] for answer in answers} == {"Processing"}


class TestWhoHearsOutput:
    """What commands said may hold anything, so it is for those who are known."""

    WORDS = "command: ended with 3:\npassword is hunter2"

    @pytest.fixture
    def auth(self):
        return Auth(policy=Policy(pair=Pair("me", "right")))

    @pytest.fixture
    async def job(self, http, backups):
        asked = {"blobPath": "there"}
        answer = await http.post("/api/v1/backup", json=asked, auth=("me", "right"))
        job = backups.step(answer.json()["backupId"], Event.START)
        backups.logs[job.id] = b"the log has hunter2"
        backups.step(job.vault, Event.FAIL, self.WORDS)
        # Those in folders of their own are not listed.
        backups.add("20260101T000000", failed=self.WORDS)
        return job.vault

    @pytest.mark.parametrize("auth_", [None, ("me", "wrong"), ("", "")])
    async def test_nobody_is_told_the_reason_only(self, http, job, auth_):
        for where in self.addresses(job):
            answer = await http.get(where, auth=auth_)
            assert answer.status_code in (200, 500)
            assert "command: ended with 3" in answer.text
            assert "hunter2" not in answer.text

    async def test_who_is_logged_in_is_told_all(self, http, job):
        for where in self.addresses(job):
            answer = await http.get(where, auth=("me", "right"))
            assert "password is hunter2" in answer.text
        said = (await http.get(f"/jobstatus/{job}", auth=("me", "right"))).json()
        assert "the log has hunter2" in said["err"]

    def addresses(self, job: str) -> list[str]:
        return [
            f"/jobstatus/{job}",
            f"/api/v1/backup/{job}",
            "/listbackups/20260101T000000",
            "/find?ts=0",
            "/health",
        ]

    async def test_so_it_is_with_restores(self, http, backups, job):
        backups.add("20260102T000000")
        made = {"vault": "20260102T000000"}
        id = (await http.post("/restore", json=made, auth=("me", "right"))).text
        backups.step(id, Event.START)
        backups.step(id, Event.FAIL, self.WORDS)

        for where in (f"/jobstatus/{id}", f"/api/v1/restore/{id}"):
            assert "hunter2" not in (await http.get(where)).text
            assert "hunter2" in (await http.get(where, auth=("me", "right"))).text


class TestTerminating:
    async def test_a_running_one(self, http, backups):
        name = (await http.post("/backup", json={"dbs": ["a"]})).text
        backups.step(name, Event.START)

        answer = await http.post(f"/terminate/{name}", json={"externalBackupPath": "x"})

        assert answer.status_code == 200
        (job,) = backups.asked.values()
        assert job.state is State.CANCELING
        again = await http.get(f"/jobstatus/{name}")
        assert (again.status_code, again.json()["status"]) == (206, "Processing")

    async def test_a_restore(self, http, backups):
        backups.add("20260101T000000")
        id = (await http.post("/restore", json={"vault": "20260101T000000"})).text

        assert (await http.post(f"/terminate/{id}")).status_code == 200
        assert backups.asked[id].state is State.CANCELED

    async def test_one_that_has_ended(self, http, backups):
        name = (await http.post("/backup")).text
        backups.finish(name)
        backups.add("20260101T000000")

        for known in (name, "20260101T000000"):
            answer = await http.post(f"/terminate/{known}")
            assert answer.status_code == 406
            assert answer.json()["status"] == "Failed"

    async def test_one_that_ends_just_now(self, http, backups):
        name = (await http.post("/backup")).text
        backups.step(name, Event.START)
        backups.step(name, Event.CANCEL)

        assert (await http.post(f"/terminate/{name}")).status_code == 406

    async def test_an_unknown_one(self, http):
        answer = await http.post("/terminate/x")

        assert answer.status_code == 404
        said = {"status": "Failed", "message": "backup x not found"}
        assert answer.json() == said

    async def test_looking_ends_nothing(self, http):
        assert (await http.get("/terminate/x")).status_code == 405
