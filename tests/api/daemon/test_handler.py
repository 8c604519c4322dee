"""What every address does alike: who is let in, and what is said of the impossible."""

import base64
import threading
from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

import pytest

from syncd.api import daemon
from syncd.api.auth import Auth, Policy
from syncd.api.credentials import Pair
from syncd.api.daemon import shapes
from syncd.core.backup import VaultView
from syncd.errors import NoRoom

RIGHT = "Basic " + base64.b64encode(b"me:right").decode()


OPERATOR = Policy(pair=Pair("me", "right"))


ADDRESSES = [
    (method, where) for where, kind in daemon.routes() for method in kind.operations
]
HEALTH = [
    (method, where)
    for method, where in ADDRESSES
    if "/health" in where or "/swagger" in where
]
"""Open, whatever is said."""
LOOKING = [
    (method, where)
    for method, where in ADDRESSES
    if method == "GET"
    and (method, where) not in HEALTH
    and where not in ("/backup/{vault}", "/incremental/backup/{vault}")
    and not where.startswith("/backup/s3/")
]
PROTECTED = [one for one in ADDRESSES if one not in LOOKING + HEALTH]


def filled(where: str) -> str:
    return where.replace("{", "").replace("}", "")


async def asked(http, one, **more: Any):
    method, where = one
    return await http.request(method, filled(where), **more)


class TestWithoutLogin:
    @pytest.mark.parametrize("one", ADDRESSES)
    async def test_everything_is_open(self, http, one):
        assert (await asked(http, one)).status_code != 401

    @pytest.mark.parametrize("given", ["Basic Og==", "Basic !", "Bearer x", "x"])
    async def test_credentials_are_passed_over(self, http, given):
        answer = await http.post("/backup", headers={"Authorization": given})

        assert answer.status_code == 200


class TestWithLogin:
    @pytest.fixture
    def auth(self):
        return Auth(policy=OPERATOR)

    @pytest.mark.parametrize("one", PROTECTED)
    @pytest.mark.parametrize("given", [None, "Basic Og=="])
    async def test_what_changes_or_hands_out_asks(self, http, backups, one, given):
        headers = {} if given is None else {"Authorization": given}

        answer = await asked(http, one, headers=headers)

        assert (answer.status_code, answer.text) == (401, "Unauthorized Access")
        realm = 'Basic realm="Authentication Required"'
        assert answer.headers["WWW-Authenticate"] == realm
        assert answer.headers["Content-Type"].startswith("text/html")
        assert not backups.asked

    @pytest.mark.parametrize("one", PROTECTED)
    async def test_those_who_say_who_they_are_come_in(self, http, one):
        answer = await asked(http, one, headers={"Authorization": RIGHT})

        assert answer.status_code != 401

    @pytest.mark.parametrize("one", LOOKING + HEALTH)
    async def test_looking_is_open(self, http, one):
        assert (await asked(http, one)).status_code != 401

    async def test_who_asked_is_kept(self, http, backups):
        await http.post("/backup", headers={"Authorization": RIGHT})

        (job,) = backups.asked.values()
        assert job.who == "me"


class TestWithLoginForReaders:
    @pytest.fixture
    def auth(self):
        return Auth(policy=OPERATOR)

    @pytest.fixture
    def manners(self):
        return {"read_login": True}

    @pytest.mark.parametrize("one", LOOKING + PROTECTED)
    async def test_all_must_say_who_they_are(self, http, one):
        assert (await asked(http, one)).status_code == 401
        answer = await asked(http, one, headers={"Authorization": RIGHT})
        assert answer.status_code != 401

    @pytest.mark.parametrize("one", HEALTH)
    async def test_health_is_open(self, http, one):
        assert (await asked(http, one)).status_code != 401

    async def test_the_head_is_no_way_in(self, http):
        assert (await http.head("/listbackups")).status_code == 401


LARGE = {
    "/backup",
    "/restore",
    "/external/restore",
    "/api/v1/backup",
    "/api/v1/restore/{id}",
    # Archives, which are not kept in memory.
    "/restore/backup",
}
"""What names databases, or says whatever a source wants to know."""


