"""Who asks: the one place where every dialect lets people and programs in.

Without any accounts or credentials, whoever reaches us may do anything: then we
listen to this machine only. Otherwise a request proves who sends it by a user's
password, a token (KEY:SECRET), a signed token or the cookie of a session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from msgspec import Struct
from tornado.httputil import HTTPServerRequest

from syncd import clock
from syncd.api import credentials
from syncd.api.accounts import Accounts
from syncd.api.credentials import Pair, Signed
from syncd.api.pace import Hurried
from syncd.api.passwords import Passwords
from syncd.api.signing import ACCESS, REFRESH, Signer
from syncd.api.trail import Trail
from syncd.core.address import is_loopback
from syncd.core.permission import ANYBODY, NEIGHBOUR, NOBODY, Role, Who, allowed
from syncd.errors import BadRequest, NotLoggedIn
from syncd.store import users
from syncd.store.accounts import Book
from syncd.store.audit import Line, Outcome
from syncd.store.database import Store
from syncd.store.users import User
from syncd.text import printable

MOST_NAME = 200
"""Characters that are written down of a name that somebody claims."""

WRONG = "wrong name or password"
VOID = "the login has ended; log in anew"


class Policy(Struct, frozen=True, kw_only=True):
    """What the configuration says of who may come in."""

    pair: Pair | None = None
    """A name and password that count as an operator's, beside all accounts."""
    neighbours: bool = False
    """Whether this machine's own requests need no login."""
    audit_days: float = 365.0


class Keys(Struct, frozen=True):
    """What a program gets that logs in: to ask with, and to get new ones with."""

    access: str
    refresh: str


