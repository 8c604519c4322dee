"""A CouchDB by other hands, on a free port of loopback; with faults to order.

Beside it, the program of other people that backs such servers up: ``dumped``.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from tests.peers.lent import Lent

HOME = Path(__file__).with_name("couch")
READY = "couch-peer ready on "
PATIENCE = 120.0


class Couch:
    """A server of its own; a context manager."""

    def __init__(self, *, login: str = "", folder: Path | None = None) -> None:
        """Have it ask for a login (USER:PASSWORD), and keep its data in a folder."""
        self._login = login
        self._folder = folder
        self.port = 0
        self.process: Lent | None = None
        # One for all requests: reading what a client trusts takes longer than asking.
        # Connections are not kept: whoever is killed may have them.
        self._client = httpx.Client(
            timeout=PATIENCE,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start it, on the same port as before if it ran before."""
        node = shutil.which("node")
        assert node, "make test needs node and npm"
        assert (HOME / "node_modules").is_dir(), "make test installs the peer"
        more = [f"PEER_AUTH={self._login}"] if self._login else []
        if self._folder is not None:
            more.append(f"PEER_DIR={self._folder}")
        program = [node, str(HOME / "couch-peer.js"), str(self.port)]
        self._home = Path(tempfile.mkdtemp(prefix="couch", dir="/tmp"))
        log = self._home / "log"
        self.process = Lent(["/usr/bin/env", *more, *program], log)
        deadline = time.monotonic() + PATIENCE
        while not (said := log.read_text() if log.exists() else "").endswith("\n"):
            assert self.process.runs, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        assert said.startswith(READY), said
        self.port = int(said.removeprefix(READY))
        return self

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process = None
            shutil.rmtree(self._home, ignore_errors=True)

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    # As its clients see it.

    def ask(self, method: str, path: str, said: Any = None) -> Any:
        """Return the document that it answers, whatever the status."""
        headers = {}
        if self._login:
            word = base64.b64encode(self._login.encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        answer = self._client.request(
            method, f"{self.url}/{path}", json=said, headers=headers
        )
        return json.loads(answer.content)

    def create(self, *databases: str) -> None:
        """Make databases anew, with nothing in them."""
        for name in databases:
            self.ask("DELETE", _in_url(name))
            assert self.ask("PUT", _in_url(name)) == {"ok": True}

    def write(
        self, database: str, docs: Iterable[Mapping[str, Any]], **how: Any
    ) -> Any:
        """Write documents; ``new_edits=False`` writes revisions as they are."""
        said = {"docs": list(docs), **how}
        return self.ask("POST", f"{_in_url(database)}/_bulk_docs", said)

    def put(self, database: str, id_: str, **members: Any) -> str:
        """Write one document over what there is; return its revision."""
        there = self.ask("GET", f"{_in_url(database)}/{quote(id_, safe='')}")
        said = {**members, "_id": id_}
        if "_rev" in there:
            said["_rev"] = there["_rev"]
        (answer,) = self.write(database, [said])
        revision: str = answer["rev"]
        return revision

    def delete(self, database: str, id_: str) -> None:
        """Delete one document."""
        there = self.ask("GET", f"{_in_url(database)}/{quote(id_, safe='')}")
        said = {"_id": id_, "_rev": there["_rev"], "_deleted": True}
        self.write(database, [said])

    def docs(self, database: str) -> dict[str, dict[str, Any]]:
        """Return the winning documents without their revisions, by id."""
        path = f"{_in_url(database)}/_all_docs?include_docs=true&attachments=true"
        found = {}
        for row in self.ask("GET", path)["rows"]:
            doc = row["doc"]
            del doc["_rev"]
            for file in doc.get("_attachments", {}).values():
                file.pop("revpos", None)
            found[row["id"]] = doc
        return found

    def trees(self, database: str) -> dict[str, dict[str, Any]]:
        """Return every leaf of all living documents, with its history, by id and rev.

        And, as ``winner``, which of them is read where none is named.
        """
        name = _in_url(database)
        rows = self.ask("GET", f"{name}/_all_docs")["rows"]
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(rows), 2000):
            some = {
                row["id"]: row["value"]["rev"] for row in rows[start : start + 2000]
            }
            said = {"docs": [{"id": id_} for id_ in some]}
            path = f"{name}/_bulk_get?revs=true&attachments=true"
            for one in self.ask("POST", path, said)["results"]:
                leaves = {doc["ok"]["_rev"]: doc["ok"] for doc in one["docs"]}
                found[one["id"]] = {**leaves, "winner": some[one["id"]]}
        return found

    def faults(self, *faults: Mapping[str, Any]) -> None:
        """Order what is to go wrong; see couch-peer.js. None: all goes well."""
        self.ask("POST", "_test/faults", list(faults))


def dumped(couch: Couch, database: str) -> list[str]:
    """Return what the other program says of a database: a line for each document."""
    lines: list[str] = []
    for line in run("couchbackup", couch, database).decode().splitlines():
        some = json.loads(line)
        # Its first line tells of the program itself.
        lines += [json.dumps(one, sort_keys=True) for one in some if "_id" in one]
    return sorted(lines)


def run(
    program: str, couch: Couch, database: str, *more: str, given: bytes = b""
) -> bytes:
    """Run one of the other people's programs; return what it prints."""
    node = shutil.which("node")
    assert node, "make test needs node and npm"
    path = HOME / "node_modules" / "@cloudant" / "couchbackup" / "bin"
    command: Sequence[str] = [node, str(path / f"{program}.bin.js"), *more]
    with tempfile.TemporaryDirectory(prefix="couch", dir="/tmp") as folder:
        # They leave what they note on the way.
        done = subprocess.run(
            [*command, "--url", couch.url, "--db", database],
            input=given,
            capture_output=True,
            check=False,
            timeout=600,
            env={**os.environ, "TMPDIR": folder},
        )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Writer:
    """Edits, deletes and adds documents of a database for as long as it is entered."""

    def __init__(self, couch: Couch, database: str, ids: Sequence[str]) -> None:
        self._couch = couch
        self._database = database
        self._ids = list(ids)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.rounds = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)

    def _write(self) -> None:
        while not self._stop.is_set():
            number = self.rounds
            self.rounds += 1
            with suppress(httpx.HTTPError, KeyError):
                id_ = self._ids[number * 7 % len(self._ids)]
                self._couch.put(self._database, id_, round=number)
                self._couch.put(self._database, f"new {number:05}", round=number)
                if number % 3 == 0:
                    self._couch.delete(self._database, id_)


def _in_url(name: str) -> str:
    return quote(name, safe="")
