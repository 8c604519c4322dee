"""Tokens of users: a KEY that names one, a SECRET of which only a digest is kept."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, update

from syncd.core.permission import Action
from syncd.errors import Conflict, NotFound
from syncd.store.schema import tokens
from syncd.store.users import User, changed

RARELY = 60.0
"""Seconds between two notes of when a token was last used."""


class Token(Struct, frozen=True, kw_only=True):
    """One token; times are seconds since 1970."""

    id: int
    key: str
    secret: bytes
    """SHA-256 of it: it is random and long, so nobody can guess it from that."""
    user_id: int
    name: str
    actions: tuple[str, ...]
    """What it is limited to; nothing: it may do what its user may."""
    created_at: float
    expires_at: float | None
    used_at: float | None
    revoked_at: float | None

    def fits(self, secret: str) -> bool:
        """Tell, in the same time whatever it is, whether that is the secret."""
        return hmac.compare_digest(self.secret, digest(secret))

    def state(self, now: float) -> str:
        """Return ``good``, ``revoked`` or ``expired``."""
        if self.revoked_at is not None:
            return "revoked"
        over = self.expires_at is not None and self.expires_at <= now
        return "expired" if over else "good"


class Fresh(Struct, frozen=True):
    """A new token's words; the secret is told once and kept nowhere."""

    key: str
    secret: str


def digest(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def create(
    db: Connection,
    user: User,
    *,
    name: str,
    actions: Collection[Action],
    expires_at: float | None,
    now: float,
) -> Fresh:
    """Keep a new token of the user and return its words."""
    fresh = Fresh(f"k{secrets.token_hex(10)}", secrets.token_urlsafe(32))
    db.execute(
        tokens.insert().values(
            key=fresh.key,
            secret=digest(fresh.secret),
            user_id=user.id,
            name=name,
            actions=" ".join(actions),
            created_at=now,
            expires_at=expires_at,
        )
    )
    changed(db)
    return fresh


def everything(db: Connection) -> list[Token]:
    """Return every token, the oldest first."""
    rows = db.execute(select(tokens).order_by(tokens.c.id)).mappings()
    return [Token(**{**row, "actions": tuple(row["actions"].split())}) for row in rows]


def revoke(db: Connection, key: str, now: float) -> None:
    """Make a token void for ever; raise NotFound, or Conflict if it is."""
    for token in everything(db):
        if token.key == key:
            break
    else:
        raise NotFound(f"there is no token {key}; `syncd token list` shows them")
    if token.revoked_at is not None:
        raise Conflict(f"token {key} is revoked already")
    db.execute(update(tokens).where(tokens.c.key == key).values(revoked_at=now))
    changed(db)


def used(db: Connection, at: Mapping[int, float]) -> None:
    """Keep when tokens were last used, by their ids."""
    if at:
        mark = update(tokens).where(tokens.c.id == bindparam("token"))
        rows = [{"token": id_, "moment": moment} for id_, moment in at.items()]
        db.execute(mark.values(used_at=bindparam("moment")), rows)
