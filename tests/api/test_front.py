import json

import pytest
from msgspec.structs import replace

from syncd.api.rooms import StateView
from tests.api.raw import ask


@pytest.mark.parametrize("where", ["", "/"])
async def test_the_door(port, http, where):
    answer = await http.get(f"http://127.0.0.1:{port}{where}")

    assert answer.json() == {
        "name": "syncd",
        "version": "9.9",
        "api": "/api/v1.0",
        "documentation": "/openapi.json",
    }


async def test_what_is_not_loaded_yet_is_not_missing(port, http, house, server):
    where = f"http://127.0.0.1:{port}/api/v9/clients"
    assert (await http.get(where)).status_code == 404

    server._desk.rooms = replace(server._desk.rooms, opening=True)
    answer = await http.get(where)
    assert (answer.status_code, answer.json()["reason"]) == (
        503,
        "not all that answers is there yet; ask again in a moment",
    )


async def test_alive(port, http):
    answer = await http.get(f"http://127.0.0.1:{port}/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "UP"})


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({}, 200, []),
        ({"last_walk": None}, 503, "entry B has not finished its first walk"),
        (
            {"last_walk": None, "life": "failing", "reason": "it died"},
            503,
            "entry B has not finished its first walk (failing: it died)",
        ),
        ({"last_walk": None, "life": "suspended"}, 200, ["B"]),
        ({"last_walk": None, "status": "stopped", "life": "stopped"}, 200, []),
        ({"life": "held"}, 200, []),
    ],
)
async def test_ready(port, house, changes, status, said):
    house.entries.changes["B"] = changes

    answer = await ask(port, "GET /health/ready")

    assert answer.status == status
    if status == 200:
        assert json.loads(answer.body) == {"status": "UP", "suspended": said}
    else:
        assert json.loads(answer.body) == {"status": "DOWN", "reason": said}


async def test_every_reason_is_told(port, http, house):
    house.entries.changes = {"A": {"last_walk": None}, "B": {"last_walk": None}}

    reason = (await http.get(f"http://127.0.0.1:{port}/health/ready")).json()["reason"]

    assert "entry A" in reason
    assert "entry B" in reason


@pytest.fixture
def full(house):
    """A house whose own disk is full."""
    reason = "the index cannot be used: full; make room"
    state = StateView(usable=False, reason=reason, last_stop="power cut", replaced="/x")
    house.rooms = replace(house.rooms, state=lambda: state)
    return reason


async def test_who_can_record_nothing_is_not_ready(full, http, port):
    """Asked first of all, as nothing else gets any better meanwhile."""
    url = f"http://127.0.0.1:{port}"
    ready = await http.get(f"{url}/health/ready")
    status = (await http.get(f"{url}/api/v1.0/status")).json()
    metrics = (await http.get(f"{url}/metrics")).text

    assert (ready.status_code, ready.json()["reason"]) == (503, full)
    assert status["state"] == {
        "usable": False,
        "reason": full,
        "last_stop": "power cut",
        "replaced": "/x",
    }
    assert "\nsyncd_state_usable 0.0\n" in metrics
    assert "\nsyncd_index_replaced 1.0\n" in metrics
    assert '\nsyncd_last_stop{how="power cut"} 1.0\n' in metrics


async def test_the_description_is_served(port):
    answer = await ask(port, "GET /openapi.json")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
