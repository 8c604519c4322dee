"""Restores: of what is kept and of what is sent, one at a time."""

import json
import zipfile
from io import BytesIO

from syncd.core.job import Kind
from tests.api.optools.test_backups import WHERE, made

SENT = {"dbs": {"comp": {"docs": [{"_id": "x"}]}}}


async def test_one_that_is_kept_is_restored(http, backups, conductor, after):
    id_ = await made(http, backups)
    answer = await http.put(
        f"{WHERE}/{id_}", params={"skip_components": '["a"]'}, json={}
    )
    url = answer.json()["url"]
    assert answer.status_code == 202
    assert answer.json()["message"] == "in-progress"
    assert url.startswith(f"{http.base_url}/ak/api/v1/webhooks/txs/")

    safety = await backups.of_kind(Kind.BACKUP, 2)
    assert safety.asked["variables"] == {"missing": True}
    assert backups.kept()  # what is restored cannot go meanwhile
    backups.finish(safety.id)
    restore = await backups.of_kind(Kind.RESTORE)
    assert restore.asked["variables"] == {
        "skip": {"comp": ["a"]},
        "undo": True,
        "white_list": {"components": "comp", "system": "sys"},
    }
    pending = (await http.get(url)).json()
    assert (pending["status"], pending["message"]) == ("pending", None)
    assert "ts_completed" not in pending
    backups.finish(restore.id)
    await settled(conductor)

    said = (await http.get(url)).json()
    assert said["status"] == "success"
    assert said["athena_messages"] == []
    assert after == [1]
    assert backups.kept() == []


async def settled(conductor) -> None:
    import asyncio

    async with asyncio.timeout(30):
        while conductor._tasks:
            await asyncio.sleep(0.005)


async def test_one_that_is_sent_is_restored_and_its_vault_goes(
    http, backups, conductor
):
    answer = await http.put(WHERE, json={**SENT, "id": "any"})
    assert answer.status_code == 202
    ((name, archive),) = backups.uploaded.items()
    with zipfile.ZipFile(BytesIO(archive)) as there:
        assert json.loads(there.read("document.json")) == SENT
    upload = await backups.of_kind(Kind.UPLOAD)
    backups.finish(upload.id)
    backups.finish((await backups.of_kind(Kind.BACKUP)).id)
    restore = await backups.of_kind(Kind.RESTORE)
    assert restore.asked["vault"] == name
    assert (await http.get(WHERE)).json() == {"ids": []}
    backups.finish(restore.id)
    await settled(conductor)

    assert name not in backups.known


async def test_one_that_is_sent_gets_the_next_name_that_is_free(
    http, backups, conductor
):
    backups.taken = {"sent_20261121T000000"}
    answer = await http.put(WHERE, json=SENT)

    assert answer.status_code == 202
    assert list(backups.uploaded) == ["sent_20261121T000001"]
    assert list(conductor._manners.spool.iterdir()) == []


async def test_there_is_one_at_a_time(http, backups):
    id_ = await made(http, backups)
    await http.put(f"{WHERE}/{id_}", json={})
    for where, said in ((f"{WHERE}/{id_}", {}), (WHERE, SENT)):
        answer = await http.put(where, json=said)
        assert answer.status_code == 400
        assert answer.json() == {"statusCode": 400, "message": "already_in_progress"}
    assert backups.uploaded == {}


async def test_what_makes_no_sense_begins_nothing(http, backups, conductor):
    id_ = await made(http, backups)
    for where, how, word in (
        (WHERE, {"json": {"dbs": {"other": {"docs": []}}}}, "other"),
        (WHERE, {}, "missing"),
        (WHERE, {"content": b"{"}, "SyntaxError"),
        (WHERE, {"json": SENT, "params": {"skip_system": "x"}}, "skip_system"),
        (WHERE, {"json": {**SENT, "client_webhook_url": "ftp://x"}}, "webhook"),
        (f"{WHERE}/x", {"json": {}}, "could not load"),
        (f"{WHERE}/{id_}", {"json": SENT}, "unknown key"),
        (f"{WHERE}/{id_}", {"json": {"client_webhook_url": ":"}}, "webhook"),
    ):
        answer = await http.put(where, **how)
        assert answer.status_code == 400, where
        assert word in answer.text
    assert not conductor._pending
    assert [*backups.known] == [view for view in backups.known if view[0].isdigit()]
    assert list(conductor._manners.spool.iterdir()) == []


async def test_one_that_failed_is_not_restored(http, backups):
    id_ = (await http.post(WHERE)).json()["id"]
    answer = await http.put(f"{WHERE}/{id_}", json={})
    assert answer.status_code == 400
    backups.fail(next(iter(backups.asked)), "gone")
    answer = await http.put(f"{WHERE}/{id_}", json={})

    assert answer.json() == {
        "statusCode": 400,
        "message": "cannot restore, could not load backup doc.",
    }
