"""All that is known of users and tokens, as one value that is quick to look into."""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Connection

from syncd.store import tokens, users
from syncd.store.tokens import Token
from syncd.store.users import User


class Book(Struct, frozen=True):
    """Everybody who may come in, and by which token."""

    version: int = -1
    users: Mapping[str, User] = {}
    """By their addresses."""
    ids: Mapping[int, User] = {}
    tokens: Mapping[str, Token] = {}
    """By their keys."""


def book(db: Connection, known: Book) -> Book:
    """Return what there is now: the book that is known, if it still holds."""
    version = users.version(db)
    if version == known.version:
        return known
    everybody = users.everything(db)
    return Book(
        version,
        {user.email: user for user in everybody},
        {user.id: user for user in everybody},
        {token.key: token for token in tokens.everything(db)},
    )
