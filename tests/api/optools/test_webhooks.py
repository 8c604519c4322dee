"""Transactions: looked at by whoever may, listed, told to a receiver that is none."""

from tests.api.optools.test_backups import WHERE, made

ONE = "/ak/api/v1/webhooks/txs"


async def test_they_are_listed_and_looked_at(http, backups):
    id_ = await made(http, backups)
    url = (await http.put(f"{WHERE}/{id_}", json={})).json()["url"]
    said = (await http.get(url)).json()
    listed = (await http.get("/api/v3/webhooks", params={"limit": 1})).json()

    assert set(said) == {
        "athena_messages",
        "by",
        "description",
        "on_step",
        "status",
        "sub_type",
        "total_steps",
        "ts_last_updated",
        "ts_started",
        "tx_id",
        "uuid",
        "message",
    }
    assert len(said["tx_id"]) == 32
    said["ts_last_updated"] = listed["webhooks"][0]["ts_last_updated"]
    assert listed == {"matches": 1, "total": 1, "webhooks": [said]}


async def test_others_are_not_there(http):
    answer = await http.get(f"{ONE}/00_settings_athena")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "not_found",
        "reason": "missing",
        "statusCode": 404,
    }


async def test_a_receiver_takes_anything_from_browsers(http):
    answer = await http.post("/api/v2/webhooks/txs/any", json={"a": 1})
    assert answer.json() == {"message": "ok"}
    answer = await http.post(f"{ONE}/any", json={})
    assert answer.status_code == 404
