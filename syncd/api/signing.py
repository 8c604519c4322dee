"""Signed tokens (JWT): proof of a login that is not kept anywhere, for a while.

Each names its user's epoch, so a change of the password makes all of them void.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from syncd.errors import NotLoggedIn
from syncd.store import keyfile
from syncd.store.users import User

ACCESS, REFRESH = 15 * 60.0, 14 * 86_400.0
"""Seconds that a token is good for: to ask with, and to get new ones with."""

_METHOD = "HS256"

Use = Literal["access", "refresh"]


class Signer:
    """Makes and reads tokens; the key lies in a file of the state folder."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: bytes | None = None
        self._loading = asyncio.Lock()
        self._loaded = False

    async def load(self) -> None:
        """Have all that it takes at hand, before anything is signed or read.

        It takes a tenth of a second, and most daemons never need it. Raise Unavailable
        if the key cannot be had.
        """
        async with self._loading:
            if not self._loaded:
                await asyncio.to_thread(self._load)
                self._loaded = True

    def _load(self) -> None:
        import jwt  # noqa: F401, PLC0415

        self._key()

    def sign(self, user: User, use: Use, *, now: float, lasts: float) -> str:
        """Return a token of the user; raise Unavailable if the key cannot be had."""
        import jwt  # noqa: PLC0415

        claims = {
            "sub": str(user.id),
            "user_id": user.id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "epoch": user.epoch,
            "token_type": use,
            "iat": int(now),
            "exp": int(now + lasts),
            "jti": uuid4().hex,
        }
        return jwt.encode(claims, self._key(), algorithm=_METHOD)

    def read(self, token: str, use: Use, *, now: float) -> tuple[int, int]:
        """Return user's id and epoch; raise NotLoggedIn unless the token is good."""
        import jwt  # noqa: PLC0415

        raw = token.encode(errors="replace")
        ours = {"verify_exp": False, "verify_iat": False, "require": ["exp", "sub"]}
        try:
            claims = jwt.decode(
                raw,
                self._key(),
                algorithms=[_METHOD],
                options=ours,  # type: ignore[arg-type]
            )
        except jwt.InvalidTokenError:
            raise NotLoggedIn("this is no token of ours; log in anew") from None
        if claims["exp"] <= now:
            raise NotLoggedIn("the token has expired; log in anew, or refresh it")
        return _claimed(claims, use)

    def _key(self) -> bytes:
        if self._kept is None:
            self._kept = keyfile.read_or_made(self._file)
        return self._kept


def _claimed(claims: Mapping[str, Any], use: Use) -> tuple[int, int]:
    if claims.get("token_type") != use:
        raise NotLoggedIn(f"this token is not for that; send the {use} token")
    return int(claims["sub"]), int(claims["epoch"])
