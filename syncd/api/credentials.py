"""What a request says about who sends it: the Authorization header and the cookie."""

import base64
import binascii
import hmac
from http.cookies import CookieError, SimpleCookie

from msgspec import Struct

from syncd.errors import NotLoggedIn

COOKIE = "syncd_session"


class Pair(Struct, frozen=True):
    """A name and what proves it: a user's and the password, or a token's KEY:SECRET."""

    name: str
    secret: str

    def same(self, other: "Pair") -> bool:
        """Tell, in the same time whatever they are, whether they are alike."""
        names = hmac.compare_digest(_raw(self.name), _raw(other.name))
        return hmac.compare_digest(_raw(self.secret), _raw(other.secret)) and names


class Signed(Struct, frozen=True):
    """A token that we have signed ourselves."""

    token: str


def given(header: str) -> Pair | Signed:
    """Return what an Authorization header says; raise NotLoggedIn if it is none."""
    scheme, _, said = header.strip().partition(" ")
    said = said.strip()
    match scheme.lower():
        case "basic":
            return _pair(_decoded(said))
        case "bearer" | "token" if ":" in said:
            return _pair(said)
        case "bearer" if said:
            return Signed(said)
    raise NotLoggedIn(
        "the Authorization header makes no sense here; send Basic with a user's"
        " address and password or a token's KEY:SECRET, or Bearer with KEY:SECRET"
    )


def cookie(header: str | None) -> str | None:
    """Return the session that a Cookie header names, None if it names none."""
    if not header:
        return None
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def baked(session: str, *, lasts: float, secure: bool) -> str:
    """Return the header by which a browser keeps a session; 0 seconds: forgets it."""
    words = f"{COOKIE}={session}; Path=/; Max-Age={lasts:.0f}; HttpOnly; SameSite=Lax"
    return f"{words}; Secure" if secure else words


def _decoded(said: str) -> str:
    try:
        raw = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        raise NotLoggedIn("the Authorization header is no base64") from None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _pair(said: str) -> Pair:
    name, colon, secret = said.partition(":")
    if not colon:
        raise NotLoggedIn("the Authorization header has no colon; send NAME:SECRET")
    return Pair(name, secret)


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
