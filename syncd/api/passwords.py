"""Comparing passwords: few at once, off the loop, and slower after failures."""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

from syncd import clock
from syncd.api.guesses import Guesses, neighbourhood
from syncd.api.pace import Hurried
from syncd.store.users import User

AT_ONCE = 2
"""Passwords that are compared at once: each takes 64 MiB."""

MOST_WAITING = 50
"""Passwords that wait to be compared: some seconds' work, whoever sends them."""

MOST = 10_000
"""What is remembered of those that proved right."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Passwords:
    """Knows, of what proved right a while ago, only a digest with a key of its own."""

    def __init__(self) -> None:
        self._guesses = Guesses()
        self._salt = secrets.token_bytes(32)
        self._proved: OrderedDict[bytes, tuple[int, int]] = OrderedDict()
        self._welcome: OrderedDict[tuple[str, str], bool] = OrderedDict()
        """Who logged in from where: they are not slowed down by others elsewhere."""
        self._turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    def close(self) -> None:
        """Wait until nothing is compared any more."""
        if self._threads is not None:
            self._threads.shutdown(wait=True)

    async def fits(
        self, email: str, password: str, user: User | None, address: str
    ) -> bool:
        """Tell whether that is the user's password, and the user not disabled.

        It takes as long if there is no such user. Raise Hurried when there were too
        many failures of this account or this address.
        """
        proof = self._proof(email, password, address)
        turn = self._turns.setdefault(proof, asyncio.Lock())
        async with turn:  # A crowd that says the same is compared once.
            if user is not None and self._proved.get(proof) == (user.id, user.epoch):
                line = [neighbourhood(address)]
                await _pause(self._guesses.look(line, clock.monotonic()))
                return not user.disabled
            keys = self._keys(email, address)
            await _pause(self._guesses.begin(keys, clock.monotonic()))
            try:
                fits = await self._compared(password, user)
            except Hurried:
                self._guesses.succeeded(keys)  # Nothing was learned from it.
                raise
            if not fits or user is None or user.disabled:
                return False
            self._guesses.succeeded(keys)
            _remember(self._proved, proof, (user.id, user.epoch))
            _remember(self._welcome, (email, neighbourhood(address)), True)
            return True

    async def attempt(self, name: str, right: bool, address: str) -> bool:
        """Return what it is told, as slowly as ``fits`` would; raise Hurried."""
        keys = self._keys(name, address)
        await _pause(self._guesses.begin(keys, clock.monotonic()))
        if right:
            self._guesses.succeeded(keys)
            _remember(self._welcome, (name, neighbourhood(address)), True)
        return right

    def _keys(self, name: str, address: str) -> list[str]:
        where = neighbourhood(address)
        known = (name, where) in self._welcome
        return [where] if known else [where, f"account {name}"]

    def _proof(self, *words: str) -> bytes:
        said = "\0".join(words).encode(errors="surrogatepass")
        return hmac.digest(self._salt, said, hashlib.sha256)

    async def _compared(self, password: str, user: User | None) -> bool:
        if self._waiting >= MOST_WAITING:
            raise Hurried(1.0)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        kept = None if user is None else user.password
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            return await loop.run_in_executor(self._threads, _fits, kept, password)
        finally:
            self._waiting -= 1


def _fits(kept: str | None, password: str) -> bool:
    # Loaded here: a daemon to which nobody logs in never needs it.
    from syncd.store import passwords  # noqa: PLC0415

    return passwords.fits(passwords.NOBODYS if kept is None else kept, password)


def _remember(kept: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST:
        kept.popitem(last=False)


async def _pause(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)
