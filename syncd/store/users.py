"""The people who may come in: each by the address of their mail."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, select, update

from syncd.core.permission import Role
from syncd.errors import BadRequest, Conflict, NotFound
from syncd.store import settings
from syncd.store.schema import sessions, tokens, users
from syncd.text import printable

VERSION = "accounts"
"""The setting that counts the changes of users and tokens."""

LONGEST = 254
"""Characters that an address of mail may have."""


class User(Struct, frozen=True, kw_only=True):
    """One user; ``password`` is what argon2 made of it."""

    id: int
    email: str
    role: Role
    password: str
    disabled: bool
    epoch: int
    """What was handed out in an earlier one (sessions, signed tokens) is void."""
    created_at: float
    first_name: str = ""
    last_name: str = ""
    notify_backup_daily: bool = False
    notify_backup_weekly: bool = False
    notify_backup_monthly: bool = False
    notify_backup_success: bool = False
    notify_backup_failed: bool = False
    notify_backup_summary: bool = False


def address(text: str) -> str:
    """Return an address as it is kept, the same in any case; raise BadRequest."""
    email = unicodedata.normalize("NFC", text.strip()).casefold()
    name, at, host = email.rpartition("@")
    odd = any(c in " :,;<>\"'/\\" or not c.isprintable() for c in email)
    if not (name and at and host) or odd or len(email) > LONGEST:
        raise BadRequest(
            f"{printable(text[:80])} is no address of mail; write NAME@HOST"
        )
    return email


def everything(db: Connection) -> list[User]:
    """Return every user, the oldest first."""
    rows = db.execute(select(users).order_by(users.c.id)).mappings()
    return [User(**{**row, "role": Role(row["role"])}) for row in rows]


def get(db: Connection, email: str) -> User:
    """Return the user of that address (see address); raise NotFound."""
    for user in everything(db):
        if user.email == email:
            return user
    raise NotFound(f"there is no user {email}; `syncd user list` shows them")


def add(db: Connection, email: str, role: Role, password: str, now: float) -> None:
    """Keep a new user; raise Conflict if there is one of that address."""
    if db.execute(select(users.c.id).where(users.c.email == email)).scalar():
        raise Conflict(f"there is a user {email} already")
    values = {"email": email, "role": role, "password": password, "disabled": False}
    # Beyond every epoch there was: what was handed out to somebody who was deleted is
    # void, should their number be given away again.
    values |= {"epoch": version(db), "created_at": now}
    db.execute(users.insert().values(**values))
    changed(db)


def describe(db: Connection, id_: int, said: Mapping[str, Any]) -> None:
    """Keep a user's address, names or notices; what was handed out stays good.

    Raise NotFound, or Conflict if there is another user of that address.
    """
    taken = select(users.c.id).where(users.c.email == said.get("email", ""))
    if db.execute(taken.where(users.c.id != id_)).scalar():
        raise Conflict(f"there is a user {said['email']} already")
    if not db.execute(update(users).where(users.c.id == id_).values(**said)).rowcount:
        raise NotFound(f"there is no user {id_}")
    changed(db)


def remove(db: Connection, email: str) -> None:
    """Forget a user, with their tokens and sessions; raise NotFound."""
    user = get(db, email)
    for table in (tokens, sessions):
        db.execute(delete(table).where(table.c.user_id == user.id))
    db.execute(delete(users).where(users.c.id == user.id))
    changed(db)


def set_password(db: Connection, email: str, password: str) -> None:
    """Keep another password, and make void what the old one opened; raise NotFound."""
    _change(db, get(db, email), password=password)


def set_role(db: Connection, email: str, role: Role) -> None:
    """Keep another role; raise NotFound."""
    _change(db, get(db, email), role=role)


def disable(db: Connection, email: str, disabled: bool) -> None:
    """Lock a user out, or let them in again; raise NotFound, or Conflict if so."""
    user = get(db, email)
    if user.disabled == disabled:
        raise Conflict(f"{email} is {'disabled' if disabled else 'enabled'} already")
    _change(db, user, disabled=disabled)


def changed(db: Connection) -> None:
    """Count a change, so that a running daemon notices."""
    settings.put(db, VERSION, str(version(db) + 1))


def version(db: Connection) -> int:
    """Return how many changes there were."""
    return int(settings.get(db, VERSION) or 0)


def _change(db: Connection, user: User, **values: Any) -> None:
    values["epoch"] = user.epoch + 1
    db.execute(update(users).where(users.c.id == user.id).values(**values))
    db.execute(delete(sessions).where(sessions.c.user_id == user.id))
    changed(db)
