"""Who may come in, and in which words everybody else is kept out."""

from typing import Any

import pytest

from syncd import clock
from syncd.core.permission import Action, Role
from syncd.store import tokens, users
from tests.api.accounts import KEPT, PASSWORD

VIEWER, OPERATOR = "viewer@x.org", "operator@x.org"
BROWSER, PROGRAM = "/api/v3/backups", "/ak/api/v3/backups"


@pytest.fixture
async def crowd(store, auth, server):
    for email, role in ((VIEWER, Role.VIEWER), (OPERATOR, Role.OPERATOR)):
        await store.run(users.add, email, role, KEPT, clock.timestamp())
    await noticed(auth)


async def noticed(auth) -> None:
    auth._accounts._looked = 0.0
    await auth._accounts.book()


async def token(store, auth, email: str, *actions: Action) -> tuple[str, str]:
    user = await store.read(users.get, email)
    said: dict[str, Any] = {
        "name": "",
        "expires_at": None,
        "now": clock.timestamp(),
    }
    fresh = await store.run(lambda db: tokens.create(db, user, actions=actions, **said))
    await noticed(auth)
    return fresh.key, fresh.secret


@pytest.mark.parametrize(
    "header", [None, "Basic eDp5", "Basic nocolon", "Bearer x", "Bearer t.e30.x", "X y"]
)
async def test_programs_without_a_key_are_told_in_plain_text(crowd, http, header):
    headers = {"Authorization": header} if header else {}
    answer = await http.get(PROGRAM, headers=headers)

    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    realm = str(http.base_url).rstrip("/")
    assert answer.headers["www-authenticate"] == f"Basic realm=IBP{realm}"


async def test_browsers_are_let_in_by_their_session_only(crowd, http):
    answer = await http.get(BROWSER, auth=(OPERATOR, PASSWORD))
    assert answer.status_code == 401
    assert answer.json() == {"error": "login to use this api"}

    said = {"email": OPERATOR, "pass": PASSWORD}
    answer = await http.post("/api/v3/auth/login", json=said)
    assert answer.json() == {
        "message": "ok",
        "name": OPERATOR,
        "email": OPERATOR,
        "roles": ["manager"],
    }
    assert (await http.get(BROWSER)).json() == {"ids": []}
    assert (await http.get(PROGRAM)).status_code == 401


async def test_who_may_not_is_told_so(crowd, http, store, auth):
    refusal = {
        "authorized": False,
        "error": "username/api key is not authorized for these action(s)",
        "attempted_actions": ["blockchain.optools.settings"],
        "iid": "-",
        "tx_id": "-:-----",
    }
    answer = await http.get(PROGRAM, auth=(VIEWER, PASSWORD))
    assert (answer.status_code, answer.json()) == (403, refusal)

    await http.post("/api/v1/auth/login", json={"email": VIEWER, "pass": PASSWORD})
    answer = await http.get(BROWSER)
    assert (answer.status_code, answer.json()) == (403, refusal)

    key = await token(store, auth, OPERATOR, Action.READ)
    answer = await http.get(PROGRAM, auth=key)
    assert (answer.status_code, answer.text) == (401, "Unauthorized")


async def test_a_token_for_it_does(crowd, http, store, auth):
    key = await token(store, auth, OPERATOR, Action.OPTOOLS_SETTINGS)
    assert (await http.get(PROGRAM, auth=key)).json() == {"ids": []}
    assert (await http.post(PROGRAM, auth=key)).status_code == 202
    answer = await http.get("/backup", auth=key)
    assert answer.status_code in (401, 403, 405)


@pytest.mark.parametrize("said", [{}, {"email": OPERATOR}, {"email": 1, "pass": 2}, []])
async def test_a_login_needs_both(crowd, http, said):
    answer = await http.post("/api/v3/auth/login", json=said)
    assert answer.status_code == 400


async def test_a_wrong_password_is_no_login(crowd, http):
    said = {"email": OPERATOR, "pass": "wrong"}
    answer = await http.post("/api/v3/auth/login", json=said)
    assert answer.status_code == 401


async def test_nothing_is_kept_of_bodies_of_strangers(crowd, http, server):
    answer = await http.put(PROGRAM, content=b"x" * 100_000)
    assert answer.status_code == 401


@pytest.mark.parametrize("where", ["auth/login", "webhooks/txs/any"])
async def test_strangers_send_little(crowd, http, where):
    said = {"email": OPERATOR, "pass": "x" * 70_000}
    answer = await http.post(f"/api/v3/{where}", json=said)

    assert answer.status_code == 400
    assert "too large" in answer.json()["details"]


async def test_strangers_fill_no_log(crowd, http, auth, monkeypatch):
    lines: list[Any] = []
    monkeypatch.setattr(auth.trail, "add", lines.append)
    await http.post("/api/v3/webhooks/txs/any", json={})
    assert lines == []

    await http.post("/api/v3/auth/login", json={"email": OPERATOR, "pass": PASSWORD})
    assert [line.who for line in lines] == [OPERATOR]
