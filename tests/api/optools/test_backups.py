"""Backups: asked for one at a time, listed at once, read whole, attached to."""

import json

import pytest
from msgspec.structs import replace

from syncd.api.optools import backups as module
from syncd.core.errand import Part
from syncd.core.job import Event, Kind
from syncd.store import attachments

WHERE = "/ak/api/v3/backups"


async def begun(http) -> str:
    answer = await http.post(WHERE)
    assert answer.status_code == 202
    id_: str = answer.json()["id"]
    return id_


async def made(http, backups) -> str:
    id_ = await begun(http)
    (job,) = [job for job in backups.asked.values() if not job.state.final]
    backups.finish(job.id)
    return id_


@pytest.mark.parametrize("prefix", ["/api", "/ak/api"])
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_a_backup_is_begun(http, prefix, version):
    answer = await http.post(f"{prefix}/{version}/backups", content=b"anything {")
    said = answer.json()

    assert answer.status_code == 202
    assert said == {
        "message": "in-progress",
        "id": said["id"],
        "url": f"{http.base_url}/ak/api/v3/backups/{said['id']}",
    }


async def test_there_is_one_at_a_time(http, backups):
    id_ = await begun(http)
    answer = await http.post(WHERE)

    assert answer.status_code == 400
    assert answer.json() == {
        "statusCode": 400,
        "message": "already_in_progress",
        "id": id_,
    }
    backups.finish(next(iter(backups.asked)))
    assert (await http.post(WHERE)).status_code == 202


async def test_it_is_there_and_listed_from_the_start(http):
    id_ = await begun(http)
    said = (await http.get(f"{WHERE}/{id_}")).json()

    assert (await http.get(WHERE)).json() == {"ids": [id_]}
    assert said["in_progress"] is True
    assert (said["end_timestamp"], said["elapsed"], said["dbs"]) == (0, 0, {})


async def test_one_that_failed_is_told_with_its_reason(http, backups):
    id_ = await begun(http)
    (job,) = backups.asked.values()
    backups.step(job.id, Event.START)
    failed = backups.step(job.id, Event.FAIL, "the server is gone")
    said = (await http.get(f"{WHERE}/{id_}")).json()
    # Without even a vault that failed, too.
    backups.known.clear()
    backups.asked[job.id] = replace(failed, result={})
    again = (await http.get(f"{WHERE}/{id_}")).json()

    for one in (said, again):
        assert (one["error"], one["in_progress"]) == ("the server is gone", False)
        assert one["end_timestamp"] > one["start_timestamp"]


async def test_one_that_is_gone_is_not_listed(http, backups):
    await made(http, backups)
    backups.known.clear()

    assert (await http.get(WHERE)).json() == {"ids": []}


async def test_a_document_is_sent_as_it_is_made(http, backups):
    id_ = await made(http, backups)
    backups.document = b'{"comp":{"docs":[%s]}}' % b",".join([b'{"_id":"x"}'] * 9999)
    answer = await http.get(f"{WHERE}/{id_}")
    said = answer.json()

    assert list(said) == [
        "id",
        "backup_version",
        "ibp_versions",
        "doc_count",
        "dbs",
        "in_progress",
        "type",
        "start_timestamp",
        "end_timestamp",
        "elapsed",
    ]
    assert said["dbs"] == json.loads(backups.document)
    assert (said["doc_count"], said["elapsed"]) == (3, "1.5 secs")
    (form,) = backups.forms
    head = {
        "start_timestamp": 1000,
        "finish_timestamp": 2500,
        "elapsed": "1.5 secs",
        "last_sequence": "7-x",
    }
    assert form == Part("m:f", {"heads": {"comp": head, "sys": head}})
    assert answer.headers["cache-control"] == "no-store"


async def test_a_document_that_breaks_off_is_never_whole(http, backups):
    import httpx

    id_ = await made(http, backups)
    backups.document = b"{" + b" " * 5000
    backups.broken_at = 2000
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(f"{WHERE}/{id_}")
    backups.broken_at = 0
    answer = await http.get(f"{WHERE}/{id_}")
    assert answer.status_code == 503


async def test_a_document_that_does_not_come_says_so(http, backups, monkeypatch):
    id_ = await made(http, backups)
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    backups.silent = True
    answer = await http.get(f"{WHERE}/{id_}")

    assert answer.status_code == 503
    assert "nothing of the backup came" in answer.json()["message"]


