"""The backup daemon's API as its clients use it: with curl, and by waiting."""

import asyncio
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncd.vaults.local import LocalStore
from tests.acceptance.asking import wait_for
from tests.acceptance.copying import Copying

ME = ("username", "password")
JSON = ("-H", "Content-Type: application/json")
NAME = re.compile(r"\d{8}T\d{6}")
UUID = re.compile(r"[0-9a-f-]{36}")
PATIENCE = 60


class Guarded(Copying):
    """A daemon that asks who is there."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._http.auth = ME

    def environment(self) -> dict[str, str]:
        """Return the environment, with who may come in."""
        name, password = ME
        return {
            **super().environment(),
            "BACKUP_DAEMON_API_CREDENTIALS_USERNAME": name,
            "BACKUP_DAEMON_API_CREDENTIALS_PASSWORD": password,
        }

    def curl(self, *arguments: str) -> tuple[int, str]:
        """Return status and body of what curl is told; the last is the address."""
        *options, where = arguments
        said = subprocess.run(
            ["curl", "-s", "-w", "\n%{http_code}", *options, f"{self.url}{where}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        body, _, status = said.stdout.rpartition("\n")
        return int(status), body

    def post(self, where: str, said: Any = None) -> tuple[int, str]:
        """Ask for something as the documentation of the original does."""
        more = () if said is None else (*JSON, "-d", json.dumps(said))
        return self.curl("-XPOST", "-u", ":".join(ME), *more, where)

    def polled(self, task: str) -> tuple[int, dict[str, Any]]:
        """Return how a job has ended, by asking again and again."""

        def asked() -> bool:
            status, body = self.curl("-XGET", f"/jobstatus/{task}")
            last.append((status, json.loads(body)))
            return status != 206

        last: list[tuple[int, dict[str, Any]]] = []
        wait_for(asked, PATIENCE)
        return last[-1]


@pytest.fixture
def daemon() -> Iterator[Guarded]:
    with Guarded() as daemon:
        yield daemon.start()


def test_every_line_of_the_documentation(daemon):
    status, backup = daemon.post("/backup")
    assert status == 200
    assert NAME.fullmatch(backup)
    assert daemon.polled(backup) == (
        200,
        {
            "task_id": backup,
            "type": "backup",
            "status": "Successful",
            "vault": backup,
            "err": "",
        },
    )

    status, other = daemon.post("/backup", {"mode": "transactional"})
    assert (status, daemon.polled(other)[0]) == (200, 200)

    status, kept = daemon.post("/backup", {"allow_eviction": "False"})
    assert (status, daemon.polled(kept)[0]) == (200, 200)
    status, body = daemon.curl("-XGET", f"/listbackups/{kept}")
    assert (status, json.loads(body)["evictable"]) == (200, False)

    status, body = daemon.curl("-XGET", "/listbackups")
    assert (status, json.loads(body)) == (200, [backup, other, kept])

    body = json.loads(daemon.curl("-XGET", f"/listbackups/{backup}")[1])
    assert body["id"] == backup
    assert (body["valid"], body["failed"], body["locked"]) == (True, False, False)
    assert re.fullmatch(r"\d+ms", body["spent_time"])
    assert re.fullmatch(r"\d+b", body["size"])
    assert isinstance(body["ts"], int)

    daemon.script(files={"db/a": "changed"})
    wanted = {"vault": backup, "dbs": ["db", "other"]}
    status, task = daemon.post("/restore", wanted)
    assert (status, bool(UUID.fullmatch(task))) == (200, True)
    status, body = daemon.polled(task)
    assert (status, body["type"], body["vault"]) == (200, "restore", backup)
    assert daemon.source_holds == {"db/a": "one", "other/b": "two"}

    status, body = daemon.post(f"/evict/{other}")
    assert (status, json.loads(body)) == (200, f"Backup {other} successfully removed")
    assert daemon.post("/evict") == (200, '"Ok"\n')
    assert json.loads(daemon.curl("-XGET", "/listbackups")[1]) == [backup, kept]

    status, body = daemon.curl("-XGET", "/health")
    health = json.loads(body)
    assert (status, health["status"]) == (200, "UP")
    assert health["storage"]["dump_count"] == 2
    assert health["storage"]["last"]["id"] == kept
    assert health["storage"]["free_space"] > 0


class Elsewhere(Guarded):
    """A daemon that the environment tells where other vaults lie."""

    def environment(self) -> dict[str, str]:
        """Return the environment, with that folder."""
        return {**super().environment(), "STORAGE_EXTERNAL": str(self.external)}

    @property
    def external(self) -> Path:
        """Return the folder of vaults in folders of their own."""
        return self.home / "external"


def test_vaults_lie_where_the_environment_says():
    with Elsewhere() as daemon:
        daemon.start()
        _, backup = daemon.post("/backup", {"externalBackupPath": "some/where"})
        assert daemon.polled(backup)[0] == 200

        found = [place.parent for place in daemon.external.rglob("MANIFEST.sha256*")]
        assert [place.name for place in found] == [backup]
        assert daemon.external / "some" / "where" in found[0].parents


def test_who_is_let_in(daemon):
    for where in ("/backup", "/restore", "/evict", "/terminate/x", "/evictionpolicy"):
        status, body = daemon.curl("-XPOST", where)
        assert (status, body) == (401, "Unauthorized Access")
        assert daemon.curl("-XPOST", "-u", "username:wrong", where)[0] == 401
    for where in ("/listbackups", "/health", "/health/live", "/health/prometheus"):
        assert daemon.curl(where)[0] == 200
    assert daemon.curl("/backup/x")[0] == 401


def test_a_failed_one_and_one_that_is_terminated(daemon):
    daemon.script(fail="back_up")
    backup = daemon.post("/backup")[1]
    status, body = daemon.polled(backup)
    assert (status, body["status"]) == (500, "Failed")
    assert body["err"]
    assert json.loads(daemon.curl("/health")[1])["status"] == "Warning"

    daemon.script(fail="", hang="back_up")
    backup = daemon.post("/backup")[1]
    wait_for(
        lambda: (
            json.loads(daemon.curl(f"/jobstatus/{backup}")[1])["status"] == "Processing"
        ),
        PATIENCE,
    )
    assert daemon.curl(f"/listbackups/{backup}")[0] == 404
    status, body = daemon.post(f"/terminate/{backup}")
    assert (status, json.loads(body)) == (
        200,
        f"Backup {backup} successfully terminated",
    )
    status, body = daemon.polled(backup)
    assert (status, body["status"]) == (500, "Failed")
    assert "canceled" in body["err"]
    assert daemon.post(f"/terminate/{backup}")[0] == 406


def test_a_kill_leaves_nothing_at_206(daemon):
    daemon.script(hang="back_up")
    backup = daemon.post("/backup")[1]
    wait_for(
        lambda: (
            json.loads(daemon.curl(f"/jobstatus/{backup}")[1])["status"] == "Processing"
        ),
        PATIENCE,
    )

    daemon.kill()
    daemon.script(hang="")
    daemon.start()

    status, body = daemon.polled(backup)
    assert (status, body["status"]) == (500, "Failed")
    assert "interrupted" in body["err"]
    status, again = daemon.post("/backup")
    assert (status, daemon.polled(again)[0]) == (200, 200)
    assert again != backup


def test_policies_are_kept(daemon):
    status, body = daemon.post("/evictionpolicy", {"fullEvictionPolicy": "0/delete"})
    assert (status, "would keep nothing" in json.loads(body)["message"]) == (500, True)

    names = []
    for _ in range(3):
        names.append(daemon.post("/backup")[1])
        assert daemon.polled(names[-1])[0] == 200
    status, body = daemon.post("/evict?dry_run=1")
    assert [one["keep"] for one in json.loads(body)] == [True, True, True]
    assert daemon.post("/evictionpolicy", {"fullEvictionPolicy": "1/delete"})[0] == 200
    assert json.loads(daemon.curl("/listbackups")[1]) == names[-1:]

    daemon.restart()
    status, body = daemon.curl("/evictionpolicy")
    assert json.loads(body)["fullEvictionPolicy"] == "1/delete"
    assert daemon.curl(f"/jobstatus/{names[0]}")[0] == 404


def test_what_is_in_use_is_locked(daemon):
    backup = daemon.post("/backup", {"allow_eviction": "False"})[1]
    assert daemon.polled(backup)[0] == 200
    store = LocalStore(daemon.state / "backups")

    with store.lend(backup, "a download"):
        status, body = daemon.post(f"/evict/{backup}")
    said = f"Backup {backup} is locked and can't be removed"
    assert (status, json.loads(body)) == (500, said)
    assert store.pins().keys() == {backup}
    assert json.loads(daemon.curl(f"/listbackups/{backup}")[1])["evictable"] is False
    [job] = daemon.ask("GET", "/jobs?kind=evict")["jobs"]
    assert "is going" not in daemon.said(job["id"])
    assert daemon.post(f"/evict/{backup}")[0] == 200
    assert store.vaults() == []


def test_what_is_carried_away_is_a_zip(daemon):
    backup = daemon.post("/backup")[1]
    assert daemon.polled(backup)[0] == 200

    answer = daemon._http.get(f"/backup/{backup}")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    said = f'attachment; filename="{backup}.zip"'
    assert answer.headers["Content-Disposition"] == said
    rest = {"Range": "bytes=100-", "If-Range": answer.headers["ETag"]}
    part = daemon._http.get(f"/backup/{backup}", headers=rest)
    assert (part.status_code, part.content) == (206, answer.content[100:])
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        contents = {archive.read(name) for name in archive.namelist()}
    assert {b"one", b"two"} <= contents
    assert daemon._http.get("/backup/x").status_code == 204
    assert daemon._http.get(f"/backup/s3/{backup}").status_code == 204


def test_the_newer_addresses(daemon):
    said = {"blobPath": "shop/1", "databases": ["db"]}
    made = json.loads(daemon.post("/api/v1/backup", said)[1])
    backup = made["backupId"]
    where = f"/api/v1/backup/{backup}"

    def status() -> str:
        found: str = json.loads(daemon.curl(where)[1])["status"]
        return found

    wait_for(lambda: status() == "completed", PATIENCE)
    assert json.loads(daemon.curl("/listbackups")[1]) == []

    daemon.script(files={})
    said = {"blobPath": "shop/1"}
    task = json.loads(daemon.post(f"/api/v1/restore/{backup}", said)[1])["restoreId"]
    assert daemon.polled(task)[0] == 200
    assert daemon.source_holds == {"db/a": "one"}

    assert daemon.curl("-XDELETE", f"{where}?blobPath=shop/1")[0] == 401
    login = ("-u", ":".join(ME))
    status_code, body = daemon.curl("-XDELETE", *login, f"{where}?blobPath=shop/1")
    assert (status_code, json.loads(body)["message"]) == (200, "OK")
    assert daemon.curl(where)[0] == 404


def an_archive(members: dict[str, bytes]) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def upload(daemon: Guarded, name: str, content: bytes) -> httpx.Response:
    files = {"file": (f"{name}.zip", content)}
    return daemon._http.post("/restore/backup", files=files, timeout=PATIENCE)


def test_what_was_carried_away_comes_back(daemon):
    backup = daemon.post("/backup")[1]
    assert daemon.polled(backup)[0] == 200
    content = daemon._http.get(f"/backup/{backup}").content
    assert upload(daemon, backup, content).status_code == 500
    assert daemon.post(f"/evict/{backup}")[0] == 200

    answer = upload(daemon, "20200101T000000", content)

    assert (answer.status_code, answer.content) == (200, b"")
    assert json.loads(daemon.curl("/listbackups")[1]) == ["20200101T000000"]
    daemon.script(files={})
    task = daemon.post("/restore", {"vault": "20200101T000000"})[1]
    assert daemon.polled(task)[0] == 200
    assert daemon.source_holds == {"db/a": "one", "other/b": "two"}


@pytest.mark.parametrize(
    "content",
    [
        b"this is no zip",
        an_archive({"../../x": b"x"}),
        an_archive({"/etc/x": b"x"}),
        an_archive({"bomb": bytes(1 << 30)}),
    ],
    ids=["junk", "above", "absolute", "bomb"],
)
def test_archives_of_no_use_leave_nothing(daemon, content):
    answer = upload(daemon, "20200101T000000", content)

    assert answer.status_code == 500
    assert answer.json()["message"]
    listed = json.loads(daemon.curl("/listbackups")[1])
    for name in listed:
        assert not json.loads(daemon.curl(f"/listbackups/{name}")[1])["valid"]


async def test_many_clients_ask_at_once(daemon):
    daemon.script(hang="back_up")
    backup = daemon.post("/backup")[1]
    limits = httpx.Limits(max_connections=300)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:
        where = f"{daemon.url}/jobstatus/{backup}"
        answers = await asyncio.gather(*(client.get(where) for _ in range(300)))

    assert {answer.status_code for answer in answers} == {206}
    assert {answer.json()["task_id"] for answer in answers} == {backup}
