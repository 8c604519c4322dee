"""Everybody is asked who they are, on every route, as soon as anybody could tell."""

import asyncio
import base64
import re
import sys
import threading
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import httpx
import pytest

from syncd import clock
from syncd.api import accounts as watching
from syncd.api import auth as auths
from syncd.api import cyborg, daemon, optools, signing
from syncd.api import passwords as comparing
from syncd.api.accounts import MARK
from syncd.api.auth import Auth, Policy
from syncd.api.credentials import COOKIE, Pair
from syncd.api.server import Limits, Server, all_routes
from syncd.api.sync_v1 import events
from syncd.core.permission import Action, Role
from syncd.errors import ConfigError
from syncd.store import passwords, sessions, tokens, users
from tests.api.accounts import KEPT, PASSWORD, Town, town

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")

DATA = {
    "/backup/{vault}",
    "/incremental/backup/{vault}",
    "/backup/s3/{vault}",
    *(
        f"/ak/api/{version}/backups{more}"
        for version in ("v1", "v2", "v3")
        for more in ("", "/{backup}", "/{backup}/attachments/{attachment}")
    ),
}
"""Where an API gives out what is in a vault, or is for whoever may all of it."""

BROWSERS = {where for where, _ in optools.routes() if not where.startswith("/ak/")}
"""Where only a session counts, and credentials do not."""

LOOKED_AT = {
    "/api/v1/backup/{backup}",
    "/api/v1/data-validation/marker",
    "/api/v1/restore/{id}",
    "/evictionpolicy",
    "/find",
    "/health",
    "/health/prometheus",
    "/health/{more}",
    "/incremental/evictionpolicy",
    "/incremental/find",
    "/incremental/health",
    "/incremental/health/prometheus",
    "/incremental/health/{more}",
    "/incremental/jobstatus/{job}",
    "/incremental/listbackups",
    "/incremental/listbackups/{vault}",
    "/jobstatus/{job}",
    "/listbackups",
    "/listbackups/{vault}",
    "/swagger-ui",
    "/swagger-ui/swagger.json",
}
"""What its clients look at without a login, unless ``read_login`` is set.

By hand: whoever adds an address decides here whether it is open.
"""

NOT_LOOKED_AT = {
    where for where, kind in daemon.routes() if "GET" not in kind.operations
}
"""Where looking is answered with 405, whoever looks."""

LOOKS = {
    (where, method)
    for where in LOOKED_AT | NOT_LOOKED_AT
    for method in ("GET", "HEAD", "OPTIONS")
}

MACHINES = dict(cyborg.routes())
"""The API for whole machines."""

DOORS = {
    "/api",
    "/api/login",
    "/api/logout",
    "/api/password_reset",
    "/api/password_reset/confirm",
    "/api/password_reset/validate_token",
    "/api/token/obtain",
    "/api/token/refresh",
    "/api/v1",
    "/api/v1/auth",
    "/api/v1/ping",
}
"""What of it nobody has to log in for; by hand, too."""

OPEN = LOOKS | {(where, method) for where in DOORS for method in METHODS}
OPEN -= {("/api/login", "POST")}  # Says 401 to a form that names nobody.
OPEN |= {(where, "OPTIONS") for where in MACHINES if where != "/api/v1/config"}
OPEN |= {
    ("/health/live", "GET"),
    ("/health/live", "HEAD"),
    ("/health/live", "OPTIONS"),
    ("/health/ready", "GET"),
    ("/health/ready", "HEAD"),
    ("/health/ready", "OPTIONS"),
    # These are how one logs in; without the right body, that is refused.
    ("/api/v1.0/session", "POST"),
    ("/api/v1.0/session/tokens", "POST"),
    *((f"/api/{version}/auth/login", "POST") for version in ("v1", "v2", "v3")),
    # It does nothing with what it is told.
    *(
        (f"/api/{version}/webhooks/txs/{{transaction}}", "POST")
        for version in ("v1", "v2", "v3")
    ),
}
"""All that may be asked without a login, once there are accounts."""

VIEWER, OPERATOR, ADMIN = ("viewer@x.org", "operator@x.org", "admin@x.org")


@pytest.fixture
async def crowd(tmp_path) -> AsyncIterator[Town]:
    """A server with a user of each role."""
    async with town(tmp_path, limits=Limits(rate=1e6, burst=1e6)) as place:
        await place.add(VIEWER, Role.VIEWER)
        await place.add(OPERATOR, Role.OPERATOR)
        await place.add(ADMIN, Role.ADMIN)
        yield place


