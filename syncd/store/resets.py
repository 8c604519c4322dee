"""Words by which somebody who forgot a password may set another, once."""

import secrets

from sqlalchemy import Connection, delete, select

from syncd.errors import NotFound
from syncd.store import users
from syncd.store.cyborg.tables import resets
from syncd.store.tokens import digest
from syncd.store.users import User

LASTS = 3600.0
"""Seconds in which one can be used."""

RARELY = 60.0
"""Seconds until somebody is given another."""


def begin(db: Connection, user: User, now: float) -> str | None:
    """Return a new word for the user; None: they were given one just now."""
    db.execute(delete(resets).where(resets.c.expires_at <= now))
    recent = select(resets.c.id).where(
        resets.c.user_id == user.id, resets.c.expires_at > now + LASTS - RARELY
    )
    if db.execute(recent).first():
        return None
    word = secrets.token_urlsafe(32)
    row = {"id": digest(word), "user_id": user.id, "epoch": user.epoch}
    db.execute(resets.insert().values(**row, expires_at=now + LASTS))
    return word


def holder(db: Connection, word: str, now: float) -> User:
    """Return whose word that is; raise NotFound if it is void."""
    row = db.execute(
        select(resets.c.user_id, resets.c.epoch).where(
            resets.c.id == digest(word), resets.c.expires_at > now
        )
    ).first()
    known = users.everything(db) if row else []
    for user in known:
        # Another password since, or being locked out, makes it void.
        if row and (user.id, user.epoch, user.disabled) == (*row, False):
            return user
    raise NotFound("there is no such word")


def use(db: Connection, word: str, password: str, now: float) -> None:
    """Keep another password (its hash), by a word that is void then; raise NotFound."""
    user = holder(db, word, now)
    users.set_password(db, user.email, password)
    db.execute(delete(resets).where(resets.c.user_id == user.id))
