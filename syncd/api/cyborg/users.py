"""Users: those of the whole daemon, as this dialect shows and changes them."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from syncd.api.auth import Auth
from syncd.api.cyborg import fields
from syncd.api.cyborg.collection import Collection, Creating, Detail, Resource
from syncd.api.cyborg.fields import Flag, Mail, Text
from syncd.api.cyborg.handler import number
from syncd.api.cyborg.refusals import Invalid, Refused, forbidden
from syncd.api.cyborg.shapes import address, moment, picked
from syncd.api.operation import on
from syncd.core.permission import NOBODY, Action, Role, allowed
from syncd.errors import BadRequest, Conflict
from syncd.store import users
from syncd.store.cyborg import keeping
from syncd.store.cyborg.finding import Beside
from syncd.store.cyborg.records import Person
from syncd.store.schema import users as table
from syncd.store.users import User

NOTICES = ("daily", "weekly", "monthly", "success", "failed", "summary")
FIELDS = {
    "first_name": Text(label="First name", most=30),
    "last_name": Text(label="Last name", most=30),
    "email": Mail(label="Email address", required=True),
    "is_superuser": Flag(label="Superuser status"),
    "password": Text(label="Password", most=1024),
    **{
        f"notify_backup_{which}": Flag(label=f"Notify backup {which}")
        for which in NOTICES
    },
}
TAKEN = "User with this Email address already exists."
LAST = "This is the last superuser: nobody could let others in any more."
FIRST = "The first user has to be a superuser: nobody else could let others in."


class _User(Resource):
    model = "users"
    fields = FIELDS

    def shape(self, found: Person, beside: Beside) -> dict[str, Any]:
        """Return a user as answers show it."""
        del beside
        return {
            "id": found.id,
            "type": "user",
            "url": address(self.model, found.id),
            "related": {},
            "summary_fields": {},
            "created": moment(found.created_at),
            **picked(found, "first_name", "last_name", "email"),
            "is_superuser": found.role == Role.ADMIN,
            **picked(found, *(f"notify_backup_{which}" for which in NOTICES)),
        }

    async def checked(
        self, *, whole: bool, before: Any | None = None, beside: Beside | None = None
    ) -> dict[str, Any]:
        """Return what the body says; raise Invalid."""
        document = self.object()
        password = document.get("password")
        blank = isinstance(password, str) and not password.strip()
        if blank and (password or before is None):
            raise Invalid({"password": [fields.BLANK]})
        said = await super().checked(whole=whole, before=before, beside=beside)
        if "email" in said:
            try:
                said["email"] = users.address(said["email"])
            except BadRequest:
                raise Invalid({"email": [fields.NO_MAIL]}) from None
        if password:
            # Blanks around a password belong to it, as where it is asked for.
            said["password"] = str(password)
        else:
            said.pop("password", None)
        return said

    async def save(self, said: dict[str, Any], id_: int | None) -> int:
        """Keep a user; raise Invalid or Refused."""
        password = said.pop("password", None)
        if password is None and id_ is None:
            # Nobody can log in with that; a mail can set another (password_reset).
            password = secrets.token_urlsafe(32)
        kept = None if password is None else await asyncio.to_thread(_hashed, password)
        try:
            if id_ is None:
                now = self.records.now()
                id_ = await self.records.run(_added, said, str(kept), now)
            else:
                await self.records.run(_changed, id_, said, kept)
        except Conflict:
            raise Invalid({"email": [TAKEN]}) from None
        self.desk.auth.look_again()
        return id_


class Users(Creating, _User):
    """All users; who is no superuser sees themselves."""

    changes = Action.ACCOUNTS

    def where(self) -> list[Any]:
        """Return which users whoever asks may see."""
        return [] if self.is_superuser else [table.c.email == self.who.name]

    async def checked(self, **more: Any) -> dict[str, Any]:
        """Return what the body says; raise Invalid."""
        said = await super().checked(**more)
        if not await self.desk.auth.asks_now():
            # From here on everybody has to log in, so somebody must be able to.
            if not said["is_superuser"]:
                raise Invalid({"is_superuser": [FIRST]})
            if "password" not in said:
                raise Invalid({"password": ["Password required for new User."]})
        return said


class OneUser(Detail, _User):
    """One user; everybody may look at and change themselves."""

    reads = Action.ENTER
    changes = Action.ENTER

    def is_audited(self) -> bool:
        """Tell whether it is written down: who changes a user is, themselves too."""
        changes = self.request.method in ("PUT", "PATCH", "DELETE")
        return (changes and self.who is not NOBODY) or super().is_audited()

    @on("GET", content={"application/json": {"type": "object"}})
    async def look(self, number_: str) -> None:
        """Show a user."""
        found, beside = await self._found(number_)
        self.say(self.shape(found, beside))

    @on("DELETE", status=(HTTPStatus.NO_CONTENT,), errors=[HTTPStatus.CONFLICT])
    async def delete_it(self, number_: str) -> None:
        """Remove a user, and make void all that was handed out to them."""
        found, _ = await self._found(number_)
        if not self.is_superuser:
            raise forbidden()
        await self.records.run(_removed, found.id)
        self.desk.auth.look_again()
        self.say_nothing()

    async def _change(self, id_: int, *, whole: bool) -> None:
        before, beside = await self._found(str(id_))
        if not self._is_whole:
            # Else a token for little could be made one for all, by another password.
            raise forbidden()
        said = await self.checked(whole=whole, before=before, beside=beside)
        own = before.email == self.who.name
        if not self.is_superuser and said.get("is_superuser", False):
            raise forbidden("Cannot change is_superuser.")
        if not self.is_superuser:
            said.pop("is_superuser", None)
        await self.save(said, id_)
        if own:
            await self._renew(id_)
        await self.show(id_)

    @property
    def _is_whole(self) -> bool:
        """Tell whether who asks may do all that their role allows."""
        role = self.who.role
        return role is not None and self.who.actions == allowed(role)

    async def _found(self, number_: str) -> tuple[Any, Beside]:
        found, beside = await self.records.one(self.model, number(number_), self.said)
        if not self.is_superuser and found.email != self.who.name:
            raise forbidden()
        return found, beside

    async def _renew(self, id_: int) -> None:
        """Hand out a new token to somebody who changed themselves."""
        found = await self.records.read(_user, id_)
        auth: Auth = self.desk.auth
        self.set_header("X-Token", (await auth.keys(found)).access)


class Me(Collection, _User):
    """Who asks."""

    reads = Action.ENTER

    def where(self) -> list[Any]:
        """Return the one user whom whoever asks may see here."""
        return [table.c.email == self.who.name]


def _hashed(password: str) -> str:
    # Loaded by those who need it: it takes its time.
    from syncd.store import passwords  # noqa: PLC0415

    return passwords.hashed(password)


def _added(db: Connection, said: dict[str, Any], kept: str, now: float) -> int:
    values = dict(said)
    role = Role.ADMIN if values.pop("is_superuser") else Role.VIEWER
    email = values.pop("email")
    users.add(db, email, role, kept, now)
    id_ = users.get(db, email).id
    users.describe(db, id_, values)
    return id_


def _changed(db: Connection, id_: int, said: dict[str, Any], kept: str | None) -> None:
    values = dict(said)
    superuser = values.pop("is_superuser", None)
    user = _user(db, id_)
    if values:
        users.describe(db, id_, values)
        user = _user(db, id_)
    if superuser is not None and superuser != (user.role is Role.ADMIN):
        if not superuser:
            _check_not_the_last(db, user)
        role = Role.ADMIN if superuser else Role.VIEWER
        users.set_role(db, user.email, role)
    if kept is not None:
        users.set_password(db, user.email, kept)


def _removed(db: Connection, id_: int) -> None:
    user = _user(db, id_)
    _check_not_the_last(db, user)
    keeping.forget_user(db, id_)
    users.remove(db, user.email)


def _user(db: Connection, id_: int) -> User:
    return next(one for one in users.everything(db) if one.id == id_)


def _check_not_the_last(db: Connection, user: User) -> None:
    others = [
        one
        for one in users.everything(db)
        if one.role is Role.ADMIN and not one.disabled and one.id != user.id
    ]
    if user.role is Role.ADMIN and not others:
        raise Refused(LAST, HTTPStatus.CONFLICT)


ROUTES = [("/users", Users), ("/users/{number}", OneUser), ("/me", Me)]