async def statuses(
    place: Town, auth: tuple[str, str] | None = None
) -> dict[tuple[str, str], int]:
    """Ask every method of every route and return what was answered."""
    found = {}
    for where, _ in all_routes():
        path = re.sub(r"\{\w+\}", "x", where)
        for method in METHODS:
            url = httpx.URL(str(place.http.base_url)).join(path)
            request = place.http.build_request(method, url)
            answer = await place.http.send(request, auth=auth, stream=True)
            await answer.aclose()  # Events would never end.
            found[where, method] = answer.status_code
    return found


async def test_every_route_asks_for_a_login(crowd):
    said = await statuses(crowd)

    assert {pair for pair, status in said.items() if status != 401} == OPEN
    assert len(said) == len(METHODS) * len(all_routes())


async def test_a_viewer_reads_and_changes_nothing(crowd):
    said = await statuses(crowd, auth=(VIEWER, PASSWORD))
    said = {pair: said[pair] for pair in said if pair[0] not in BROWSERS}

    looking = {pair: said[pair] for pair in said if pair[1] in ("GET", "HEAD")}
    changing = {pair: said[pair] for pair in said if pair[1] in METHODS[2:6]}
    refused = {pair for pair, status in said.items() if status == 401}
    assert refused == {("/api/login", "POST")}
    assert {where for (where, _), status in looking.items() if status == 403} == {
        "/api/v1.0/audit",
        *DATA,
    }
    # Everybody may leave, and ask what rules would do, which changes nothing.
    own = {(where, method) for where, method in changing if where.endswith("/session")}
    own |= {("/api/v1.0/rules/plan", "POST")}
    # Themselves, too; and what is not possible at all is refused as that.
    own |= {
        (where, method)
        for where, kind in MACHINES.items()
        for method in METHODS[2:6]
        if method not in kind.operations
        or where in ("/api/login", "/api/v1/users/{number}")
    }
    assert {pair for pair, status in changing.items() if status != 403} == own | {
        pair for pair in OPEN if pair[1] == "POST" and pair[0] not in BROWSERS
    }


async def test_what_each_role_may(crowd):
    async def may(email: str, method: str, path: str) -> int:
        pair = (email, PASSWORD)
        answer: httpx.Response = await crowd.http.request(method, path, auth=pair)
        return answer.status_code

    for email, change, log in (
        (VIEWER, 403, 403),
        (OPERATOR, 200, 403),
        (ADMIN, 200, 200),
    ):
        assert await may(email, "GET", "/rules") == 200
        assert await may(email, "PUT", "/rules/reload") == change
        assert await may(email, "GET", "/audit") == log