@pytest.mark.parametrize("with_incremental", [True])
@pytest.mark.parametrize(
    "one", [one for one in ADDRESSES if one[0] != "GET" or one[1].endswith("/find")]
)
async def test_small_requests_are_small(http, one):
    body = {"json": {"ts": 1, "more": "x" * 20_000}}

    answer = await asked(http, one, **body)

    is_large = one[1].removeprefix("/incremental") in LARGE
    assert (answer.status_code == 413) is not is_large
    if not is_large:
        assert "larger than 16384 bytes" in answer.text


TWINS = [one for one in ADDRESSES if one[1].startswith("/incremental")]


@pytest.mark.parametrize("one", TWINS)
async def test_incremental_ones_are_switched_off(http, one):
    more = {"json": {"fullEvictionPolicy": "1/delete"}} if "policy" in one[1] else {}
    if one[1] == "/incremental/restore":
        more = {"json": {"vault": "x"}}

    answer = await asked(http, one, **more)

    assert answer.status_code == 500
    assert answer.json() == {"message": "incremental backups are switched off"}


async def test_but_a_restore_of_nothing_is_missing_first(http):
    answer = await http.post("/incremental/restore")

    assert (answer.status_code, answer.json()["status"]) == (404, "Failed")


class TestWithoutEngine:
    @pytest.fixture
    def rooms(self):
        return {}

    async def test_it_is_told(self, http):
        for where in ("/backup", "/incremental/backup"):
            answer = await http.post(where)
            assert answer.status_code == 503
            assert answer.json()["message"]

    async def test_nothing_that_is_sent_is_kept(self, http, tmp_path):
        files = {"file": ("20260101T000000.zip", b"PK")}
        answer = await http.post("/restore/backup", files=files)

        assert answer.status_code == 503
        assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("where", ["/swagger-ui", "/swagger-ui/swagger.json"])
async def test_it_is_described_where_clients_look(http, where):
    answer = await http.get(where)

    assert answer.status_code == 200
    assert "/backup" in answer.json()["paths"]


async def test_a_bug_tells_nothing(http, backups):
    backups.says = KeyError("secret")

    answer = await http.post("/backup")

    assert (answer.status_code, answer.json()) == (500, {"message": "internal error"})


async def test_words_that_are_no_text_are_shown(http, backups):
    backups.says = NoRoom("no room at \udcff")

    assert (await http.post("/backup")).json()["message"] == r"no room at \udcff"


async def test_an_address_that_is_no_text(http):
    answer = await http.get("/jobstatus/%ff")

    assert answer.status_code == 404
    assert answer.json().keys() == {"message"}


async def test_too_much(http):
    answer = await http.post("/backup", content=b"x" * (2 << 20))

    assert (answer.status_code, answer.json().keys()) == (413, {"message"})


async def test_every_address_is_there(http):
    for where in (
        "/backup",
        "/restore",
        "/external/restore",
        "/jobstatus/{job}",
        "/listbackups",
        "/listbackups/{vault}",
        "/find",
        "/evict",
        "/evict/{vault}",
        "/evictionpolicy",
        "/health",
        "/health/prometheus",
        "/backup/{vault}",
        "/backup/s3/{vault}",
        "/restore/backup",
        "/terminate/{job}",
        "/api/v1/backup",
        "/api/v1/backup/{backup}",
        "/api/v1/restore/{id}",
        "/api/v1/data-validation/marker",
        "/incremental/backup",
        "/incremental/terminate/{job}",
    ):
        assert where in dict(daemon.routes())
        assert (await http.options(filled(where))).status_code == 204


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("GET", "/listbackups"),
        ("GET", "/find?ts=1"),
        ("GET", "/health"),
        ("GET", "/health/prometheus"),
        ("POST", "/restore"),
    ],
)
async def test_vaults_are_sorted_while_others_are_answered(
    http, backups, monkeypatch, method, where
):
    threads = []

    def noted(views: Iterable[VaultView], zone: tzinfo | None) -> list[VaultView]:
        threads.append(threading.current_thread())
        return listed(views, zone)

    listed = shapes.listed
    monkeypatch.setattr(shapes, "listed", noted)
    backups.add("20260101T000000")
    more = {"json": {"ts": 1}} if method == "POST" else {}

    assert (await http.request(method, where, **more)).status_code == 200
    assert threads
    assert threading.main_thread() not in threads
