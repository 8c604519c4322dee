"""Tokens: told once, kept as a digest, good until they are revoked or expire."""

import pytest

from syncd.core.permission import Action, Role
from syncd.errors import Conflict, NotFound
from syncd.store import tokens, users
from syncd.store.database import Store
from syncd.store.tokens import Fresh, Token
from syncd.store.users import User


@pytest.fixture
async def user(store: Store) -> User:
    await store.run(users.add, "a@example.org", Role.OPERATOR, "hash", 1000.0)
    return await store.read(users.get, "a@example.org")


async def fresh(store: Store, user: User, **more) -> Fresh:
    said = {"name": "ci", "actions": [], "expires_at": None, "now": 1000.0, **more}
    return await store.run(lambda db: tokens.create(db, user, **said))


async def only(store: Store) -> Token:
    [token] = await store.read(tokens.everything)
    return token


async def test_a_token_fits_its_secret_and_no_other(store, user):
    words = await fresh(store, user, actions=[Action.READ, Action.METRICS])

    token = await only(store)

    assert (token.key, token.user_id, token.name) == (words.key, user.id, "ci")
    assert token.actions == ("sync.read", "metrics")
    assert token.fits(words.secret)
    assert not token.fits(words.secret[:-1])
    assert not token.fits("")
    assert not token.fits("\ud800")
    assert ":" not in words.key + words.secret
    assert "@" not in words.key


async def test_the_secret_is_kept_nowhere(store, user, tmp_path):
    words = await fresh(store, user)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("index.db*"))

    assert words.key.encode() in kept
    assert words.secret.encode() not in kept


async def test_no_two_tokens_are_alike(store, user):
    made = [await fresh(store, user) for _ in range(20)]

    assert len({one.key for one in made}) == len({one.secret for one in made}) == 20


async def test_a_token_expires(store, user):
    await fresh(store, user, expires_at=2000.0)

    token = await only(store)

    assert (token.state(1999.9), token.state(2000.0)) == ("good", "expired")


async def test_a_token_is_revoked_once(store, user):
    words = await fresh(store, user, expires_at=2000.0)
    before = await store.read(users.version)

    await store.run(tokens.revoke, words.key, 1500.0)

    assert (await only(store)).state(1500.0) == "revoked"
    assert await store.read(users.version) == before + 1
    with pytest.raises(Conflict, match="is revoked already"):
        await store.run(tokens.revoke, words.key, 1500.0)
    with pytest.raises(NotFound, match="there is no token knone"):
        await store.run(tokens.revoke, "knone", 1500.0)


async def test_when_it_was_used_is_kept_and_is_no_change(store, user):
    await fresh(store, user)
    token = await only(store)
    before = await store.read(users.version)

    await store.run(tokens.used, {token.id: 1234.5})
    await store.run(tokens.used, {})

    assert (await only(store)).used_at == 1234.5
    assert await store.read(users.version) == before
