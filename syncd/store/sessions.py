"""Who is logged in with a browser: sessions, each under the digest of its cookie."""

import secrets

from sqlalchemy import Connection, delete, select

from syncd.store.schema import sessions
from syncd.store.tokens import digest
from syncd.store.users import User

LASTS = 7 * 86_400.0
"""Seconds from the login to the end of a session."""


def begin(db: Connection, user: User, now: float) -> str:
    """Keep a new session of the user and return its cookie; forget those that ended."""
    cookie = secrets.token_urlsafe(32)
    db.execute(delete(sessions).where(sessions.c.expires_at <= now))
    db.execute(
        sessions.insert().values(
            id=digest(cookie),
            user_id=user.id,
            epoch=user.epoch,
            created_at=now,
            expires_at=now + LASTS,
        )
    )
    return cookie


def find(db: Connection, cookie: str, now: float) -> tuple[int, int] | None:
    """Return user's id and epoch of a session that has not ended, None for another."""
    mine = sessions.c.id == digest(cookie)
    row = db.execute(
        select(sessions.c.user_id, sessions.c.epoch).where(
            mine, sessions.c.expires_at > now
        )
    ).first()
    return None if row is None else (row.user_id, row.epoch)


def end(db: Connection, cookie: str) -> None:
    """Forget the session; one that is gone is no error."""
    db.execute(delete(sessions).where(sessions.c.id == digest(cookie)))
