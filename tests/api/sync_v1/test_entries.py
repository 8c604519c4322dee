import asyncio
import time
from urllib.parse import quote

import pytest

from syncd.api.rooms import HeldFile, InFlight
from syncd.core.file import Alarm

ODD = "Žofie ☂"
ORDERS = [
    *(f"PUT /{verb}" for verb in ("start", "stop", "restart", "approve", "restore")),
    *(f"POST /{verb}" for verb in ("approve", "restore")),
]


async def test_all_entries(http, house):
    answer = await http.get("/entries")

    assert answer.status_code == 200
    assert answer.json() == {
        "entries": [
            {
                "name": name,
                "driver": "local_storage",
                "options": {"root": f"example/{name}"},
            }
            for name in ("A", "B", ODD)
        ]
    }


@pytest.mark.parametrize("name", ["A", ODD])
async def test_one_entry(http, name):
    answer = await http.get(f"/entries/{quote(name)}")

    assert answer.json() == {
        "name": name,
        "driver": "local_storage",
        "options": {"root": f"example/{name}"},
    }


async def test_stats(http):
    answer = await http.get("/entries/A/stats")

    body = answer.json()
    assert body.keys() == {"info", "name", "status", "time"}
    assert (body["name"], body["status"]) == ("A", "ok")
    assert body["info"]["ctime"] == "0:00.19"
    assert body["info"]["age"] == 20.7
    assert abs(body["time"] - time.time()) < 5


async def test_status_follows_stop_and_start(http):
    assert (await http.get("/entries/A/status")).json()["status"] == "active"

    for order, status in [
        ("stop", "stopped"),
        ("start", "active"),
        ("restart", "active"),
    ]:
        done = (await http.put(f"/entries/A/{order}")).json()
        assert (done["name"], done["status"]) == ("A", "ok")
        assert done.keys() == {"name", "status", "time"}
        seen = (await http.get("/entries/A/status")).json()
        assert seen.keys() == {"name", "status", "time"}
        assert (seen["name"], seen["status"]) == ("A", status)


async def test_status_tells_what_is_held_page_by_page(http, house):
    house.entries.waiting["A"] = [
        HeldFile(
            fid=f"fid {number}",
            filename=f"f{number}",
            change=Alarm.DELETIONS,
            since=1406628957.0,
            size=3,
        )
        for number in range(5)
    ]

    body = (await http.get("/entries/A/status?offset=3&limit=1")).json()

    assert body["held"] == {
        "reason": "why",
        "changes": [{"changes": "deletions", "files": 5, "since": 1406628957.0}],
        "total": 5,
        "files": [
            {
                "fid": "fid 3",
                "filename": "f3",
                "change": "deletions",
                "since": 1406628957.0,
                "size": 3,
            }
        ],
    }
    assert (await http.get("/entries/A/status?limit=-1")).status_code == 400


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("PUT start", "entry A is already running"),
        ("PUT stop", "entry A is already stopped"),
        ("PUT restart", "entry A is not running"),
        ("GET stats", "entry A is not running"),
    ],
)
async def test_what_the_state_does_not_permit(http, house, order, reason):
    house.entries.running["A"] = "start" in order.split()
    method, verb = order.split()

    answer = await http.request(method, f"/entries/A/{verb}")

    assert answer.status_code == 409
    assert answer.json() == {"status": "error", "reason": reason}


@pytest.mark.parametrize("order", ["GET", "GET /stats", "GET /status", *ORDERS])
@pytest.mark.parametrize(
    "name", ["C", "a", "A%2Fstats", "%2e%2e%2fA", "A%00", "☂", " A"]
)
async def test_entries_that_are_not_there(http, order, name):
    method, _, verb = order.strip().partition(" ")

    answer = await http.request(method, f"/entries/{quote(name, safe='%')}{verb}")

    assert answer.status_code in (404, 405)
    assert answer.json()["status"] == "error"


async def test_an_unknown_entry_is_named(http):
    answer = await http.get("/entries/C")

    assert answer.json() == {"status": "error", "reason": "entry C not found"}


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_approve_and_restore(http, house, method):
    assert (await http.request(method, "/entries/A/approve")).status_code == 200
    assert (await http.request(method, "/entries/A/restore")).status_code == 200
    refused = await http.request(method, "/entries/B/restore")

    assert house.entries.asked == [("approve", "A"), ("restore", "A")]
    assert refused.status_code == 409


async def test_a_slow_order_is_waited_for_while_others_are_answered(http, house):
    house.entries.slow = asyncio.Event()

    stopping = asyncio.create_task(http.put("/entries/A/stop"))
    assert (await http.get("/entries/A/status")).json()["status"] == "active"
    house.entries.slow.set()

    assert (await stopping).status_code == 200


async def test_the_overview(http, house):
    house.files.add("x", b"12345")
    house.entries.changes["B"] = {
        "life": "suspended",
        "reason": "the root is gone",
        "pending": 3,
        "in_flight": [InFlight("x", 5, 2, "A")],
    }

    body = (await http.get("/status")).json()

    assert (body["version"], body["files"], body["conflicts"]) == ("9.9", 1, 0)
    assert body["uptime"] >= 0
    b = body["entries"][1]
    assert (b["name"], b["state"], b["reason"]) == (
        "B",
        "suspended",
        "the root is gone",
    )
    assert (b["status"], b["pending"], b["files"], b["bytes"]) == ("active", 3, 3, 300)
    assert body["transfers"] == [
        {"entry": "B", "filename": "x", "size": 5, "copied": 2, "source": "A"}
    ]