async def test_without_accounts_nobody_is_asked_and_credentials_do_not_matter(tmp_path):
    async with town(tmp_path) as place:
        for header in ("Basic Og==", "Basic nonsense", "Bearer x", "", "Token 1"):
            answer = await place.http.get("/rules", headers={"Authorization": header})
            assert answer.status_code == 200
        assert (await place.http.get("/audit")).status_code == 200
        assert (await place.http.get("/session")).json()["name"] == "anybody"
        answer = await place.http.post(
            "/session", json={"email": VIEWER, "password": PASSWORD}
        )
        assert answer.status_code == 409


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        basic(VIEWER, "wrong"),
        basic(VIEWER, ""),
        basic("nobody@x.org", PASSWORD),
        basic("not even an address@", PASSWORD),
        basic("", ""),
        basic("k123", "secret"),
        "Basic nonsense",
        "Bearer k123:secret",
        "Bearer a.b.c",
        "Token 1",
        "",
    ],
)
async def test_wrong_credentials(crowd, header):
    answer = await crowd.http.get("/rules", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="syncd", charset="UTF-8"'
    assert answer.json()["status"] == "error"


async def test_a_name_is_the_same_in_any_case(crowd):
    answer = await crowd.http.get("/session", auth=("Viewer@X.org", PASSWORD))

    assert answer.json()["name"] == VIEWER


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
async def test_a_token(crowd, scheme):
    words = await crowd.token(OPERATOR)
    pair = f"{words.key}:{words.secret}"
    said = base64.b64encode(pair.encode()).decode() if scheme == "Basic" else pair
    headers = {"Authorization": f"{scheme} {said}"}

    answer = await crowd.http.get("/session", headers=headers)

    assert answer.json()["name"] == OPERATOR
    assert answer.json()["means"] == f"token {words.key}"
    assert (await crowd.http.put("/rules/reload", headers=headers)).status_code == 200
    await crowd.audit()
    [token] = await crowd.store.read(tokens.everything)
    assert token.used_at is not None


async def test_a_limited_token(crowd):
    words = await crowd.token(OPERATOR, Action.METRICS)
    pair = (words.key, words.secret)

    assert (await crowd.http.get("/rules", auth=pair)).status_code == 403
    assert (await crowd.http.get("/session", auth=pair)).status_code == 200
    metrics = str(crowd.http.base_url).replace("/api/v1.0", "/metrics")
    assert (await crowd.http.get(metrics, auth=pair)).status_code == 200


async def test_tokens_that_are_good_no_more(crowd):
    expired = await crowd.token(VIEWER, expires_at=clock.timestamp() - 1)
    revoked = await crowd.token(VIEWER)
    disabled = await crowd.token(OPERATOR)
    await crowd.store.run(tokens.revoke, revoked.key, clock.timestamp())
    await crowd.store.run(users.disable, OPERATOR, True)
    await crowd.notice()

    for words, reason in (
        (expired, "the token is expired"),
        (revoked, "the token is revoked"),
        (disabled, "the user is disabled"),
    ):
        answer = await crowd.http.get("/rules", auth=(words.key, words.secret))
        assert (answer.status_code, answer.json()["reason"]) == (401, reason)
        answer = await crowd.http.get("/rules", auth=(words.key, "wrong"))
        assert answer.json()["reason"] == auths.WRONG


async def logged_in(place: Town, email: str = OPERATOR) -> str:
    answer = await place.http.post(
        "/session", json={"email": email, "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    place.http.cookies.clear()
    return answer.headers["Set-Cookie"]


def sent(cookie: str) -> dict[str, str]:
    return {"Cookie": cookie.partition(";")[0]}


async def test_a_session(crowd):
    cookie = await logged_in(crowd)
    morsel = SimpleCookie(cookie)[COOKIE]
    assert (morsel["httponly"], morsel["samesite"]) == (True, "Lax")
    assert not morsel["secure"]

    who = (await crowd.http.get("/session", headers=sent(cookie))).json()
    assert (who["name"], who["role"], who["means"]) == (OPERATOR, "operator", "session")
    changed = await crowd.http.put("/rules/reload", headers=sent(cookie))
    assert changed.status_code == 200

    left = await crowd.http.delete("/session", headers=sent(cookie))
    assert f"{COOKIE}=;" in left.headers["Set-Cookie"]
    assert (await crowd.http.get("/session", headers=sent(cookie))).status_code == 401


async def test_a_foreign_page_cannot_use_a_session(crowd):
    cookie = sent(await logged_in(crowd))

    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = await crowd.http.put("/rules/reload", headers={**cookie, **headers})
        assert answer.status_code == 403


async def test_a_session_ends(crowd, monkeypatch):
    monkeypatch.setattr(sessions, "LASTS", -1.0)
    cookie = sent(await logged_in(crowd))

    assert (await crowd.http.get("/session", headers=cookie)).status_code == 401


async def signed(place: Town, **said: str) -> httpx.Response:
    return await place.http.post("/session/tokens", json=said)


async def test_signed_tokens(crowd):
    keys = (await signed(crowd, email=OPERATOR, password=PASSWORD)).json()
    assert (keys["token_type"], keys["expires_in"]) == ("Bearer", signing.ACCESS)
    headers = {"Authorization": f"Bearer {keys['access']}"}

    who = (await crowd.http.get("/session", headers=headers)).json()
    assert (who["name"], who["means"]) == (OPERATOR, "signed token")

    newer = (await signed(crowd, refresh=keys["refresh"])).json()
    headers = {"Authorization": f"Bearer {newer['access']}"}
    assert (await crowd.http.get("/session", headers=headers)).status_code == 200
    # Each is good for its own use only.
    headers = {"Authorization": f"Bearer {newer['refresh']}"}
    assert (await crowd.http.get("/session", headers=headers)).status_code == 401
    assert (await signed(crowd, refresh=newer["access"])).status_code == 401
    assert (await signed(crowd, email=OPERATOR, password="wrong")).status_code == 401


class Spy:
    """Notes which threads look for a module that is not loaded yet."""

    def __init__(self, module: str) -> None:
        self.threads: list[threading.Thread] = []
        self._module = module

    def find_spec(self, name: str, *_: object) -> None:
        if name == self._module:
            self.threads.append(threading.current_thread())


@pytest.mark.parametrize("by", ["asking", "logging in"])
async def test_what_signs_tokens_is_not_loaded_while_others_wait(
    crowd, monkeypatch, by
):
    spy = Spy("jwt")
    monkeypatch.delitem(sys.modules, "jwt")
    monkeypatch.setattr(sys, "meta_path", [spy, *sys.meta_path])

    if by == "asking":
        headers = {"Authorization": "Bearer a.b.c"}
        answers = [crowd.http.get("/session", headers=headers) for _ in range(3)]
        assert {one.status_code for one in await asyncio.gather(*answers)} == {401}
    else:
        assert (await signed(crowd, email=OPERATOR, password=PASSWORD)).is_success

    assert spy.threads
    assert threading.main_thread() not in spy.threads


@pytest.mark.parametrize(
    "change",
    [
        (users.disable, OPERATOR, True),
        (users.set_password, OPERATOR, "another"),
        (users.set_role, OPERATOR, Role.VIEWER),
    ],
)
async def test_a_change_ends_every_login(crowd, change):
    cookie = sent(await logged_in(crowd))
    keys = (await signed(crowd, email=OPERATOR, password=PASSWORD)).json()
    bearer = {"Authorization": f"Bearer {keys['access']}"}
    for headers in (cookie, bearer):
        assert (await crowd.http.get("/session", headers=headers)).status_code == 200

    await crowd.store.run(*change)
    await crowd.notice()

    for headers in (cookie, bearer):
        assert (await crowd.http.get("/session", headers=headers)).status_code == 401
    assert (await signed(crowd, refresh=keys["refresh"])).status_code == 401


async def test_a_password_that_was_right_is_not_once_it_changed(crowd):
    for _ in range(2):
        said = await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))
        assert said.status_code == 200
    await crowd.store.run(users.set_password, VIEWER, passwords.hashed("another"))
    await crowd.notice()

    assert (await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))).status_code == 401
    assert (await crowd.http.get("/rules", auth=(VIEWER, "another"))).status_code == 200


