"""The console's backups: the examples of its document, typed in order, on a CouchDB."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.peers.couchdb import Couch

NAMES = ("athena_components", "athena_sessions", "athena_system")


@pytest.fixture(scope="module")
def couch() -> Iterator[Couch]:
    with Couch() as couch:
        yield couch


def over(couch: Couch) -> Daemon:
    source = {"kind": "couchdb", "url": couch.url, "patience": 1}
    section = {"source": source, "schedule": [], "private_hooks": True}
    return Daemon(further={"backup": {"optools": section}})


@pytest.fixture(scope="module")
def lasting(couch: Couch) -> Iterator[Daemon]:
    with over(couch) as daemon:
        yield daemon


@pytest.fixture
def console(lasting: Daemon, couch: Couch) -> Daemon:
    """A daemon that knows of backups before, over databases made anew."""
    fill(couch)
    return lasting


@pytest.fixture
def mortal(couch: Couch) -> Iterator[Daemon]:
    """A daemon of which there may be another process afterwards."""
    fill(couch)
    with over(couch) as daemon:
        yield daemon


def fill(couch: Couch) -> None:
    couch.faults()
    couch.create(*NAMES)
    couch.put("athena_components", "abcd", type="msp", api_url="https://a.example.com")
    couch.put("athena_components", "dcba", word="then")
    couch.put("athena_system", "00_settings_athena", word="then")
    couch.put("athena_sessions", "live", type="session_athena")


CLIENT = httpx.Client(
    timeout=120, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)
"""For all: reading what a client trusts takes longer than asking."""


def asked(daemon: Daemon, method: str, path: str, **how: Any) -> httpx.Response:
    """Ask, once the rooms of backups are open."""
    url = httpx.URL(f"http://127.0.0.1:{daemon.port}").join(path)
    return CLIENT.request(method, url, **how)


def begun(daemon: Daemon) -> dict[str, Any]:
    answer: list[httpx.Response] = []

    def is_open() -> bool:
        answer[:] = [asked(daemon, "POST", "/ak/api/v3/backups")]
        return answer[0].status_code != 503

    wait_for(is_open)
    assert answer[0].status_code == 202, answer[0].text
    said: dict[str, Any] = answer[0].json()
    return said


def backed_up(daemon: Daemon) -> dict[str, Any]:
    said = begun(daemon)
    assert asked(daemon, "GET", said["url"]).status_code == 200  # at once, too
    wait_for(lambda: not asked(daemon, "GET", said["url"]).json()["in_progress"])
    found: dict[str, Any] = asked(daemon, "GET", said["url"]).json()
    assert "error" not in found, found
    return found


def ended(daemon: Daemon, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert said["message"] == "in-progress"
    assert "/ak/api/v1/webhooks/txs/" in said["url"]
    wait_for(lambda: "ts_completed" in asked(daemon, "GET", said["url"]).json())
    found: dict[str, Any] = asked(daemon, "GET", said["url"]).json()
    return found


class Receiver:
    """Takes what is told by POST."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append((self.path, json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_the_examples_in_order(console, couch):
    said = begun(console)
    id_ = said["id"]
    assert said["message"] == "in-progress"
    assert id_.startswith("03_ibp_db_backup_")
    assert said["url"] == f"http://127.0.0.1:{console.port}/ak/api/v3/backups/{id_}"
    wait_for(lambda: not asked(console, "GET", said["url"]).json()["in_progress"])

    where = f"/ak/api/v2/backups/{id_}/attachments/my-attachment"
    answer = asked(console, "PUT", where, json={"attachment": "bub"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"message": "ok", "att_name": "my-attachment"},
    )

    found = asked(console, "GET", f"/api/v1/backups/{id_}").json()
    assert found["_attachments"] == {"my-attachment": "YnVi"}
    assert found["id"] == id_
    assert list(found["dbs"]) == list(NAMES)
    components = found["dbs"]["athena_components"]
    assert [doc["_id"] for doc in components["docs"]] == ["abcd", "dcba"]
    assert set(components) == {
        "docs",
        "elapsed",
        "finish_timestamp",
        "last_sequence",
        "start_timestamp",
    }
    assert found["doc_count"] == 3  # a login that lasts is none of it
    assert (found["type"], found["backup_version"]) == ("athena_backup", "1.0.0")
    assert found["elapsed"].split()[1] in ("secs", "ms", "mins")

    couch.put("athena_components", "dcba", word="now")
    couch.put("athena_system", "00_settings_athena", word="now")
    answer = asked(
        console,
        "PUT",
        "/ak/api/v3/backups",
        params={"skip_system": '["00_settings_athena"]'},
        json=found,
    )
    assert ended(console, answer)["status"] == "success"
    assert couch.docs("athena_components")["dcba"]["word"] == "then"
    assert couch.docs("athena_system")["00_settings_athena"]["word"] == "now"

    for name in NAMES:
        couch.ask("DELETE", name)
    answer = asked(
        console,
        "PUT",
        f"/ak/api/v3/backups/{id_}",
        params={"skip_components": "\"['abcd']\""},
        json={},
    )
    told = ended(console, answer)
    assert told["status"] == "success", told
    assert set(couch.docs("athena_components")) == {"dcba"}
    assert couch.docs("athena_system")["00_settings_athena"]["word"] == "then"

    ids = asked(console, "GET", "/ak/api/v1/backups").json()["ids"]
    assert ids[-1] == id_  # and not what was there before the restores