async def test_what_is_not_there(http):
    for id_ in ("03_ibp_db_backup_1", "00_settings", "..%2Fx"):
        answer = await http.get(f"{WHERE}/{id_}")
        assert answer.status_code == 404
        assert answer.json() == module.MISSING


async def test_heads_are_answered_without_a_worker(http, backups):
    id_ = await made(http, backups)
    answer = await http.head(f"{WHERE}/{id_}")

    assert answer.status_code == 200
    assert backups.forms == []


async def test_what_does_not_exist_is_told_in_its_words(http):
    for method, path in (("DELETE", WHERE), ("PATCH", f"{WHERE}/x")):
        answer = await http.request(method, path)
        assert answer.status_code == 404
        assert answer.json() == {"statusCode": 404, "msg": "route not found"}


class TestAttachments:
    async def test_they_come_back_with_the_document(self, http, backups):
        id_ = await begun(http)
        for name, text in (("b", "bub"), ("a/x", "é"), ("b", "bub")):
            where = f"{WHERE}/{id_}/attachments/{name.replace('/', '%2F')}"
            answer = await http.put(where, json={"attachment": text})
            assert answer.json() == {"message": "ok", "att_name": name}
        running = (await http.get(f"{WHERE}/{id_}")).json()
        (job,) = backups.asked.values()
        backups.finish(job.id)
        found = (await http.get(f"{WHERE}/{id_}")).json()

        assert running["_attachments"] == found["_attachments"]
        assert found["_attachments"] == {"a/x": "w6k=", "b": "YnVi"}

    async def test_those_of_a_backup_that_runs_stay_when_another_gets_some(
        self, http, backups
    ):
        older, running = await made(http, backups), await begun(http)
        for id_ in (running, older):
            where = f"{WHERE}/{id_}/attachments/a"
            await http.put(where, json={"attachment": "bub"})

        found = (await http.get(f"{WHERE}/{running}")).json()
        assert found["_attachments"] == {"a": "YnVi"}

    async def test_those_of_a_backup_that_is_gone_go(self, http, backups, store):
        gone = await made(http, backups)
        await http.put(f"{WHERE}/{gone}/attachments/a", json={"attachment": "x"})
        backups.known.clear()
        there = await made(http, backups)
        await http.put(f"{WHERE}/{there}/attachments/a", json={"attachment": "x"})

        assert len(await store.read(attachments.backups, "optools")) == 1

    async def test_of_a_backup_that_is_not_there_it_is_refused(self, http):
        where = f"{WHERE}/x/attachments/a"
        answer = await http.put(where, json={"attachment": "x"})

        assert answer.status_code == 400
        assert "cannot append" in answer.json()["message"]

    @pytest.mark.parametrize("prefix", ["/api", "/ak/api"])
    async def test_newer_versions_look_at_what_is_sent(self, http, prefix):
        id_ = await begun(http)
        where = f"backups/{id_}/attachments/a"
        answer = await http.put(f"{prefix}/v2/{where}", json={"x": 1})
        told = answer.json()

        assert answer.status_code == 400
        assert told["msgs"] == [
            "Expected parameter 'attachment' to exist.",
            "Parameter 'x' is an unknown key for object.",
        ]
        assert ("raw" in told) is (prefix == "/api")
        answer = await http.put(f"{prefix}/v1/{where}", json={"attachment": [1]})
        assert answer.status_code == 200
        found = (await http.get(f"{WHERE}/{id_}")).json()
        assert found["_attachments"] == {"a": "WzFd"}

    async def test_what_is_too_large_is_refused_with_what_to_do(self, http):
        id_ = await begun(http)
        where = f"{WHERE}/{id_}/attachments/a"
        answer = await http.put(where, json={"attachment": "x" * (1 << 20)})

        assert answer.status_code == 400
        assert answer.json()["msg"] == "input error"
        assert "backup.optools" in answer.json()["details"]


async def test_before_backups_are_possible_it_says_so(http, server):
    server._desk.rooms = replace(server._desk.rooms, console=None, conductor=None)
    for method in ("GET", "POST", "PUT"):
        answer = await http.request(method, WHERE)
        assert answer.status_code == 503


async def test_the_safety_of_a_restore_is_not_listed(http, backups, conductor):
    id_ = await made(http, backups)
    await http.put(f"{WHERE}/{id_}", json={})
    safety = await backups.of_kind(Kind.BACKUP, 2)
    assert (await http.get(WHERE)).json() == {"ids": [id_]}
    backups.finish(safety.id)

    assert (await http.get(WHERE)).json() == {"ids": [id_]}
