"""The server that tests speak to: that it is what they take it for."""

from collections.abc import Iterator

import httpx
import pytest

from tests.peers import couchdb
from tests.peers.couchdb import Couch


@pytest.fixture(scope="module")
def couch() -> Iterator[Couch]:
    with Couch(login="keeper:of the couch") as couch:
        yield couch


def test_it_asks_who_comes(couch):
    answer = httpx.get(f"{couch.url}/_all_dbs", timeout=60)

    assert answer.status_code == 401
    assert isinstance(couch.ask("GET", "_all_dbs"), list)


def test_it_keeps_conflicts_and_tells_the_winner(couch):
    couch.create("some")
    for word, rev in (("a", "1-aaaa"), ("b", "1-bbbb")):
        doc = {"_id": "x", "_rev": rev, "word": word}
        couch.write("some", [doc], new_edits=False)

    found = couch.trees("some")["x"]
    assert found["winner"] == "1-bbbb"
    assert found["1-aaaa"]["word"] == "a"


def test_faults_come_as_often_as_ordered(couch):
    couch.create("some")
    couch.faults({"path": "_all_docs", "status": 503, "times": 1})
    answers = [couch.ask("GET", "some/_all_docs") for _ in range(2)]

    assert [*answers[0]] == ["error", "reason"]
    assert answers[1]["rows"] == []


def test_what_was_written_outlives_a_kill(tmp_path):
    with Couch(folder=tmp_path) as couch:
        couch.create("some")
        couch.put("some", "x", word="a")
        couch.kill()
        couch.start()

        assert couch.docs("some") == {"x": {"_id": "x", "word": "a"}}


def test_the_other_program_reads_it():
    with Couch() as couch:
        couch.create("some")
        couch.put("some", "x", word="a")
        (line,) = couchdb.dumped(couch, "some")

    assert '"word": "a"' in line
