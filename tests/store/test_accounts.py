"""The book of everybody: read again only when something changed."""

from syncd.core.permission import Role
from syncd.store import accounts, tokens, users
from syncd.store.accounts import Book
from syncd.store.database import Store


async def test_the_book_is_read_again_only_after_a_change(store: Store):
    nothing = await store.read(accounts.book, Book())
    assert (nothing.users, nothing.tokens) == ({}, {})
    assert await store.read(accounts.book, nothing) is nothing

    await store.run(users.add, "a@example.org", Role.VIEWER, "hash", 1.0)
    book = await store.read(accounts.book, nothing)
    user = book.users["a@example.org"]
    assert book.ids == {user.id: user}

    words = await store.run(
        lambda db: tokens.create(
            db, user, name="", actions=[], expires_at=None, now=1.0
        )
    )
    newer = await store.read(accounts.book, book)
    assert newer.tokens[words.key].user_id == user.id

    await store.run(tokens.used, {newer.tokens[words.key].id: 5.0})
    assert await store.read(accounts.book, newer) is newer