async def test_a_disabled_user_is_not_let_in_and_learns_nothing(crowd):
    await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))
    await crowd.store.run(users.disable, VIEWER, True)
    await crowd.notice()

    answer = await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))

    assert (answer.status_code, answer.json()["reason"]) == (401, auths.WRONG)
    assert (await crowd.audit())[-1][-1] == "the user is disabled"


async def test_300_at_once_with_one_password_are_compared_once(crowd, monkeypatch):
    compared = []
    real = passwords.fits

    def counted(*said):
        compared.append(said)
        return real(*said)

    monkeypatch.setattr(passwords, "fits", counted)
    asked = [crowd.http.get("/rules", auth=(VIEWER, PASSWORD)) for _ in range(300)]

    answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200}
    assert len(compared) == 1


async def test_guessing_gets_slow_and_then_refused(crowd, monkeypatch):
    waits = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("syncd.api.passwords._pause", noted)
    answers = [
        await crowd.http.get("/rules", auth=(VIEWER, f"guess {number}"))
        for number in range(60)
    ]

    assert {answer.status_code for answer in answers} == {401, 429}
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert waits[0] == 0 < max(waits)
    # The right password is not compared either, from there: else it would be found.
    late = await crowd.http.get("/rules", auth=(OPERATOR, PASSWORD))
    assert late.status_code == 429
    # But tokens cannot be guessed, so whoever has one comes in.
    words = await crowd.token(VIEWER)
    good = await crowd.http.get("/rules", auth=(words.key, words.secret))
    assert good.status_code == 200


async def test_failures_are_written_down_and_requests_that_change_something(crowd):
    await crowd.http.get("/rules", auth=(VIEWER, "wrong"))
    await crowd.http.put("/rules/reload", auth=(VIEWER, PASSWORD))
    await crowd.http.put("/rules/reload", auth=(OPERATOR, PASSWORD))
    await crowd.http.put("/entries/nope/stop", auth=(OPERATOR, PASSWORD))
    await crowd.http.put("/rules/reload")  # Anybody could fill the log so, ...
    await crowd.http.post("/session", json={"email": 1})  # ... or so.
    await crowd.http.post(
        "/rules/plan", json=crowd.house.rulebook.shown(), auth=(VIEWER, PASSWORD)
    )
    await logged_in(crowd)

    put = "PUT /api/v1.0/rules/reload"
    refusal = "viewer@x.org may not do this: it takes the action sync.change"
    assert await crowd.audit() == [
        (VIEWER, "password", "login", "refused", auths.WRONG),
        (VIEWER, "password", put, "refused", refusal),
        (OPERATOR, "password", put, "done", ""),
        (
            OPERATOR,
            "password",
            "PUT /api/v1.0/entries/{name}/stop",
            "refused",
            "entry nope not found",
        ),
        (OPERATOR, "password", "POST /api/v1.0/session", "done", ""),
    ]


