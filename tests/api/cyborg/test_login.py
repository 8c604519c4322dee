"""Logging in for tokens and with a form, and another password by mail."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP

from syncd.store import users
from tests.api.accounts import PASSWORD
from tests.api.cyborg.conftest import ADMIN, VIEWER, As

ANSWER = {"email": ADMIN, "password": PASSWORD}


async def test_tokens(admin, place):
    nobody = As(place.http)
    answer = await nobody("POST", "/api/token/obtain/", ANSWER)

    assert (answer.status_code, list(answer.json())) == (200, ["refresh", "access"])
    access = answer.json()["access"]
    claims = jwt.decode(access, options={"verify_signature": False})
    assert claims["token_type"] == "access"
    assert (claims["user_id"], claims["email"], claims["first_name"]) == (1, ADMIN, "")
    assert claims["exp"] - claims["iat"] == 3600
    headers = {"Authorization": f"Bearer {access}"}
    said = await nobody("GET", "me/", headers=headers)
    assert said.json()["results"][0]["email"] == ADMIN


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (
            {"email": ADMIN, "password": "wrong"},
            401,
            {"detail": "No active account found with the given credentials"},
        ),
        (
            {"username": ADMIN},
            400,
            {
                "email": ["This field is required."],
                "password": ["This field is required."],
            },
        ),
    ],
)
async def test_no_tokens(admin, place, body, status, said):
    answer = await As(place.http)("POST", "/api/token/obtain/", body)

    assert (answer.status_code, answer.json()) == (status, said)
    assert (await As(place.http)("GET", "/api/token/obtain/")).status_code == 405


async def test_refreshing(admin, place):
    nobody = As(place.http)
    keys = (await nobody("POST", "/api/token/obtain/", ANSWER)).json()

    answer = await nobody("POST", "/api/token/refresh/", {"refresh": keys["refresh"]})
    assert sorted(answer.json()) == ["access", "refresh"]
    for word, detail in (
        (keys["access"], "Token has wrong type"),
        ("nonsense", "Token is invalid or expired"),
    ):
        answer = await nobody("POST", "/api/token/refresh/", {"refresh": word})
        assert (answer.status_code, answer.json()) == (
            401,
            {"detail": detail, "code": "token_not_valid"},
        )


async def test_the_form(admin, place):
    nobody = As(place.http)
    shown = await nobody("GET", "/api/login/")
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    word = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', shown.text)
    assert word
    form = {"username": ADMIN, "csrfmiddlewaretoken": word[1]}

    wrong = await nobody("POST", "/api/login/", data={**form, "password": "x"})
    assert wrong.status_code == 401
    assert "csrfmiddlewaretoken" in wrong.text
    answer = await nobody("POST", "/api/login/", data={**form, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/v1/")
    assert (await nobody("GET", "me/")).json()["results"][0]["email"] == ADMIN

    # The client keeps the cookie until it is told to forget it.
    for method in ("GET", "POST"):
        answer = await nobody(method, "/api/logout/")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/api/")
    assert (await nobody("GET", "me/")).status_code == 401


@pytest.mark.parametrize(("form", "status"), [("a&" * 21, 400), ("a" * 65_537, 413)])
async def test_a_form_that_is_none(place, form, status):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await As(place.http)("POST", "/api/login/", content=form, headers=headers)

    assert answer.status_code == status


class Box(Message):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: asyncio.Queue[Any] = asyncio.Queue()

    def handle_message(self, message: Any) -> None:
        self.mails.put_nowait(message)


@pytest.fixture
async def box(admin) -> AsyncIterator[Box]:
    """A server of mail, which the settings name."""
    box = Box()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for key, value in (
        ("mail_server", "127.0.0.1"),
        ("mail_port", port),
        ("mail_from", "cyborg@x.org"),
    ):
        number = (await admin.listed(f"settings/?key=cyborgbackup_{key}"))[0]
        answer = await admin("PATCH", f"settings/{number}/", {"value": value})
        assert answer.status_code == 200
    yield box
    server.close()
    await server.wait_closed()


async def asked(place: Any, email: str) -> Any:
    return await As(place.http)("POST", "/api/password_reset/", {"email": email})


async def mailed(box: Box) -> str:
    async with asyncio.timeout(60):
        message = await box.mails.get()
    assert (message["From"], message["To"]) == ("cyborg@x.org", VIEWER)
    text = message.get_payload().replace("\r", "")
    found = re.search(r"^[\w-]{43}$", text, re.MULTILINE)
    assert found
    return found[0]


async def test_another_password_by_mail(place, box, viewer):
    nobody = As(place.http)
    answer = await asked(place, VIEWER)
    assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    word = await mailed(box)

    for _ in range(2):
        where = "/api/password_reset/validate_token/"
        answer = await nobody("POST", where, {"token": word})
        assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    where, said = "/api/password_reset/confirm/", {"token": word, "password": "new"}
    assert (await nobody("POST", where, said)).json() == {"status": "OK"}

    assert (await viewer("GET", "me/")).status_code == 401
    assert (await As(place.http, (VIEWER, "new"))("GET", "me/")).status_code == 200
    again = await nobody("POST", where, said)
    assert (again.status_code, again.json()) == (
        404,
        {
            "detail": "The OTP password entered is not valid."
            " Please check and try again."
        },
    )


async def test_nobody_learns_who_has_an_account(place, box):
    for email in ("nobody@x.org", VIEWER):
        answer = await asked(place, email)
        assert (answer.status_code, answer.json()) == (200, {"status": "OK"})
    answer = await asked(place, "x")
    assert answer.json() == {"email": ["Enter a valid email address."]}
    await mailed(box)
    assert box.mails.empty()


async def test_one_mail_a_minute(place, box):
    await asked(place, VIEWER)
    await mailed(box)
    await asked(place, VIEWER)
    later = place.records.now() + 61
    place.records.now = lambda: later
    await asked(place, VIEWER)

    await mailed(box)
    assert box.mails.empty()


async def test_a_word_ends(place, box):
    await asked(place, VIEWER)
    word = await mailed(box)
    where = "/api/password_reset/validate_token/"

    await place.store.run(users.set_password, VIEWER, "hash")
    answer = await As(place.http)("POST", where, {"token": word})
    assert answer.status_code == 404

    later = place.records.now() + 61
    place.records.now = lambda: later
    await asked(place, VIEWER)
    word = await mailed(box)
    assert (await As(place.http)("POST", where, {"token": word})).status_code == 200
    end = later + 3600
    place.records.now = lambda: end
    assert (await As(place.http)("POST", where, {"token": word})).status_code == 404


async def test_who_is_locked_out_gets_no_mail(place, box):
    await place.store.run(users.disable, VIEWER, True)

    assert (await asked(place, VIEWER)).status_code == 200
    await place.store.run(users.disable, VIEWER, False)
    await asked(place, VIEWER)
    await mailed(box)
    assert box.mails.empty()


async def test_a_server_that_takes_no_mail(place, admin, capsys, caplog):
    number = (await admin.listed("settings/?key=cyborgbackup_mail_port"))[0]
    await admin("PATCH", f"settings/{number}/", {"value": 1})

    assert (await asked(place, VIEWER)).status_code == 200
    async with asyncio.timeout(60):
        while place.records._tasks:
            await asyncio.sleep(0.01)
    assert "mail not sent" in capsys.readouterr().out + caplog.text
