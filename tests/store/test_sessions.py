"""Sessions: under a cookie's digest, for a while."""

from syncd.core.permission import Role
from syncd.store import sessions, users
from syncd.store.database import Store
from syncd.store.sessions import LASTS


async def test_a_session_is_found_by_its_cookie_until_it_ends(store: Store, tmp_path):
    await store.run(users.add, "a@example.org", Role.VIEWER, "hash", 1.0)
    user = await store.read(users.get, "a@example.org")
    first = await store.run(sessions.begin, user, 1000.0)
    second = await store.run(sessions.begin, user, 1001.0)

    assert await store.read(sessions.find, first, 1002.0) == (user.id, user.epoch)
    assert await store.read(sessions.find, first + "x", 1002.0) is None
    assert await store.read(sessions.find, first, 1000.0 + LASTS) is None

    await store.run(sessions.end, first)
    await store.run(sessions.end, first)
    assert await store.read(sessions.find, first, 1002.0) is None
    assert await store.read(sessions.find, second, 1002.0) is not None

    kept = b"".join(file.read_bytes() for file in tmp_path.glob("index.db*"))
    assert second.encode() not in kept


async def test_what_ended_is_forgotten(store: Store):
    await store.run(users.add, "a@example.org", Role.VIEWER, "hash", 1.0)
    user = await store.read(users.get, "a@example.org")
    old = await store.run(sessions.begin, user, 1000.0)
    await store.run(sessions.begin, user, 1000.0 + LASTS)

    assert await store.read(sessions.find, old, 0.0) is None
