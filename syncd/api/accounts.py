"""Users and tokens as the index has them, looked at again whenever they change."""

from contextlib import suppress
from pathlib import Path

import structlog

from syncd import clock
from syncd.errors import SyncdError
from syncd.store import accounts, sessions
from syncd.store.accounts import Book
from syncd.store.database import Store
from syncd.store.users import User

OFTEN = 0.5
"""Seconds after which whoever asks has the index looked at again."""

MARK = "accounts"
"""The file of the state folder that tells that there are accounts."""

log = structlog.get_logger(__name__)


class Accounts:
    """Everybody who may come in.

    Once there are accounts, there are: an index that is lost takes them with it,
    and a file beside it keeps what they closed from standing open.
    """

    def __init__(self, store: Store, state: Path) -> None:
        self._store = store
        self._mark = state / MARK
        self._book = Book()
        self._looked = 0.0
        self.exist = False
        """Whether there are any, or were."""

    async def open(self) -> None:
        """Look for the first time; raise SyncdError if that cannot be done."""
        self._take(await self._store.read(accounts.book, self._book))
        if self.exist and not self._book.users:
            log.warning(_LOST, action="start", file=str(self._mark))

    async def book(self) -> Book:
        """Return who there is; while it cannot be read, who there was."""
        now = clock.monotonic()
        if now - self._looked > OFTEN:
            self._looked = now
            with suppress(SyncdError):
                self._take(await self._store.read(accounts.book, self._book))
        return self._book

    def look_again(self) -> None:
        """Have the index looked at when somebody asks next: we have changed it."""
        self._looked = -OFTEN

    async def begin_session(self, user: User) -> str:
        """Return the cookie of a new session."""
        return await self._store.run(sessions.begin, user, clock.timestamp())

    async def session(self, cookie: str) -> User | None:
        """Return whose session it is, None unless it is a good one."""
        found = await self._store.read(sessions.find, cookie, clock.timestamp())
        return None if found is None else await self.holder(*found)

    async def end_session(self, cookie: str) -> None:
        """Forget a session."""
        await self._store.run(sessions.end, cookie)

    async def holder(self, id_: int, epoch: int) -> User | None:
        """Return the user, None if what was handed out in that epoch is void."""
        user = (await self.book()).ids.get(id_)
        good = user is not None and user.epoch == epoch and not user.disabled
        return user if good else None

    def _take(self, book: Book) -> None:
        self._book = book
        if book.users and not self._mark.exists():
            mark(self._mark.parent)
        self.exist = bool(book.users) or self._mark.exists()


def mark(state: Path) -> None:
    """Leave the sign that there are accounts from now on."""
    with suppress(OSError):
        (state / MARK).write_text(_SIGN)
        (state / MARK).chmod(0o600)


_SIGN = (
    "There are accounts, so the API asks for a login, even if the index is lost and\n"
    "they with it. To have it open again without any, remove this file.\n"
)
_LOST = (
    "there are no accounts any more, though there were: nobody can log in until you"
    " add them again (syncd user add), or remove the file"
)
