import asyncio
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncd.replication.headlines import Changed, Refused, Transferred


def key(name, *labels):
    return name, *sorted(labels)


@pytest.fixture
def scrape(http, port):
    async def scrape():
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain")
        return {
            key(sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    return scrape


async def test_everything_is_there_from_the_start(scrape):
    found = await scrape()

    for entry in ("A", "B", "Žofie ☂"):
        assert found[key("syncd_transferred_bytes_total", entry)] == 0
        assert found[key("syncd_transfers_total", entry, "done")] == 0
        assert found[key("syncd_transfers_total", entry, "failed")] == 0
        assert found[key("syncd_entry_files", entry)] == 3
        assert found[key("syncd_entry_bytes", entry)] == 300
        assert found[key("syncd_entry_restarts_total", entry)] == 0
        assert found[key("syncd_entry_state", entry, "active")] == 1
        assert found[key("syncd_entry_state", entry, "suspended")] == 0
        for figure in ("pending", "blocked", "conflicts", "held", "watched"):
            assert found[key(f"syncd_entry_{figure}", entry)] == 0
    assert found[key("process_open_fds")] > 0


async def test_transfers_are_counted_from_the_news(scrape, house):
    done = [Transferred("x", "B", size, "cause") for size in (5, 0)]
    house.news.tell_all("transfer", [*done, Refused("x", "B", "no room", "cause")])
    house.news.tell_all("change", [Changed("x", "created", ["A"], 7, "cause")])

    found = await scrape()

    assert found[key("syncd_transferred_bytes_total", "B")] == 5
    assert found[key("syncd_transfers_total", "B", "done")] == 2
    assert found[key("syncd_transfers_total", "B", "failed")] == 1
    assert found[key("syncd_transfers_total", "A", "done")] == 0


async def test_states_and_restarts(scrape, house):
    house.entries.changes["B"] = {"life": "pondering", "restarts": 4, "pending": 9}

    found = await scrape()

    assert found[key("syncd_entry_state", "B", "pondering")] == 1
    assert found[key("syncd_entry_state", "B", "active")] == 0
    assert found[key("syncd_entry_restarts_total", "B")] == 4
    assert found[key("syncd_entry_pending", "B")] == 9


async def test_how_much_is_watched(scrape, house):
    house.entries.changes["B"] = {
        "watched_ratio": 0.25,
        "oldest_unscanned_seconds": 12.5,
        "overflows": 3,
    }
    house.entries.changes["A"] = {"watched_ratio": 1.0}

    found = await scrape()

    assert found[key("syncd_entry_watched_ratio", "B")] == 0.25
    assert found[key("syncd_entry_oldest_unscanned_seconds", "B")] == 12.5
    assert found[key("syncd_entry_overflows_total", "B")] == 3
    assert found[key("syncd_entry_watched_ratio", "A")] == 1
    assert found[key("syncd_entry_oldest_unscanned_seconds", "A")] == 0
    # Of an entry that is not at work nothing is known: no alarm may ring for it.
    assert key("syncd_entry_watched_ratio", "Žofie ☂") not in found


async def test_answers_are_counted_by_route(scrape, http):
    for name in ("A", "B", "nobody"):
        await http.get(f"/entries/{name}")
    await http.get("/nowhere/1")
    await http.request("BREW", "/entries/A")

    found = await scrape()

    where = "/api/v1.0/entries/{name}"
    assert found[key("syncd_http_requests_total", where, "GET", "200")] == 2
    assert found[key("syncd_http_requests_total", where, "GET", "404")] == 1
    assert found[key("syncd_http_requests_total", where, "other", "405")] == 1
    assert found[key("syncd_http_requests_total", "404", "GET", "unknown")] == 1
    assert found[key("syncd_http_request_seconds_count", where, "GET")] == 3


async def test_a_blocked_loop_shows(scrape):
    await asyncio.sleep(0.05)
    time.sleep(0.6)
    await asyncio.sleep(0.3)

    found = await scrape()

    count = found[key("syncd_loop_blocked_seconds_count")]
    assert count >= 1
    assert count - found[key("syncd_loop_blocked_seconds_bucket", "0.25")] == 1
