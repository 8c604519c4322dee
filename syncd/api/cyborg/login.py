"""Logging in: for tokens, with a form, and again after a password was forgotten."""

import asyncio
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from syncd.api import credentials
from syncd.api.auth import as_user
from syncd.api.credentials import Pair
from syncd.api.cyborg import fields
from syncd.api.cyborg.fields import Mail, Text
from syncd.api.cyborg.handler import OBJECT
from syncd.api.cyborg.metadata import Described
from syncd.api.cyborg.refusals import Refused
from syncd.api.operation import Operation, on
from syncd.errors import BadRequest, NotFound, NotLoggedIn
from syncd.store import resets, users
from syncd.store.sessions import LASTS
from syncd.store.users import User

ACCESS = 3600.0
"""Seconds that a token is good for: clients of this dialect log in anew after that."""

MOST_FIELDS = 20
"""Of the form: who sends it need not have logged in."""

NO_ACCOUNT = "No active account found with the given credentials"
VOID = {"detail": "Token is invalid or expired", "code": "token_not_valid"}
NO_WORD = "The OTP password entered is not valid. Please check and try again."
HTML = "text/html; charset=utf-8"
FORM = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Log in</title></head><body>
<form method="post" action="/api/login/">
<p>{trouble}</p>
<input type="hidden" name="csrfmiddlewaretoken" value="{word}">
<p><label>E-mail <input name="username" type="email" required></label></p>
<p><label>Password <input name="password" type="password" required></label></p>
<p><button>Log in</button></p>
</form></body></html>
"""
LETTER = """Somebody, perhaps you, asked to set another password for {email}.

This word does it, once, within an hour:

{word}