def test_a_restore_tells_whoever_is_named_how_it_ended(console, couch):
    id_ = backed_up(console)["id"]
    with Receiver() as receiver:
        hook = {"client_webhook_url": f"{receiver.url}/told?by=syncd"}
        answer = asked(console, "PUT", f"/ak/api/v3/backups/{id_}", json=hook)
        told = ended(console, answer)
        wait_for(lambda: receiver.told)

    ((path, said),) = receiver.told
    assert path == "/told?by=syncd"
    assert (said["tx_id"], said["status"]) == (told["tx_id"], "success")


def test_what_fails_says_so_and_is_taken_back(console, couch):
    found = backed_up(console)
    couch.put("athena_components", "dcba", word="now")
    before = couch.docs("athena_components")
    docs = [{"_id": "dcba", "word": "broken"}, {"_id": "new"}, {"_id": "_bad"}]
    found["dbs"] = {"DB_COMPONENTS": {"docs": docs}}
    told = ended(console, asked(console, "PUT", "/ak/api/v3/backups", json=found))

    assert told["status"] == "error"
    assert "'_bad'" in told["athena_messages"][0]
    assert "is back" in told["message"]
    assert couch.docs("athena_components") == before


def test_a_server_that_is_away_is_an_error_and_never_an_empty_backup(console, couch):
    begun(console)
    wait_for(lambda: asked(console, "POST", "/ak/api/v3/backups").status_code == 202)
    couch.faults({"path": "_bulk_get", "status": 500})
    id_ = ""

    def is_begun() -> bool:
        nonlocal id_
        answer = asked(console, "POST", "/ak/api/v3/backups")
        id_ = answer.json()["id"]
        return answer.status_code == 202

    wait_for(is_begun)
    where = f"/ak/api/v3/backups/{id_}"
    wait_for(lambda: not asked(console, "GET", where).json()["in_progress"])
    found = asked(console, "GET", where).json()

    assert "500" in found["error"]
    answer = asked(console, "PUT", where, json={})
    assert answer.status_code == 400
    assert answer.json()["message"] == "cannot restore, could not load backup doc."


def test_syncd_itself_where_no_server_is_named():
    with Daemon() as daemon:
        found = backed_up(daemon)
        rules = daemon.home / "rules.yaml"
        text = rules.read_text() if rules.exists() else ""
        (doc,) = [
            one
            for one in found["dbs"]["athena_system"]["docs"]
            if one["_id"] == "rules"
        ]
        assert doc["text"]
        names = [one.get("name") for one in found["dbs"]["athena_components"]["docs"]]
        assert {"A", "B"} <= set(names)
        file = _file_of(daemon, doc["text"])
        file.write_text("rules: []\n")
        asked(daemon, "PUT", "/api/v1.0/rules/reload")
        answer = asked(daemon, "PUT", f"/api/v3/backups/{found['id']}", json={})

        assert ended(daemon, answer)["status"] == "success"
        assert file.read_text() == doc["text"]
        docs = [{"_id": "rules", "type": "rules", "text": "rules: 7\n"}]
        wrong = {"dbs": {"DB_SYSTEM": {"docs": docs}}}
        told = ended(daemon, asked(daemon, "PUT", "/ak/api/v3/backups", json=wrong))
        assert told["status"] == "error"
        assert "cannot be put in force" in told["athena_messages"][0]
        assert file.read_text() == doc["text"]
        assert text in ("", doc["text"])