async def test_without_accounts_changes_are_written_down_too(tmp_path):
    async with town(tmp_path) as place:
        await place.http.put("/rules/reload")
        answer = await place.http.get("/audit", params={"limit": 1})

    [line] = answer.json()["audit"]
    assert answer.json()["total"] == 1
    assert (line["who"], line["address"]) == ("anybody", "127.0.0.1")
    assert (line["target"], line["status"]) == ("/api/v1.0/rules/reload", 200)


PAIR = Policy(pair=Pair("backup", "s3cret:with colon"))


async def test_the_pair_of_the_environment_is_an_operator(tmp_path):
    async with town(tmp_path, PAIR) as place:
        assert (await place.http.get("/rules")).status_code == 401
        pair = ("backup", "s3cret:with colon")
        who = (await place.http.get("/session", auth=pair)).json()
        assert (who["name"], who["role"]) == ("backup", "operator")
        assert (await place.http.get("/audit", auth=pair)).status_code == 403
        for wrong in (("backup", "s3cret"), ("Backup", pair[1]), ("", "")):
            assert (await place.http.get("/rules", auth=wrong)).status_code == 401
        await place.add(ADMIN, Role.ADMIN)
        assert (
            await place.http.get("/audit", auth=(ADMIN, PASSWORD))
        ).status_code == 200
        assert (await place.http.get("/rules", auth=pair)).status_code == 200


async def test_this_machine_may_be_let_in_without_a_login(tmp_path):
    async with town(tmp_path, Policy(neighbours=True)) as place:
        await place.add(ADMIN, Role.ADMIN)

        assert (await place.http.put("/rules/reload")).status_code == 200
        assert (await place.http.get("/audit")).status_code == 403
        wrong = await place.http.get("/rules", auth=(ADMIN, "wrong"))
        assert wrong.status_code == 401
        assert (
            await place.http.get("/audit", auth=(ADMIN, PASSWORD))
        ).status_code == 200


async def test_a_user_is_known_soon_after_being_added(tmp_path):
    async with town(tmp_path) as place:
        assert (await place.http.get("/rules")).status_code == 200
        await place.store.run(users.add, VIEWER, Role.VIEWER, "", 0.0)

        async with asyncio.timeout(30):
            while (await place.http.get("/rules")).status_code == 200:
                await asyncio.sleep(0.05)


async def test_accounts_that_were_lost_do_not_leave_the_door_open(tmp_path):
    async with town(tmp_path) as place:
        await place.add(ADMIN, Role.ADMIN)
    assert (tmp_path / MARK).exists()
    for file in tmp_path.glob("index.db*"):
        file.unlink()

    async with town(tmp_path) as place:
        assert (await place.http.get("/rules")).status_code == 401
    (tmp_path / MARK).unlink()
    async with town(tmp_path) as place:
        assert (await place.http.get("/rules")).status_code == 200


async def test_others_reach_us_only_where_somebody_can_log_in(tmp_path, house):
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 .*`syncd user add EMAIL"):
        async with Server(house.rooms, [("127.0.0.1", 0), ("0.0.0.0", 0)]):
            raise AssertionError("listens")
    auth = Auth(None, tmp_path, PAIR)
    async with Server(house.rooms, [("0.0.0.0", 0)], auth=auth) as server:
        port = server.addresses[0][1]
        async with httpx.AsyncClient(trust_env=False) as client:
            said = await client.get(f"http://127.0.0.1:{port}/api/v1.0/rules")
    assert said.status_code == 401


async def test_whoever_was_just_added_can_log_in(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "OFTEN", -1.0)
    async with town(tmp_path) as place:
        assert (await place.http.get("/rules")).status_code == 200
        await place.store.run(users.add, OPERATOR, Role.OPERATOR, KEPT, 0.0)

        assert await logged_in(place)


async def test_a_stream_ends_with_the_right_to_listen(crowd, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    async with crowd.http.stream("GET", "/events", auth=(VIEWER, PASSWORD)) as answer:
        lines = answer.aiter_lines()
        while "still here" not in await anext(lines):
            pass
        await crowd.store.run(users.disable, VIEWER, True)
        await crowd.notice()

        with pytest.raises((httpx.RemoteProtocolError, StopAsyncIteration)):
            async with asyncio.timeout(30):
                while True:
                    await anext(lines)


async def test_only_so_many_passwords_wait_to_be_compared(crowd, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_WAITING", 0)

    answer = await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    monkeypatch.undo()
    assert (await crowd.http.get("/rules", auth=(VIEWER, PASSWORD))).status_code == 200