class Auth:
    """Lets in; entered while the server runs."""

    def __init__(
        self,
        store: Store | None = None,
        state: Path = Path(),
        policy: Policy | None = None,
    ) -> None:
        """Take where accounts are kept; without a store there are none."""
        self._policy = policy or Policy()
        self.trail = Trail(store, self._policy.audit_days)
        self._accounts = Accounts(store, state) if store else None
        self._signer = Signer(state / "signing.key")
        self._passwords = Passwords()

    async def __aenter__(self) -> Self:
        """Look who there is."""
        if self._accounts:
            await self._accounts.open()
        await self.trail.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write down what is left to be."""
        self._passwords.close()
        await self.trail.__aexit__()

    @property
    def asks(self) -> bool:
        """Tell whether anybody could log in, so that all others may not come in."""
        known = self._accounts is not None and self._accounts.exist
        return known or self._policy.pair is not None

    async def asks_now(self) -> bool:
        """Tell the same, of this moment: commands may just have added somebody."""
        await self._book()
        return self.asks

    async def enter(self, request: HTTPServerRequest) -> Who:
        """Return who sends a request, NOBODY if it does not say.

        Raise NotLoggedIn if it says so wrongly, Hurried if that was too often.
        """
        if not await self.asks_now():
            return ANYBODY  # Whatever credentials it has: some always send any.
        header = request.headers.get("Authorization")
        if header is not None:
            said = credentials.given(header)
            if isinstance(said, Pair):
                return await self.by_pair(said, str(request.remote_ip))
            return await self.by_signature(said)
        cookie = credentials.cookie(request.headers.get("Cookie"))
        who = await self._by_session(cookie) if cookie else None
        if who is None and self._policy.neighbours and _is_from_here(request):
            return NEIGHBOUR
        return who or NOBODY

    def look_again(self) -> None:
        """Have accounts looked at when somebody asks next: we have changed them."""
        if self._accounts:
            self._accounts.look_again()

    # By what is said.

    async def by_pair(self, said: Pair, address: str) -> Who:
        """Return whose name and password, or KEY and SECRET, that is.

        Raise NotLoggedIn if nobody's, Hurried if there were too many of these.
        """
        ours = self._policy.pair
        right = ours is not None and ours.same(said)
        if right or (ours is not None and ours.name == said.name and not _mail(said)):
            return await self._by_policy(said, right, address)
        if _mail(said):
            return as_user(await self.by_password(said, address), "password")
        return await self._by_token(said, address)

    async def by_password(self, said: Pair, address: str) -> User:
        """Return the user whose address and password that is; raise as by_pair."""
        try:
            email = users.address(said.name)
        except BadRequest:
            email = ""
        user = (await self._book()).users.get(email)
        name = email or "nobody's"
        with self._noting_haste(said.name, address):
            fits = await self._passwords.fits(name, said.secret, user, address)
        if user is None or not fits:
            disabled = user is not None and user.disabled
            reason = "the user is disabled" if disabled else WRONG
            raise self._refused(said.name, "password", address, reason, told=WRONG)
        return user

    async def by_signature(self, said: Signed) -> Who:
        """Return whose signed token that is; raise NotLoggedIn if it is void."""
        await self._signer.load()
        claimed = self._signer.read(said.token, "access", now=clock.timestamp())
        return as_user(await self._holder(*claimed), "signed token")

    async def _by_policy(self, said: Pair, right: bool, address: str) -> Who:
        with self._noting_haste(said.name, address):
            fits = await self._passwords.attempt(said.name, right, address)
        if not fits:
            raise self._refused(said.name, "password", address, WRONG)
        return Who(said.name, Role.OPERATOR, allowed(Role.OPERATOR), "credentials")

    async def _by_token(self, said: Pair, address: str) -> Who:
        book, now = await self._book(), clock.timestamp()
        token = book.tokens.get(said.name)
        reason = WRONG
        if token is not None and token.fits(said.secret):
            user, state = book.ids[token.user_id], token.state(now)
            if state == "good" and not user.disabled:
                self.trail.used(token.id, now)
                means = f"token {token.key}"
                return Who(
                    user.email, user.role, allowed(user.role, token.actions), means
                )
            reason = (
                "the user is disabled" if state == "good" else f"the token is {state}"
            )
        # Nobody guesses a secret; that it fails is slow, but the right one never is.
        with self._noting_haste(said.name, address):
            await self._passwords.attempt(said.name, False, address)
        raise self._refused(said.name, "token", address, reason)

    async def _by_session(self, cookie: str) -> Who | None:
        user = await self._accounts.session(cookie) if self._accounts else None
        return None if user is None else as_user(user, "session")

    # Logging in, for as long as it lasts.

    async def begin_session(self, user: User) -> str:
        """Return the cookie of a new session of the user."""
        assert self._accounts, "there is a user"
        return await self._accounts.begin_session(user)

    async def end_session(self, request: HTTPServerRequest) -> None:
        """Forget the session that a request comes with, if any."""
        cookie = credentials.cookie(request.headers.get("Cookie"))
        if cookie and self._accounts:
            await self._accounts.end_session(cookie)

    async def keys(self, user: User, lasts: float = ACCESS) -> Keys:
        """Return signed tokens of the user; ``lasts``: seconds to ask with one."""
        await self._signer.load()
        now = clock.timestamp()
        return Keys(
            self._signer.sign(user, "access", now=now, lasts=lasts),
            self._signer.sign(user, "refresh", now=now, lasts=REFRESH),
        )

    async def refreshed(self, token: str) -> User:
        """Return who may have new tokens for that one; raise NotLoggedIn."""
        await self._signer.load()
        claimed = self._signer.read(token, "refresh", now=clock.timestamp())
        return await self._holder(*claimed)

    # Beneath.

    async def _book(self) -> Book:
        return await self._accounts.book() if self._accounts else Book()

    async def _holder(self, id_: int, epoch: int) -> User:
        user = await self._accounts.holder(id_, epoch) if self._accounts else None
        if user is None:
            raise NotLoggedIn(VOID)
        return user

    def _refused(
        self, name: str, means: str, address: str, reason: str, told: str = ""
    ) -> NotLoggedIn:
        """Write down that somebody was not let in, and return what they are told."""
        self.trail.add_failure(
            Line(
                at=clock.timestamp(),
                who=printable(name[:MOST_NAME]),
                means=means,
                address=address,
                action="login",
                outcome=Outcome.REFUSED,
                status=HTTPStatus.UNAUTHORIZED,
                reason=reason,
            )
        )
        return NotLoggedIn(told or reason)

    @contextmanager
    def _noting_haste(self, name: str, address: str) -> Iterator[None]:
        try:
            yield
        except Hurried:
            self._refused(name, "password", address, "too many failures before")
            raise


def as_user(user: User, means: str) -> Who:
    """Return a user as somebody who asks."""
    return Who(user.email, user.role, allowed(user.role), means)


def _mail(said: Pair) -> bool:
    """Tell whether the name can be a user's: no token has such a name."""
    return "@" in said.name


def _is_from_here(request: HTTPServerRequest) -> bool:
    """Tell whether a request came in on an address that only this machine reaches."""
    connection: Any = request.connection
    try:
        return is_loopback(connection.stream.socket.getsockname()[0])
    except (AttributeError, OSError):
        return False  # It is gone already.
