"""Logging in, as browsers do it here."""

from http import HTTPStatus
from typing import Any

from syncd.api import credentials
from syncd.api.auth import as_user
from syncd.api.credentials import Pair
from syncd.api.operation import on
from syncd.api.optools import requests
from syncd.api.optools.handler import SMALL, OpToolsHandler
from syncd.core.permission import Role
from syncd.errors import Conflict
from syncd.store.sessions import LASTS

LOGIN: dict[str, Any] = {
    "type": "object",
    "required": ["email", "pass"],
    "properties": {"email": {"type": "string"}, "pass": {"type": "string"}},
}
OK = {"application/json": {"type": "object", "required": ["message", "email"]}}
ROLES = {Role.VIEWER: "reader"}
"""What roles are called here, where it is not manager."""


class Login(OpToolsHandler):
    """Sessions of browsers."""

    largest = SMALL

    @on("POST", body=LOGIN, content=OK, errors=[HTTPStatus.CONFLICT], action=None)
    async def log_in(self) -> None:
        """Log in with address and password; the answer sets a cookie."""
        said = requests.read(bytes(self._body), "email", "pass")
        said = said if isinstance(said, dict) else {}
        email, password = said.get("email"), said.get("pass")
        if not isinstance(email, str) or not isinstance(password, str):
            raise requests.refused("say email and pass")
        auth = self.desk.auth
        if not await auth.asks_now():
            raise Conflict("there are no accounts, so nobody has to log in, or can")
        user = await auth.by_password(
            Pair(email, password), str(self.request.remote_ip)
        )
        self.who = as_user(user, "password")
        secure = self.request.protocol == "https"
        session = await auth.begin_session(user)
        cookie = credentials.baked(session, lasts=LASTS, secure=secure)
        self.set_header("Set-Cookie", cookie)
        role = ROLES.get(user.role, "manager")
        said = {"message": "ok", "name": user.email, "email": user.email}
        self.say({**said, "roles": [role]})


ROUTES = [("/auth/login", Login)]
