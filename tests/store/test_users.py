"""Users: one for each address, and what a change of one makes void."""

import pytest
from sqlalchemy import Connection

from syncd.core.permission import Role
from syncd.errors import BadRequest, Conflict, NotFound
from syncd.store import sessions, tokens, users
from syncd.store.database import Store


def one(db: Connection, email: str = "a@example.org", role: Role = Role.VIEWER) -> None:
    users.add(db, email, role, "hash", 1000.0)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("ops@example.org", "ops@example.org"),
        (" Ops@Example.ORG\n", "ops@example.org"),
        ("STRASSE@example.org", "strasse@example.org"),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e@example.org", "strasse@example.org"),
        ("e\N{COMBINING ACUTE ACCENT}@x", "\N{LATIN SMALL LETTER E WITH ACUTE}@x"),
        ("a+b@host", "a+b@host"),
    ],
)
def test_an_address_is_the_same_in_any_case(written, kept):
    assert users.address(written) == kept
    assert users.address(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "@",
        "a@",
        "@b",
        "a b@c",
        "a:b@c",
        "a@b\x00",
        "a\n@b",
        "a@" + "b" * 253,
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(BadRequest, match="is no address of mail; write NAME@HOST"):
        users.address(text)


async def test_a_user_is_kept(store: Store):
    await store.run(one)

    user = await store.read(users.get, "a@example.org")

    assert (user.role, user.password, user.disabled) == (Role.VIEWER, "hash", False)
    assert (user.epoch, user.created_at) == (0, 1000.0)
    assert await store.read(users.everything) == [user]


async def test_there_is_one_user_of_an_address(store: Store):
    await store.run(one)
    with pytest.raises(Conflict, match=r"there is a user a@example\.org already"):
        await store.run(one)


async def test_users_that_are_none(store: Store):
    with pytest.raises(NotFound, match=r"there is no user a@b"):
        await store.run(users.set_password, "a@b", "hash")


@pytest.mark.parametrize(
    ("change", "value", "field"),
    [
        (users.set_password, "other", "password"),
        (users.set_role, Role.ADMIN, "role"),
        (users.disable, True, "disabled"),
    ],
)
async def test_a_change_makes_void_what_was_handed_out(store, change, value, field):
    await store.run(one)
    user = await store.read(users.get, "a@example.org")
    cookie = await store.run(sessions.begin, user, 1000.0)
    before = await store.read(users.version)

    await store.run(change, "a@example.org", value)

    after = await store.read(users.get, "a@example.org")
    assert getattr(after, field) == value
    assert after.epoch == user.epoch + 1
    assert await store.read(sessions.find, cookie, 1001.0) is None
    assert await store.read(users.version) == before + 1


async def test_who_is_disabled_already(store: Store):
    await store.run(one)
    with pytest.raises(Conflict, match="is enabled already"):
        await store.run(users.disable, "a@example.org", False)
    await store.run(users.disable, "a@example.org", True)
    with pytest.raises(Conflict, match="is disabled already"):
        await store.run(users.disable, "a@example.org", True)
    await store.run(users.disable, "a@example.org", False)
    assert not (await store.read(users.get, "a@example.org")).disabled


async def test_names_change_and_nothing_that_was_handed_out_ends(store: Store):
    await store.run(one)
    user = await store.read(users.get, "a@example.org")
    cookie = await store.run(sessions.begin, user, 1000.0)
    before = await store.read(users.version)

    said = {"email": "b@example.org", "first_name": "Ann", "notify_backup_daily": True}
    await store.run(users.describe, user.id, said)

    after = await store.read(users.get, "b@example.org")
    assert (after.first_name, after.notify_backup_daily) == ("Ann", True)
    assert (after.id, after.epoch) == (user.id, user.epoch)
    assert await store.read(sessions.find, cookie, 1001.0) == (user.id, user.epoch)
    assert await store.read(users.version) > before


async def test_an_address_is_taken_once(store: Store):
    await store.run(one)
    await store.run(one, "b@example.org")
    other = await store.read(users.get, "b@example.org")
    with pytest.raises(Conflict, match=r"there is a user a@example\.org already"):
        await store.run(users.describe, other.id, {"email": "a@example.org"})
    await store.run(users.describe, other.id, {"email": "b@example.org"})
    with pytest.raises(NotFound, match="there is no user 99"):
        await store.run(users.describe, 99, {"first_name": "Ann"})


async def test_who_is_removed_takes_all_along(store: Store):
    await store.run(one)
    user = await store.read(users.get, "a@example.org")
    cookie = await store.run(sessions.begin, user, 1000.0)
    await store.run(users.set_password, "a@example.org", "other")
    await store.run(
        lambda db: tokens.create(
            db, user, name="", actions=[], expires_at=None, now=1000.0
        )
    )

    await store.run(users.remove, "a@example.org")

    assert await store.read(users.everything) == []
    assert await store.read(tokens.everything) == []
    assert await store.read(sessions.find, cookie, 1001.0) is None
    with pytest.raises(NotFound):
        await store.run(users.remove, "a@example.org")


async def test_a_number_that_is_given_away_again_opens_nothing_old(store: Store):
    await store.run(one)
    await store.run(users.set_password, "a@example.org", "other")
    old = await store.read(users.get, "a@example.org")
    await store.run(users.remove, "a@example.org")

    await store.run(one, "b@example.org")

    new = await store.read(users.get, "b@example.org")
    assert new.id == old.id
    assert new.epoch > old.epoch
