"""The API for whole machines: the examples of its document, typed in their order."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.test_accounts import ADMIN, PASSWORD, add

MASK = "$encrypted$"
USER = {
    "first_name": "",
    "last_name": "",
    "email": "cyborg@agent.local",
    "is_superuser": True,
}
CLIENT = {
    "hostname": "lab.example.com",
    "ip": "",
    "version": "",
    "ready": False,
    "hypervisor_ready": False,
    "hypervisor_name": "",
    "enabled": True,
}
MINUTES = {"name": "Every Minutes", "crontab": "*/1 * * * * *", "enabled": True}
MONDAYS = {"name": "Every Monday", "crontab": "0 5 * * MON *", "enabled": True}
REPOSITORY = {
    "name": "Main Repo",
    "path": "cyborgbackup@backup:/repository",
    "repository_key": "0123456789abcdef",
    "ready": True,
    "enabled": True,
}
POLICY = {
    "name": "Full Features",
    "extra_vars": "",
    "clients": [1],
    "repository": 1,
    "schedule": 1,
    "policy_type": "vm",
    "keep_hourly": 1,
    "keep_yearly": None,
    "keep_daily": None,
    "keep_weekly": None,
    "keep_monthly": None,
    "vmprovider": "proxmox",
    "mode_pull": False,
    "enabled": True,
}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A fresh daemon with one user, as the original has at its first start."""
    with Daemon("A", "B", started=False) as daemon:
        add(daemon, ADMIN)
        yield daemon.start()


def test_the_examples_of_the_document_in_their_order(daemon: Daemon):
    def typed(method: str, path: str, body: Any = None) -> Any:
        where = f"/api/v1{path}"
        return daemon._http.request(method, where, json=body, auth=(ADMIN, PASSWORD))

    def told(path: str) -> Any:
        answer = typed("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tried(
        path: str, made: Any, changed: Any, expected: Any, number: int = 1
    ) -> None:
        """Make one, list, show and change it; each as the document has it."""
        answer = typed("POST", path, made)
        assert answer.status_code == 201, answer.text
        listed = told(path)
        assert (listed["next"], listed["previous"]) == (None, None)
        assert listed["results"][0] == answer.json() == told(f"{path}{number}/")
        assert expected.items() <= answer.json().items()
        answer = typed("PATCH", f"{path}{number}/", changed)
        assert answer.status_code == 200, answer.text

    root = told("")
    assert root["ping"].startswith("/api/v1/ping")
    assert (root["config"], root["me"]) == ("/api/v1/config/", "/api/v1/me/")
    assert told("/ping")["ping"] == "pong"
    assert {"version", "debug", "allowed_hosts"} <= told("/config").keys()
    me = told("/me")
    assert me["count"] == 1
    assert me["results"][0]["email"] == ADMIN
    assert told("/users/")["results"] == [told("/users/1/")]

    shown = {"id": 2, "type": "user", "url": "/api/v1/users/2/", "related": {}}
    tried("/users/", USER, USER, {**USER, **shown, "summary_fields": {}}, 2)
    shown = {"id": 1, "type": "client", "url": "/api/v1/clients/1/"}
    tried("/clients/", CLIENT, CLIENT, {**CLIENT, **shown})
    shown = {"id": 1, "type": "schedule", "url": "/api/v1/schedules/1/"}
    tried("/schedules/", MINUTES, MONDAYS, {**MINUTES, **shown})
    shown = {"id": 1, "type": "repository", "url": "/api/v1/repositories/1/"}
    key = {"repository_key": MASK, "original_size": 0}
    tried("/repositories/", REPOSITORY, REPOSITORY, {**REPOSITORY, **shown, **key})
    assert (
        told("/repositories/1/?secrets=show")["repository_key"]
        == (REPOSITORY["repository_key"])
    )
    shown = {"id": 1, "type": "policy", "url": "/api/v1/policies/1/"}
    # The document's example of a change is a repository's body: what means nothing
    # for a policy is passed over.
    tried("/policies/", POLICY, REPOSITORY, {**POLICY, **shown})
    policy = told("/policies/1/")
    assert policy["name"] == REPOSITORY["name"]
    assert policy["related"]["calendar"] == "/api/v1/policies/1/calendar/"
    assert policy["related"]["schedule"] == "/api/v1/schedules/1/"
    assert policy["summary_fields"]["schedule"]["crontab"] == "0 5 * * MON *"
    assert policy["summary_fields"]["repository"]["name"] == "Main Repo"
    assert policy["next_run"].endswith("T05:00:00Z")
    calendar = told("/policies/1/calendar/")
    assert 4 <= len(calendar) <= 5
    assert all(one.endswith("T05:00:00+00:00") for one in calendar)

    item = {
        "archive_name": "vm-lab.example.com-2018-11-23_22-02",
        "path": "stdin",
        "mode": "-rw-rw----",
        "owner": "root",
        "group": "root",
        "size": 12,
        "healthy": True,
    }
    sent = [{**item, "job_id": 1, "mtime": "2018-11-23 23:03:52.000000+0000"}]
    packed = base64.b64encode(gzip.compress(json.dumps(sent).encode())).decode()
    assert typed("POST", "/catalogs/", {"catalog": packed}).status_code == 201
    expected = {
        **item,
        "id": 1,
        "url": "/api/v1/catalogs/1/",
        "job": 1,
        "mtime": "2018-11-23T23:03:52Z",
    }
    assert told("/catalogs/")["results"] == [expected] == [told("/catalogs/1/")]

    for path in ("policies/1", "repositories/1", "schedules/1", "clients/1", "users/2"):
        assert typed("DELETE", f"/{path}/").status_code == 204
        assert typed("GET", f"/{path}/").status_code == 404


def test_what_is_kept_outlives_the_daemon(daemon: Daemon):
    http, pair = daemon._http, (ADMIN, PASSWORD)
    for path, body in (("clients", CLIENT), ("repositories", REPOSITORY)):
        answer = http.post(f"/api/v1/{path}/", json=body, auth=pair)
        assert answer.status_code == 201
    before = http.get("/api/v1/clients/1/", auth=pair).json()
    daemon.restart()

    assert http.get("/api/v1/clients/1/", auth=pair).json() == before
    where = "/api/v1/repositories/1/?secrets=show"
    found = http.get(where, auth=pair).json()
    assert found["repository_key"] == REPOSITORY["repository_key"]
    assert (daemon.state / "secrets.key").stat().st_mode & 0o777 == 0o600
