"""Jobs over HTTP: lists, one, its log, its end."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from syncd.api.manners import DaemonManners
from syncd.api.server import Server
from syncd.core.errand import UNTRUSTED, Deed, Done
from syncd.store.database import Store
from tests.api.fakes import House
from tests.backup.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Store(tmp_path / "index.db") as store, Bench(store, tmp_path) as bench:
        yield bench


@pytest.fixture
async def server(house: House, bench: Bench) -> AsyncIterator[Server]:
    async with Server(house.rooms, [("127.0.0.1", 0)]) as server:
        server.add(
            backups=bench.service,
            incremental=None,
            copies=bench.runner,
            daemon=DaemonManners(),
        )
        yield server


async def ask(http, **body):
    answer = await http.post("/backups", json=body)
    assert answer.status_code == 202
    return answer.json()


async def test_what_is_asked_for_is_answered_with_its_place(http, bench):
    answer = await http.post("/backups")
    job = answer.json()

    assert answer.headers["Location"] == f"/api/v1.0/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["source"]) == ("backup", "queued", "s")
    await bench.ended(await bench.service.job(job["id"]))
    shown = (await http.get(f"/jobs/{job['vault']}")).json()
    assert (shown["id"], shown["state"]) == (job["id"], "successful")
    assert shown["seconds_left"] is None


async def test_jobs_are_listed_by_what_is_asked(http, bench):
    for _ in range(3):
        await bench.ended(await bench.service.job((await ask(http))["id"]))

    whole = (await http.get("/jobs?limit=2")).json()
    assert (whole["total"], len(whole["jobs"])) == (3, 2)
    assert (await http.get("/jobs?state=failed")).json()["total"] == 0
    assert (await http.get("/jobs?kind=backup&offset=2")).json()["jobs"][0]["vault"]
    assert (await http.get("/jobs?kind=nap")).status_code == 400
    assert (await http.get("/jobs?store=incremental")).status_code == 404


async def test_a_list_leaves_out_what_may_be_large(http, bench):
    """A page of large requests would keep everybody waiting while it is written."""
    names = [f"database {number}" for number in range(2000)]
    job = await ask(http, databases=names)
    await bench.ended(await bench.service.job(job["id"]))

    listed = (await http.get("/jobs")).json()["jobs"][0]
    shown = (await http.get(f"/jobs/{job['id']}")).json()

    assert shown["asked"]["databases"] == names
    assert listed == {
        name: value for name, value in shown.items() if name not in ("asked", "result")
    }


async def test_a_log_is_text_or_goes_on(http, bench):
    bench.workers.go.clear()
    job = await ask(http)
    await bench.until(lambda: bench.workers.works)
    log = bench.runner.logs.path(job["id"])
    log.write_bytes("one ä\n".encode())

    text = await http.get(f"/jobs/{job['id']}/log?start=4")
    assert (text.text, text.headers["Syncd-Next"]) == ("ä\n", "7")
    assert text.headers["Content-Type"] == "text/plain; charset=utf-8"
    said = []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "4"}
    async with http.stream("GET", f"/jobs/{job['id']}/log", headers=headers) as stream:
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "data":
                said.append(json.loads(value))
                bench.workers.go.set()

    assert said[0] == {"text": "ä\n", "next": 7}
    assert said[-1]["state"] == "successful"
    assert (await http.get("/jobs/nope/log")).status_code == 404


async def test_a_job_is_ended_once(http, bench):
    bench.workers.go.clear()
    job = await ask(http)
    await bench.until(lambda: bench.workers.works)

    told = await http.post(f"/jobs/{job['id']}/cancel")
    assert (told.status_code, told.json()["state"]) == (200, "canceling")
    await bench.ended(await bench.service.job(job["id"]))
    assert (await http.post(f"/jobs/{job['id']}/cancel")).status_code == 409
    assert (await http.post("/jobs/nope/cancel")).status_code == 404


async def test_until_the_rooms_are_open_nothing_is_promised(house):
    async with Server(house.rooms, [("127.0.0.1", 0)]) as server:
        port = server.addresses[0][1]
        url = f"http://127.0.0.1:{port}/api/v1.0"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            assert (await http.get("/jobs")).status_code == 503
            assert (await http.post("/backups")).status_code == 503


async def test_what_the_body_says_wrongly_is_refused(http):
    for body in (
        {"priority": 101},
        {"priority": 0.5},
        {"timeout": 0},
        {"pin": {"reason": ""}},
        {"folder": "../x"},
        {"prefix": "-a"},
        {"source": None},
        {"nonsense": 1},
        {"variables": {"a": 1e300}},
    ):
        assert (await http.post("/backups", json=body)).status_code == 400
    assert (await http.post("/restores", json={})).status_code == 400
    assert (await http.post("/restores", json={"vault": "nope"})).status_code == 404
    assert (await http.post("/backups", json={"source": "x"})).status_code == 404


async def test_metrics_have_every_label_from_the_start(server, port, http, bench):
    def samples():
        return {
            (one.name, *sorted(one.labels.items()))
            for family in server._desk.metrics.registry.collect()
            for one in family.samples
            if "job" in one.name or "backup" in one.name
        }

    before = samples()
    await bench.ended(await bench.service.job((await ask(http))["id"]))

    assert samples() == before
    name = "syncd_backup_last_proven_timestamp_seconds"
    assert (name, ("source", "t"), ("store", "full")) in before


async def test_a_store_that_is_away_is_measured_and_told(server, http, bench):
    async def away(work, told):
        return Done(error="its disk is away", reason=UNTRUSTED)

    def reachable():
        return server._desk.metrics.registry.get_sample_value(
            "syncd_backup_store_reachable", {"store": "full"}
        )

    assert reachable() == 1
    assert (await http.get("/backups")).json()["trouble"] == ""
    bench.workers.doings[Deed.BACKUP] = away
    await bench.ended(await bench.service.job((await ask(http))["id"]))

    assert reachable() == 0
    assert (await http.get("/backups")).json()["trouble"] == "its disk is away"


async def test_a_vault_elsewhere_is_restored_by_its_name_alone(http, bench):
    made = await ask(http, folder="a/b")
    await bench.ended(await bench.service.job(made["id"]))
    answer = await http.post("/restores", json={"vault": made["vault"]})

    assert answer.status_code == 202
    job = await bench.service.job(answer.json()["id"])
    assert job.asked["folder"] == "a/b"
    await bench.ended(job)


async def test_a_vault_is_pinned_and_unpinned(http, bench):
    made = await ask(http)
    await bench.ended(await bench.service.job(made["id"]))
    where = f"/backups/{made['vault']}/pin"
    answer = await http.put(where, json={"reason": "law", "until": 9e12})

    assert answer.status_code == 200
    pin = answer.json()["pin"]
    assert (pin["reason"], pin["until"]) == ("law", 9e12)
    assert bench.workers.works[-1].deed == "pin"
    shown = (await http.get(f"/backups/{made['vault']}")).json()
    assert shown["pin"] == pin
    assert (await http.delete(where)).json()["pin"] is None
    assert (await http.put(where, json={})).status_code == 400
    assert (await http.put("/backups/x/pin", json={"reason": "r"})).status_code == 404