Who did not ask for this need do nothing: the password stays as it is.
"""

LOGIN = {
    "email": Text(label="Email", required=True),
    "password": Text(label="Password", required=True, most=65_536),
}
REFRESH = {"refresh": Text(label="Refresh", required=True, most=65_536)}
ADDRESS = {"email": Mail(label="Email", required=True)}
WORD = {"token": Text(label="Token", required=True)}
WORD_AND_PASSWORD = {
    **WORD,
    "password": Text(label="Password", required=True, most=65_536),
}
_ANSWERS: dict[str, Any] = {"content": OBJECT, "action": None}


def _schema(some: Mapping[str, fields.Field]) -> dict[str, Any]:
    return fields.schema(some, whole=True)


class _Open(Described):
    """An address for those who have not logged in."""

    reads = None
    changes = None

    def _read(self, some: Mapping[str, fields.Field]) -> dict[str, Any]:
        return fields.read(some, self.object(), whole=True, fill=True)


class Obtain(_Open):
    """Tokens for who logs in."""

    @on("POST", body=_schema(LOGIN), errors=[HTTPStatus.UNAUTHORIZED], **_ANSWERS)
    async def obtain(self) -> None:
        """Log in with address and password, for tokens to ask with."""
        said = self._read(LOGIN)
        # Blanks around a password belong to it.
        pair = Pair(said["email"], str(self.object()["password"]))
        address = str(self.request.remote_ip)
        try:
            user = await self.desk.auth.by_password(pair, address)
        except NotLoggedIn:
            raise Refused(NO_ACCOUNT, HTTPStatus.UNAUTHORIZED) from None
        self.who = as_user(user, "password")
        keys = await self.desk.auth.keys(user, ACCESS)
        self.say({"refresh": keys.refresh, "access": keys.access})


class Refresh(_Open):
    """New tokens for one that is old."""

    @on("POST", body=_schema(REFRESH), errors=[HTTPStatus.UNAUTHORIZED], **_ANSWERS)
    async def refresh(self) -> None:
        """Return new tokens; the one that was sent stays good."""
        said = self._read(REFRESH)
        try:
            user = await self.desk.auth.refreshed(said["refresh"])
        except NotLoggedIn as error:
            wrong = "is not for that" in str(error)
            detail = {"detail": "Token has wrong type"} if wrong else {}
            raise Refused({**VOID, **detail}, HTTPStatus.UNAUTHORIZED) from None
        self.who = as_user(user, "signed token")
        keys = await self.desk.auth.keys(user, ACCESS)
        self.say({"access": keys.access, "refresh": keys.refresh})


class Login(_Open):
    """The form to log in with a browser."""

    largest = 1 << 16

    @on("GET", content={HTML: {"type": "string"}}, action=None)
    async def form(self) -> None:
        """Show the form."""
        self._show("")

    @on(
        "POST",
        content={HTML: {"type": "string"}},
        status=(HTTPStatus.FOUND,),
        errors=[HTTPStatus.UNAUTHORIZED],
        action=None,
    )
    async def log_in(self) -> None:
        """Log in with what the form says: the answer sets a cookie."""
        text = self._body.decode(errors="replace")
        try:
            said = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            raise BadRequest(f"the form has more than {MOST_FIELDS} fields") from None
        given = {name: values[0] for name, values in said.items()}
        pair = Pair(given.get("username", ""), given.get("password", ""))
        try:
            user = await self.desk.auth.by_password(pair, str(self.request.remote_ip))
        except NotLoggedIn as error:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self._show(str(error))
            return
        self.who = as_user(user, "password")
        cookie = await self.desk.auth.begin_session(user)
        _bake(self, cookie, LASTS)
        _send_to(self, "/api/v1/")

    def _read_body(self, operation: Operation) -> None:
        if operation.body is None and self._received > self.body_limit:
            raise self._too_large()

    def _show(self, trouble: str) -> None:
        # Clients look for the word; the gate keeps other pages from sending the form.
        word = secrets.token_hex(32)
        self.set_header("Content-Type", HTML)
        self.finish(FORM.format(trouble=trouble, word=word))


class Logout(_Open):
    """The end of a session."""

    @on("GET", status=(HTTPStatus.FOUND,), action=None)
    async def leave(self) -> None:
        """End the session that the request comes with."""
        await self.desk.auth.end_session(self.request)
        _bake(self, "", 0)
        _send_to(self, "/api/")

    @on("POST", status=(HTTPStatus.FOUND,), action=None)
    async def leave_by_form(self) -> None:
        """End the session that the request comes with."""
        await self.leave()

    def _read_body(self, operation: Operation) -> None:
        del operation


class Reset(_Open):
    """A mail to who forgot a password."""

    @on("POST", body=_schema(ADDRESS), **_ANSWERS)
    async def ask(self) -> None:
        """Send a word by mail that sets another password.

        The answer is the same for addresses that nobody has: it tells of no accounts.
        """
        email = self._read(ADDRESS)["email"]
        user = await self.records.read(_known, email)
        if user is not None:
            now = self.records.now()
            word = await self.records.run(resets.begin, user, now)
            if word is not None:
                text = LETTER.format(email=user.email, word=word)
                self.records.mail(user.email, "Another password", text)
        self.say({"status": "OK"})


class Validate(_Open):
    """Whether a word sets a password."""

    @on("POST", body=_schema(WORD), errors=[HTTPStatus.NOT_FOUND], **_ANSWERS)
    async def validate(self) -> None:
        """Tell whether a word is good."""
        said = self._read(WORD)
        try:
            await self.records.read(resets.holder, said["token"], self.records.now())
        except NotFound:
            raise Refused(NO_WORD, HTTPStatus.NOT_FOUND) from None
        self.say({"status": "OK"})


class Confirm(_Open):
    """Another password, by the word of a mail."""

    @on(
        "POST",
        body=_schema(WORD_AND_PASSWORD),
        errors=[HTTPStatus.NOT_FOUND],
        **_ANSWERS,
    )
    async def confirm(self) -> None:
        """Set another password; the word is void then, and all logins end."""
        said = self._read(WORD_AND_PASSWORD)
        password = str(self.object()["password"])
        now = self.records.now()
        try:
            # Looked at before: to make a hash takes long, and anybody may ask.
            await self.records.read(resets.holder, said["token"], now)
            kept = await asyncio.to_thread(_hashed, password)
            await self.records.run(resets.use, said["token"], kept, now)
            self.desk.auth.look_again()
        except NotFound:
            raise Refused(NO_WORD, HTTPStatus.NOT_FOUND) from None
        self.say({"status": "OK"})


def _known(db: Any, email: str) -> User | None:
    """Return the user of an address who may come in; None: there is none."""
    try:
        user = users.get(db, users.address(email))
    except (NotFound, BadRequest):
        return None
    return None if user.disabled else user


def _hashed(password: str) -> str:
    # Loaded by those who need it: it takes its time.
    from syncd.store import passwords  # noqa: PLC0415

    return passwords.hashed(password)


def _bake(handler: Described, session: str, lasts: float) -> None:
    secure = handler.request.protocol == "https"
    baked = credentials.baked(session, lasts=lasts, secure=secure)
    handler.set_header("Set-Cookie", baked)


def _send_to(handler: Described, where: str) -> None:
    handler.set_status(HTTPStatus.FOUND)
    handler.set_header("Location", where)
    handler.clear_header("Content-Type")
    handler.finish()


ALONE = [
    ("/api/token/obtain", Obtain),
    ("/api/token/refresh", Refresh),
    ("/api/login", Login),
    ("/api/logout", Logout),
    ("/api/password_reset", Reset),
    ("/api/password_reset/validate_token", Validate),
    ("/api/password_reset/confirm", Confirm),
]
