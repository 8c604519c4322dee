"""Backups and restores of a CouchDB, beside couchbackup, on the same server by turns.

Ours are asked for over HTTP and timed from asking to the job's end, a vault that is
durable included; a program is timed from its start to its end.
"""

import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil

from tests.acceptance.asking import wait_for
from tests.acceptance.daemon import Daemon
from tests.benchmarks.plan import Plan, Result, Row, against
from tests.benchmarks.workshop import Workshop
from tests.peers import couchdb
from tests.peers.couchdb import Couch

NAME = "big"
TOGETHER = 2000
WORKER = "syncd.child.worker"
MINUTES = 20 * 60.0


def measure(workshop: Workshop, plan: Plan) -> Result:
    """Return what a backup and a restore of many documents take."""
    docs, rounds = plan.pick(60_000, 2000), plan.pick(3, 1)
    result = Result(f"A CouchDB of {docs:,} documents")
    ours: list[Row] = []
    theirs: list[Row] = []
    with Couch() as couch:
        fill(couch, NAME, docs)
        source = {"kind": "couchdb", "url": couch.url, "databases": [NAME]}
        section = {"source": source, "schedule": []}
        further = {"backup": {"optools": section}}
        with Daemon(further=further, home=workshop.new_folder()) as daemon:
            for _ in range(rounds):
                theirs.append(_theirs(couch, docs))
                ours.append(_ours(daemon, couch, docs))
    result.rows += [
        {"tool": "syncd", **_middle(ours)},
        {"tool": "couchbackup", **_middle(theirs)},
    ]
    result.notes += against(result.rows, "couchbackup", ["backup s", "restore s"])
    return result


def fill(couch: Couch, name: str, docs: int) -> None:
    """Make a database of that many documents of some 140 bytes.

    One of a hundred has an attachment, and one of two hundred is in conflict.
    """
    couch.create(name)
    for start in range(0, docs, TOGETHER):
        some = range(start, min(docs, start + TOGETHER))
        couch.write(name, [_document(number) for number in some])
    torn = [
        {"_id": f"doc {number:06}", "_rev": f"1-{number:032x}", "other": number}
        for number in range(0, docs, 200)
    ]
    couch.write(name, torn, new_edits=False)


def _document(number: int) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "_id": f"doc {number:06}",
        "number": number,
        "words": "some words of a document " * 3,
    }
    if number % 100 == 1:
        data = "d29yZHMg" * 100
        doc["_attachments"] = {"it": {"content_type": "text/plain", "data": data}}
    return doc


def _theirs(couch: Couch, docs: int) -> Row:
    begin = time.perf_counter()
    couchdb.run("couchbackup", couch, NAME)
    took = time.perf_counter() - begin
    # Without their attachments documents could not be restored; with them it is slower.
    dump = couchdb.run("couchbackup", couch, NAME, "--attachments")
    couch.create("back")
    begin = time.perf_counter()
    couchdb.run("couchrestore", couch, "back", "--attachments", given=dump)
    restored = time.perf_counter() - begin
    assert couch.ask("GET", "back")["doc_count"] == docs
    return {"backup s": took, "restore s": restored}


def _ours(daemon: Daemon, couch: Couch, docs: int) -> Row:
    watch = _Watch(daemon)
    took, job = _job(daemon, watch, "backups", {"source": "default"})
    couch.create("back")
    asked = {"vault": job["vault"], "names": {NAME: "back"}}
    restored, _ = _job(daemon, watch, "restores", asked)
    assert couch.ask("GET", "back")["doc_count"] == docs
    return {"backup s": took, "restore s": restored, "worker MB": watch.most / 1e6}


def _job(
    daemon: Daemon, watch: "_Watch", kind: str, asked: dict[str, Any]
) -> tuple[float, dict[str, Any]]:
    url = f"http://127.0.0.1:{daemon.port}/api/v1.0"
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        answer: list[httpx.Response] = []

        def is_taken() -> bool:
            answer[:] = [client.post(f"/{kind}", json={"store": "optools", **asked})]
            return answer[0].status_code != 503

        begin = time.perf_counter()
        wait_for(is_taken)
        assert answer[0].is_success, answer[0].text
        id_ = answer[0].json()["id"]
        job: dict[str, Any] = {}

        def has_ended() -> bool:
            watch.look()
            job.update(client.get(f"/jobs/{id_}").json())
            return job["state"] in ("successful", "failed", "canceled")

        wait_for(has_ended, within=MINUTES)
        took = time.perf_counter() - begin
    assert job["state"] == "successful", job
    return took, job


class _Watch:
    """Looks how much memory workers had at most."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.most = 0

    def look(self) -> None:
        """Look once."""
        daemon = self._daemon.process
        assert daemon is not None
        with suppress(psutil.Error):
            for one in psutil.Process(daemon.pid).children(recursive=True):
                if WORKER in one.cmdline():
                    self.most = max(self.most, _peak(one.pid))


def _peak(pid: int) -> int:
    """Return the most bytes of memory that a process ever had."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _middle(rows: list[Row]) -> Row:
    return {name: median(float(row[name]) for row in rows) for name in rows[0]}