def _file_of(daemon: Daemon, text: str) -> Path:
    (file,) = [
        one for one in daemon.home.rglob("rules*.yaml") if one.read_text() == text
    ]
    return file


def test_what_is_attached_is_answered_as_it_was_sent(console):
    id_ = backed_up(console)["id"]
    text = 'é {"test": 1} ' * 1000
    where = f"/ak/api/v3/backups/{id_}/attachments/a b"
    asked(console, "PUT", where, json={"attachment": text})
    asked(console, "PUT", where, json={"attachment": text})
    found = asked(console, "GET", f"/ak/api/v3/backups/{id_}").json()

    assert base64.b64decode(found["_attachments"]["a b"]).decode() == text


def worker(daemon: Daemon) -> psutil.Process:
    """Return the worker that does the job, once it has asked the server."""
    assert daemon.process is not None
    found: list[psutil.Process] = []

    def is_there() -> bool:
        assert daemon.process is not None
        with suppress(psutil.Error):
            found[:] = [
                one
                for one in psutil.Process(daemon.process.pid).children(recursive=True)
                if "syncd.child.worker" in one.cmdline()
                and any(c.raddr for c in one.net_connections("tcp"))
            ]
        return bool(found)

    wait_for(is_there)
    return found[0]


def test_a_worker_that_is_killed_leaves_no_backup_in_progress(console, couch):
    backed_up(console)
    couch.faults({"path": "_bulk_get", "delay_ms": 600_000, "times": 1})
    said = begun(console)
    worker(console).kill()
    wait_for(lambda: not asked(console, "GET", said["url"]).json()["in_progress"])
    found = asked(console, "GET", said["url"]).json()

    assert found["error"]
    couch.faults()
    backed_up(console)


def hold(couch: Couch) -> None:
    """Have the second write of a restore wait: something is restored by then."""
    couch.faults(
        {"path": "athena_system/_bulk_docs", "delay_ms": 600_000, "times": 1},
    )


def changed(couch: Couch) -> dict[str, Any]:
    for name, id_ in (("athena_components", "dcba"), ("athena_system", "00_settings")):
        couch.put(name, id_, word="now")
    return {name: couch.docs(name) for name in NAMES}


def is_written_over(couch: Couch, before: dict[str, Any]) -> bool:
    """Tell whether a restore has begun to change what there was."""
    there = couch.docs("athena_components")
    return bool(there != before["athena_components"])


def test_a_restore_whose_worker_is_killed_is_taken_back(console, couch):
    couch.put("athena_system", "00_settings", word="then")
    id_ = backed_up(console)["id"]
    before = changed(couch)
    hold(couch)
    answer = asked(console, "PUT", f"/ak/api/v3/backups/{id_}", json={})
    wait_for(lambda: is_written_over(couch, before), within=60)
    worker(console).kill()
    told = ended(console, answer)

    assert told["status"] == "error"
    assert "is back" in told["message"]
    assert {name: couch.docs(name) for name in NAMES} == before


def test_a_daemon_that_is_killed_under_a_restore_takes_it_back(mortal, couch):
    couch.put("athena_system", "00_settings", word="then")
    id_ = backed_up(mortal)["id"]
    before = changed(couch)
    hold(couch)
    answer = asked(mortal, "PUT", f"/ak/api/v3/backups/{id_}", json={})
    wait_for(lambda: is_written_over(couch, before), within=60)
    mortal.kill()
    couch.faults()
    mortal.start()
    where = httpx.URL(answer.json()["url"]).path
    wait_for(lambda: asked(mortal, "GET", where).status_code == 200)
    wait_for(lambda: "ts_completed" in asked(mortal, "GET", where).json())
    told = asked(mortal, "GET", where).json()

    assert told["status"] == "error"
    assert "is back" in told["message"]
    assert {name: couch.docs(name) for name in NAMES} == before
    assert asked(mortal, "GET", "/ak/api/v3/backups").json()["ids"][-1] == id_
