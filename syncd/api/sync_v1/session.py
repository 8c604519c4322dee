"""Logging in: as a browser, which keeps a cookie, or for tokens that end soon."""

from http import HTTPStatus
from typing import Any, Literal

import msgspec
from msgspec import Struct

from syncd.api import credentials
from syncd.api.auth import Auth, Keys, as_user
from syncd.api.credentials import Pair
from syncd.api.handler import Handler, Route
from syncd.api.operation import on
from syncd.api.signing import ACCESS
from syncd.core.permission import Action, Who
from syncd.errors import BadRequest, Conflict
from syncd.store.sessions import LASTS

_TEXT = {"type": "string", "minLength": 1}

LOGIN = {
    "type": "object",
    "properties": {"email": _TEXT, "password": _TEXT},
    "required": ["email", "password"],
    "additionalProperties": False,
}
PROOF = {
    "oneOf": [
        LOGIN,
        {
            "type": "object",
            "properties": {"refresh": _TEXT},
            "required": ["refresh"],
            "additionalProperties": False,
        },
    ]
}
WRONG = [HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE]


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says who logs in."""

    email: str
    password: str


class Refresh(Struct, frozen=True, forbid_unknown_fields=True):
    """What a program says that has logged in before."""

    refresh: str


class WhoView(Struct, frozen=True):
    """Who asks."""

    name: str
    role: str | None
    actions: list[str]
    """What they may do."""
    means: str
    """How they proved who they are."""


class Left(Struct, frozen=True):
    """The session is over."""

    status: Literal["ok"] = "ok"


class KeysView(Struct, frozen=True):
    """Signed tokens."""

    access: str
    """Good as ``Authorization: Bearer ACCESS``."""
    refresh: str
    """Good for new ones."""
    token_type: Literal["Bearer"]
    expires_in: float
    """Seconds that ``access`` is good for."""


class Session(Handler):
    """The session of a browser."""

    reads = Action.ENTER
    changes = Action.ENTER

    @on("GET")
    async def whoami(self) -> WhoView:
        """Tell who asks, and what they may do."""
        return _shown(self.who)

    @on("POST", body=LOGIN, errors=WRONG, action=None)
    async def log_in(self) -> WhoView:
        """Log in with a user's address and password; the answer sets a cookie."""
        auth, said = await _asking(self.desk.auth), _read(self.document, Login)
        pair = Pair(said.email, said.password)
        user = await auth.by_password(pair, str(self.request.remote_ip))
        self.who = as_user(user, "password")
        self._bake(await auth.begin_session(user), LASTS)
        return _shown(self.who)

    @on("DELETE", errors=[HTTPStatus.SERVICE_UNAVAILABLE])
    async def log_out(self) -> Left:
        """End the session that the request comes with."""
        await self.desk.auth.end_session(self.request)
        self._bake("", 0)
        return Left()

    def _bake(self, session: str, lasts: float) -> None:
        secure = self.request.protocol == "https"
        self.set_header(
            "Set-Cookie", credentials.baked(session, lasts=lasts, secure=secure)
        )


class SignedTokens(Handler):
    """Tokens that end soon, for programs that log in as a user."""

    @on("POST", body=PROOF, errors=WRONG, action=None)
    async def sign(self) -> KeysView:
        """Log in with address and password, or a refresh token, for signed tokens."""
        auth, document = await _asking(self.desk.auth), self.document
        if isinstance(document, dict) and "refresh" in document:
            user = await auth.refreshed(_read(document, Refresh).refresh)
            self.who = as_user(user, "signed token")
        else:
            said = _read(document, Login)
            pair = Pair(said.email, said.password)
            user = await auth.by_password(pair, str(self.request.remote_ip))
            self.who = as_user(user, "password")
        keys: Keys = await auth.keys(user)
        return KeysView(keys.access, keys.refresh, "Bearer", ACCESS)


async def _asking(auth: Auth) -> Auth:
    """Return it; raise Conflict where there is nothing to log in to."""
    if await auth.asks_now():
        return auth
    raise Conflict("there are no accounts, so nobody has to log in, or can")


def _read(document: Any, kind: type[Any]) -> Any:
    try:
        said = msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body: {error}") from None
    for name in said.__struct_fields__:
        if not getattr(said, name):
            raise BadRequest(f"the body: {name} is empty")
    return said


def _shown(who: Who) -> WhoView:
    return WhoView(who.name, who.role, sorted(who.actions), who.means)


ROUTES: list[Route] = [("/session", Session), ("/session/tokens", SignedTokens)]
